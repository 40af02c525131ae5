"""The embedded ledger as a web3.py provider in the same process: `Web3(LedgerProvider(ledger))`."""

from __future__ import annotations

from typing import Any

from web3.providers.base import JSONBaseProvider
from web3.types import RPCEndpoint, RPCResponse

from scf.ledger.embedded.engine import EmbeddedLedger
from scf.ledger.node import Methods


class LedgerProvider(JSONBaseProvider):
    """Answers web3.py from an embedded ledger without a port; what `node.LedgerNode` answers over HTTP."""

    def __init__(self, ledger: EmbeddedLedger) -> None:
        super().__init__()
        self._methods = Methods(ledger)

    def make_request(self, method: RPCEndpoint, params: Any) -> RPCResponse:
        """See web3.py."""
        answer: Any = self._methods.answer({"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)})
        return answer  # type: ignore[no-any-return]

    def is_connected(self, show_traceback: bool = False) -> bool:
        """It always is."""
        return True
