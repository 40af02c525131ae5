"""Questions over several rooms' books that only the faces ask: what stands in relation to a caller."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from sqlmodel import Session, case, col, func, or_, select
from sqlmodel.sql.expression import SelectOfScalar

from scf.api.shapes import amount
from scf.entrusted.models import Attestation, Duty, EntrustedAccount, Stage
from scf.financing.models import FinancingAsk, QuoteOffer
from scf.parties.models import Member
from scf.receivables.models import Dossier, Financing, Note, NoteState, Receivable, ReceivableState
from scf.store import evidence
from scf.store.evidence import Evidence


def receivables_related(
    session: Session, addresses: Collection[str] | None, *, after: int = 0, limit: int = 50
) -> Sequence[Receivable]:
    """Receivables with a relation to any of the addresses (None: all), by number after `after`."""
    query = select(Receivable).where(Receivable.id > after)
    if addresses is not None:
        touched = select(Note.receivable_id).where(or_(col(Note.holder).in_(addresses), col(Note.giver).in_(addresses)))
        paying = select(Member.address).where(col(Member.paying_bank).in_(addresses))
        financed = select(Financing.receivable_id).where(
            or_(col(Financing.financier).in_(addresses), col(Financing.paying_bank).in_(addresses))
        )
        query = query.where(
            or_(
                col(Receivable.obligor).in_(addresses),
                col(Receivable.obligor).in_(paying),
                col(Receivable.id).in_(touched),
                col(Receivable.id).in_(financed),
                col(Receivable.id).in_(_asked(session, addresses)),
            )
        )
    return session.exec(query.order_by(col(Receivable.id)).limit(limit)).all()


def financings_of(session: Session, receivable_id: int) -> Sequence[Financing]:
    """Financings on notes of a receivable."""
    return session.exec(select(Financing).where(Financing.receivable_id == receivable_id)).all()


def invited_to(session: Session, note_ids: Iterable[str]) -> dict[str, set[str]]:
    """Addresses of financiers asked about these notes, by note id."""
    found: dict[str, set[str]] = {}
    for ask in session.exec(select(FinancingAsk).where(col(FinancingAsk.note_id).in_(list(note_ids)))):
        found.setdefault(ask.note_id, set()).update(ask.invited.split(","))
    return found


def accounts_related(
    session: Session, addresses: Collection[str] | None, *, after: int = 0, limit: int = 50
) -> Sequence[EntrustedAccount]:
    """Entrusted accounts with a relation to any of the addresses (None: all), by number after `after`."""
    query = select(EntrustedAccount).where(EntrustedAccount.id > after)
    if addresses is not None:
        query = query.where(
            or_(
                col(EntrustedAccount.payer).in_(addresses),
                col(EntrustedAccount.beneficiary).in_(addresses),
                col(EntrustedAccount.bank).in_(addresses),
                col(EntrustedAccount.id).in_(select(Stage.account_id).where(col(Stage.payee).in_(addresses))),
                col(EntrustedAccount.id).in_(select(Duty.account_id).where(col(Duty.who).in_(addresses))),
                col(EntrustedAccount.id).in_(
                    select(Financing.entrusted_account).where(col(Financing.financier).in_(addresses))
                ),
            )
        )
    return session.exec(query.order_by(col(EntrustedAccount.id)).limit(limit)).all()


def financiers_of_account(session: Session, account_id: int) -> set[str]:
    """Financiers whose money a locked account holds."""
    query = select(Financing.financier).where(Financing.entrusted_account == account_id)
    return set(session.exec(query).all())


def dossiers_with(session: Session, evidence_id: str) -> Sequence[Dossier]:
    """Dossiers that name a document."""
    return session.exec(select(Dossier).where(col(Dossier.evidence_ids).contains(evidence_id))).all()


def notes_backed_by(session: Session, documents: Collection[str]) -> Sequence[Note]:
    """Notes whose issue or pass rests on one of these commitments."""
    return session.exec(select(Note).where(col(Note.evidence).in_(documents))).all()


def _asked(session: Session, addresses: Collection[str]) -> list[int]:
    """Receivables with a note one of the addresses was asked to finance."""
    asks = session.exec(
        select(FinancingAsk.note_id).where(or_(*(col(FinancingAsk.invited).contains(a) for a in addresses)))
    ).all()
    return [] if not asks else list(session.exec(select(Note.receivable_id).where(col(Note.id).in_(asks))).all())


def accounts_with_evidence(session: Session, evidence_hash: str) -> Sequence[EntrustedAccount]:
    """Entrusted accounts in which a document was vouched for."""
    ids = select(Attestation.account_id).where(Attestation.evidence == evidence_hash)
    return session.exec(select(EntrustedAccount).where(col(EntrustedAccount.id).in_(ids))).all()


def orders_of(session: Session, addresses: Collection[str]) -> set[str]:
    """Order references behind notes an address gave or holds."""
    documents = select(Note.evidence).where(or_(col(Note.holder).in_(addresses), col(Note.giver).in_(addresses)))
    query = select(Dossier.order_reference).where(col(Dossier.document).in_(documents))
    return {reference for reference in session.exec(query) if reference}


_OWN_RECORDS = (
    "application",
    "change",
    "confirmation",
    "decision",
    "declined",
    "import undone",
    "invitation",
    "reading",
    "reminder",
    "sample",
)
"""Kinds of evidence that say what somebody did here; no document of a trade."""


def filed_by(session: Session, senders: Collection[str], *, limit: int = 50) -> Sequence[Evidence]:
    """Documents these senders brought, newest first; what pages filed about their own acts is no document of theirs."""
    return session.exec(_filed(senders).order_by(col(Evidence.leaf_index).desc()).limit(limit)).all()


def papers_of(session: Session, senders: Collection[str], *, limit: int = 50) -> Sequence[Evidence]:
    """The same to choose from behind an act: what is trusted most first, since only that can clear a trade."""
    order = (col(Evidence.trust).desc(), col(Evidence.leaf_index).desc())
    return session.exec(_filed(senders).order_by(*order).limit(limit)).all()


def best_trust(session: Session, papers: Iterable[Evidence]) -> dict[str, int]:
    """How far each document is trusted by whoever else filed the same bytes, too: a carrier's own file stays T3."""
    return {one.evidence_id: int(evidence.trust_of(session, one.evidence_id) or one.trust) for one in papers}


def papers_on_file(session: Session, *, limit: int = 60) -> Sequence[Evidence]:
    """Documents of everybody that a decision of the operators can rest on, newest first."""
    query = select(Evidence).where(col(Evidence.kind).not_in(_OWN_RECORDS))
    return session.exec(query.order_by(col(Evidence.leaf_index).desc()).limit(limit)).all()


def _filed(senders: Collection[str]) -> SelectOfScalar[Evidence]:
    return select(Evidence).where(col(Evidence.sender).in_(senders), col(Evidence.kind).not_in(_OWN_RECORDS))


def price_shown(session: Session, quote_hash: str) -> dict[str, Any] | None:
    """Every figure of a quote as it was signed; None for an unknown quote."""
    offer = session.get(QuoteOffer, quote_hash)
    if offer is None:
        return None
    raw: dict[str, Any] = json.loads(offer.price)
    code = raw["currency"]
    shown: dict[str, Any] = {name: amount(raw[f"{name}_minor"], code) for name in ("face", "discount", "fees", "net")}
    shown["fee_list"] = [
        {"code": fee["code"], "payee": fee["payee"], "amount": amount(fee["amount_minor"], code)} for fee in raw["fees"]
    ]
    names = ("rate_ppm", "apr_ppm", "effective_ppm", "days", "basis_days", "funded_on", "due_on", "pays_on")
    return shown | {name: raw[name] for name in names}


def debts_of(session: Session, obligor: str, *, limit: int = 50) -> Sequence[Receivable]:
    """What an obligor still owes, soonest due first."""
    return session.exec(
        select(Receivable)
        .where(
            Receivable.obligor == obligor,
            Receivable.outstanding_minor > 0,
            col(Receivable.state).in_((ReceivableState.OFFERED, ReceivableState.LIVE)),
        )
        .order_by(col(Receivable.maturity), col(Receivable.id))
        .limit(limit)
    ).all()


def count_debts(session: Session, obligor: str, *, before: int | None = None) -> int:
    """How many receivables an obligor still owes; those past `before` (unix seconds) when it is given."""
    query = select(func.count()).where(Receivable.obligor == obligor, Receivable.outstanding_minor > 0)
    if before is None:
        query = query.where(col(Receivable.state).in_((ReceivableState.OFFERED, ReceivableState.LIVE)))
    else:
        query = query.where(Receivable.state == ReceivableState.LIVE, Receivable.maturity < before)
    return int(session.exec(query).one())


def held_by(session: Session, addresses: Collection[str], *, limit: int = 50) -> Sequence[Note]:
    """Notes with value that these addresses hold, soonest maturity first."""
    return session.exec(
        select(Note)
        .join(Receivable, col(Receivable.id) == col(Note.receivable_id))
        .where(col(Note.holder).in_(addresses), Note.state == NoteState.HELD, Note.amount_minor > 0)
        .order_by(col(Receivable.maturity), col(Note.id))
        .limit(limit)
    ).all()


def passed_to(session: Session, addresses: Collection[str], *, limit: int = 8) -> Sequence[str]:
    """Whom these addresses passed notes to, latest first."""
    query = (
        select(Note.holder)
        .where(col(Note.giver).in_(addresses), col(Note.holder).not_in(addresses), col(Note.parent_id).is_not(None))
        .group_by(col(Note.holder))
        .order_by(func.max(Note.made_at).desc(), col(Note.holder))
    )
    return session.exec(query.limit(limit)).all()


def held_sums(session: Session, addresses: Collection[str]) -> dict[str, int]:
    """Value of the notes these addresses hold and can move, by currency, in minor units."""
    query = (
        select(Receivable.currency, func.sum(Note.amount_minor))
        .join(Note, col(Receivable.id) == col(Note.receivable_id))
        .where(col(Note.holder).in_(addresses), Note.state == NoteState.HELD, col(Note.frozen).is_(False))
        .group_by(Receivable.currency)
    )
    return {code: int(minor) for code, minor in session.exec(query) if minor}


def offered_to(session: Session, addresses: Collection[str], *, limit: int = 50) -> Sequence[Note]:
    """Notes waiting for these addresses, soonest deadline first."""
    return session.exec(
        select(Note)
        .where(col(Note.holder).in_(addresses), Note.state == NoteState.OFFERED)
        .order_by(col(Note.offer_until), col(Note.id))
        .limit(limit)
    ).all()


def unbalanced(session: Session) -> tuple[int, list[int]]:
    """How many receivables there are, and the numbers of those whose notes do not add up to their face."""
    sums = (
        select(Note.receivable_id, func.sum(Note.amount_minor + Note.settled_minor).label("live"))
        .group_by(col(Note.receivable_id))
        .subquery()
    )
    due = case((col(Receivable.state) == ReceivableState.CANCELLED, 0), else_=col(Receivable.face_minor))
    query = (
        select(Receivable.id)
        .outerjoin(sums, sums.c.receivable_id == Receivable.id)
        .where(func.coalesce(sums.c.live, 0) != due)
        .order_by(col(Receivable.id))
        .limit(50)
    )
    return int(session.exec(select(func.count()).select_from(Receivable)).one()), list(session.exec(query).all())
