"""Taking facts in: one batch, read and written in sets, judged by the rule.

The way of a batch: leave out what is known, withdraw what is replaced, place goods and invoices and judge their cases,
then place payments (which need to know what is open), judge again, and bring the queue of exceptions up to date.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session

from scf.reconciliation.exception_queue import ExceptionQueue
from scf.reconciliation.facts import (
    KIND_ORDER,
    Fact,
    Kind,
    check,
    normalise,
    normalise_party,
    to_json,
)
from scf.reconciliation.fold import Folded, Part, fold
from scf.reconciliation.keyless import Keyless, Waiting, waiting_of
from scf.reconciliation.misnamed import Misnamed
from scf.reconciliation.placing import PLACING_VERSION, Found, order_of, owned, place, wanted
from scf.reconciliation.rule import RULE_ID, RULE_VERSION, Terms, Verdict, judge
from scf.reconciliation.shelf import (
    ALLOCATION,
    CASE,
    FACT,
    NAME,
    VERDICT,
    WAITING,
    WITHDRAWN,
    Name,
    Shelf,
    chunks,
)
from scf.reconciliation.subset import divide
from scf.reconciliation.twins import Twins
from scf.reconciliation.undone import REPLACED, coming, next_generation, undone


@dataclass(frozen=True, slots=True)
class Taken:
    """What a batch did: facts new and already known, facts that found no case, cases judged, exceptions."""

    new: int
    known: int
    unplaced: int
    cases: tuple[int, ...]
    opened: int
    resolved: int


class Intake:
    """One batch in one session. Use once."""

    def __init__(self, session: Session, terms: Terms, now: int) -> None:
        self.shelf = Shelf(session)
        self.terms, self.now = terms, now
        self.queue = ExceptionQueue(self.shelf, terms, now)
        self.twins = Twins(self.shelf)
        self.misnamed = Misnamed(self.shelf)
        self.judged: dict[int, tuple[Folded, Verdict]] = {}
        self.seen: dict[int, None] = {}
        self._touched: set[int] = set()
        self._fresh_parts: dict[int, list[Part]] = {}
        self._placed: set[int] = set()
        self._waited: set[int] = set()
        self._unplaced: dict[int, Found] = {}
        self._generation: dict[int, int] = {}
        self._identities: dict[int, str | None] = {}
        self._case_of_fresh: dict[int, int] = {}
        self._terms_text = json.dumps({k: v for k, v in asdict(terms).items() if k != "as_of_day"}, sort_keys=True)

    def take(self, facts: Sequence[Fact]) -> Taken:
        """Take a batch of facts. Raises Problem `fact_unusable`; then nothing of the batch may be committed."""
        fresh = self._unknown([check(fact) for fact in facts])
        texts = [text for fact in fresh.values() for _, text in (*wanted(fact), *owned(fact))]
        self.shelf.load_names([norm for text in texts if (norm := normalise(text))])
        self._withdraw(fresh)
        self._waited = {name.fact_id for fact in fresh.values() for name in self._waiting_for(fact)}
        self.shelf.load_facts(self._waited)
        queue = sorted({*fresh, *self._waited}, key=lambda i: (KIND_ORDER[self.shelf.facts[i].kind], i))
        payments = [i for i in queue if self.shelf.facts[i].kind == Kind.PAYMENT]
        for fact_id in queue:
            if self.shelf.facts[fact_id].kind != Kind.PAYMENT:
                self._place_goods(fact_id)
        invoices = [i for i in queue if self.shelf.facts[i].kind == Kind.INVOICE]
        self.twins.find([(i, self._case_of_fresh[i]) for i in invoices if i in self._case_of_fresh])
        self._judge_touched()
        for fact_id in payments:
            self._place_payment(fact_id)
        self._judge_touched()
        self._write()
        self._settle_keyless()
        return self._taken(len(fresh), len(facts) - len(fresh))

    def review(self, case_ids: Iterable[int], waiting: Iterable[Waiting] = ()) -> Taken:
        """Judge cases and look at waiting payments again, because time has passed."""
        ids = list(case_ids)
        self.shelf.load_cases(ids)
        self._touched.update(ids)
        self._judge_touched()
        self._write()
        self._settle_keyless(waiting)
        return self._taken(0, 0)

    def allocate(self, fact_id: int, shares: Sequence[tuple[int, int]], method: str) -> Taken:
        """Give a waiting payment to cases by hand: (case id, amount) each."""
        self.shelf.load_facts([fact_id])
        self.shelf.load_cases([case_id for case_id, _ in shares])
        self._waited.add(fact_id)
        self._generation |= next_generation(self.shelf, [fact_id])
        for case_id, amount in shares:
            self._allot(fact_id, case_id, method, 1000, amount)
        self._judge_touched()
        self._write()
        return self._taken(0, 0)

    def _taken(self, new: int, known: int) -> Taken:
        return Taken(new, known, len(self._unplaced), tuple(self.seen), self.queue.opened, self.queue.resolved)

    # what is known, what is replaced

    def _unknown(self, facts: list[Fact]) -> dict[int, Fact]:
        """Facts that were not said before, with their new ids."""
        by_digest: dict[str, Fact] = {}
        for fact in facts:
            by_digest.setdefault(fact.digest(), fact)
        fresh: dict[int, Fact] = {}
        for digest, comes in coming(self.shelf, by_digest).items():
            fact = by_digest[digest]
            fact_id = comes.fact_id or self.shelf.next_id(FACT)
            fresh[fact_id] = self.shelf.facts[fact_id] = fact
            self._identities[fact_id] = fact.identity()
            if comes.fact_id is not None:  # taken back with an import, said again
                self._generation[fact_id] = comes.generation
                continue
            self.shelf.add(
                FACT,
                {
                    "id": fact_id,
                    "digest": comes.digest,
                    "identity": self._identities[fact_id],
                    "kind": fact.kind.value,
                    "source": fact.source,
                    "trust": fact.trust,
                    "evidence_id": fact.evidence_id,
                    "content": to_json(fact),
                    "taken_at": self.now,
                },
            )
        return fresh

    def _withdraw(self, fresh: dict[int, Fact]) -> None:
        """Earlier facts that these replace or declare wrong count no more; their cases are judged again."""
        latest: dict[str, int] = {}
        for fact_id, fact in fresh.items():
            identity = self._identities[fact_id]
            if identity and fact.kind in REPLACED:
                latest[identity] = fact_id
        for fact_id, fact in fresh.items():  # whatever the order of the file, a withdrawal has the last word
            for kind in REPLACED if fact.retracts else ():
                withdrawn = replace(fact, kind=kind, key=fact.retracts, retracts=None).identity()
                latest[withdrawn or ""] = fact_id
        pairs = [
            (row.id, row.identity) for row in self.shelf.select((FACT.c.id, FACT.c.identity), FACT.c.identity, latest)
        ]
        pairs += [(i, identity) for i in fresh if (identity := self._identities[i]) in latest]
        gone = {old: latest[name] for old, name in pairs if name is not None and old != latest[name]}
        for old in undone(self.shelf, gone):
            del gone[old]
        gone |= self._declared_wrong(fresh)
        if not gone:
            return
        done = {row.fact_id for row in self.shelf.select((WITHDRAWN.c.fact_id,), WITHDRAWN.c.fact_id, gone)}
        ended = []
        for old, new in gone.items():
            if old not in done:
                self.shelf.add(WITHDRAWN, {"fact_id": old, "by_fact_id": new})
            self._placed.add(old)
        columns = (ALLOCATION.c.id, ALLOCATION.c.case_id, ALLOCATION.c.fact_id)
        for row in self.shelf.select(columns, ALLOCATION.c.fact_id, gone, ALLOCATION.c.ended_by.is_(None)):
            self._touched.add(row.case_id)
            ended.append({"key": row.id, "by": gone[row.fact_id]})
        if ended:
            update = sa.update(ALLOCATION).where(ALLOCATION.c.id == sa.bindparam("key"))
            self.shelf.session.execute(update.values(ended_by=sa.bindparam("by")), ended)
        self.shelf.load_cases(self._touched)
        self._stop_waiting(set(gone))

    def _declared_wrong(self, fresh: dict[int, Fact]) -> dict[int, int]:
        """Facts whose withdrawal came before them, each with the fact that withdraws it."""
        keyed = {i: fact for i, fact in fresh.items() if fact.key and not fact.retracts and fact.kind in REPLACED}
        by_identity = {replace(fact, key=f"withdraws {fact.key}").identity(): i for i, fact in keyed.items()}
        rows = list(self.shelf.select((FACT.c.id, FACT.c.identity), FACT.c.identity, by_identity))
        gone = undone(self.shelf, [row.id for row in rows])
        return {by_identity[row.identity]: row.id for row in rows if row.id not in gone}

    def _waiting_for(self, fact: Fact) -> Iterable[Name]:
        """Facts that waited for a reference this one bears."""
        for _, text in owned(fact):
            yield from self.shelf.waiting_names.get(normalise(text) or "", ())

    # placing

    def _place_goods(self, fact_id: int) -> None:
        fact = self.shelf.facts[fact_id]
        if fact_id in self._placed or fact.retracts:
            return
        found = place(fact, self.shelf)
        if not found.case_ids and not found.rivals:
            found = Found((self._new_case(fact, fact_id),), "order" if order_of(fact) else "own_case", 1000)
        if len(found.case_ids) != 1:
            self._keep_waiting(fact_id, fact, Found((), found.method, 0, found.rivals or found.case_ids))
            return
        self._allot(fact_id, found.case_ids[0], found.method, found.confidence, fact.amount_minor)

    def _place_payment(self, fact_id: int) -> None:
        fact = self.shelf.facts[fact_id]
        if fact_id in self._placed:
            return
        found = place(fact, self.shelf)
        meant = self.misnamed.meant(fact, found)
        found = meant if meant.case_ids else found
        if fact_id in self._waited and not self._move(fact_id, found):
            return
        if fact.order_reference and not found.case_ids and not found.rivals:
            found = Found((self._new_case(fact, fact_id),), "order", 1000)
        if not found.case_ids:
            self._keep_waiting(fact_id, fact, found)
            return
        amount = fact.amount_minor or 0
        cases = sorted((self.shelf.cases[i] for i in found.case_ids), key=lambda c: (c["goods_day"] or 0, c["id"]))
        shares = divide(amount, [c["open_minor"] for c in cases]) if len(cases) > 1 else [amount]
        for case, share in zip(cases, shares, strict=True):
            if share or len(cases) == 1:
                self._allot(fact_id, case["id"], found.method, found.confidence, share)
                if case["open_minor"] is not None:
                    case["open_minor"] -= share  # the next payment of this batch must see what is still open

    def _new_case(self, fact: Fact, fact_id: int) -> int:
        case_id = self.shelf.next_id(CASE)
        order = order_of(fact)
        reference = (order or f"{fact.kind} {fact.reference or fact.key or fact_id}")[:140]
        self.shelf.cases[case_id] = {
            "id": case_id,
            "order_reference": reference,
            "norm": (normalise(reference) or "")[:80],
            "reason": "UNKNOWN_REFERENCE",
            "verdict_id": None,
            "open_minor": None,
            "goods_day": None,
        }
        self.shelf.new_cases.add(case_id)
        if order:
            self._bear("order", order, fact, fact_id, case_id)
        return case_id

    def _allot(self, fact_id: int, case_id: int, method: str, confidence: int, amount: int | None) -> None:
        """Give a fact, or this much of it, to a case; from now on its own references lead there."""
        fact = self.shelf.facts[fact_id]
        self.shelf.add(
            ALLOCATION,
            {
                "id": self.shelf.next_id(ALLOCATION),
                "fact_id": fact_id,
                "case_id": case_id,
                "generation": self._generation.get(fact_id, 0),
                "amount_minor": amount,
                "payable_minor": fact.payable_minor,
                "method": method,
                "confidence": confidence,
                "rule_version": PLACING_VERSION,
                "ended_by": None,
            },
        )
        self._fresh_parts.setdefault(case_id, []).append(Part(fact_id, fact, amount, fact.payable_minor, confidence))
        self._touched.add(case_id)
        if fact_id in self._placed:
            return
        self._placed.add(fact_id)
        self._case_of_fresh[fact_id] = case_id
        self._unplaced.pop(fact_id, None)
        for role, text in owned(fact):
            if role != "order" or fact.kind == Kind.ORDER:
                self._bear(role, text, fact, fact_id, case_id)
        if fact.kind == Kind.ORDER:
            self.shelf.cases[case_id]["order_reference"] = (order_of(fact) or "")[:140]
            self.shelf.cases[case_id]["reason"] = "EXPECTED"

    def _bear(self, role: str, text: str, fact: Fact, fact_id: int, case_id: int) -> None:
        norm = (normalise(text) or "")[:80]
        if any(n.raw == text and n.case_id == case_id for n in self.shelf.names.get((role, norm), ())):
            return
        buyer, seller = normalise_party(fact.buyer), normalise_party(fact.seller)
        name = Name(norm, text[:140], role, True, fact_id, case_id, buyer, seller)
        self.shelf.keep_name(name)
        self.shelf.add_name(name)

    def _keep_waiting(self, fact_id: int, fact: Fact, found: Found) -> None:
        """Remember what this fact waits for, so that the fact that bears it wakes it."""
        self._unplaced[fact_id] = found
        if fact_id in self._waited:
            return
        for role, text in dict.fromkeys(wanted(fact)):
            if norm := normalise(text):
                self.shelf.add_name(Name(norm[:80], text[:140], role, False, fact_id, None, None, None))
        if fact.kind == Kind.PAYMENT:
            self.shelf.add(WAITING, asdict(waiting_of(fact_id, fact)))

    def _stop_waiting(self, fact_ids: set[int], *, names: bool = True) -> None:
        """These facts wait no more. Without `names` they still hear of the document they name, should it come."""
        for chunk in chunks(fact_ids):
            self.shelf.session.execute(sa.delete(WAITING).where(WAITING.c.fact_id.in_(chunk)))
            if names:
                self.shelf.session.execute(sa.delete(NAME).where(NAME.c.fact_id.in_(chunk), NAME.c.owned.is_(False)))
        if fact_ids:
            self.queue.resolve_facts(fact_ids)

    def _move(self, fact_id: int, found: Found) -> bool:
        """Whether a fact that comes back may be placed as found; a place it had without a reference is given up."""
        columns = (ALLOCATION.c.case_id, ALLOCATION.c.generation, ALLOCATION.c.ended_by)
        all_ever = list(self.shelf.select(columns, ALLOCATION.c.fact_id, [fact_id]))
        self._generation[fact_id] = max((row.generation + 1 for row in all_ever), default=0)
        old = [row for row in all_ever if row.ended_by is None]
        if not old:
            return True
        if not found.case_ids:
            return False
        self._give_up({fact_id})
        return True

    def _give_up(self, fact_ids: set[int]) -> None:
        """End the places these facts have, because they are placed anew."""
        if not fact_ids:
            return
        live = (ALLOCATION.c.fact_id.in_(fact_ids), ALLOCATION.c.ended_by.is_(None))
        cases = set(self.shelf.session.execute(sa.select(ALLOCATION.c.case_id).where(*live)).scalars())
        self.shelf.session.execute(sa.update(ALLOCATION).where(*live).values(ended_by=ALLOCATION.c.fact_id))
        self.shelf.load_cases(cases)
        self._touched |= cases
        for parts in (self.shelf.parts, self._fresh_parts):
            for case_id in cases & parts.keys():
                parts[case_id] = [p for p in parts[case_id] if p.fact_id not in fact_ids]

    # judging

    def _judge_touched(self) -> None:
        """Fold and judge every case touched since the last time."""
        touched = sorted(self._touched)
        self._touched.clear()
        self.shelf.load_parts([i for i in touched if i not in self.shelf.new_cases])
        self.twins.load([i for i in touched if i not in self.shelf.new_cases])
        for case_id in touched:
            parts = self.shelf.parts.get(case_id, []) + self._fresh_parts.get(case_id, [])
            parts = [p for p in parts if p.fact.kind != Kind.INSTRUCTION]
            folded = self.twins.count(fold(parts), (p.fact_id for p in parts))
            verdict = judge(folded.case, self.terms)
            self.judged[case_id] = folded, verdict
            self._summarise(self.shelf.cases[case_id], folded, verdict)

    def _summarise(self, row: dict[str, Any], folded: Folded, verdict: Verdict) -> None:
        case = folded.case
        payable = case.payable_minor if case.invoices else case.delivered_minor
        owed = payable if payable is not None else case.ordered_minor
        still_open = None if owed is None else owed - (case.paid_minor or 0)
        row.update(
            buyer=normalise_party(folded.buyer),
            seller=normalise_party(folded.seller),
            account=folded.account,
            currency=folded.currency,
            flags=verdict.flags,
            reason=verdict.reason,
            payable_minor=payable,
            paid_minor=case.paid_minor,
            open_minor=still_open,
            awaits_payment=bool(still_open and still_open > 0 and (case.deliveries or case.invoices)),
            goods_day=case.first_delivered_day,
            review_day=verdict.review_day,
        )

    def _write(self) -> None:
        """Write facts, allocations, verdicts and exceptions of everything judged since the last write."""
        for case_id, (folded, verdict) in self.judged.items():
            row = self.shelf.cases[case_id]
            verdict_id = self.shelf.next_id(VERDICT)
            fact_ids = {p.fact_id for p in self.shelf.parts.get(case_id, []) + self._fresh_parts.get(case_id, [])}
            self.shelf.add(
                VERDICT,
                {
                    "id": verdict_id,
                    "case_id": case_id,
                    "supersedes": row["verdict_id"],
                    "rule_id": RULE_ID,
                    "rule_version": RULE_VERSION,
                    "terms": self._terms_text,
                    "as_of_day": self.terms.as_of_day,
                    "flags": verdict.flags,
                    "reason": verdict.reason,
                    "confidence": folded.confidence,
                    "fact_ids": json.dumps(sorted(fact_ids), separators=(",", ":")),
                    "judged_at": self.now,
                },
            )
            row["verdict_id"] = verdict_id
            self.seen[case_id] = None
        self.queue.update(self.judged)
        self.queue.update_facts(self._unplaced)
        self._stop_waiting(self._waited & self._placed)
        self.shelf.write(self.judged)
        for case_id in self.judged:  # written now, so no more fresh: judged again, they must not count twice
            self.shelf.parts.setdefault(case_id, []).extend(self._fresh_parts.pop(case_id, []))
        self.judged = {}

    def _settle_keyless(self, waiting: Iterable[Waiting] = ()) -> None:
        """Look at payments that wait: those of this batch, and those whose party just got something to pay."""
        judged = [self.shelf.cases[i] for i in self.seen if "awaits_payment" in self.shelf.cases[i]]
        ambiguous = {i for i, found in self._unplaced.items() if found.rivals}
        arrived = [
            waiting_of(i, self.shelf.facts[i])
            for i in self._unplaced
            if i not in ambiguous and self.shelf.facts[i].kind == Kind.PAYMENT
        ]
        keyless = Keyless(self.shelf, self.terms)
        shares = [s for s in keyless.settle([*arrived, *waiting], judged) if s.fact_id not in ambiguous]
        if shares or keyless.suggestions:
            ids = {share.fact_id for share in shares}
            self._generation |= next_generation(self.shelf, ids)
            self.shelf.load_facts(ids)
            self.shelf.load_cases({share.case_id for share in shares})
            self._give_up(keyless.moved)
            for share in shares:
                self._allot(share.fact_id, share.case_id, share.method, share.confidence, share.amount_minor)
            self._stop_waiting(ids, names=False)
            self.queue.suggest(keyless.suggestions)
            self._judge_touched()
            self._write()
