"""What waits for a second person of a firm, as the faces show it, and how the second person sends it or sends it back.

Signed acts (`PendingAct`) and changes of a firm's own terms (`ChangeRequest`) stand in one list.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import TypeAdapter
from pydantic import ValidationError as BodyError
from sqlmodel import Session

from scf.api import acts
from scf.api.access import Caller
from scf.api.act_kinds import SignedAct
from scf.api.messages import read_message
from scf.api.shapes import amount
from scf.api.views import moment
from scf.app import App
from scf.entrusted import queries as entrusted_queries
from scf.kernel.money import currency as currency_of
from scf.kernel.problems import Problem
from scf.ledger.intents import typed_data
from scf.ledger.signing import sign_digest
from scf.parties.approvals import PendingAct, PendingContext
from scf.parties.changes import ChangeRequest
from scf.receivables import queries
from scf.receivables.service import plain

_OF_THE_MOMENT = ("deadline", "offerUntil", "salt", "expiry", "lockUntil")
"""Fields of a message that preparing it a second time makes anew."""


def listed(app: App, session: Session, caller: Caller, *, waiting: bool, limit: int) -> list[dict[str, Any]]:
    """Acts and changes of the caller's firm (of all firms for who oversees all), newest first."""
    firm = None if caller.sees_all else caller.organisation_id
    rows: list[PendingAct | ChangeRequest] = [
        *app.approvals.of_firm(session, firm, waiting=waiting, limit=limit),
        *app.changes.of_firm(session, firm, waiting=waiting, limit=limit),
    ]
    rows.sort(key=lambda row: (-row.made_at, row.id))
    names = app.parties.names(session)
    return [_shown(row, caller, names) for row in rows[:limit]]


def one(app: App, session: Session, caller: Caller, identifier: str) -> dict[str, Any]:
    """One of them, with everything its second person has to see. Raises Problem `unknown_pending_act`."""
    row = find(app, session, caller, identifier)
    shown = _shown(row, caller, app.parties.names(session))
    if isinstance(row, PendingAct):
        message = json.loads(row.message)
        known = read_message(row.contract, row.primary_type, message)
        shown["typed_data"] = json.loads(
            json.dumps(plain(typed_data(app.contracts, row.contract, row.primary_type, known)))
        )
    else:
        shown["change"] = json.loads(row.body)
    return shown


def find(app: App, session: Session, caller: Caller, identifier: str) -> PendingAct | ChangeRequest:
    """The row behind an identifier the caller may see. Raises Problem `unknown_pending_act`."""
    firm = None if caller.sees_all else caller.organisation_id
    if identifier.startswith("CHG"):
        return app.changes.one(session, identifier, firm)
    return app.approvals.one(session, identifier.lower(), firm)


def propose(
    app: App, caller: Caller, name: str, body: Mapping[str, Any], message: Mapping[str, Any], signature: bytes
) -> dict[str, Any]:
    """Keep an act its maker signed until a second person decides.

    `body` is what the act was prepared from; it is prepared again, so that words and rules are those of now, and must
    give the same message. Raises Problem `unknown_act`, `request_not_readable`, `proposal_differs`, and what the act's
    own room and `Approvals.propose` raise.
    """
    act = acts.SIGNED.get(name)
    if act is None:
        raise Problem("unknown_act", act=name)
    try:
        asked = TypeAdapter(act.body).validate_python(dict(body))
    except BodyError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "body"
        raise Problem("request_not_readable", place=place, reason=str(first["msg"])) from error
    ready = acts.prepare(app, caller, act, asked)
    signed = read_message(act.contract, act.primary_type, message)
    again = read_message(act.contract, act.primary_type, plain(ready.prepared.typed_data["message"]))
    for field, value in again.items():
        if field not in _OF_THE_MOMENT and signed[field] != value:
            raise Problem("proposal_differs", field=field)
        if field in ("deadline", "offerUntil", "expiry", "lockUntil") and int(signed[field]) > int(value):
            raise Problem("proposal_differs", field=field)
    prepared = app.desk.prepare(
        name,
        act.contract,
        act.primary_type,
        signed,
        signers=ready.prepared.signers,
        summary=ready.prepared.summary,
    )
    with app.desk.session() as session:
        minor, code = size_of(session, signed)
        row = app.approvals.propose(session, prepared, caller.address, signature, amount_minor=minor, currency=code)
        if ready.context:
            session.merge(PendingContext(act_id=row.id, context=json.dumps(ready.context)))
        return _shown(row, caller, app.parties.names(session))


def approve(app: App, caller: Caller, identifier: str, signature: bytes | None, key: str) -> dict[str, Any]:
    """A second person sends it; a signed act needs that person's signature over the same digest.

    Raises Problem `signatures_missing` and what `Approvals.approve`, `Changes.approve` and the act's room raise.
    """
    with app.desk.session() as session:
        row = find(app, session, caller, identifier)
        if isinstance(row, ChangeRequest):
            done = app.changes.approve(session, row.id, caller.address)
            return {**_shown(done, caller, app.parties.names(session)), "reply": {}}
    if signature is None:
        raise Problem("signatures_missing", act=row.act, needed=1, given=0)

    def submit(kept: PendingAct, message: Mapping[str, Any], parts: Sequence[bytes]) -> Mapping[str, Any]:
        act = acts.SIGNED.get(kept.act)
        if act is None:  # many notes at once have no route of their own
            known = read_message(kept.contract, kept.primary_type, message)
            return app.receivables.submit(kept.act, known, parts, key=_key_of(kept), caller=kept.account)
        known = read_message(act.contract, act.primary_type, message)
        return act.submit(app, known, _grouped(act, parts), _context(app, kept), _key_of(kept), kept.account)

    decided = app.approvals.approve(row.id, caller.address, signature, submit)
    with app.reading() as session:
        shown = one(app, session, caller, row.id)
    return {**shown, "reply": dict(decided.reply)}


def send_back(app: App, caller: Caller, identifier: str, reason: str) -> dict[str, Any]:
    """A second person says no, and why. Raises Problem `reason_missing`, `same_person`, `pending_act_over`."""
    with app.desk.session() as session:
        row = find(app, session, caller, identifier)
        if isinstance(row, ChangeRequest):
            app.changes.send_back(session, row.id, caller.address, reason)
        else:
            app.approvals.reject(session, row.id, caller.address, reason)
        return _shown(row, caller, app.parties.names(session))


def demo_signature(app: App, caller: Caller, digest: str) -> bytes:
    """The caller's own signature with its demo key. Raises Problem `demo_only`."""
    if not app.settings.demo:
        raise Problem("demo_only")
    from scf.demo.cast import demo_signers  # the cast exists only in demo installations

    keys = demo_signers(app, caller.address)
    if len(keys) != 1:
        raise Problem("same_person", who=caller.name)
    return sign_digest(keys[0].private, bytes.fromhex(digest.removeprefix("0x")))


def size_of(session: Session, message: Mapping[str, Any]) -> tuple[int, str]:
    """Amount in minor units and currency of a message; 0 for an act that moves nothing."""
    minor = next((int(message[name]) for name in ("face", "net", "amount", "upTo") if name in message), 0)
    if "principal" in message:
        minor = int(message["principal"]) + int(message["interest"])
    if "currency" in message:
        return minor, currency_of(int(message["currency"])).code
    if "accountId" in message:
        return minor, entrusted_queries.account(session, int(message["accountId"])).currency
    receivable = int(message["receivableId"]) if "receivableId" in message else 0
    note = message.get("noteId", message.get("parentId"))
    if note is not None:
        row = queries.note(session, f"0x{int(note):064x}")
        minor, receivable = minor or row.amount_minor, row.receivable_id
    return minor, queries.receivable(session, receivable).currency if receivable else "CNY"


def _key_of(row: PendingAct) -> str:
    return f"two:{row.id[2:42]}"


def _context(app: App, row: PendingAct) -> dict[str, Any]:
    with app.reading() as session:
        kept = session.get(PendingContext, row.id)
    return dict(json.loads(kept.context)) if kept else {}


def _grouped(act: SignedAct, parts: Sequence[bytes]) -> list[list[bytes]]:
    return [list(parts)] if act.signer_count == 1 else [[part] for part in parts]


def _shown(row: PendingAct | ChangeRequest, caller: Caller, names: Mapping[str, str]) -> dict[str, Any]:
    signed = isinstance(row, PendingAct)
    mine = row.organisation_id == caller.organisation_id
    return {
        "id": row.id,
        "kind": row.act if isinstance(row, PendingAct) else row.kind,
        "signed": signed,
        "state": row.state,
        "summary": {"en": row.summary_en, "zh-CN": row.summary_zh},
        "amount": amount(row.amount_minor, row.currency),
        "maker": {"address": row.maker, "name": names.get(row.maker, row.maker)},
        "checker": {"address": row.checker, "name": names.get(row.checker, row.checker)} if row.checker else None,
        "reason": row.reason,
        "made_at": moment(row.made_at),
        "valid_until": moment(row.valid_until),
        "decided_at": moment(row.decided_at),
        "may_decide": mine and row.state in ("waiting", "approved") and caller.address != row.maker,
    }
