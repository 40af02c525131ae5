"""What a verification found: checks with their findings, the assurance level, the exit code.

A report holds no time and no path, so that the same bundle gives the same bytes on any machine.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any

PASS, FAIL, NOT_PROVABLE = "pass", "fail", "not-provable"
PROVED, CONTRADICTION, UNPROVED, MALFORMED, USAGE = 0, 1, 2, 3, 64
LANGUAGES = ("en", "zh-CN")
_FINDINGS_KEPT = 50
_TEXT_KEPT = 400
ORDER = (
    "files", "scope", "trust", "interface", "headers", "roots", "transactions", "contracts", "acts", "signatures",
    "members", "terms", "lineage", "notes", "conservation", "financing", "settlement", "entrusted", "references",
    "bank_lines", "sources", "anchors", "evidence_log",
    "totals", "state", "storage", "witnesses", "since", "re_execution", "level",
)  # fmt: skip
"""Checks in the order in which a report lists them."""


@cache
def _messages() -> dict[str, Any]:
    package = __package__ or "scf.audit.verifier"
    return tomllib.loads(resources.files(package).joinpath("messages.toml").read_text(encoding="utf-8"))


def message(section: str, key: str, language: str, facts: Mapping[str, object] | None = None) -> str:
    """The sentence of `section.key` in `language` with its facts filled in."""
    entry = _messages().get(section, {}).get(key)
    if entry is None:
        return key
    return str(entry[language]).format_map({name: str(value) for name, value in (facts or {}).items()})


def show(value: object) -> str:
    """A value as a report prints it: bytes in hexadecimal, nothing a terminal could take for a command."""
    if isinstance(value, bytes | bytearray):
        return "0x" + bytes(value).hex()
    if isinstance(value, list | tuple):
        return "[" + ", ".join(show(item) for item in value) + "]"
    text = str(value)[:_TEXT_KEPT]
    return text if text.isprintable() else "".join(sign if sign.isprintable() else "�" for sign in text)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong or cannot be shown: where, what was expected, what was found."""

    result: str
    key: str
    record: str
    expected: str
    found: str
    demanded: bool = True

    def text(self, language: str) -> str:
        """The finding as a sentence."""
        return message(
            "finding", self.key, language, {"record": self.record, "expected": self.expected, "found": self.found}
        )

    def as_json(self) -> dict[str, object]:
        """JSON form, with the sentence in both languages."""
        return {
            "result": self.result,
            "demanded": self.demanded,
            "kind": self.key,
            "record": self.record,
            "expected": self.expected,
            "found": self.found,
            "en": self.text("en"),
            "zh-CN": self.text("zh-CN"),
        }


@dataclass(slots=True)
class Check:
    """One check of the list: how many records it looked at and what it found."""

    id: str
    records: int = 0
    failures: int = 0
    unproved: int = 0  # demanded and not provable
    notes: int = 0  # not provable, not demanded
    findings: list[Finding] = field(default_factory=list)
    ran: bool = False

    @property
    def result(self) -> str:
        """`pass`, `fail` or `not-provable`."""
        if self.failures:
            return FAIL
        return PASS if self.ran and not self.unproved else NOT_PROVABLE

    def count(self, records: int = 1) -> None:
        """Note that `records` more records were looked at."""
        self.ran = True
        self.records += records

    def fail(self, key: str, record: object, expected: object = "", found: object = "") -> None:
        """A contradiction."""
        self.ran = True
        self.failures += 1
        self._keep(FAIL, key, record, expected, found, True)

    def unprovable(
        self, key: str, record: object, expected: object = "", found: object = "", *, demanded: bool = True
    ) -> None:
        """Something that cannot be shown from the bundle; a note only when it is not demanded."""
        if demanded:
            self.unproved += 1
        else:
            self.notes += 1
        self._keep(NOT_PROVABLE, key, record, expected, found, demanded)

    def expect(self, key: str, record: object, expected: object, found: object) -> bool:
        """Count one record and fail when the two values differ."""
        self.count()
        if expected == found:
            return True
        self.fail(key, record, expected, found)
        return False

    def _keep(self, result: str, key: str, record: object, expected: object, found: object, demanded: bool) -> None:
        if len(self.findings) < _FINDINGS_KEPT:
            self.findings.append(Finding(result, key, show(record), show(expected), show(found), demanded))

    def title(self, language: str) -> str:
        """What the check does, in words."""
        return message("check", self.id, language)

    def as_json(self) -> dict[str, object]:
        """JSON form."""
        return {
            "id": self.id,
            "result": self.result,
            "records": self.records,
            "failures": self.failures,
            "unproved": self.unproved,
            "notes": self.notes,
            "serves": message("serves", self.id, "en"),
            "en": self.title("en"),
            "zh-CN": self.title("zh-CN"),
            "findings": [finding.as_json() for finding in self.findings],
        }


@dataclass(slots=True)
class Report:
    """The whole verification."""

    level: str = "none"
    required: str = "L0"
    exit_code: int = UNPROVED
    malformed: str = ""
    checks: dict[str, Check] = field(default_factory=dict)
    scope: dict[str, Any] = field(default_factory=dict)
    totals: dict[str, Any] = field(default_factory=dict)

    def check(self, id_: str) -> Check:
        """The check of that id, opened on first use."""
        if id_ not in self.checks:
            self.checks[id_] = Check(id_)
        return self.checks[id_]

    def conclude(self) -> None:
        """Set the exit code from what the checks found: a contradiction outweighs everything else."""
        self.checks = {id_: self.checks[id_] for id_ in ORDER if id_ in self.checks}
        checks = self.checks.values()
        if any(check.failures for check in checks):
            self.exit_code = CONTRADICTION
        elif self.malformed:
            self.exit_code = MALFORMED
        elif not checks or any(check.unproved or not (check.ran or check.notes) for check in checks):
            self.exit_code = UNPROVED
        else:
            self.exit_code = PROVED
        if self.exit_code in (CONTRADICTION, MALFORMED):
            self.level = "none"

    def as_json(self) -> dict[str, object]:
        """JSON form."""
        return {
            "format": "scf-audit-report/1",
            "exit": self.exit_code,
            "level": self.level,
            "required": self.required,
            "malformed": self.malformed,
            "scope": self.scope,
            "totals": self.totals,
            "checks": [check.as_json() for check in self.checks.values()],
        }

    def to_json(self) -> str:
        """JSON text, the same bytes for the same bundle."""
        return json.dumps(self.as_json(), ensure_ascii=False, indent=2, sort_keys=True) + "\n"

    def summary(self, language: str = "en") -> str:
        """The report for people; its first line is the assurance level and the verdict."""
        facts = {"level": self.level, "required": self.required}
        lines = [
            message("level", self.level, language, facts),
            message("verdict", str(self.exit_code), language, facts),
        ]
        if self.malformed:
            lines.append(f"  {show(self.malformed)}")
        marks = {PASS: "✓", FAIL: "✗", NOT_PROVABLE: "?"}
        for check in self.checks.values():
            note_only = check.result == NOT_PROVABLE and not check.unproved
            mark = "·" if note_only else marks[check.result]
            lines.append(f"  {mark} {check.title(language)} [{check.records}]")
            shown = [finding for finding in check.findings if finding.demanded][:5]
            shown += [finding for finding in check.findings if not finding.demanded][:2]
            lines += [
                f"      {'✗' if f.result == FAIL else '?' if f.demanded else '·'} {f.text(language)}" for f in shown
            ]
            hidden = check.failures + check.unproved + check.notes - len(shown)
            if hidden > 0:
                lines.append("      " + message("word", "more", language, {"count": hidden}))
        return "\n".join(lines) + "\n"
