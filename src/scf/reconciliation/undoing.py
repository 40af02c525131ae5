"""Taking an import's facts back: what is joined looks as if they had not come, and nothing that was said is deleted.

What was placed after them may lean on them, so it is placed again; what they replaced stands again. Refused where a
person decided something since, or a later file changed the same thing.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import sqlalchemy as sa
from sqlmodel import Session

from scf.kernel.clock import Clock
from scf.kernel.problems import Problem
from scf.reconciliation import undone
from scf.reconciliation.facts import KIND_ORDER, Fact, Kind, normalise
from scf.reconciliation.fold import Part
from scf.reconciliation.intake import Intake, Taken
from scf.reconciliation.keyless import COMBINED, Waiting, as_waiting, party_is
from scf.reconciliation.placing import order_of, owned, wanted
from scf.reconciliation.rule import Terms
from scf.reconciliation.shelf import ALLOCATION, CASE, EXCEPTION, FACT, INVOICE, NAME, WAITING, WITHDRAWN, Shelf, chunks
from scf.reconciliation.undone import UNDONE, Known


def standing(session: Session, facts: Sequence[Fact]) -> list[Known]:
    """Whether each fact is new, changes what its source said before, or was said already. Writes nothing."""
    return undone.standing(Shelf(session), facts)


def orders_of(session: Session, digests: Collection[str]) -> set[str]:
    """Order references of the cases that these facts, by digest, belong to now."""
    shelf = Shelf(session)
    ids = undone.facts_by_digest(shelf, digests)
    cases = {row.case_id for row in shelf.select((ALLOCATION.c.case_id,), ALLOCATION.c.fact_id, ids, _LIVE)}
    return {row.order_reference for row in shelf.select((CASE.c.order_reference,), CASE.c.id, cases)}


def withdraw(session: Session, digests: Collection[str], *, since: int, clock: Clock, terms: Terms) -> Taken:
    """Take back the facts said under these digests, brought at `since` (unix seconds), in the caller's transaction.

    Raises Problem `undo_after_allocation`, `undo_after_decision` or `undo_after_change`; then the caller must not
    commit.
    """
    undo = Undo(session, terms, clock.now())
    return undo.withdraw(undone.facts_by_digest(undo.shelf, digests), since)


Party = tuple[str | None, str | None, str]
"""Seller and account, normalised, and currency."""
_LIVE = ALLOCATION.c.ended_by.is_(None)
_COLUMNS = (ALLOCATION.c.id, ALLOCATION.c.fact_id, ALLOCATION.c.case_id, ALLOCATION.c.method)


class Undo(Intake):
    """One taking back in one session. Use once."""

    def withdraw(self, fact_ids: Collection[int], since: int) -> Taken:
        """Take these facts back; see `withdraw` of this module."""
        gone = set(fact_ids)
        if not gone:
            return self._taken(0, 0)
        self.shelf.load_facts(gone)
        own = list(self.shelf.select(_COLUMNS, ALLOCATION.c.fact_id, gone, _LIVE))
        cases = {row.case_id for row in own}
        parties = self._parties(gone, cases)
        first = min((row.id for row in own), default=0)
        there = list(self.shelf.select(_COLUMNS, ALLOCATION.c.case_id, cases, _LIVE))
        self._refuse(gone, cases, [row for row in there if row.id > first], since)
        together = {row.case_id for row in own if row.method == COMBINED}
        leaning = {row.fact_id for row in there if row.id > first} - gone
        leaning |= {row.fact_id for row in there if row.method == COMBINED and row.case_id in together} - gone
        self._end(gone | leaning)
        twins = self._forget_invoices(gone | leaning)
        self._mark(gone)
        kept = self._kept_cases(cases | self._touched)
        restored = self._restore(gone)
        self._close_empty(cases - kept.keys() - set(self._fresh_parts))
        self._reopen(self._touched, leaning | restored, since)
        self._bear_again(kept)
        self._place_again(leaning | restored, twins, parties)
        return self._taken(0, 0)

    def _parties(self, gone: set[int], cases: set[int]) -> set[Party]:
        """Those whose payments may have waited because of these facts: another candidate, or another payment, less."""
        found = [
            *self.shelf.select((WAITING.c.seller, WAITING.c.account, WAITING.c.currency), WAITING.c.fact_id, gone),
            *self.shelf.select((CASE.c.seller, CASE.c.account, CASE.c.currency), CASE.c.id, cases),
        ]
        return {(row.seller, row.account, row.currency) for row in found if row.currency}

    def _rivals(self, parties: set[Party]) -> list[Waiting]:
        """The payments of these parties that wait."""
        found: dict[int, Waiting] = {}
        for seller, account, currency in sorted(parties, key=repr):
            query = sa.select(WAITING).where(party_is(WAITING, seller, account), WAITING.c.currency == currency)
            found |= {row["fact_id"]: as_waiting(dict(row)) for row in self.shelf.session.execute(query).mappings()}
        return [found[fact_id] for fact_id in sorted(found)]

    def _refuse(
        self, gone: set[int], cases: set[int], later: Sequence[sa.Row[tuple[int, int, int, str]]], since: int
    ) -> None:
        """Raise when a person decided something that rests on these facts, or a later file changed one of them."""
        for row in later:
            if row.method.startswith("by "):
                raise Problem("undo_after_allocation", who=row.method.removeprefix("by "))
        decided = (EXCEPTION.c.state == "decided", EXCEPTION.c.closed_at >= since)
        columns = (EXCEPTION.c.id, EXCEPTION.c.reference, EXCEPTION.c.decided_by)
        for where, values in ((EXCEPTION.c.case_id, cases), (EXCEPTION.c.fact_id, gone)):
            for row in self.shelf.select(columns, where, values, *decided):
                raise Problem("undo_after_decision", id=row.id, reference=row.reference, who=row.decided_by)
        pair = (WITHDRAWN.c.fact_id, WITHDRAWN.c.by_fact_id)
        changed = {row.by_fact_id: row.fact_id for row in self.shelf.select(pair, WITHDRAWN.c.fact_id, gone)}
        by_later = changed.keys() - gone - undone.undone(self.shelf, changed.keys())
        if by_later:
            fact = self.shelf.facts[changed[min(by_later)]]
            raise Problem("undo_after_change", reference=fact.reference or fact.key or fact.order_reference or "-")

    def _end(self, fact_ids: set[int]) -> None:
        """End every place these facts have, and forget their references."""
        for row in self.shelf.select(_COLUMNS, ALLOCATION.c.fact_id, fact_ids, _LIVE):
            self._touched.add(row.case_id)
        self._generation.update(undone.next_generation(self.shelf, fact_ids))
        for chunk in chunks(fact_ids):
            ended = sa.update(ALLOCATION).where(ALLOCATION.c.fact_id.in_(chunk), _LIVE)
            self.shelf.session.execute(ended.values(ended_by=ALLOCATION.c.fact_id))
        self._stop_waiting(fact_ids)
        for chunk in chunks(fact_ids):
            self.shelf.session.execute(sa.delete(NAME).where(NAME.c.fact_id.in_(chunk)))

    def _mark(self, gone: set[int]) -> None:
        rows = [{"fact_id": fact_id, "undone_at": self.now} for fact_id in sorted(gone)]
        self.shelf.session.execute(sa.insert(UNDONE), rows)

    def _forget_invoices(self, fact_ids: set[int]) -> list[tuple[int, int]]:
        """Forget these invoices as twins of others; returns the invoices whose twin must be looked for again."""
        alone = list(self.shelf.select((INVOICE.c.fact_id, INVOICE.c.case_id), INVOICE.c.twin_of, fact_ids))
        again = [(row.fact_id, row.case_id) for row in alone if row.fact_id not in fact_ids]
        self._touched.update(case_id for _, case_id in again)
        self.shelf.load_facts([fact_id for fact_id, _ in again])
        for chunk in chunks({*fact_ids, *(fact_id for fact_id, _ in again)}):
            self.shelf.session.execute(sa.delete(INVOICE).where(INVOICE.c.fact_id.in_(chunk)))
        return again

    def _kept_cases(self, cases: set[int]) -> dict[int, list[int]]:
        """Cases that still have facts, each with its facts in the order they were placed."""
        kept: dict[int, list[int]] = {}
        for row in sorted(self.shelf.select(_COLUMNS, ALLOCATION.c.case_id, cases, _LIVE), key=lambda row: row.id):
            kept.setdefault(row.case_id, []).append(row.fact_id)
        self.shelf.load_cases(cases)
        self.shelf.load_facts({fact_id for facts in kept.values() for fact_id in facts})
        return kept

    def _restore(self, gone: set[int]) -> set[int]:
        """What these facts had replaced or withdrawn stands again where it stood; returns what must be placed anew."""
        identities = {identity for i in gone if (identity := self.shelf.facts[i].identity())}
        withdrawn = self.shelf.select((WITHDRAWN.c.fact_id,), WITHDRAWN.c.by_fact_id, gone)
        ids = [row.fact_id for row in withdrawn]
        identities |= {row.identity for row in self.shelf.select((FACT.c.identity,), FACT.c.id, ids) if row.identity}
        again = set(undone.standing_of(self.shelf, identities).values())
        again -= {row.fact_id for row in self.shelf.select((ALLOCATION.c.fact_id,), ALLOCATION.c.fact_id, again, _LIVE)}
        again -= {row.fact_id for row in self.shelf.select((WAITING.c.fact_id,), WAITING.c.fact_id, again)}
        again = {i for i in again if self.shelf.facts[i].kind in undone.REPLACED and not self.shelf.facts[i].retracts}
        self._generation.update(undone.next_generation(self.shelf, again))
        old = sa.select(ALLOCATION).where(ALLOCATION.c.ended_by.in_(gone), ALLOCATION.c.fact_id.in_(again))
        ended = [dict(row) for row in self.shelf.session.execute(old).mappings()]
        rows = [row for row in ended if row["generation"] + 1 == self._generation[row["fact_id"]]]
        for row in rows:
            row |= {
                "id": self.shelf.next_id(ALLOCATION),
                "generation": self._generation[row["fact_id"]],
                "ended_by": None,
            }
            self.shelf.add(ALLOCATION, row)
            fact = self.shelf.facts[row["fact_id"]]
            part = Part(row["fact_id"], fact, row["amount_minor"], row["payable_minor"], row["confidence"])
            self._fresh_parts.setdefault(row["case_id"], []).append(part)
            self._touched.add(row["case_id"])
        self.shelf.load_cases({row["case_id"] for row in rows})
        return again - {row["fact_id"] for row in rows}

    def _close_empty(self, cases: set[int]) -> None:
        """A case without facts is found no more; its exceptions are resolved."""
        empty = dict.fromkeys(("buyer", "seller", "account", "currency", "payable_minor", "paid_minor", "open_minor"))
        empty |= dict.fromkeys(("goods_day", "review_day"))
        for chunk in chunks(cases):
            close = sa.update(CASE).where(CASE.c.id.in_(chunk))
            self.shelf.session.execute(
                close.values(norm="", reason="TAKEN_BACK", flags=0, awaits_payment=False, **empty)
            )
            resolve = sa.update(EXCEPTION).where(EXCEPTION.c.case_id.in_(chunk), EXCEPTION.c.state == "open")
            self.shelf.session.execute(resolve.values(state="resolved", closed_at=self.now))
            self.shelf.session.execute(sa.delete(NAME).where(NAME.c.case_id.in_(chunk)))
        self._touched -= cases
        for case_id in cases:
            self.shelf.cases.pop(case_id, None)

    def _reopen(self, cases: set[int], fact_ids: set[int], since: int) -> None:
        """Exceptions resolved since these facts came are open again; judging resolves what does not hold."""
        c = EXCEPTION.c
        columns = (c.id, c.case_id, c.fact_id, c.code, c.state, c.closed_at)
        rows = [*self.shelf.select(columns, c.case_id, cases), *self.shelf.select(columns, c.fact_id, fact_ids)]
        have = {(row.case_id, row.fact_id, row.code) for row in rows if row.state != "resolved"}
        latest: dict[tuple[int | None, int | None, str], int] = {}
        for row in rows:
            key = (row.case_id, row.fact_id, row.code)
            if row.state == "resolved" and row.closed_at is not None and row.closed_at >= since and key not in have:
                latest[key] = max(latest.get(key, 0), row.id)
        for chunk in chunks(latest.values()):
            self.shelf.session.execute(sa.update(EXCEPTION).where(c.id.in_(chunk)).values(state="open", closed_at=None))

    def _bear_again(self, kept: dict[int, list[int]]) -> None:
        """The references of a case are those of the facts it still has."""
        parts = {case_id: [part.fact_id for part in found] for case_id, found in self._fresh_parts.items()}
        facts = {case_id: [*kept.get(case_id, []), *parts.get(case_id, [])] for case_id in {*kept, *parts}}
        texts = [text for ids in facts.values() for i in ids for _, text in owned(self.shelf.facts[i])]
        self.shelf.load_names([norm for text in texts if (norm := normalise(text))])
        for case_id, ids in facts.items():
            self._name_case(case_id, [self.shelf.facts[i] for i in ids])
            for fact_id in ids:
                fact = self.shelf.facts[fact_id]
                for role, text in owned(fact):
                    if (
                        role != "order"
                        or fact.kind == Kind.ORDER
                        or text == self.shelf.cases[case_id]["order_reference"]
                    ):
                        self._bear(role, text, fact, fact_id, case_id)

    def _name_case(self, case_id: int, facts: Sequence[Fact]) -> None:
        """The case is called as its order, else as its first fact, calls it."""
        case = self.shelf.cases[case_id]
        named = next((order_of(fact) for fact in facts if fact.kind == Kind.ORDER), None)
        if named is None and (named := order_of(facts[0])) is None:
            return
        case["order_reference"] = named[:140]
        case["norm"] = (normalise(named) or "")[:80]

    def _place_again(self, fact_ids: set[int], twins: list[tuple[int, int]], parties: set[Party]) -> None:
        """Place these facts as if they came now, judge, and write."""
        self.shelf.load_facts(fact_ids)
        facts = {i: self.shelf.facts[i] for i in fact_ids}
        texts = [text for fact in facts.values() for _, text in (*wanted(fact), *owned(fact))]
        self.shelf.load_names([norm for text in texts if (norm := normalise(text))])
        queue = sorted(facts, key=lambda i: (KIND_ORDER[facts[i].kind], i))
        for fact_id in queue:
            if facts[fact_id].kind != Kind.PAYMENT:
                self._place_goods(fact_id)
        placed = [
            (i, self._case_of_fresh[i]) for i in queue if facts[i].kind == Kind.INVOICE and i in self._case_of_fresh
        ]
        self.twins.find([*twins, *placed])
        self._judge_touched()
        for fact_id in queue:
            if facts[fact_id].kind == Kind.PAYMENT:
                self._place_payment(fact_id)
        self._judge_touched()
        self._write()
        self.queue.resolve_facts(self._placed)
        self._settle_keyless(self._rivals(parties))
