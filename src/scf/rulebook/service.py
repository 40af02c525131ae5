"""The door of the rulebook: judge an act by its facts on a day, list and show rules, replay a change over a book."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Any

from scf.kernel.money import format_money
from scf.kernel.problems import Problem
from scf.kernel.sentences import sentence
from scf.rulebook.checks import CHECKS, Found, Outcome
from scf.rulebook.facts import label, read_facts
from scf.rulebook.rules import Figure, Rule, Ruleset, Severity, read_rules

_MILLIONTHS = "_millionths"
_MINOR = "_minor"


class Verdict(StrEnum):
    """What all rules together say; `clear` only when every one of them is."""

    CLEAR = "clear"
    FLAG = "flag"
    UNKNOWN = "unknown"
    REFUSE = "refuse"


class RuleRefusal(Problem):
    """A blocking rule is broken, or cannot be judged; its text in each language is the rule's own sentence."""

    def __init__(self, code: str, finding: Finding) -> None:
        self.finding = finding
        super().__init__(
            code,
            rule=finding.rule_id,
            version=finding.version,
            article=finding.rule.article.en,
            sentence=finding.sentence("en"),
        )

    def sentence(self, language: str = "en") -> str:
        """The rule's sentence and its article, in `language`."""
        facts = {
            **self.facts,
            "article": self.finding.rule.article.of(language),
            "sentence": self.finding.sentence(language),
        }
        return sentence(self.code, language, **facts)


@dataclass(frozen=True, slots=True)
class Finding:
    """What one rule said. `facts` are the values its sentence shows, `missing` the facts it would have needed."""

    rule: Rule
    outcome: Outcome
    facts: Mapping[str, Any]
    missing: tuple[str, ...] = ()

    @property
    def rule_id(self) -> str:
        """Id of the rule."""
        return self.rule.id

    @property
    def version(self) -> int:
        """Version of the rule that was applied."""
        return self.rule.version

    @property
    def severity(self) -> Severity:
        """What a flag of this rule does."""
        return self.rule.severity

    @property
    def blocks(self) -> bool:
        """Whether the act may not go on because of this finding."""
        if self.outcome is Outcome.FLAG:
            return self.rule.severity is Severity.BLOCK
        return self.outcome is Outcome.UNKNOWN and self.rule.severity_if_unknown is Severity.BLOCK

    def sentence(self, language: str) -> str:
        """One sentence for a person: what is wrong, what is not known, or that the rule is met."""
        title = self.rule.title.of(language)
        if self.outcome is Outcome.CLEAR:
            return sentence("rule_met", language, title=title)
        if self.outcome is Outcome.UNKNOWN:
            comma = "、" if language.lower().startswith("zh") else ", "
            names = comma.join(label(name, language) for name in self.missing)
            return sentence("rule_not_judged", language, title=title, missing=names)
        return self.rule.sentence.of(language).format_map(_Shown(self.facts))

    def record(self) -> dict[str, Any]:
        """What a decision keeps of this finding: rule, version, digest of its content, outcome, facts as text."""
        return {
            "rule": self.rule.id,
            "version": self.rule.version,
            "digest": self.rule.digest,
            "severity": self.rule.severity.value,
            "outcome": self.outcome.value,
            "missing": list(self.missing),
            "facts": {name: str(value) for name, value in self.facts.items()},
        }


@dataclass(frozen=True, slots=True)
class Judgement:
    """All findings about one act on one day under one ruleset."""

    act: str
    as_of: date
    ruleset: str
    findings: tuple[Finding, ...]

    @property
    def verdict(self) -> Verdict:
        """`refuse` when a blocking rule is broken, else `unknown`, `flag` or `clear`; mere reports do not count."""
        counted = [f for f in self.findings if f.severity is not Severity.REPORT]
        if any(f.outcome is Outcome.FLAG and f.blocks for f in counted):
            return Verdict.REFUSE
        if any(f.outcome is Outcome.UNKNOWN for f in counted):
            return Verdict.UNKNOWN
        return Verdict.FLAG if any(f.outcome is Outcome.FLAG for f in counted) else Verdict.CLEAR

    @property
    def flagged(self) -> tuple[Finding, ...]:
        """Findings a person should read: everything that is not clear, the blocking ones first."""
        return tuple(sorted((f for f in self.findings if f.outcome is not Outcome.CLEAR), key=lambda f: not f.blocks))

    def require(self) -> Judgement:
        """The judgement itself when the act may go on.

        Raises Problem `rule_refused` for the first blocking rule that is broken, else `rule_unknown` for the first that
        cannot be judged because a fact is missing.
        """
        for outcome, code in ((Outcome.FLAG, "rule_refused"), (Outcome.UNKNOWN, "rule_unknown")):
            for finding in self.findings:
                if finding.outcome is outcome and finding.blocks:
                    raise RuleRefusal(code, finding)
        return self

    def record(self) -> dict[str, Any]:
        """What a decision keeps: enough to show later which rule in which version said what."""
        return {
            "act": self.act,
            "as_of": self.as_of.isoformat(),
            "ruleset": self.ruleset,
            "verdict": self.verdict.value,
            "findings": [finding.record() for finding in self.findings],
        }


@dataclass(frozen=True, slots=True)
class ReplayRecord:
    """One act of the book with the facts it had. `reference` says which receivable."""

    reference: str
    act: str
    facts: Mapping[str, Any]
    amount_minor: int
    currency: str


@dataclass(frozen=True, slots=True)
class Replayed:
    """A record the replayed ruleset would refuse, with the findings that do; `is_new`: today's rules let it pass."""

    record: ReplayRecord
    findings: tuple[Finding, ...]
    is_new: bool


@dataclass(frozen=True, slots=True)
class Replay:
    """What a ruleset would do to a book. Sums in minor units by currency."""

    ruleset: str
    as_of: date
    examined: int
    refused: tuple[Replayed, ...]
    unknown: tuple[Replayed, ...]

    @property
    def refused_minor(self) -> dict[str, int]:
        """Sum of what would be refused, by currency."""
        return _sums(self.refused)

    @property
    def newly_refused(self) -> tuple[Replayed, ...]:
        """Refused by this ruleset and not by the one in force."""
        return tuple(one for one in self.refused if one.is_new)

    @property
    def newly_refused_minor(self) -> dict[str, int]:
        """Sum of what only this ruleset refuses, by currency."""
        return _sums(self.newly_refused)


class Rulebook:
    """All rules of all rulesets, as data."""

    def __init__(self, rulesets: Mapping[str, Ruleset], rules: Iterable[Rule], figures: Iterable[Figure] = ()) -> None:
        self._rulesets = dict(rulesets)
        self._figures = tuple(figures)
        self._rules = tuple(sorted(rules, key=lambda rule: (rule.jurisdiction, rule.id, rule.version)))

    @classmethod
    def load(cls, folder: Path | None = None) -> Rulebook:
        """The shipped rules and those of an installation's own folder. Raises Problem `rulebook_unreadable`."""
        return cls(*read_rules(folder))

    @property
    def rulesets(self) -> Mapping[str, Ruleset]:
        """Rulesets by name."""
        return self._rulesets

    def judge(self, act: str, facts: Mapping[str, Any], as_of: date, ruleset: str = "CN") -> Judgement:
        """Judge an act by the rules in force on `as_of`. A fact left out or None is unknown, never a pass.

        Raises Problem `unknown_ruleset` or `fact_unreadable`.
        """
        rules = [rule for rule in self.list(as_of, ruleset) if act in rule.applies_to]
        known = read_facts(facts, as_of)
        code = known.get("currency", self._rulesets[ruleset].currency)
        findings = (_apply(rule, known, code) for rule in rules)
        return Judgement(act, as_of, ruleset, tuple(finding for finding in findings if finding is not None))

    def list(self, as_of: date | None = None, ruleset: str = "CN") -> tuple[Rule, ...]:
        """Rules of a ruleset, in force on `as_of` or, without it, of all times. Raises Problem `unknown_ruleset`."""
        names = self._names(ruleset)
        found = [r for r in self._rules if set(r.rulesets) & set(names) and (as_of is None or r.in_force(as_of))]
        replaced = {rule.replaces for rule in found if rule.replaces is not None} if as_of is not None else set()
        return tuple(rule for rule in found if rule.id not in replaced)

    def show(self, rule_id: str) -> tuple[Rule, ...]:
        """All versions of a rule, oldest first. Raises Problem `unknown_rule`."""
        found = tuple(rule for rule in self._rules if rule.id == rule_id.upper())
        if not found:
            raise Problem("unknown_rule", rule=rule_id)
        return found

    def parameter(self, rule_id: str, name: str, as_of: date) -> Any:
        """A parameter of the version of a rule in force on `as_of`. Raises Problem `unknown_rule`."""
        for rule in reversed(self.show(rule_id)):
            if rule.in_force(as_of) and name in rule.parameters:
                return rule.parameters[name]
        raise Problem("unknown_rule", rule=f"{rule_id} {name} ({as_of.isoformat()})")

    def figure_in_force(self, name: str, day: date, ruleset: str = "CN") -> Figure | None:
        """The figure in force on a day under a ruleset or the nearest one it extends; None where none is known.

        Raises Problem `unknown_ruleset`.
        """
        for one in self._names(ruleset):
            known = [f for f in self._figures if f.name == name and one in f.rulesets and f.effective_from <= day]
            if known:
                return max(known, key=lambda figure: figure.effective_from)
        return None

    def figure(self, name: str, day: date, ruleset: str = "CN") -> int | None:
        """The value of the figure in force; see `figure_in_force`."""
        found = self.figure_in_force(name, day, ruleset)
        return found.value if found else None

    @property
    def figures(self) -> tuple[Figure, ...]:
        """All figures of all rulesets."""
        return self._figures

    def effective_on(self, ruleset: str) -> date:
        """The first day on which every rule of `ruleset` that replaces another is in force."""
        own = [rule.effective_from for rule in self._rules if ruleset in rule.rulesets]
        if not own:
            raise Problem("unknown_ruleset", ruleset=ruleset, known=", ".join(self._rulesets))
        return max(own)

    def replay(
        self, records: Iterable[ReplayRecord], as_of: date, ruleset: str, *, baseline: str | None = None
    ) -> Replay:
        """Which acts of the book `ruleset` would refuse on `as_of`, and their sum.

        `baseline` is the ruleset in force, by default the one `ruleset` extends: what both refuse is not new.
        """
        current = baseline or self._names(ruleset)[:2][-1]
        refused: list[Replayed] = []
        unknown: list[Replayed] = []
        examined = 0
        for record in records:
            examined += 1
            facts = {"currency": record.currency, "amount_minor": record.amount_minor, **record.facts}
            then = self.judge(record.act, facts, as_of, ruleset)
            blocking = tuple(finding for finding in then.findings if finding.blocks)
            if not blocking:
                continue
            now = {f.rule_id for f in self.judge(record.act, facts, as_of, current).findings if f.blocks}
            is_new = not now and current != ruleset
            one = Replayed(record, blocking, is_new)
            (refused if then.verdict is Verdict.REFUSE else unknown).append(one)
        return Replay(ruleset, as_of, examined, tuple(refused), tuple(unknown))

    def _names(self, ruleset: str) -> tuple[str, ...]:
        """The ruleset and what it extends, nearest first."""
        names: tuple[str, ...] = ()
        name: str | None = ruleset
        while name is not None and name not in names:
            if name not in self._rulesets:
                raise Problem("unknown_ruleset", ruleset=name, known=", ".join(self._rulesets))
            names += (name,)
            name = self._rulesets[name].extends
        return names


def _apply(rule: Rule, known: Mapping[str, Any], code: str) -> Finding | None:
    """The finding of one rule, or None when it does not concern this case."""
    absent = []
    for name, wanted in rule.when.items():
        if name not in known:
            absent.append(name)
        elif known[name] not in wanted if isinstance(wanted, tuple) else known[name] != wanted:
            return None
    found = Found(Outcome.UNKNOWN, tuple(absent)) if absent else CHECKS[rule.check](known, **rule.parameters)
    excuse = known.get(rule.unless) if rule.unless else None
    if found.outcome is Outcome.FLAG and (excuse.strip() if isinstance(excuse, str) else excuse):
        found = Found(Outcome.CLEAR, (), found.computed)
    shown = {name: known[name] for name in rule.fact_names() if name in known}
    numbers = {name: value for name, value in rule.parameters.items() if isinstance(value, int)}
    shown |= {**numbers, **found.computed}
    return Finding(rule, found.outcome, shown | _spelled(rule, shown, code), found.missing)


def _spelled(rule: Rule, values: Mapping[str, Any], code: str) -> dict[str, str]:
    """Amounts and rates as people read them: `amount` beside `amount_minor`, `minimum_money` beside `minimum`."""
    spelled: dict[str, str] = {}
    subject = str(rule.parameters.get("fact", ""))
    for name, value in values.items():
        if not isinstance(value, int) or isinstance(value, bool):
            continue
        if name.endswith(_MINOR):
            spelled[name.removesuffix(_MINOR)] = format_money(value, code)
        elif name.endswith(_MILLIONTHS):
            spelled[name.removesuffix(_MILLIONTHS)] = _percent(value)
        elif name in ("minimum", "maximum", "allowed") and subject.endswith(_MINOR):
            spelled[f"{name}_money"] = format_money(value, code)
        elif name in ("minimum", "maximum", "allowed") and subject.endswith(_MILLIONTHS):
            spelled[f"{name}_rate"] = _percent(value)
    return spelled


def _percent(millionths: int) -> str:
    whole, rest = divmod(millionths, 10_000)
    return f"{whole}.{rest:04d}".rstrip("0").rstrip(".") + "%"


def _sums(ones: Iterable[Replayed]) -> dict[str, int]:
    sums: dict[str, int] = {}
    for one in ones:
        sums[one.record.currency] = sums.get(one.record.currency, 0) + one.record.amount_minor
    return sums


class _Shown(dict[str, Any]):
    def __missing__(self, key: str) -> str:
        return "?"
