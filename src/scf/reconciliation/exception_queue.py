"""The queue of exceptions, kept in step with what the rule says of each case.

A disagreement that goes away resolves its exception; one whose values change is updated while open; one that somebody
decided stays decided until other values contradict it, and then a new exception opens.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import sqlalchemy as sa

from scf.kernel.money import format_money
from scf.reconciliation.exceptions import HANDLING
from scf.reconciliation.fold import Folded
from scf.reconciliation.placing import Found
from scf.reconciliation.rule import Disagreement, Reason, Terms, Verdict
from scf.reconciliation.shelf import EXCEPTION, Shelf, chunks

_DAY_COUNTS = ("last_delivered_day", "promised_day", "order_day", "due_day")


class ExceptionQueue:
    """The exceptions of the cases of one batch."""

    def __init__(self, shelf: Shelf, terms: Terms, now: int) -> None:
        self.shelf, self.terms, self.now = shelf, terms, now
        self.opened = self.resolved = 0
        self._known: dict[int, list[dict[str, Any]]] = {}
        self._changes: list[dict[str, Any]] = []

    def update(self, judged: Mapping[int, tuple[Folded, Verdict]]) -> None:
        """Bring the exceptions of these cases up to date."""
        self._load([i for i in judged if i not in self.shelf.new_cases])
        gone: list[int] = []
        for case_id, (folded, verdict) in judged.items():
            known = self._known.setdefault(case_id, [])
            said = {d.reason.name: d for d in verdict.disagreements if d.reason != Reason.EXPECTED}
            for row in [row for row in known if row["state"] == "open" and row["code"] not in said]:
                gone.append(row["id"])
                known.remove(row)
            for code, disagreement in said.items():
                self._say(case_id, known, code, disagreement, folded)
        self._resolve(gone)
        self._change()

    def update_facts(self, unplaced: Mapping[int, Found]) -> None:
        """One exception for each fact that belongs nowhere; suggestions when several cases could be meant."""
        known = self.shelf.select(
            (EXCEPTION.c.fact_id,), EXCEPTION.c.fact_id, unplaced, EXCEPTION.c.state != "resolved"
        )
        have = {row.fact_id for row in known} | {r["fact_id"] for r in self.shelf.rows[EXCEPTION.name] if r["fact_id"]}
        for fact_id, found in unplaced.items():
            if fact_id in have:
                continue
            fact = self.shelf.facts[fact_id]
            money = format_money(fact.amount_minor or 0, fact.currency) if fact.currency else ""
            disagreement = Disagreement(Reason.UNKNOWN_REFERENCE, "payments", 0, 1)
            row = self._row(None, disagreement, fact.currency, (money, ""))
            reference = fact.reference or fact.end_to_end_id or fact.key or fact.order_reference or str(fact_id)
            row |= {"fact_id": fact_id, "reference": reference[:140], "suggestion": self._suggestion(found.rivals)}
            self.shelf.add(EXCEPTION, row)
            self.opened += 1

    def suggest(self, suggestions: Mapping[int, list[int]]) -> None:
        """Write the cases that could be meant into the exceptions of facts that wait."""
        self.shelf.load_cases({case_id for cases in suggestions.values() for case_id in cases})
        rows = [{"key": fact_id, "text": self._suggestion(cases)} for fact_id, cases in suggestions.items()]
        if rows:
            update = sa.update(EXCEPTION).where(EXCEPTION.c.fact_id == sa.bindparam("key"), EXCEPTION.c.state == "open")
            self.shelf.session.execute(update.values(suggestion=sa.bindparam("text")), rows)

    def resolve_facts(self, fact_ids: Iterable[int]) -> None:
        """Facts that found their case, or were withdrawn, are no exceptions any more."""
        for chunk in chunks(fact_ids):
            where = (EXCEPTION.c.fact_id.in_(chunk), EXCEPTION.c.state == "open")
            closed = self.shelf.session.execute(
                sa.update(EXCEPTION).where(*where).values(state="resolved", closed_at=self.now)
            )
            self.resolved += closed.rowcount  # type: ignore[attr-defined]

    def _load(self, case_ids: list[int]) -> None:
        asked = [i for i in case_ids if i not in self._known]
        c = EXCEPTION.c
        columns = (c.id, c.case_id, c.code, c.field, c.left_value, c.right_value, c.left_text, c.right_text, c.state)
        for row in self.shelf.select(columns, c.case_id, asked, c.state != "resolved"):
            self._known.setdefault(row.case_id, []).append(dict(row._mapping))

    def _say(self, case_id: int, known: list[dict[str, Any]], code: str, said: Disagreement, folded: Folded) -> None:
        texts = folded.notes.get(said.field, (None, None))
        values = (said.field, said.left, said.right, *texts)
        for row in known:
            if row["code"] != code:
                continue
            if _alike(row, values):
                return
            if row["state"] == "open":
                row.update(field=said.field, left_value=said.left, right_value=said.right)
                row.update(left_text=texts[0], right_text=texts[1])
                self._changes.append({"limit": said.limit_milli, **row})
                return
        fresh = self._row(case_id, said, folded.currency, texts)
        fresh["reference"] = self.shelf.cases[case_id]["order_reference"]
        known.append(fresh)
        self.shelf.add(EXCEPTION, fresh)
        self.opened += 1

    def _row(
        self, case_id: int | None, said: Disagreement, currency: str | None, texts: tuple[str | None, str | None]
    ) -> dict[str, Any]:
        handling = HANDLING[said.reason]
        return {
            "id": self.shelf.next_id(EXCEPTION),
            "case_id": case_id,
            "fact_id": None,
            "verdict_id": self.shelf.cases[case_id]["verdict_id"] if case_id is not None else None,
            "code": said.reason.name,
            "severity": handling.severity,
            "field": said.field,
            "left_value": said.left,
            "right_value": said.right,
            "limit_milli": said.limit_milli,
            "left_text": texts[0],
            "right_text": texts[1],
            "currency": currency,
            "reference": "",
            "suggestion": None,
            "owner": handling.owner,
            "deadline_day": self.terms.as_of_day + handling.days,
            "opened_at": self.now,
            "state": "open",
            "closed_at": None,
        }

    def _resolve(self, ids: list[int]) -> None:
        fresh = {row["id"]: row for row in self.shelf.rows[EXCEPTION.name]}
        for exception_id in ids:
            if exception_id in fresh:
                fresh[exception_id].update(state="resolved", closed_at=self.now)
        stored = [i for i in ids if i not in fresh]
        for chunk in chunks(stored):
            close = sa.update(EXCEPTION).where(EXCEPTION.c.id.in_(chunk)).values(state="resolved", closed_at=self.now)
            self.shelf.session.execute(close)
        self.resolved += len(ids)

    def _change(self) -> None:
        if self._changes:
            names = ("field", "left_value", "right_value", "left_text", "right_text")
            update = sa.update(EXCEPTION).where(EXCEPTION.c.id == sa.bindparam("key"))
            update = update.values(limit_milli=sa.bindparam("limit"), **{n: sa.bindparam(f"new_{n}") for n in names})
            rows = [{"key": r["id"], "limit": r["limit"], **{f"new_{n}": r[n] for n in names}} for r in self._changes]
            self.shelf.session.execute(update, rows)
            self._changes = []

    def _suggestion(self, case_ids: Iterable[int]) -> str | None:
        known = [self.shelf.cases[i]["order_reference"] for i in case_ids if i in self.shelf.cases]
        return json.dumps({"orders": known[:20]}, ensure_ascii=False) if known else None


def _alike(row: dict[str, Any], values: tuple[Any, ...]) -> bool:
    """Whether this is the same disagreement. Waiting longer is not another one: today's day does not count."""
    field, left, right, left_text, right_text = values
    if row["field"] != field or (row["left_text"], row["right_text"]) != (left_text, right_text):
        return False
    return bool(row["left_value"] == left and (row["right_value"] == right or field in _DAY_COUNTS))
