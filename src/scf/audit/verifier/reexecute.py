"""Replay every block in a fresh EVM (py-evm) and compare receipts and state roots: assurance level L3.

The replay starts from an empty state, takes nothing but the signed transactions and each header's environment (number,
time, gas limit, beneficiary, randomness, base fee), and is optional: py-evm is no dependency of the verifier.
"""

from __future__ import annotations

import importlib
from typing import Any

from . import rlp_codec as rlp
from .chain import Block
from .faults import Malformed
from .manifest import Manifest
from .report import Report
from .tries import EMPTY_ROOT

FORKS = {
    "paris": ("eth.vm.forks.paris", "ParisVM"),
    "shanghai": ("eth.vm.forks.shanghai", "ShanghaiVM"),
    "cancun": ("eth.vm.forks.cancun", "CancunVM"),
    "prague": ("eth.vm.forks.prague", "PragueVM"),
}


class Replayer:
    """A fresh chain that is fed block by block."""

    def __init__(self, manifest: Manifest, report: Report) -> None:
        self._report = report
        self._check = report.check("re_execution")
        self._chain_id = manifest.scope.chain_id
        self._root = EMPTY_ROOT
        self._hashes: list[bytes] = []
        self._vm: Any = None
        self._sound = True
        fork = str(manifest.engine.get("fork", ""))
        if fork not in FORKS:
            self._check.unprovable("fork_unknown", fork or "—")
            return
        try:
            module, name = FORKS[fork]
            self._vm = getattr(importlib.import_module(module), name)
            from eth.db.atomic import AtomicDB

            self._database = AtomicDB()
        except (ImportError, AttributeError):
            self._vm = None
            self._check.unprovable("no_evm", fork)

    @property
    def proved(self) -> bool:
        """Whether every block so far led to the state its header names."""
        return self._vm is not None and self._sound and self._check.ran

    def replay(self, block: Block) -> None:
        """Run one block and compare."""
        if self._vm is None or not self._sound:
            return
        header, record = block.header, f"block {block.header.number}"
        if not block.transactions:
            self._sound = self._check.expect("state_root", record, header.state_root, self._root)
        else:
            self._sound = self._run(block, record)
        self._hashes.append(header.hash)

    def _run(self, block: Block, record: str) -> bool:
        state = self._state(block)
        gas = 0
        for position, raw in enumerate(block.transactions):
            try:
                transaction = self._vm.get_transaction_builder().decode(raw)
                state.lock_changes()
                computation = state.apply_transaction(transaction)
            except Exception as error:
                self._check.fail(
                    "replay_refused", f"{record} tx {position}", "valid", f"{type(error).__name__}: {error}"
                )
                return False
            gas += self._vm.finalize_gas_used(transaction, computation)
            receipt = block.receipts[position] if position < len(block.receipts) else None
            logs = [
                (bytes(a), [t.to_bytes(32, "big") for t in topics], bytes(d))
                for a, topics, d in computation.get_log_entries()
            ]
            found = (not computation.is_error, gas, logs)
            claimed = None if receipt is None else (
                receipt.succeeded, receipt.cumulative_gas, [(log.address, log.topics, log.data) for log in receipt.logs]
            )  # fmt: skip
            if found != claimed:
                self._check.fail("replay_receipt", f"{record} tx {position}")
                return False
        state.persist()
        self._root = state.state_root
        return self._check.expect("state_root", record, block.header.state_root, self._root)

    def _state(self, block: Block) -> Any:
        context: Any = importlib.import_module("eth.vm.execution_context").ExecutionContext
        fields = rlp.decode_list(block.header.encoded)
        if len(fields) < 16:
            raise Malformed("chain/headers.rlp", "a header without base fee")
        environment = context(
            coinbase=rlp.as_bytes(fields[2], 20),
            timestamp=block.header.timestamp,
            block_number=block.header.number,
            difficulty=rlp.as_int(fields[7]),
            mix_hash=rlp.as_bytes(fields[13], 32),
            gas_limit=rlp.as_int(fields[9]),
            prev_hashes=tuple(reversed(self._hashes[-256:])),
            chain_id=self._chain_id,
            base_fee_per_gas=rlp.as_int(fields[15]),
        )
        return self._vm.get_state_class()(self._database, environment, self._root)
