"""Claims on one receivable that compete: our own financings, and what the registry shows of somebody outside."""

from __future__ import annotations

from sqlmodel import Session, col, select

from scf.financing.models import OutsideClaim, Registration
from scf.financing.priority import Claim, rank
from scf.kernel.problems import Problem
from scf.receivables import queries
from scf.receivables.models import Financing, NoteState, Receivable
from scf.store import evidence


def claims_on(session: Session, row: Receivable) -> list[Claim]:
    """Every claim on a receivable: ours by note id, outside ones by their number."""
    claims = []
    for terms in session.exec(select(Financing).where(Financing.receivable_id == row.id)):
        entry = session.exec(select(Registration).where(Registration.note_id == terms.note_id)).first()
        note = queries.note(session, terms.note_id)
        if note.state == NoteState.RETURNED:
            continue
        registered = entry.registered_at if entry else None
        claims.append(Claim(terms.note_id, note.amount_minor, terms.net_minor, registered_at=registered))
    return claims + [
        Claim(
            one.number,
            one.amount_minor,
            one.amount_minor,
            registered_at=one.registered_at,
            noticed_at=one.noticed_at,
        )
        for one in outside(session, row.fingerprint)
    ]


def outside(session: Session, fingerprint: str) -> list[OutsideClaim]:
    """Claims of others on an invoice, as the registry or a notice of transfer showed them."""
    query = select(OutsideClaim).where(OutsideClaim.fingerprint == fingerprint)
    return list(session.exec(query.order_by(col(OutsideClaim.number))))


def file_outside(session: Session, claim: OutsideClaim) -> OutsideClaim:
    """Keep what a registry or a notice says of somebody outside; the same number again is one claim.

    Raises Problem `evidence_not_filed` without the paper that says so, `outside_claim_without_day` unless it was
    registered or noticed, `outside_claim_differs` when the number is another claim's.
    """
    if not evidence.records_of(session, claim.evidence_id):
        raise Problem("evidence_not_filed", evidence=claim.evidence_id[:12] + "…")
    if claim.registered_at is None and claim.noticed_at is None:
        raise Problem("outside_claim_without_day", number=claim.number)
    known = session.get(OutsideClaim, claim.number)
    if known is not None:
        if known.model_dump() != claim.model_dump():
            raise Problem("outside_claim_differs", number=claim.number)
        return known
    session.add(claim)
    session.flush()
    return claim


def claim_rank(session: Session, row: Receivable) -> int:
    """Where the first of our claims stands among all claims on a receivable; 1 where nobody outside claims it.

    A holder that financed nothing has a claim without registration or notice, behind every outside one that has either.
    """
    others = {one.number for one in outside(session, row.fingerprint)}
    if not others:
        return 1
    claims = claims_on(session, row)
    if len(claims) == len(others):
        claims.append(Claim("holders", row.outstanding_minor, row.outstanding_minor))
    for place, equals in enumerate(rank(claims), start=1):
        if any(one.claim_id not in others for one in equals):
            return place
    return len(claims)
