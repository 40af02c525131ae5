"""One setting chooses the engine: `embedded:PATH`, `sidecar:PATH` or `rpc:URL[,URL…][#options]` (`SCF_LEDGER`)."""

from __future__ import annotations

import re

from scf.kernel.clock import Clock
from scf.kernel.problems import Problem
from scf.ledger.protocol import Ledger

_RPC_OPTIONS = ("confirmations", "mining_s", "patience_s", "fee", "fee_cap")


def open_ledger(setting: str, clock: Clock, *, chain_id: int | None = None, read_only: bool = False) -> Ledger:
    """Open the ledger named by `setting`.

    Args:
        setting: `embedded:PATH` (a file, or `:memory:`); `sidecar:PATH` (anvil beside the service, its transactions in
            that file); `rpc:URL` with more URLs of that network after commas, and after a `#` what is particular to it:
            `confirmations=2` (blocks that must follow, where a block is not final at once), `mining_s=120` and
            `patience_s=30` (seconds to wait for mining, and for a node that answers), `fee=N` and `fee_cap=N` (wei a
            unit of gas, where gas is not free), parted by `&`.
        clock: gives the block time of the embedded engine; nodes have their own.
        chain_id: expected chain id; None takes what is there (20260 for a new embedded chain).
        read_only: read beside a writing process.

    Raises Problem `ledger_unknown_engine` and what the engine raises on opening.
    """
    engine, _, place = setting.partition(":")
    if engine == "embedded" and place:
        from scf.ledger.embedded.engine import EmbeddedLedger  # late: py-evm takes a second to import

        return EmbeddedLedger(place, clock, chain_id=chain_id, read_only=read_only)
    if engine == "sidecar" and place:
        from scf.ledger.rpc.sidecar import SidecarLedger  # late: needs anvil beside it

        return SidecarLedger(place, clock, chain_id=chain_id)
    if engine == "rpc" and place:
        from scf.ledger.rpc.engine import RpcLedger  # late: the embedded engine needs no HTTP

        urls, _, options = place.partition("#")
        chosen = _options(setting, options)
        fee = chosen.pop("fee", 0)
        return RpcLedger(
            urls.split(","),
            clock,
            chain_id=chain_id,
            confirmations=chosen.pop("confirmations", 0),
            mining_s=chosen.pop("mining_s", 60),
            patience_s=chosen.pop("patience_s", 10),
            fees=(fee, chosen.pop("fee_cap", fee)),
        )
    raise _unknown(setting)


def _options(setting: str, text: str) -> dict[str, int]:
    found: dict[str, int] = {}
    for part in filter(None, text.split("&")):
        name, _, value = part.partition("=")
        if name not in _RPC_OPTIONS or not value.isdigit():
            raise _unknown(setting)
        found[name] = int(value)
    return found


def _unknown(setting: str) -> Problem:
    return Problem("ledger_unknown_engine", setting=re.sub(r"//[^/@]*@", "//", setting))  # without a password
