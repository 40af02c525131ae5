"""What the rulebook is asked before an act on a receivable is signed and again before it is relayed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from sqlmodel import Session

from scf.kernel.clock import Clock, today
from scf.kernel.dates import day_of
from scf.kernel.money import currency as currency_of
from scf.kernel.money import format_money
from scf.kernel.problems import Problem
from scf.parties.service import Parties
from scf.receivables import queries
from scf.receivables.models import Dossier, NoteState
from scf.rulebook.service import Rulebook


def hex_text(value: Any) -> str:
    """A bytes32 field as lower-case 0x text, whether it came as bytes, number or text."""
    if isinstance(value, bytes):
        return "0x" + value.hex()
    if isinstance(value, int):
        return f"0x{value:064x}"
    return str(value).lower()


class ActJudge:
    """Turns an act into facts and has the rulebook decide. Unknown facts are left out and never count as a pass."""

    def __init__(self, rulebook: Rulebook, parties: Parties, clock: Clock, *, ruleset: str = "CN") -> None:
        self._rulebook = rulebook
        self._parties = parties
        self._clock = clock
        self._ruleset = ruleset

    def any(self, session: Session, act: str, message: Mapping[str, Any]) -> None:
        """Judge any act by its name. Raises Problem of the rule or limit that refuses it."""
        if act == "issue":
            self.issue(session, message)
        elif act == "pass":
            self.passing(session, message)
        elif act == "pass_many":
            rows = zip(message["to"], message["amounts"], message["evidence"], strict=True)
            for to, amount, evidence in rows:
                self.passing(session, {**message, "to": to, "amount": amount, "evidence": evidence})

    def issue(self, session: Session, message: Mapping[str, Any]) -> None:
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
        now = today(self._clock)
        facts: dict[str, Any] = {
            "issue_date": now,
            "maturity_date": day_of(int(message["maturity"])),
            "has_trade_evidence": True,
            "prepayment": False if dossier.delivered_on else None,
            "obligor_overdue": bool(queries.overdue_of(session, obligor.address, self._clock.now())) or obligor.halted,
            "invoice_assigned": False,
            "amount_minor": face_minor,
        }
        if dossier.delivered_on:
            facts["delivered_on"] = date.fromisoformat(dossier.delivered_on)
        for who, name in ((message["obligor"], "obligor_size"), (message["creditor"], "creditor_size")):
            organisation = self._parties.organisation_of(session, who)
            if organisation is not None:
                facts[name] = organisation.size
        facts["creditor_is_small"] = facts.get("creditor_size") in ("small", "micro", "medium")
        self._require("issue", facts, now)

    def passing(self, session: Session, message: Mapping[str, Any]) -> None:
        """A holder passes a part on: recipient, amount, documents, then the rules."""
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
        self._documents(session, message["evidence"])
        facts = {
            "tier": note.tier + 1,
            "children": note.children + 1,
            "amount_minor": amount_minor,
            "min_amount_minor": receivable.min_minor,
            "has_trade_evidence": True,
            "prepayment": False,
            "issue_date": day_of(receivable.issued_at),
            "maturity_date": day_of(receivable.maturity),
        }
        self._require("pass", facts, today(self._clock))

    def _documents(self, session: Session, document: Any) -> Dossier:
        found = session.get(Dossier, hex_text(document))
        if found is None:
            raise Problem("no_trade_documents", document=hex_text(document)[:12] + "…")
        return found

    def _require(self, act: str, facts: Mapping[str, Any], as_of: date) -> None:
        known = {name: value for name, value in facts.items() if value is not None}
        self._rulebook.judge(act, known, as_of=as_of, ruleset=self._ruleset).require()


def _positive(amount: Any, code: str) -> int:
    minor = int(amount)
    if minor <= 0:
        raise Problem("amount_not_positive", amount=format_money(minor, code))
    return minor
