"""A rule as it stands in a TOML file, and the reading of these files."""

from __future__ import annotations

import hashlib
import inspect
import json
import tomllib
from collections.abc import Iterable, Mapping
from datetime import date
from enum import StrEnum
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, get_args, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from scf.kernel.problems import Problem
from scf.rulebook.acts import ACTS
from scf.rulebook.checks import CHECKS, LOOKS_AT, Fact, FirstOf
from scf.rulebook.facts import TYPES


class Severity(StrEnum):
    """What a flag does: refuse the act, warn the one who acts, or be reported."""

    BLOCK = "block"
    WARN = "warn"
    REPORT = "report"


class Texts(BaseModel):
    """A text in both languages."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)
    en: str = Field(min_length=1)
    zh_cn: str = Field(min_length=1, alias="zh-CN")

    def of(self, language: str) -> str:
        """The text in `language` (`zh-CN` or `en`)."""
        return self.zh_cn if language.lower().startswith("zh") else self.en


class Rule(BaseModel):
    """One limit of one law from one day on. `unverified`: the article was not read in its primary source."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    id: str = Field(pattern=r"^[A-Z]{2}(-[A-Z0-9]+)+$")
    version: int = Field(ge=1)
    title: Texts
    article: Texts
    source: str
    jurisdiction: str
    rulesets: tuple[str, ...] = Field(min_length=1)
    effective_from: date
    effective_to: date | None = None
    replaces: str | None = None
    severity: Severity
    unknown: Severity | None = None
    applies_to: tuple[str, ...] = Field(min_length=1)
    when: Mapping[str, bool | int | str | tuple[str, ...]] = Field(default_factory=dict)
    unless: str | None = None
    check: str
    parameters: Mapping[str, Any] = Field(default_factory=dict)
    sentence: Texts
    unverified: bool = False

    @model_validator(mode="after")
    def _is_judgeable(self) -> Rule:
        check = CHECKS.get(self.check)
        if check is None:
            raise ValueError(f"no check is called {self.check}")
        try:
            inspect.signature(check).bind({}, **self.parameters)
        except TypeError as error:
            raise ValueError(f"check {self.check}: {error}") from error
        unasked = [act for act in self.applies_to if act not in ACTS]
        if unasked:
            raise ValueError(f"nobody asks about {unasked}")
        strangers = [name for name in self.fact_names() if name not in TYPES]
        if strangers:
            raise ValueError(f"unknown facts {strangers}")
        if self.effective_to is not None and self.effective_to < self.effective_from:
            raise ValueError("effective_to lies before effective_from")
        return self

    @property
    def digest(self) -> str:
        """First 16 hexadecimal digits of the SHA-256 of the rule's content: kept with each decision."""
        content = self.model_dump(mode="json", by_alias=True)
        return hashlib.sha256(json.dumps(content, sort_keys=True, ensure_ascii=False).encode()).hexdigest()[:16]

    @property
    def severity_if_unknown(self) -> Severity:
        """What a missing fact does: as much as a flag, unless the rule says less."""
        return self.unknown or self.severity

    def in_force(self, day: date) -> bool:
        """Whether the rule applies on this day; both ends are included."""
        return self.effective_from <= day and (self.effective_to is None or day <= self.effective_to)

    def fact_names(self) -> tuple[str, ...]:
        """Every fact the rule may look at."""
        hints = get_type_hints(CHECKS[self.check])
        names = [*self.when, *([self.unless] if self.unless else []), *LOOKS_AT.get(self.check, ())]
        for parameter, value in self.parameters.items():
            hint = hints[parameter]
            if hint is FirstOf:
                names += list(value)
            elif hint is Fact or Fact in get_args(hint):
                names.append(value)
        return tuple(dict.fromkeys(names))


class Figure(BaseModel):
    """A number the law or a central bank sets from one day on, named as the fact it stands for, in that fact's unit."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: str
    rulesets: tuple[str, ...] = Field(min_length=1)
    effective_from: date
    value: int = Field(ge=0)
    source: str
    unverified: bool = False

    @model_validator(mode="after")
    def _is_a_fact(self) -> Figure:
        if TYPES.get(self.name) is not int:
            raise ValueError(f"no number among the facts is called {self.name}")
        return self


class Ruleset(BaseModel):
    """A named set of rules: those that list it, and those of the set it extends unless it replaces them."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    title: Texts
    currency: str
    extends: str | None = None
    pending: bool = False


def read_rules(folder: Path | None = None) -> tuple[dict[str, Ruleset], tuple[Rule, ...], tuple[Figure, ...]]:
    """Rulesets, rules and figures shipped with the program, and those of `folder` (an installation's own).

    Raises Problem `rulebook_unreadable` naming file and rule.
    """
    rulesets: dict[str, Ruleset] = {}
    rules: dict[tuple[str, int], Rule] = {}
    figures: list[Figure] = []
    for file in _files(folder):
        try:
            content = tomllib.loads(file.read_text(encoding="utf-8"))
            for name, entry in content.get("ruleset", {}).items():
                rulesets[name] = Ruleset.model_validate(entry)
            for entry in content.get("rule", []):
                rule = Rule.model_validate(entry)
                if (rule.id, rule.version) in rules:
                    raise ValueError(f"{rule.id} version {rule.version} is there twice")
                rules[rule.id, rule.version] = rule
            figures += (Figure.model_validate(entry) for entry in content.get("figure", []))
        except (tomllib.TOMLDecodeError, ValidationError, ValueError) as error:
            raise Problem("rulebook_unreadable", file=file.name, reason=_reason(error)) from error
    named = [(rule.id, name) for rule in rules.values() for name in rule.rulesets]
    named += [(figure.name, name) for figure in figures for name in figure.rulesets]
    for owner, name in named:
        if name not in rulesets:
            raise Problem("rulebook_unreadable", file=owner, reason=f"no ruleset is called {name}")
    for name, ruleset in rulesets.items():
        if ruleset.extends is not None and ruleset.extends not in rulesets:
            raise Problem("rulebook_unreadable", file=name, reason=f"no ruleset is called {ruleset.extends}")
    return rulesets, tuple(rules.values()), tuple(figures)


def _files(folder: Path | None) -> Iterable[Traversable | Path]:
    shipped = sorted(resources.files("scf.rulebook").iterdir(), key=lambda file: file.name)
    yield from (file for file in shipped if file.name.endswith(".toml") and file.name != "sentences.toml")
    if folder is not None:
        yield from sorted(folder.glob("*.toml"))


def _reason(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        rule = first["input"].get("id", "") if isinstance(first.get("input"), dict) else ""
        return f"{rule} {'.'.join(str(part) for part in first['loc'])}: {first['msg']}".strip()
    return str(error)
