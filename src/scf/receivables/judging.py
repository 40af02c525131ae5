"""What the rulebook is asked before an act on a receivable is signed and again before it is relayed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import date
from typing import Any

from sqlmodel import Session

from scf.desk.service import Done
from scf.kernel.clock import Clock, today
from scf.kernel.dates import day_of
from scf.kernel.money import currency as currency_of
from scf.kernel.money import format_money
from scf.kernel.problems import Problem
from scf.ledger.signing import canonical
from scf.ledger.sumtree import SumTree
from scf.parties.service import Parties
from scf.receivables import queries
from scf.receivables.models import Dossier, Note, NoteState, Receivable
from scf.receivables.trade_facts import trade_facts
from scf.rulebook.decisions import keep_decision
from scf.rulebook.service import Judgement, Rulebook

SMALL_FIRMS = ("small", "micro", "medium")
Check = Callable[[Session, str, Mapping[str, Any]], None]


def hex_text(value: Any) -> str:
    """A bytes32 field as lower-case 0x text, whether it came as bytes, number or text."""
    if isinstance(value, bytes):
        return "0x" + value.hex()
    if isinstance(value, int):
        return f"0x{value:064x}"
    return str(value).lower()


def record_decisions(session: Session, judgements: Iterable[Judgement], done: Done) -> list[str]:
    """Keep each decision (rules, versions, outcomes, the transaction they let through) as evidence; returns its ids."""
    return [keep_decision(session, one, done.timestamp, transaction=done.transaction_hash) for one in judgements]


class ActJudge:
    """Turns an act into facts and has the rulebook decide. Unknown facts are left out and never count as a pass.

    `checks` are asked before the rules: a programme's terms and limits refuse there. `reservations` are asked last, and
    only when an act is submitted. `due_day` says until when a maturity is in time (a holiday moves it).
    """

    def __init__(self, rulebook: Rulebook, parties: Parties, clock: Clock, *, ruleset: str = "CN") -> None:
        self._rulebook = rulebook
        self._parties = parties
        self._clock = clock
        self._ruleset = ruleset
        self.checks: list[Check] = []
        self.reservations: list[Check] = []
        self.due_day: Callable[[int], date] = day_of

    def any(self, session: Session, act: str, message: Mapping[str, Any]) -> list[Judgement]:
        """Judge any act by its name; what no rule is about gives nothing. Raises Problem of what refuses it."""
        if act == "issue":
            return [self.issue(session, message)]
        if act == "pass":
            return [self.passing(session, message)]
        if act == "accept":
            return [self.accepting(session, message["noteId"])]
        if act == "accept_many":
            return [self.accepting(session, note_id) for note_id in message["noteIds"]]
        if act == "pass_many":
            rows = zip(message["to"], message["amounts"], message["evidence"], strict=True)
            return [
                self.passing(session, {**message, "to": to, "amount": amount, "evidence": document})
                for to, amount, document in rows
            ]
        if act == "mass_pass":
            return [self.mass_passing(session, message)]
        if act == "claim":
            return [self.claiming(session, message)]
        return []

    def reserve(self, session: Session, act: str, message: Mapping[str, Any]) -> None:
        """Hold limits for an act that rules and ledger agree to. Raises Problem of the limit that is used up."""
        if act == "issue":
            for reserve in self.reservations:
                reserve(session, act, message)

    def again(self, session: Session, act: str, message: Mapping[str, Any], at: int) -> list[Judgement]:
        """The judgements of an act that took effect at `at`, where a crash lost them; nothing is refused."""
        day = day_of(at)
        if act == "issue":
            dossier = session.get(Dossier, hex_text(message["document"]))
            return [self._judge("issue", self.issue_facts(session, message, dossier, day), day)] if dossier else []
        if act == "mass_pass":
            return [self._judge("pass", self.mass_facts(session, message), day)]
        if act == "claim":
            return [self._judge("accept", self.claim_facts(session, message), day)]
        notes = message.get("noteIds", [message["noteId"]]) if act.startswith("accept") else []
        return [
            self._judge("accept", self.accept_facts(session, queries.note(session, hex_text(note_id))), day)
            for note_id in notes
        ]

    def issue(self, session: Session, message: Mapping[str, Any]) -> Judgement:
        """An obligor promises to pay: participants, documents, limit, then the rules."""
        obligor = self._parties.member(session, message["obligor"])
        self._parties.member(session, message["creditor"])
        code = currency_of(int(message["currency"])).code
        dossier = self._documents(session, message["document"])
        existing = queries.by_fingerprint(session, hex_text(message["fingerprint"]))
        if existing is not None:
            raise Problem("invoice_already_registered", invoice=dossier.invoice_number or "-", receivable=existing.id)
        face_minor = _positive(message["face"], code)
        if dossier.invoice_minor is not None and face_minor > dossier.invoice_minor:
            raise Problem(
                "amount_above_invoice",
                amount=format_money(face_minor, code),
                invoice=format_money(dossier.invoice_minor, code),
            )
        used_minor = queries.outstanding_of(session, obligor.address)
        if used_minor + face_minor > obligor.limit_minor:
            raise Problem(
                "amount_above_limit",
                amount=format_money(face_minor, code),
                limit=format_money(obligor.limit_minor, code),
                used=format_money(used_minor, code),
                free=format_money(max(0, obligor.limit_minor - used_minor), code),
            )
        self._ask_checks(session, "issue", message)
        now = today(self._clock)
        return self._judge("issue", self.issue_facts(session, message, dossier, now), now).require()

    def issue_facts(
        self, session: Session, message: Mapping[str, Any], dossier: Dossier, issued_on: date
    ) -> dict[str, Any]:
        """Everything known about an issue, by the rulebook's names."""
        obligor = self._parties.member(session, message["obligor"])
        return {
            # An invoice that is used already is refused before the rules; its own words may still say it was assigned.
            "invoice_assigned": False,
            **trade_facts(session, dossier),
            **self._trade_sides(session, message["obligor"], message["creditor"]),
            "currency": currency_of(int(message["currency"])).code,
            "issue_date": issued_on,
            "maturity_date": day_of(int(message["maturity"])),
            "obligor_overdue": obligor.halted or self._is_overdue(session, obligor.address),
            "amount_minor": int(message["face"]),
            "min_amount_minor": int(message["minAmount"]),
        }

    def accepting(self, session: Session, note_id: Any) -> Judgement:
        """A recipient takes an offered note: its own signature is its free will; the term must not be stretched."""
        note = queries.note(session, hex_text(note_id))
        return self._judge("accept", self.accept_facts(session, note), today(self._clock)).require()

    def accept_facts(self, session: Session, note: Note) -> dict[str, Any]:
        """Everything known about an acceptance: the trade is the one between giver and recipient.

        Further down the chain the payment-term law protects a small recipient only against a large giver or a public
        body (Order 802, Art. 2); a small firm's note to another is their own agreement.
        """
        return self._taking(session, note, note.giver, note.holder, note.amount_minor)

    def _taking(self, session: Session, note: Note, giver: str, recipient: str, amount_minor: int) -> dict[str, Any]:
        receivable = queries.receivable(session, note.receivable_id)
        dossier = session.get(Dossier, note.evidence)
        sides = self._trade_sides(session, giver, recipient)
        if note.parent_id is not None and sides["obligor_size"] not in ("large", "public_body", None):
            sides["creditor_is_small"] = False
        return {
            **({} if dossier is None else trade_facts(session, dossier)),
            **sides,
            **paper_facts(receivable),
            "accepted_freely": True,
            "amount_minor": amount_minor,
        }

    def passing(self, session: Session, message: Mapping[str, Any]) -> Judgement:
        """A holder passes a part on: recipient, amount, documents, then the rules.

        A recipient of None is one that is not a member yet: everything but the recipient is judged.
        """
        if message["to"] is not None:
            self._parties.member(session, message["to"])
        note = queries.note(session, hex_text(message["parentId"]))
        receivable = queries.receivable(session, note.receivable_id)
        amount_minor = _positive(message["amount"], receivable.currency)
        if amount_minor > note.amount_minor:
            raise Problem(
                "amount_above_note",
                carries=format_money(note.amount_minor, receivable.currency),
                amount=format_money(amount_minor, receivable.currency),
            )
        if note.state not in (NoteState.HELD, NoteState.OFFERED) or note.frozen:
            raise Problem("note_not_movable", state=note.standing())
        dossier = self._documents(session, message["evidence"])
        self._ask_checks(session, "pass", message)
        now = today(self._clock)
        chain = queries.lineage(session, note.id)
        facts = {
            **trade_facts(session, dossier),
            **paper_facts(receivable),
            "tier": note.tier + 1,
            "children": note.children + 1,
            "amount_minor": amount_minor,
            "min_amount_minor": receivable.min_minor,
            "returns_to_earlier_holder": message["to"] in {one.holder for one in chain} | {receivable.obligor},
            "hops_today": 1 + sum(day_of(one.made_at) == now for one in chain[1:]),
        }
        return self._judge("pass", facts, now).require()

    def mass_passing(self, session: Session, message: Mapping[str, Any]) -> Judgement:
        """A holder passes a sum on to everybody on a filed list: the root must be that list's, then as for a pass."""
        note = queries.note(session, hex_text(message["parentId"]))
        shares = queries.mass_shares(session, hex_text(message["evidence"]))
        tree = SumTree([(canonical(to), minor) for to, minor in shares]) if shares else None
        if tree is None or (tree.root, tree.count) != (int(message["root"]), int(message["count"])):
            raise Problem("mass_list_missing")
        smallest = {"amount": min(minor for _, minor in shares), "to": None}
        if note.state not in (NoteState.HELD, NoteState.OFFERED) or note.frozen:
            raise Problem("note_not_movable", state=note.standing())
        if tree.total > note.amount_minor:
            code = queries.receivable(session, note.receivable_id).currency
            raise Problem(
                "amount_above_note",
                carries=format_money(note.amount_minor, code),
                amount=format_money(tree.total, code),
            )
        self._documents(session, message["evidence"])
        self._ask_checks(session, "pass", {**message, **smallest})
        return self._judge("pass", self.mass_facts(session, message), today(self._clock)).require()

    def mass_facts(self, session: Session, message: Mapping[str, Any]) -> dict[str, Any]:
        """Everything known about a mass pass: it is one part of the note; its smallest share counts as the size."""
        note = queries.note(session, hex_text(message["parentId"]))
        receivable = queries.receivable(session, note.receivable_id)
        shares = queries.mass_shares(session, hex_text(message["evidence"]))
        chain = queries.lineage(session, note.id)
        earlier = {one.holder for one in chain} | {receivable.obligor}
        now = today(self._clock)
        return {
            **trade_facts(session, self._documents(session, message["evidence"])),
            **paper_facts(receivable),
            "tier": note.tier + 1,
            "children": int(message["childIndex"]) + 1,
            "amount_minor": min(minor for _, minor in shares),
            "min_amount_minor": receivable.min_minor,
            "returns_to_earlier_holder": any(to in earlier for to, _ in shares),
            "hops_today": 1 + sum(day_of(one.made_at) == now for one in chain[1:]),
        }

    def claiming(self, session: Session, message: Mapping[str, Any]) -> Judgement:
        """A recipient takes its share of a mass pass: judged as the acceptance of a note from the giver."""
        self._parties.member(session, str(message["to"]))
        return self._judge("accept", self.claim_facts(session, message), today(self._clock)).require()

    def claim_facts(self, session: Session, message: Mapping[str, Any]) -> dict[str, Any]:
        """Everything known about the taking of a share."""
        mass = queries.note(session, hex_text(message["massId"]))
        return self._taking(session, mass, mass.giver, str(message["to"]), int(message["amount"]))

    def _is_overdue(self, session: Session, obligor: str) -> bool:
        unpaid = queries.overdue_of(session, obligor, self._clock.now())
        return any(self.due_day(row.maturity) < today(self._clock) for row in unpaid)

    def _trade_sides(self, session: Session, buyer: str, seller: str) -> dict[str, Any]:
        """Size of the one who owes, and whether the one it owes is a small firm."""
        owes, is_owed = (self._parties.organisation_of(session, who) for who in (buyer, seller))
        return {
            "obligor_size": owes.size if owes else None,
            "creditor_is_small": is_owed.size in SMALL_FIRMS if is_owed else None,
        }

    def _documents(self, session: Session, document: Any) -> Dossier:
        found = session.get(Dossier, hex_text(document))
        if found is None:
            raise Problem("no_trade_documents", document=hex_text(document)[:12] + "…")
        return found

    def _ask_checks(self, session: Session, act: str, message: Mapping[str, Any]) -> None:
        for check in self.checks:
            check(session, act, message)

    def _judge(self, act: str, facts: Mapping[str, Any], as_of: date) -> Judgement:
        known = {name: value for name, value in facts.items() if value is not None}
        return self._rulebook.judge(act, known, as_of=as_of, ruleset=self._ruleset)


def paper_facts(receivable: Receivable) -> dict[str, Any]:
    """What the receivable's own terms say."""
    return {
        "issue_date": day_of(receivable.issued_at),
        "maturity_date": day_of(receivable.maturity),
        "currency": receivable.currency,
    }


def _positive(amount: Any, code: str) -> int:
    minor = int(amount)
    if minor <= 0:
        raise Problem("amount_not_positive", amount=format_money(minor, code))
    return minor
