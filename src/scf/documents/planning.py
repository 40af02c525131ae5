"""What an import would do: every row new, changed, duplicate, rejected or noted, with what changes and why not."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Literal

from sqlmodel import Session

from scf.documents.readers import said_by
from scf.kernel.money import format_money
from scf.kernel.problems import Problem
from scf.reconciliation import service as reconciliation
from scf.reconciliation.convert import Origin
from scf.reconciliation.facts import Fact, FactLine, date_of
from scf.standards.reading import Document

Standing = Literal["new", "changed", "duplicate", "rejected", "noted"]
"""`noted`: evidence, but no fact, such as a pending entry, a planned event or a total line."""
STANDINGS: tuple[Standing, ...] = ("new", "changed", "duplicate", "rejected", "noted")
_KEPT_APART = {"source", "trust", "evidence_id", "applicant_can_write", "kind", "retracts"}


@dataclass(frozen=True, slots=True)
class Change:
    """One field of a row that was known otherwise: what was said before and what is said now, as text."""

    field: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Planned:
    """One row of the plan. `where` is its place in the file; `replaces` is False where both statements will stand."""

    standing: Standing
    label: str
    where: str
    changes: tuple[Change, ...] = ()
    problem: Problem | None = None
    replaces: bool = True
    digests: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """All rows in the file's order, the facts behind them, and a digest of what was shown."""

    rows: tuple[Planned, ...]
    facts: tuple[Fact, ...] = field(repr=False)

    def counts(self) -> dict[Standing, int]:
        """How many rows of each standing."""
        counted = Counter(row.standing for row in self.rows)
        return {standing: counted[standing] for standing in STANDINGS}

    def digest(self) -> str:
        """SHA-256 of standings and changes: another one means that a person saw something else."""
        shown = [(row.standing, row.label, [(c.field, c.old, c.new) for c in row.changes]) for row in self.rows]
        return hashlib.sha256(json.dumps(shown, ensure_ascii=False).encode()).hexdigest()


def plan(session: Session, document: Document, origin: Origin) -> Plan:
    """Compare a document with what its source said before. Raises Problem `fact_unusable`. Writes nothing."""
    said = said_by(document, origin)
    facts = [fact for _, of_row in said if not isinstance(of_row, Problem) for fact in of_row]
    known = iter(reconciliation.standing(session, facts))
    rows: list[tuple[int, Planned]] = []
    table = document.preview
    for place, (label, of_row) in enumerate(said):
        number = table.rows[place].number if table is not None else place + 1
        where = f"row {number}" if table is not None else f"{number}"
        if isinstance(of_row, Problem):
            rows.append((number, Planned("rejected", label, where, problem=of_row)))
            continue
        rows.append((number, _planned(label, where, of_row, [next(known) for _ in of_row])))
    if table is not None:
        for item in table.rejected:
            where = f"row {item.number}" + (f", column {item.column}" if item.column else "")
            rows.append((item.number, Planned("rejected", "", where, problem=item.problem)))
        rows += [(number, Planned("duplicate", "", f"row {number}")) for number in table.repeated]
        rows += [(number, Planned("noted", "", f"row {number}")) for number in table.skipped]
        rows.sort(key=lambda pair: pair[0])
    return Plan(tuple(row for _, row in rows), tuple(facts))


def _planned(label: str, where: str, facts: Sequence[Fact], known: Sequence[reconciliation.Known]) -> Planned:
    digests = tuple(one.key for one in known)
    if not facts:
        return Planned("noted", label, where)
    changes: list[Change] = []
    replaces = True
    for fact, one in zip(facts, known, strict=True):
        if one.earlier is not None:
            changes += _changes(one.earlier, fact)
            replaces = replaces and one.replaces
    standings = {one.standing for one in known}
    standing: Standing = next(name for name in ("changed", "new", "duplicate") if name in standings)
    return Planned(standing, label, where, tuple(dict.fromkeys(changes)), None, replaces, digests)


def _changes(old: Fact, new: Fact) -> list[Change]:
    found = []
    for one in fields(Fact):
        before, after = getattr(old, one.name), getattr(new, one.name)
        if one.name not in _KEPT_APART and before != after:
            name = one.name.removesuffix("_minor").removesuffix("_milli").removesuffix("_micro")
            found.append(Change(name, _text(one.name, before, old), _text(one.name, after, new)))
    return found


def _text(name: str, value: object, fact: Fact) -> str:
    if value is None or value == ():
        return ""
    if isinstance(value, tuple):
        return "; ".join(_line(item, fact) if isinstance(item, FactLine) else str(item) for item in value)
    if isinstance(value, int) and not isinstance(value, bool):
        if name.endswith("_minor"):
            return format_money(value, fact.currency) if fact.currency else str(value)
        if name == "day" or name.endswith("_day"):
            return date_of(value).isoformat()
        places = 3 if name.endswith("_milli") else 6 if name.endswith("_micro") else 0
        return _decimal(value, places)
    return str(value)


def _line(line: FactLine, fact: Fact) -> str:
    said = [line.item]
    said += [f"{_decimal(line.quantity_milli, 3)} {line.unit or ''}".strip()] if line.quantity_milli is not None else []
    said += [format_money(line.amount_minor, fact.currency)] if line.amount_minor is not None and fact.currency else []
    return " ".join(said)


def _decimal(value: int, places: int) -> str:
    if not places:
        return str(value)
    sign, digits = ("-" if value < 0 else ""), str(abs(value)).rjust(places + 1, "0")
    return sign + f"{digits[:-places]}.{digits[-places:]}".rstrip("0").rstrip(".")
