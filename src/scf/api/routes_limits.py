"""Routes of limits: what is used and free, and the changes two operators sign on the ledger."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from sqlmodel import Session

from scf.api import office
from scf.api.access import Caller
from scf.api.doors import Key, Scf, Who
from scf.api.shapes import Amount, Shape, amount
from scf.api.views import moment
from scf.app import App
from scf.kernel.problems import Problem
from scf.ledger.signing import sign_digest
from scf.parties.limits import LimitAct
from scf.parties.service import Role

router = APIRouter(tags=["limits"])


class LimitBody(Shape):
    """A change of a limit; without `limit` there is none any more.

    `subject`: address of the obligor or financier, name of the group; for `member` the obligor that joins `group`
    (blank: leaves).
    """

    kind: Literal["obligor", "group", "financier", "member"]
    subject: str
    limit: Amount | None = None
    currency: str = "CNY"
    group: str = ""


class SignLimitBody(Shape):
    """An operator's signature over the typed data; demo keys sign where `demo` is true."""

    signature: str | None = None
    demo: bool = False


@router.get("/limits")
def limits(
    app: Scf,
    caller: Who,
    of: Annotated[str | None, Query(max_length=42)] = None,
    currency: Annotated[str, Query(min_length=3, max_length=3)] = "CNY",
) -> dict[str, Any]:
    """What the caller's firm may still promise or buy: limit, used, free. Another's (`of`) only for overseers."""
    if of is not None and of not in caller.addresses and not caller.sees_all:
        raise Problem("unknown_participant", who=of)
    items = []
    with app.reading() as session:
        two: dict[str, int] = {}
        for who in [of] if of else sorted(caller.addresses):
            for view in app.programmes.limits(session, obligor=who, financier=who, currency=currency):
                if view.kind == "obligor" and not view.limit_minor:
                    continue
                items.append(
                    {
                        "kind": view.kind,
                        "subject": view.subject,
                        "limit": amount(view.limit_minor, view.currency),
                        "used": amount(view.used_minor, view.currency),
                        "free": amount(view.free_minor, view.currency),
                    }
                )
            two = app.two_people.amounts(session, who)
        return {"items": items, "two_people_from": {act: amount(minor, currency) for act, minor in two.items()}}


@router.get("/limits/changes")
def changes(app: Scf, caller: Who) -> dict[str, Any]:
    """Changes of the caller's own limits (all for overseers) and whose turn it is; operators get what they sign."""
    with app.reading() as session:
        rows = [row for row in app.limits.all(session) if caller.sees_all or row.subject in caller.addresses]
        return {"items": [shown_change(app, session, caller, row) for row in rows], "next": None}


@router.post("/limits/changes")
def open_change(app: Scf, caller: Who, body: LimitBody, key: Key = None) -> dict[str, Any]:
    """Prepare a change of a limit (operators); it holds once two operators signed it."""
    office.check_key(key)
    caller.require(Role.OPERATOR)
    with app.desk.session() as session:
        row = app.limits.open(
            session,
            kind=body.kind,
            subject=body.subject,
            by=caller.address,
            currency=body.currency,
            limit_minor=body.limit.read_in(body.currency) if body.limit else None,
            group=body.group,
        )
        return shown_change(app, session, caller, row)


@router.post("/limits/changes/{change_id}/sign")
def sign_change(app: Scf, caller: Who, change_id: str, body: SignLimitBody, key: Key = None) -> dict[str, Any]:
    """Sign as an operator; the second one's signature sets the limit on the ledger, once."""
    office.check_key(key)
    caller.require(Role.OPERATOR)
    row = app.limits.sign(change_id, caller.address, operator_signature(app, caller, change_id, body))
    with app.desk.session() as session:
        return shown_change(app, session, caller, row)


def operator_signature(app: App, caller: Caller, change_id: str, body: SignLimitBody) -> bytes:
    """The caller's signature: the one given, or a demo key's. Raises Problem `signature_not_hex`, `demo_only`."""
    if body.demo and not body.signature:
        if not app.settings.demo:
            raise Problem("demo_only")
        from scf.demo.cast import demo_signers  # the cast exists only in demo installations

        with app.desk.session() as session:
            digest = app.limits.typed(session, app.limits.one(session, change_id)).digest
        return sign_digest(demo_signers(app, caller.address)[0].private, digest)
    try:
        return bytes.fromhex((body.signature or "").removeprefix("0x"))
    except ValueError as error:
        raise Problem("signature_not_hex") from error


def shown_change(app: App, session: Session, caller: Caller, row: LimitAct) -> dict[str, Any]:
    """One change as answers show it."""
    shown: dict[str, Any] = {
        "id": row.id,
        "kind": row.kind,
        "subject": row.subject,
        "words": app.limits.words(session, row),
        "limit": None if row.limit_minor is None else amount(row.limit_minor, row.currency),
        "state": row.state,
        "turn": app.limits.turn(session, row),
        "opened_at": moment(row.opened_at),
        "signed_by": [who for who in (row.first_by, row.second_by) if who],
        "done_at": moment(row.done_at),
        "transaction": row.transaction,
    }
    if caller.has(Role.OPERATOR) and row.state == "open":
        prepared = app.limits.typed(session, row)
        shown |= {"typed_data": prepared.typed_data, "digest": "0x" + prepared.digest.hex()}
    return shown
