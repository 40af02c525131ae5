"""Sealed quotes: nobody sees a price before the holder opens them all, and none is given afterwards.

Also where a sale stands: each step with who has to act, by when, and the way back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import BigInteger
from sqlmodel import Field, Session, SQLModel, col, select

from scf.bank.calendar import BankCalendar
from scf.financing.funding import pay_day
from scf.financing.models import FinancingAsk, QuoteOffer, Registration
from scf.kernel.dates import BEIJING, day_of, from_unix, next_day, to_unix
from scf.kernel.problems import Problem
from scf.receivables.models import Financing, Note

ASK_OPEN_SECONDS = 7 * 86_400
"""A request takes quotes this long; then the holder asks anew."""


class AskOpening(SQLModel, table=True):
    """The holder opened the quotes of its request; from then on none is taken. Unix seconds."""

    __tablename__ = "ask_opening"

    ask_id: str = Field(primary_key=True)
    opened_by: str = Field(max_length=42)
    opened_at: int = Field(sa_type=BigInteger)
    quotes: int


@dataclass(frozen=True, slots=True)
class SaleStep:
    """One step of a sale. `state` is done, now, late, later or over; `until` in unix seconds."""

    name: str
    who: str
    state: str
    until: int | None
    way_back: dict[str, str]


def open_quotes(session: Session, ask_id: str, by: str, now: int) -> Sequence[QuoteOffer]:
    """Open all quotes of a request, once; its holder alone may. Returns those still valid, most money first.

    Raises Problem `unknown_ask`, `not_the_asker`, `quotes_sealed` while there is none and the request is still open.
    """
    ask = session.get(FinancingAsk, ask_id)
    if ask is None:
        raise Problem("unknown_ask", ask=ask_id)
    if ask.asker != by:
        raise Problem("not_the_asker")
    offers = session.exec(
        select(QuoteOffer)
        .where(QuoteOffer.ask_id == ask_id, QuoteOffer.expires_at > now)
        .order_by(col(QuoteOffer.net_minor).desc(), col(QuoteOffer.quote_hash))
    ).all()
    if session.get(AskOpening, ask_id) is None:
        if not offers and now < ask.asked_at + ASK_OPEN_SECONDS:
            raise Problem(
                "quotes_sealed",
                count=0,
                invited=len(ask.invited.split(",")),
                until=_moment(ask.asked_at + ASK_OPEN_SECONDS),
            )
        session.add(AskOpening(ask_id=ask_id, opened_by=by, opened_at=now, quotes=len(offers)))
        session.flush()
    return offers


def is_opened(session: Session, ask_id: str) -> bool:
    """Whether the holder opened the quotes of a request."""
    return session.get(AskOpening, ask_id) is not None


def is_spent(session: Session, ask: FinancingAsk, now: int) -> bool:
    """Whether no price can come of a request any more: it takes none, and those it had ran out."""
    if now <= ask.asked_at + ASK_OPEN_SECONDS and not is_opened(session, ask.id):
        return False
    valid = select(QuoteOffer.quote_hash).where(QuoteOffer.ask_id == ask.id, QuoteOffer.expires_at > now)
    return session.exec(valid).first() is None


def require_open(session: Session, ask: FinancingAsk, now: int) -> None:
    """A request still takes quotes. Raises Problem `quotes_opened` or `ask_over`."""
    if is_opened(session, ask.id):
        raise Problem("quotes_opened")
    if now > ask.asked_at + ASK_OPEN_SECONDS:
        raise Problem("ask_over", until=_moment(ask.asked_at + ASK_OPEN_SECONDS))


def steps(session: Session, ask: FinancingAsk, now: int, calendar: BankCalendar, payment_days: int) -> list[SaleStep]:
    """Where a sale stands: quotes, acceptance, registration, payment; each with its deadline and the way back.

    The bank has `payment_days` business days; a payment later than that is `late` while the note still waits for it.
    """
    offers = session.exec(select(QuoteOffer).where(QuoteOffer.ask_id == ask.id)).all()
    hashes = [one.quote_hash for one in offers]
    terms = session.exec(select(Financing).where(col(Financing.quote_hash).in_(hashes))).first()
    note = session.get(Note, terms.note_id) if terms else None
    registered = terms and session.exec(select(Registration).where(Registration.note_id == terms.note_id)).first()
    ask_until = ask.asked_at + ASK_OPEN_SECONDS
    quote_until = max((one.expires_at for one in offers), default=None)
    lock_until = terms.lock_until if terms else None
    pay_until = to_unix(next_day(pay_day(day_of(note.made_at), calendar, payment_days))) if note else None
    gone = note is not None and note.state == "returned"
    done = (bool(offers), terms is not None, bool(registered), bool(terms and terms.completed_at))
    plan = (
        ("quotes", "financiers", ask_until, _BACK_ASK),
        ("acceptance", "holder", quote_until, _BACK_QUOTE),
        ("registration", "financier", lock_until, _BACK_LOCK),
        ("payment", "bank", pay_until, _BACK_LOCK),
    )
    found, is_now = [], True
    for is_done, (name, who, until, back) in zip(done, plan, strict=True):
        state = "done" if is_done else "later"
        if not is_done and is_now:
            end = lock_until if name == "payment" else until
            state, is_now = ("over" if gone or (end is not None and end <= now) else "now"), False
            if state == "now" and pay_until is not None and pay_until <= now:
                state = "late"
        found.append(SaleStep(name, who, state, until, back))
    return found


def _moment(seconds: int) -> str:
    return from_unix(seconds).astimezone(BEIJING).strftime("%Y-%m-%d %H:%M")


_BACK_ASK = {
    "en": "Nothing is promised yet: the holder may leave it, pass the note on, or ask anew.",
    "zh-CN": "尚未作出任何承诺：持有人可以放弃、流转凭证或重新询价。",
}
_BACK_QUOTE = {
    "en": "Prices run out by themselves; the note was never locked.",
    "zh-CN": "报价到期自动失效，凭证未被锁定。",
}
_BACK_LOCK = {
    "en": "If the money does not come by the end of the lock, the note returns to the holder by itself.",
    "zh-CN": "锁定期内款项未到账的，凭证自动退回持有人。",
}
