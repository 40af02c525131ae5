"""Financing: a holder asks, financiers quote firm prices, one is accepted, registered, paid, and takes the note.

The only door to this room. The figures shown are the figures signed and charged; the ledger refuses any others.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import date
from typing import Any

from sqlmodel import Session, col, select

from scf.desk.service import Desk, Done, Prepared
from scf.financing import words
from scf.financing.funding import FundingTerms
from scf.financing.models import FinancingAsk, QuoteOffer
from scf.financing.people import require_people
from scf.financing.price import Fee, Price, price
from scf.financing.registry import Registry, end_returned
from scf.financing.ruling import FinancingRules
from scf.financing.sealing import is_spent, require_open
from scf.kernel.dates import day_of
from scf.kernel.identifiers import reference_of
from scf.kernel.money import format_money
from scf.kernel.problems import Problem
from scf.ledger.hashing import keccak
from scf.ledger.intents import struct_hash
from scf.ledger.types import Call
from scf.parties.service import Parties
from scf.receivables import queries as receivable_queries
from scf.receivables.judging import Check, hex_text
from scf.receivables.models import Financing as FinancingBook
from scf.receivables.models import NoteState
from scf.receivables.service import plain, reference_hash
from scf.rulebook.decisions import Decisions
from scf.rulebook.service import Rulebook
from scf.store.commands import canonical_json

SIGNATURE_VALID_SECONDS = 3 * 86_400
QUOTE_VALID_SECONDS = 48 * 3600
_FIGURES = ("amount", "net", "discount", "fees", "aprPpm")


class FinancingDesk:
    """The only door to asks, quotes and their completion."""

    def __init__(
        self, desk: Desk, parties: Parties, rulebook: Rulebook, registry: Registry, *, ruleset: str = "CN"
    ) -> None:
        self._desk = desk
        self._parties = parties
        self._registry = registry
        self._rules = FinancingRules(Decisions(rulebook, desk.clock, ruleset=ruleset))
        self.funding = FundingTerms(desk.clock, rulebook, ruleset)
        self.checks: list[Check] = []
        self.reservations: list[Check] = []
        self.into_locked: Callable[[Session, int, str], None] = lambda session, account, seller: None

    # Ask and quote ---------------------------------------------------------------------------------------------------

    def ask(
        self,
        session: Session,
        note_id: str,
        amount_minor: int,
        invited: Sequence[str],
        *,
        single_reason: str | None = None,
    ) -> FinancingAsk:
        """Ask invited financiers for a price. The same ask again returns the first one while a price can come of it.

        Raises Problem `amount_above_note`, `note_not_movable`, or the rule that refuses (fewer than two invited without
        a reason).
        """
        note = receivable_queries.note(session, note_id)
        receivable = receivable_queries.receivable(session, note.receivable_id)
        if note.state not in (NoteState.HELD, NoteState.OFFERED) or note.frozen:
            raise Problem("note_not_movable", state=note.standing())
        if not 0 < amount_minor <= note.amount_minor:
            raise Problem(
                "amount_above_note",
                carries=format_money(note.amount_minor, receivable.currency),
                amount=format_money(amount_minor, receivable.currency),
            )
        for who in invited:
            self._parties.member(session, who)
        overdue = receivable_queries.overdue_of(session, receivable.obligor, self._desk.clock.now())
        decision = self._rules.asking(
            session, note, receivable, amount_minor, invited=invited, reason=single_reason, overdue=bool(overdue)
        )
        for check in self.checks:
            check(session, "finance", {"noteId": note_id, "amount": amount_minor, "invited": list(invited)})
        seed = f"{note_id}|{note.children}|{amount_minor}|{','.join(sorted(invited))}"
        ask_id = reference_of(keccak(seed.encode()), "ASK")
        found, again = session.get(FinancingAsk, ask_id), 0
        while found is not None and is_spent(session, found, self._desk.clock.now()):
            again += 1
            ask_id = reference_of(keccak(f"{seed}|{again}".encode()), "ASK")
            found = session.get(FinancingAsk, ask_id)
        if found is None:
            found = FinancingAsk(
                id=ask_id,
                note_id=note_id,
                asker=note.holder,
                amount_minor=amount_minor,
                invited=",".join(invited),
                single_reason=single_reason,
                asked_at=self._desk.clock.now(),
            )
            session.add(found)
            self._rules.keep(session, [decision], ask_id)
            session.flush()
        return found

    def prepare_quote(
        self,
        ask_id: str,
        financier: str,
        *,
        rate_ppm: int,
        paying_bank: str,
        fees: Sequence[Fee] = (),
        recourse: bool = False,
        entrusted_account: int = 0,
        funded_on: date | None = None,
    ) -> tuple[Prepared, Price]:
        """A firm price for an ask, funded on the day of payment or on `funded_on`, for the financier to sign.

        Raises Problem `not_invited`, `unknown_ask`, the rule that refuses recourse or a fee, or what the price raises.
        """
        now = self._desk.clock.now()
        with self._desk.session() as session:
            ask = self._ask(session, ask_id)
            if financier not in ask.invited.split(","):
                raise Problem("not_invited", who=self._parties.name_of(session, financier))
            note = receivable_queries.note(session, ask.note_id)
            receivable = receivable_queries.receivable(session, note.receivable_id)
            seller = self._parties.name_of(session, ask.asker)
            self.into_locked(session, entrusted_account, ask.asker)
            self._rules.quoting(session, note, receivable, ask, fees=fees, recourse=recourse)
            self._ask_limits(session, financier, ask.amount_minor, receivable.currency)
            days = self.funding.days_of(session, receivable)
        figures = price(
            ask.amount_minor,
            receivable.currency,
            rate_ppm,
            funded_on or self.funding.usual_day(days),
            day_of(receivable.maturity),
            fees=fees,
        )
        terms = self.terms_text(figures, recourse=recourse)
        message = {
            "parentId": int(note.id, 16),
            "financier": financier,
            "payingBank": paying_bank,
            "amount": figures.face_minor,
            "net": figures.net_minor,
            "discount": figures.discount_minor,
            "fees": figures.fees_minor,
            "aprPpm": figures.apr_ppm,
            "recourse": recourse,
            "terms": _text_hash(terms),
            "evidence": note.evidence,
            "entrustedAccount": entrusted_account,
            "lockUntil": min(self.funding.lock_end(now + QUOTE_VALID_SECONDS), receivable.maturity // 3600 * 3600),
            "expiry": now + QUOTE_VALID_SECONDS,
        }
        prepared = self._desk.prepare(
            "quote",
            "Receivables",
            "Quote",
            message,
            signers=(financier,),
            summary={
                "en": f"You will pay {seller} {format_money(figures.net_minor, figures.currency)} for "
                f"{format_money(figures.face_minor, figures.currency)}. {terms['en']}",
                "zh-CN": f"您将向 {seller} 支付 {format_money(figures.net_minor, figures.currency)}，"
                f"受让 {format_money(figures.face_minor, figures.currency)}。{terms['zh-CN']}",
            },
        )
        return prepared, figures

    def submit_quote(
        self, ask_id: str, message: Mapping[str, Any], signatures: Sequence[bytes], figures: Price
    ) -> QuoteOffer:
        """Keep a signed quote for the asker to open.

        Raises Problem `quote_not_consistent`, `not_invited` or `signature_not_of_signer`.
        """
        terms = self.terms_text(figures, recourse=bool(message["recourse"]))
        shown = (figures.face_minor, figures.net_minor, figures.discount_minor, figures.fees_minor, figures.apr_ppm)
        if (*(message[name] for name in _FIGURES), hex_text(message["terms"])) != (*shown, _text_hash(terms)):
            raise Problem("quote_not_consistent")
        quote_hash = "0x" + struct_hash("Receivables", "Quote", message).hex()
        with self._desk.session() as session:
            ask = self._ask(session, ask_id)
            if message["financier"] not in ask.invited.split(","):
                raise Problem("not_invited", who=self._parties.name_of(session, str(message["financier"])))
            require_open(session, ask, self._desk.clock.now())
            latest = self.funding.lock_end(self._desk.clock.now() + QUOTE_VALID_SECONDS)
            about = (int(message["parentId"]), int(message["amount"]))
            if about != (int(ask.note_id, 16), ask.amount_minor) or int(message["lockUntil"]) > latest:
                raise Problem("quote_not_consistent")
            note = receivable_queries.note(session, ask.note_id)
            receivable = receivable_queries.receivable(session, note.receivable_id)
            decisions = self._rules.quoting(
                session, note, receivable, ask, fees=figures.fees, recourse=bool(message["recourse"])
            )
            require_people(self._desk, "quote", "Quote", message, signatures)
            signature = self._desk.join_signatures("Receivables", "Quote", message, signatures)
            key = self._parties.member(session, str(message["financier"])).key
            self._desk.require_signature("Receivables", "Quote", message, key, signature)
            found = session.get(QuoteOffer, quote_hash)
            if found is None:
                found = QuoteOffer(
                    quote_hash=quote_hash,
                    ask_id=ask_id,
                    financier=str(message["financier"]),
                    message=json.dumps(plain(message), default=str),
                    signature=signature,
                    price=json.dumps(asdict(figures), default=str),
                    net_minor=figures.net_minor,
                    apr_ppm=figures.apr_ppm,
                    expires_at=int(message["expiry"]),
                )
                session.add(found)
                self._rules.keep(session, decisions, quote_hash)
        return found

    def quotes(self, session: Session, ask_id: str) -> Sequence[QuoteOffer]:
        """Firm quotes of an ask that have not expired, most money first."""
        return session.exec(
            select(QuoteOffer)
            .where(QuoteOffer.ask_id == ask_id, QuoteOffer.expires_at > self._desk.clock.now())
            .order_by(col(QuoteOffer.net_minor).desc(), col(QuoteOffer.quote_hash))
        ).all()

    def asks_of(self, session: Session, asker: str) -> Sequence[FinancingAsk]:
        """What a holder asked for, newest first."""
        return session.exec(
            select(FinancingAsk).where(FinancingAsk.asker == asker).order_by(col(FinancingAsk.asked_at).desc())
        ).all()

    def asks_for(self, session: Session, financier: str) -> Sequence[FinancingAsk]:
        """Asks a financier was invited to, newest first."""
        return session.exec(
            select(FinancingAsk)
            .where(col(FinancingAsk.invited).contains(financier))
            .order_by(col(FinancingAsk.asked_at).desc())
        ).all()

    # Accept ----------------------------------------------------------------------------------------------------------

    def prepare_accept_quote(self, quote_hash: str, *, reading: Mapping[str, Any] | None = None) -> Prepared:
        """Typed data with which the holder takes a quote: the hash of what was shown is part of what is signed.

        `reading` is the record of how it was read (text, language, times, sound); the text alone without it.
        """
        with self._desk.session() as session:
            offer = self._offer(session, quote_hash)
            ask = self._ask(session, offer.ask_id)
            financier = self._parties.name_of(session, offer.financier)
            code = str(json.loads(offer.price)["currency"])
            self._ask_limits(session, offer.financier, ask.amount_minor, code)
        text = words.acceptance(offer, financier)
        return self._desk.prepare(
            "accept_quote",
            "Receivables",
            "FinanceAccept",
            {
                "quoteHash": quote_hash,
                "reading": _text_hash(reading or text),
                "deadline": self._desk.clock.now() + SIGNATURE_VALID_SECONDS,
            },
            signers=(ask.asker,),
            summary=text,
        )

    def _ask_limits(self, session: Session, financier: str, amount_minor: int, code: str) -> None:
        """Nobody signs what a financier's limit refuses."""
        for check in self.checks:
            check(session, "quote", {"financier": financier, "amount": amount_minor, "currency": code})

    def accept_call(self, message: Mapping[str, Any], signatures: Sequence[bytes]) -> Call:
        """The ledger call that locks the note for the quote's financier."""
        with self._desk.session() as session:
            offer = self._offer(session, str(message["quoteHash"]))
            quote = json.loads(offer.message)
        signature = self._desk.join_signatures("Receivables", "FinanceAccept", message, signatures)
        return self._desk.contracts.receivables.call(
            "finance", quote, offer.signature, message["reading"], message["deadline"], signature
        )

    def accept_quote(
        self, message: Mapping[str, Any], signatures: Sequence[bytes], *, key: str, caller: str
    ) -> Mapping[str, Any]:
        """Lock the note for exactly the quote's financier, once."""
        body = {"message": plain(message), "signatures": [part.hex() for part in signatures]}

        def reply(done: Done) -> Mapping[str, Any]:
            note_id = done.event("FinancingLocked").args["noteId"]
            return {"note": f"0x{note_id:064x}", "transaction": done.transaction_hash, "block": done.block_number}

        def reserve(session: Session) -> None:
            offer = self._offer(session, str(message["quoteHash"]))
            locked = int(json.loads(offer.message)["entrustedAccount"])
            self.into_locked(session, locked, self._ask(session, offer.ask_id).asker)
            held = {"quoteHash": offer.quote_hash, "currency": json.loads(offer.price)["currency"]}
            for hold in self.reservations:
                hold(session, "finance", {**json.loads(offer.message), **held})

        def build() -> Call:
            require_people(self._desk, "accept_quote", "FinanceAccept", message, signatures)
            return self.accept_call(message, signatures)

        return self._desk.once(key, caller, "accept_quote", body, build, reply, reserve=reserve)

    # Register and complete -------------------------------------------------------------------------------------------

    def register(self, session: Session, note_id: str) -> str:
        """Register a locked financing; returns the number completion needs.

        Raises Problem as the registry, `registry_silent` when it gives no answer.
        """
        financing = self.financing(session, note_id)
        receivable = receivable_queries.receivable(session, financing.receivable_id)
        try:
            return self._registry.register(
                session,
                note_id=note_id,
                fingerprint=receivable.fingerprint,
                financier=financing.financier,
                amount_minor=financing.amount_minor,
            )
        except OSError as error:
            raise Problem("registry_silent", until=day_of(financing.lock_until).isoformat()) from error

    def end_registrations(self, session: Session) -> list[str]:
        """Take the entries of sales that came to nothing out of the registry; returns their numbers."""
        return end_returned(session, self._registry)

    def prepare_complete(self, note_id: str, registration: str, bank_reference: str) -> Prepared:
        """Typed data with which the paying bank attests that the net amount was paid."""
        with self._desk.session() as session:
            financing = self.financing(session, note_id)
            code = receivable_queries.receivable(session, financing.receivable_id).currency
            decisions = self._rules.completing(session, financing, registration, code, self.funding)
            self._rules.keep(session, decisions, note_id)
        net = format_money(financing.net_minor, code)
        return self._desk.prepare(
            "complete_financing",
            "Receivables",
            "CompleteFinancing",
            {
                "noteId": int(note_id, 16),
                "net": financing.net_minor,
                "registration": "0x" + registration.encode("ascii").ljust(32, b"\0").hex(),
                "bankReference": reference_hash(bank_reference),
                "deadline": self._desk.clock.now() + SIGNATURE_VALID_SECONDS,
            },
            signers=(financing.paying_bank,),
            summary={
                "en": f"You attest that {net} was paid out and the claim is registered as {registration}.",
                "zh-CN": f"您证明已支付 {net}，该债权登记编号为 {registration}。",
            },
        )

    def complete(
        self, message: Mapping[str, Any], signatures: Sequence[bytes], *, key: str, caller: str
    ) -> Mapping[str, Any]:
        """Hand the note to the financier, once, on the paying bank's attestation."""
        body = {"message": plain(message), "signatures": [part.hex() for part in signatures]}

        def build() -> Call:
            with self._desk.session() as session:
                note_id = hex_text(message["noteId"])
                financing = self.financing(session, note_id)
                code = receivable_queries.receivable(session, financing.receivable_id).currency
                number = _registration(message["registration"])
                self._rules.completing(session, financing, number, code, self.funding)
            require_people(self._desk, "complete_financing", "CompleteFinancing", message, signatures)
            signature = self._desk.join_signatures("Receivables", "CompleteFinancing", message, signatures)
            fields = ("noteId", "net", "registration", "bankReference", "deadline")
            return self._desk.contracts.receivables.call(
                "completeFinancing", *(message[name] for name in fields), signature
            )

        def reply(done: Done) -> Mapping[str, Any]:
            return {"transaction": done.transaction_hash, "block": done.block_number}

        return self._desk.once(key, caller, "complete_financing", body, build, reply)

    def financing(self, session: Session, note_id: str) -> FinancingBook:
        """The financing of a note. Raises Problem `unknown_financing`."""
        found = session.get(FinancingBook, note_id)
        if found is None:
            raise Problem("unknown_financing", note=note_id)
        return found

    # Inside ----------------------------------------------------------------------------------------------------------

    def terms_text(self, figures: Price, *, recourse: bool) -> dict[str, str]:
        """The full price in words, in both languages; its hash is signed with the quote."""
        return words.terms(figures, recourse=recourse)

    def _ask(self, session: Session, ask_id: str) -> FinancingAsk:
        found = session.get(FinancingAsk, ask_id)
        if found is None:
            raise Problem("unknown_ask", ask=ask_id)
        return found

    def _offer(self, session: Session, quote_hash: str) -> QuoteOffer:
        found = session.get(QuoteOffer, quote_hash)
        if found is None:
            raise Problem("unknown_quote", quote=quote_hash[:12])
        return found


def _registration(field: Any) -> str:
    """The registration number in a 32-byte field, however it came."""
    return bytes.fromhex(hex_text(field).removeprefix("0x")).rstrip(b"\0").decode("ascii", "replace")


def _text_hash(text: Mapping[str, Any]) -> str:
    """What is signed for a text shown in both languages."""
    return "0x" + keccak(canonical_json(text)).hex()
