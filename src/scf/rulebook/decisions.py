"""Judging an act in an installation, and keeping what was decided as evidence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlmodel import Session

from scf.kernel.clock import Clock, today
from scf.rulebook.service import Judgement, Rulebook
from scf.store import evidence
from scf.store.commands import canonical_json
from scf.store.evidence import Trust


@dataclass(frozen=True, slots=True)
class LateTerms:
    """What lateness costs where nothing was agreed: parts per million a day, and a fixed sum in minor units."""

    ppm_per_day: int
    fixed_minor: int = 0


def keep_decision(session: Session, decision: Judgement, decided_at: int, **more: str) -> str:
    """Keep a decision (rules, versions, outcomes, and `more` on what it was about) as evidence; returns its id."""
    return evidence.record(
        session,
        canonical_json({**decision.record(), **more}),
        kind="decision",
        source="rulebook",
        sender="scf",
        trust=Trust.T2,
        received_at=decided_at,
        name=f"{decision.act} {decision.as_of.isoformat()} {decision.verdict.value}",
    ).evidence_id


class Decisions:
    """The rulebook under the ruleset an installation runs."""

    def __init__(self, rulebook: Rulebook, clock: Clock, *, ruleset: str = "CN") -> None:
        self.rulebook = rulebook
        self.ruleset = ruleset
        self._clock = clock

    def today(self) -> date:
        """The day acts are judged on."""
        return today(self._clock)

    def judge(self, act: str, facts: Mapping[str, Any]) -> Judgement:
        """Judge an act by the rules of today; nothing is refused."""
        known = {name: value for name, value in facts.items() if value is not None}
        return self.rulebook.judge(act, known, as_of=self.today(), ruleset=self.ruleset)

    def require(self, act: str, facts: Mapping[str, Any]) -> Judgement:
        """Judge an act. Raises Problem `rule_refused` or `rule_unknown` of the blocking rule."""
        return self.judge(act, facts).require()

    def keep(self, session: Session, decision: Judgement, about: str) -> str:
        """Keep a decision (rules, versions, outcomes) as evidence, the same once; returns the evidence id."""
        return keep_decision(session, decision, self._clock.now(), about=about)

    def late_terms(self, due_on: date, currency: str) -> LateTerms:
        """What a debt that fell due on a day costs for each day of delay; nothing where the ruleset names no rate."""
        fixed = self.figure("compensation_minor", due_on)
        home = self.rulebook.rulesets[self.ruleset].currency
        return LateTerms(
            self.figure("late_rate_daily_millionths", due_on) or 0, fixed if fixed and currency == home else 0
        )

    def late_facts(self, due_on: date, currency: str) -> dict[str, Any]:
        """Facts about the late interest that is charged, by the rulebook's names."""
        terms = self.late_terms(due_on, currency)
        return {
            "late_rate_agreed": False,
            "late_rate_daily_millionths": terms.ppm_per_day,
            "late_rate_yearly_millionths": terms.ppm_per_day * 365,
            "reference_rate_yearly_millionths": self.figure("reference_rate_yearly_millionths", due_on),
            "compensation_minor": terms.fixed_minor,
            "currency": currency,
        }

    def figure(self, name: str, day: date) -> int | None:
        """A figure of this ruleset on a day."""
        return self.rulebook.figure(name, day, self.ruleset)
