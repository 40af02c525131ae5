"""Notices of the caller's firm, unread first, each with the proof behind it."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from sqlmodel import Session, col, select
from starlette.responses import HTMLResponse, Response

from scf.api.access import Caller
from scf.api.views import moment
from scf.jobs.models import Notice
from scf.jobs.notices import proof_of
from scf.kernel.problems import Problem
from scf.store import evidence
from scf.web.doors import PagesDoor, Signed
from scf.web.pages import Pages, go

router = APIRouter()


@router.get("/notices")
def notices(request: Request, pages: PagesDoor, caller: Signed, show: str = "all") -> Response:
    """What happened that the firm should know; `show=unread` leaves out what was read."""
    with pages.app.reading() as session:
        rows = pages.app.notices.of_firm(session, caller.addresses, unread=show == "unread")
    items = [_shape(pages, row) for row in rows]
    return pages.render(request, "notices.html", caller, items=items, only_unread=show == "unread")


@router.get("/notices/badge")
def badge(request: Request, pages: PagesDoor, caller: Signed) -> HTMLResponse:
    """The count in the menu alone, for pages that are told of news."""
    return pages.render(request, "badge.html", caller)


@router.post("/notices/read")
def read(pages: PagesDoor, caller: Signed, key: Annotated[str, Form()] = "") -> Response:
    """Mark one notice as read, or all when none is named."""
    with pages.app.desk.session() as session:
        if key:
            pages.app.notices.read(session, key, _recipient(session, caller, key))
        else:
            pages.app.notices.read_all(session, caller.addresses)
    return go("/notices")


@router.get("/proof/transaction/{transaction_hash}")
def proof_of_transaction(request: Request, pages: PagesDoor, caller: Signed, transaction_hash: str) -> Response:
    """Where on the ledger the fact behind a notice stands."""
    with pages.app.reading() as session:
        told = _told(session, caller, col(Notice.transaction_hash) == transaction_hash)
    try:
        receipt = pages.app.ledger.receipt(bytes.fromhex(transaction_hash.removeprefix("0x")))
    except ValueError:
        receipt = None
    if receipt is None or not (told or caller.sees_all):
        raise Problem("address_unknown", path=request.url.path)
    known = [pages.app.contracts.decode(log) for log in receipt.logs]
    proof: dict[str, Any] = {
        "hash": transaction_hash,
        "block": receipt.block_number,
        "block_hash": "0x" + receipt.block_hash.hex(),
        "at": moment(receipt.timestamp),
        "succeeded": receipt.succeeded,
        "events": [event.name for event in known if event is not None],
    }
    return pages.render(request, "proof.html", caller, told=told, transaction=proof, document=None)


@router.get("/proof/evidence/{evidence_id}")
def proof_of_evidence(request: Request, pages: PagesDoor, caller: Signed, evidence_id: str) -> Response:
    """Where in the evidence log the document behind a notice stands."""
    with pages.app.reading() as session:
        told = _told(session, caller, col(Notice.evidence_id) == evidence_id)
        rows = evidence.records_of(session, evidence_id)
        if not rows or not (told or caller.sees_all):
            raise Problem("address_unknown", path=request.url.path)
        head = evidence.head(session)
    row = rows[0]
    proof = {
        "id": evidence_id,
        "kind": row.kind,
        "source": row.source,
        "received_at": moment(row.received_at),
        "place": row.leaf_index,
        "size": head.size,
        "root": head.root.hex(),
        "trust": f"T{row.trust}",
    }
    return pages.render(request, "proof.html", caller, told=told, transaction=None, document=proof)


def _shape(pages: Pages, row: Notice) -> dict[str, Any]:
    return {
        "key": row.key,
        "kind": row.kind,
        "words": {"en": row.en, "zh-CN": row.zh},
        "at": moment(row.made_at),
        "unread": row.read_at is None,
        "read_at": moment(row.read_at),
        "proof": proof_of(row),
        "code": (row.transaction_hash or row.evidence_id or "").removeprefix("0x")[-8:],
    }


def _recipient(session: Session, caller: Caller, key: str) -> str:
    """The seat of the caller's firm a notice went to; its own address where it went to none of them."""
    row = session.get(Notice, key)
    return row.recipient if row is not None and row.recipient in caller.addresses else caller.address


def _told(session: Session, caller: Caller, proof: Any) -> list[Notice]:
    query = select(Notice).where(proof, col(Notice.recipient).in_(caller.addresses))
    return list(session.exec(query.order_by(col(Notice.made_at).desc())).all())
