"""Anchoring: an operator signs the head of the evidence log, and the ledger keeps it for ever."""

from __future__ import annotations

from collections.abc import Callable

from scf.desk.service import Desk, Done, Prepared
from scf.store import evidence

SIGNATURE_VALID_SECONDS = 86_400


def prepare_anchor(desk: Desk, operator: str) -> Prepared | None:
    """Typed data of the newest head for an operator to sign; None when it is anchored already or the log is empty."""
    anchored = desk.contracts.evidence.read(desk.ledger, "head")
    with desk.session() as session:
        head = evidence.head(session)
    if head.size == 0 or head.size == anchored[0]:
        return None
    message = {
        "size": head.size,
        "root": head.root,
        "previousSize": anchored[0],
        "operator": operator,
        "deadline": desk.clock.now() + SIGNATURE_VALID_SECONDS,
    }
    return desk.prepare(
        "anchor",
        "EvidenceLog",
        "Anchor",
        message,
        signers=(operator,),
        summary={
            "en": f"You anchor the evidence log at {head.size} records.",
            "zh-CN": f"您将证据日志锚定在第 {head.size} 条记录。",
        },
    )


def anchor(desk: Desk, operator: str, sign: Callable[[bytes], bytes]) -> Done | None:
    """Anchor the newest head; `sign` signs its digest with the operator's key. None when nothing is new."""
    prepared = prepare_anchor(desk, operator)
    if prepared is None:
        return None
    fields = ("size", "root", "previousSize", "operator", "deadline")
    call = desk.contracts.evidence.call("anchor", *(prepared.message[name] for name in fields), sign(prepared.digest))
    return desk.relay([(f"anchor:{prepared.message['size']}", call)])[0]
