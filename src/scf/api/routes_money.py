"""Routes of two people's work, programmes, the fairness meter and notices."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import Field

from scf.api import approving, office
from scf.api.access import Caller
from scf.api.doors import Key, Scf, Who
from scf.api.paging import DEFAULT_LIMIT, Limit
from scf.api.reads import receivables_related
from scf.api.shapes import Amount, Shape, amount
from scf.api.views import moment
from scf.app import App
from scf.financing.competing import claim_rank, file_outside
from scf.financing.fairness import SMALLEST_CELL, Meter, measure, published
from scf.financing.models import OutsideClaim
from scf.jobs.notices import proof_of
from scf.kernel.problems import Problem
from scf.parties.service import Role
from scf.receivables.programmes import Programme
from scf.receivables.queries import receivable as receivable_of

router = APIRouter()


class ProposalBody(Shape):
    """An act as it was prepared (`act`, `body`), the message that was given to sign, and its maker's signature."""

    act: str
    body: dict[str, Any]
    message: dict[str, Any]
    signature: str


class ChangeBody(Shape):
    """A change of the firm's own terms: `open_programme`, `close_programme`, `set_limit`, `delegate` and the like."""

    kind: str
    body: dict[str, Any]


class ApproveBody(Shape):
    """The second person's signature over the same digest; changes need none, demo keys sign where `demo` is true."""

    signature: str | None = None
    demo: bool = False


class ReasonBody(Shape):
    """Why something is sent back."""

    reason: str


# Two people -----------------------------------------------------------------------------------------------------------


@router.get("/approvals", tags=["two people"])
def approvals(
    app: Scf, caller: Who, waiting: Annotated[bool, Query()] = False, limit: Limit = DEFAULT_LIMIT
) -> dict[str, Any]:
    """What people of the caller's firm proposed, signed acts and changes alike; with `waiting` what is undecided."""
    with app.reading() as session:
        return {"items": approving.listed(app, session, caller, waiting=waiting, limit=limit), "next": None}


@router.get("/approvals/{approval_id}", tags=["two people"])
def approval(app: Scf, caller: Who, approval_id: str) -> dict[str, Any]:
    """One of them with the typed data (or the change) its second person decides about."""
    with app.reading() as session:
        return approving.one(app, session, caller, approval_id)


@router.post("/approvals", tags=["two people"])
def propose(app: Scf, caller: Who, body: ProposalBody, key: Key = None) -> dict[str, Any]:
    """Propose a signed act for a second person; the same again is one proposal."""
    office.check_key(key)
    return approving.propose(app, caller, body.act, body.body, body.message, _bytes(body.signature))


@router.post("/changes", tags=["two people"])
def change(app: Scf, caller: Who, body: ChangeBody, key: Key = None) -> dict[str, Any]:
    """Ask for a change of the firm's own terms; it holds once a second person agreed."""
    office.check_key(key)
    try:
        with app.desk.session() as session:
            row = app.changes.request(session, body.kind, body.body, caller.address)
            return approving.one(app, session, caller, row.id)
    except (KeyError, TypeError, ValueError) as error:
        raise Problem("request_not_readable", place="body", reason=str(error)[:120]) from error


@router.post("/approvals/{approval_id}/approve", tags=["two people"])
def approve(app: Scf, caller: Who, approval_id: str, body: ApproveBody, key: Key = None) -> dict[str, Any]:
    """Agree as the second person; a signed act goes to the ledger with both signatures, once."""
    checked = office.check_key(key)
    signature = _bytes(body.signature) if body.signature else None
    if body.demo and signature is None and not approval_id.startswith("CHG"):
        signature = approving.demo_signature(app, caller, approval_id)
    return approving.approve(app, caller, approval_id, signature, checked)


@router.post("/approvals/{approval_id}/send-back", tags=["two people"])
def send_back(app: Scf, caller: Who, approval_id: str, body: ReasonBody) -> dict[str, Any]:
    """Say no as the second person, with the reason its maker reads."""
    return approving.send_back(app, caller, approval_id, body.reason)


# Programmes ------------------------------------------------------------------------------------------------


@router.get("/programmes", tags=["programmes"])
def programmes(app: Scf, caller: Who) -> dict[str, Any]:
    """Programmes the caller takes part in: its own, those it may finance, those of whom it holds or held a claim on."""
    with app.reading() as session:
        rows = app.programmes.all(session)
        if not caller.sees_all:
            related = {row.obligor for row in receivables_related(session, caller.addresses, limit=10_000)}
            rows = [row for row in rows if _takes_part(row, caller, related)]
        names = app.parties.names(session)
        return {"items": [_programme(row, names) for row in rows], "next": None}


# Competing claims -----------------------------------------------------------------------------------------------------


class OutsideClaimBody(Shape):
    """Somebody outside this network claims an invoice of ours: what the registry or a notice of transfer says."""

    receivable: int
    number: str = Field(min_length=1, max_length=40)
    claimant: str = Field(min_length=1, max_length=140)
    amount: Amount
    evidence: str = Field(pattern=r"^[0-9a-f]{64}$")
    registered_at: int | None = Field(default=None, ge=0)
    noticed_at: int | None = Field(default=None, ge=0)


@router.post("/outside-claims", tags=["competing claims"])
def outside_claim(app: Scf, caller: Who, body: OutsideClaimBody, key: Key = None) -> dict[str, Any]:
    """File a claim of somebody outside on a receivable's invoice (operators); payment stops where it ranks first."""
    office.check_key(key)
    caller.require(Role.OPERATOR)
    with app.desk.session() as session:
        row = receivable_of(session, body.receivable)
        claim = OutsideClaim(
            fingerprint=row.fingerprint,
            amount_minor=body.amount.read_in(row.currency),
            evidence_id=body.evidence,
            **body.model_dump(exclude={"receivable", "amount", "evidence"}),
        )
        kept = file_outside(session, claim)
        return {"number": kept.number, "receivable": row.id, "our_rank": claim_rank(session, row)}


# Fairness -------------------------------------------------------------------------------------------------------------


@router.get("/fairness", tags=["fairness"])
def fairness(app: Scf) -> dict[str, Any]:
    """The fairness meter of every programme. Public: open to anyone, without signing in.

    Days run from delivery to full payment (`days_to_pay`) and to issue (`days_to_confirm`), weighted by amount; APR is
    all costs of early money, weighted by amount, by the seller's tier; `refused_share_ppm` are offers that came back of
    all offers; fees are by the size of the firm that paid. A tier or size of fewer than three firms is put together
    with others (`other`), or named in `withheld_tiers` and `withheld_payers` and left out.
    """
    return {"items": meters(app), "next": None}


def meters(app: App) -> list[dict[str, Any]]:
    """The meter of every programme, and of every core enterprise that issued without one, as anybody may read it."""
    with app.reading() as session:
        pairs = {(row.obligor, row.currency): row.name for row in app.programmes.all(session)}
        for row in receivables_related(session, None, limit=10_000):
            pairs.setdefault((row.obligor, row.currency), "")
        return [
            {
                "programme": name,
                **shown_meter(app.parties.name_of(session, who), measure(session, app.parties, who, code)),
            }
            for (who, code), name in sorted(pairs.items(), key=lambda pair: pair[0])
        ]


def shown_meter(obligor: str, meter: Meter) -> dict[str, Any]:
    """A meter as answers show it; rates in parts per million, days with one decimal, null where nothing is known."""
    code, open_ = meter.currency, published(meter)
    return {
        "obligor": obligor,
        "currency": code,
        "receivables": meter.receivables,
        "face": amount(meter.face_minor, code),
        "paid_receivables": meter.paid_receivables,
        "without_delivery": meter.without_delivery,
        "days_to_pay": _tenths(meter.days_to_pay_tenths),
        "days_to_confirm": _tenths(meter.days_to_confirm_tenths),
        "days_late": _tenths(meter.days_late_tenths),
        "apr_ppm_by_tier": dict(open_.apr_ppm_by_tier),
        "financed_by_tier": {tier: amount(minor, code) for tier, minor in open_.financed_minor_by_tier.items()},
        "withheld_tiers": list(open_.withheld_tiers),
        "offers": meter.offers,
        "refused": meter.refused,
        "refused_share_ppm": meter.refused_share_ppm,
        "fees_by_payer": {payer: amount(minor, code) for payer, minor in open_.fees_minor_by_payer.items()},
        "withheld_payers": list(open_.withheld_payers),
        "smallest_cell": SMALLEST_CELL,
    }


# Notices --------------------------------------------------------------------------------------------------------------


@router.get("/notices", tags=["notices"])
def notices(
    app: Scf, caller: Who, unread: Annotated[bool, Query()] = False, limit: Limit = DEFAULT_LIMIT
) -> dict[str, Any]:
    """What the caller's firm was told, unread first, each with where its proof is."""
    with app.reading() as session:
        rows = app.notices.of_firm(session, caller.addresses, unread=unread, limit=limit)
        items = [
            {
                "key": row.key,
                "recipient": row.recipient,
                "kind": row.kind,
                "words": {"en": row.en, "zh-CN": row.zh},
                "proof": proof_of(row),
                "made_at": moment(row.made_at),
                "read_at": moment(row.read_at),
            }
            for row in rows
        ]
        return {"items": items, "unread": app.notices.count_unread(session, caller.addresses), "next": None}


@router.post("/notices/{key:path}/read", tags=["notices"])
def read(app: Scf, caller: Who, key: str) -> dict[str, Any]:
    """Mark one notice of the caller's firm as read; again changes nothing."""
    with app.desk.session() as session:
        for row in app.notices.of_firm(session, caller.addresses, limit=10_000):
            if row.key == key:
                app.notices.read(session, key, row.recipient)
                return {"key": key, "read_at": moment(row.read_at)}
    raise Problem("unknown_notice", notice=key[:80])


# Inside ---------------------------------------------------------------------------------------------------------------


def _takes_part(row: Programme, caller: Caller, related: set[str]) -> bool:
    if row.obligor in caller.addresses or row.obligor in related:
        return True
    approved = set(filter(None, row.financiers.split(",")))
    return caller.has(Role.FINANCIER) and (not approved or bool(approved & caller.addresses))


def _programme(row: Programme, names: dict[str, str]) -> dict[str, Any]:
    approved = list(filter(None, row.financiers.split(",")))
    return {
        "id": row.id,
        "name": row.name,
        "obligor": {"address": row.obligor, "name": names.get(row.obligor, row.obligor)},
        "currency": row.currency,
        "tenor_months": row.tenor_months,
        "tenor_days": row.tenor_days,
        "max_tier": row.max_tier,
        "max_children": row.max_children,
        "funding_days": row.funding_days,
        "min": amount(row.min_minor, row.currency),
        "financiers": [{"address": who, "name": names.get(who, who)} for who in approved],
        "wording": {"en": row.wording_en, "zh-CN": row.wording_zh},
        "opened_at": moment(row.opened_at),
        "closed_at": moment(row.closed_at),
    }


def _tenths(value: int | None) -> str | None:
    return None if value is None else f"{value // 10}.{value % 10}"


def _bytes(signature: str) -> bytes:
    try:
        return bytes.fromhex(signature.removeprefix("0x"))
    except ValueError as error:
        raise Problem("signature_not_hex") from error
