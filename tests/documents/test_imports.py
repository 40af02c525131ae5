"""Preview, apply and undo: nothing is joined by looking; what was applied can be taken back as if it had not come."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import date
from itertools import permutations
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine
from sqlmodel import Session, create_engine, select
from tests.documents.test_documents import KINDS, a_statement, some_invoice
from tests.installation import START, Installation

from scf.bank.models import BankLine
from scf.bank.statements import bank_source
from scf.demo.bankside import BIC
from scf.demo.cast import CORE, LOTUS
from scf.demo.papers import logistics_event, order
from scf.documents.imports import Imports
from scf.documents.models import ImportRun
from scf.documents.service import UNDO_SECONDS, ImportView
from scf.kernel.clock import VirtualClock
from scf.kernel.problems import Problem
from scf.reconciliation import service as reconciliation
from scf.reconciliation.models import Allocation, CaseRow, ExceptionRow, FactRow, WaitingPayment
from scf.store import evidence
from scf.store.evidence import Trust
from scf.store.session import create_schema, transaction

DAY = date(2026, 3, 2)
HEADER = "发票号码,销售方,订单号,开票日期,应付金额,币种"
MAPPING = {
    "name": "invoices",
    "record": "invoice",
    "key": ["number"],
    "columns": [
        {"field": "number", "source": "发票号码"},
        {"field": "seller", "source": "销售方"},
        {"field": "order_reference", "source": "订单号", "unknown": [""]},
        {"field": "issue_date", "source": "开票日期", "formats": ["%Y-%m-%d"]},
        {"field": "payable_minor", "source": "应付金额"},
        {"field": "currency", "source": "币种"},
    ],
}


def table(*rows: str, header: str = HEADER) -> bytes:
    return "\r\n".join([header, *rows, ""]).encode()


GOOD = table("INV-7,Lotus,PO-7,2026-03-01,113.00,CNY", "INV-8,Lotus,PO-8,2026-03-01,226.00,CNY")


def look(at: Installation | Desk, raw: bytes, name: str = "file", **more: Any) -> ImportView:
    documents = at.app.documents if isinstance(at, Installation) else at.imports
    return documents.preview(raw, name, **{"source": "Lotus", "sender": "Lotus", "trust": Trust.T1, **more})


class Desk:
    """Imports on a database of their own, without a ledger."""

    def __init__(self) -> None:
        self.engine: Engine = create_engine("sqlite://")
        create_schema(self.engine)
        self.clock = VirtualClock(START)
        self.imports = Imports(self)  # type: ignore[arg-type]

    def session(self) -> Any:
        return transaction(self.engine)

    def take(self, raw: bytes, **more: Any) -> int:
        found = look(self, raw, **more)
        return self.imports.apply(found.id, source=None).id

    def undo(self, import_id: int) -> None:
        self.imports.undo(import_id, source=None)

    def told(self) -> dict[str, Any]:
        """All that anyone can see of goods, money and exceptions, without ids and times."""
        with Session(self.engine) as session:
            return told(session)


def told(session: Session) -> dict[str, Any]:
    cases = {row.id: row for row in session.exec(select(CaseRow)).all() if row.reason != "TAKEN_BACK"}
    facts = {row.id: row for row in session.exec(select(FactRow)).all()}
    placed = [
        (facts[row.fact_id].content, cases[row.case_id].order_reference, row.amount_minor, row.method, row.confidence)
        for row in session.exec(select(Allocation).where(sa.column("ended_by").is_(None))).all()
    ]
    open_ = [
        (row.code, row.reference, row.field, row.left_value, row.right_value, row.owner, row.deadline_day)
        for row in session.exec(select(ExceptionRow).where(ExceptionRow.state == "open")).all()
    ]
    return {
        "cases": sorted(repr(row.model_dump(exclude={"id", "verdict_id"})) for row in cases.values()),
        "placed": sorted(map(repr, placed)),
        "exceptions": sorted(map(repr, open_)),
        "waiting": sorted(facts[row.fact_id].content for row in session.exec(select(WaitingPayment)).all()),
    }


# Looking --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_looking_joins_nothing_and_keeps_no_evidence(installation: Installation, kind: str) -> None:
    at = installation
    before = at.stock()
    found = look(at, KINDS[kind]())
    assert (found.state, found.counts["new"], found.counts["rejected"]) == ("previewed", 1, 0)
    changed = {name for name, rows in at.stock().items() if rows != before.get(name)}
    assert changed == {"import_run", "import_row", "import_fact"}
    assert look(at, KINDS[kind]()).id == found.id


def test_what_changes_is_shown_field_by_field_and_the_same_again_is_duplicate(installation: Installation) -> None:
    at = installation
    first = order("PO-1", CORE, LOTUS, "Parts", 100_00, 1, DAY).raw
    at.app.documents.apply(look(at, first).id, source="Lotus")
    assert look(at, first).counts == {"new": 0, "changed": 0, "duplicate": 1, "rejected": 0, "noted": 0}
    found = look(at, order("PO-1", CORE, LOTUS, "Parts", 120_00, 1, DAY).raw)
    with at.app.reading() as session:
        (row,) = at.app.documents.import_rows(session, found.id, source="Lotus").rows
    assert row.standing == "changed" and row.replaces
    assert ("amount", "CNY 100.00", "CNY 120.00") in [(one.field, one.old, one.new) for one in row.changes]


def test_an_invoice_number_used_twice_says_that_both_will_stand(installation: Installation) -> None:
    at = installation
    at.app.documents.apply(look(at, some_invoice()).id, source="Lotus")
    found = look(at, some_invoice(gross_minor=226_00))
    with at.app.reading() as session:
        (row,) = at.app.documents.import_rows(session, found.id, source="Lotus", standing="changed").rows
    assert not row.replaces


def test_a_file_that_cannot_be_read_keeps_nothing(installation: Installation) -> None:
    with installation.nothing_written(), pytest.raises(Problem) as caught:
        look(installation, some_invoice()[:300])
    assert caught.value.facts["place"] and caught.value.facts["reason"]


# Tables ---------------------------------------------------------------------------------------------------------------


def test_rejected_rows_have_place_and_reason_and_are_left_only_when_asked(installation: Installation) -> None:
    at = installation
    raw = GOOD + b"INV-9,=cmd(),PO-9,2026-03-01,1.00,CNY\r\nINV-10,Lotus,PO-9,2026-13-01,1.00,CNY\r\n"
    found = look(at, raw, "list.csv", mapping=json.dumps(MAPPING))
    assert (found.counts["new"], found.counts["rejected"]) == (2, 2)
    with at.app.reading() as session:
        rows = at.app.documents.import_rows(session, found.id, source="Lotus", standing="rejected").rows
    assert [(row.where, row.code) for row in rows] == [
        ("row 4, column 销售方", "cell_formula"),
        ("row 5, column 开票日期", "cell_date_wrong"),
    ]
    assert all(row.reason is not None and row.reason["en"] != row.reason["zh-CN"] for row in rows)
    at.refused("import_has_rejected", lambda: at.app.documents.apply(found.id, source="Lotus"))
    at.refused("table_rows_rejected", lambda: look(at, raw, "list.csv", mapping=json.dumps(MAPPING), strict=True))
    done = at.app.documents.apply(found.id, source="Lotus", leave_rejected=True)
    assert done.state == "applied"
    with at.app.reading() as session:
        assert len(session.exec(select(FactRow)).all()) == 2


def test_a_table_nobody_mapped_is_guessed_shown_and_remembered(installation: Installation) -> None:
    at = installation
    found = look(at, GOOD, "list.csv")
    assert found.state == "previewed" and found.table is not None
    assert (found.table.encoding, found.table.delimiter, found.table.line_ending) == ("utf-8", ",", "CRLF")
    assert found.table.mapping["record"] == "invoice" and found.counts["new"] == 2
    at.app.documents.apply(found.id, source="Lotus")
    again = look(at, table("INV-9,Lotus,PO-9,2026-03-01,1.00,CNY"), "other.csv")
    assert again.state == "previewed" and again.counts["new"] == 1


def test_what_could_be_read_two_ways_is_left_to_a_person(installation: Installation) -> None:
    at = installation
    raw = table('INV-7,Lotus,PO-7,01/02/2026,"1.234",CNY', header=HEADER)
    found = look(at, raw, "list.csv")
    assert found.state == "needs_mapping" and found.table is not None
    assert set(found.table.missing) == {"formats of 开票日期", "separators"}
    at.refused("import_state", lambda: at.app.documents.apply(found.id, source="Lotus"))
    chosen = json.loads(json.dumps(found.table.mapping))
    chosen |= {"decimal_separator": ",", "thousands_separator": "."}
    next(one for one in chosen["columns"] if one["field"] == "issue_date")["formats"] = ["%d/%m/%Y"]
    fixed = at.app.documents.remap(found.id, json.dumps(chosen), source="Lotus")
    assert (fixed.id, fixed.state, fixed.counts["new"]) == (found.id, "previewed", 1)
    at.app.documents.apply(found.id, source="Lotus")
    with at.app.reading() as session:
        content = json.loads(session.exec(select(FactRow.content)).one())
    assert content["payable_minor"] == 1_234_00
    assert content["day"] == (date(2026, 2, 1) - date(1970, 1, 1)).days


def test_a_date_that_fits_two_forms_of_a_mapping_is_rejected(installation: Installation) -> None:
    mapping = json.loads(json.dumps(MAPPING))
    mapping["columns"][3]["formats"] = ["%d/%m/%Y", "%m/%d/%Y"]
    raw = table("A,Lotus,PO,13/02/2026,1.00,CNY", "B,Lotus,PO,01/02/2026,1.00,CNY", "C,Lotus,PO,02/02/2026,1.00,CNY")
    found = look(installation, raw, "list.csv", mapping=json.dumps(mapping))
    assert (found.counts["new"], found.counts["rejected"]) == (2, 1)


# Applying -------------------------------------------------------------------------------------------------------------


def test_applying_twice_has_one_effect(installation: Installation) -> None:
    at = installation
    found = look(at, some_invoice())
    first = at.app.documents.apply(found.id, source="Lotus")
    with at.nothing_written():
        assert at.app.documents.apply(found.id, source="Lotus") == first
    with at.app.reading() as session:
        assert evidence.raw_bytes(session, found.sha256) == some_invoice()
        assert session.exec(select(ImportRun.raw)).all() == [None]


def test_a_preview_that_is_no_longer_true_is_refused_and_shown_anew(installation: Installation) -> None:
    at = installation
    found = look(at, order("PO-1", CORE, LOTUS, "Parts", 120_00, 1, DAY).raw)
    take = at.app.documents.import_file
    take(order("PO-1", CORE, LOTUS, "Parts", 100_00, 1, DAY).raw, "x", source="Lotus", sender="Lotus", trust=1)
    with pytest.raises(Problem) as caught:
        at.app.documents.apply(found.id, source="Lotus")
    assert caught.value.code == "import_preview_stale"
    with at.app.reading() as session:
        assert at.app.documents.import_of(session, found.id, source="Lotus").counts["changed"] == 1
    assert at.app.documents.apply(found.id, source="Lotus").state == "applied"


def test_an_import_of_another_is_as_if_it_did_not_exist(installation: Installation) -> None:
    at = installation
    found = look(at, some_invoice())
    for act in (at.app.documents.apply, at.app.documents.undo, at.app.documents.discard):
        at.refused("import_unknown", lambda act=act: act(found.id, source="Pine"))  # type: ignore[misc]


def test_a_preview_given_up_leaves_no_file(installation: Installation) -> None:
    at = installation
    found = look(at, some_invoice())
    assert at.app.documents.discard(found.id, source="Lotus").state == "discarded"
    with at.app.reading() as session:
        assert session.exec(select(ImportRun.raw)).all() == [None]
    at.refused("import_state", lambda: at.app.documents.apply(found.id, source="Lotus"))


# Undoing --------------------------------------------------------------------------------------------------------------


def test_an_undone_import_leaves_its_evidence_and_can_come_again(installation: Installation) -> None:
    at = installation
    take: Callable[[], Any] = lambda: at.app.documents.import_file(  # noqa: E731
        some_invoice(), "x", source="Lotus", sender="Lotus", trust=Trust.T1
    )
    done = take()
    with at.app.reading() as session:
        before = evidence.size(session)
    undone = at.app.documents.undo(done.import_id, source="Lotus")
    assert undone.state == "undone"
    with at.nothing_written():
        assert at.app.documents.undo(done.import_id, source="Lotus") == undone
    with at.app.reading() as session:
        assert evidence.size(session) == before + 1 and evidence.raw_bytes(session, done.evidence_id)
        assert evidence.first_broken_record(session) is None
        with pytest.raises(Problem):
            reconciliation.case_of(session, "PO-1")
    again = take()
    assert again.is_new and again.import_id != done.import_id
    with at.app.reading() as session:
        assert [step.reference for step in reconciliation.timeline(session, "PO-1")] == ["INV-1"]


def test_after_an_undo_the_file_may_come_with_another_trust(installation: Installation) -> None:
    at = installation
    for trust in (Trust.T1, Trust.T2):
        done = at.app.documents.apply(look(at, some_invoice(), trust=trust).id, source="Lotus")
        with at.app.reading() as session:
            assert [step.trust for step in reconciliation.timeline(session, "PO-1")] == [trust]
        at.app.documents.undo(done.id, source="Lotus")


def test_an_import_can_be_undone_for_a_day(installation: Installation) -> None:
    at = installation
    done = at.app.documents.apply(look(at, some_invoice()).id, source="Lotus")
    assert done.undo_until == done.applied_at + UNDO_SECONDS
    at.clock.move_to(done.undo_until + 1)
    at.refused("undo_too_late", lambda: at.app.documents.undo(done.id, source="Lotus"))


def test_what_a_receivable_rests_on_stays(installation: Installation) -> None:
    at = installation
    at.trade("INV-1", 113_00)
    with at.app.reading() as session:
        ids = [view.id for view in at.app.documents.imports(session, source=None)]
    assert len(ids) == 2
    for one in ids:
        at.refused("undo_after_receivable", lambda one=one: at.app.documents.undo(one, source=None))  # type: ignore[misc]


def test_what_a_person_decided_on_stays(installation: Installation) -> None:
    at = installation
    done = at.app.documents.apply(look(at, some_invoice()).id, source="Lotus")
    with at.app.desk.session() as session:
        one = reconciliation.exceptions(session).rows[0]
        reconciliation.decide(session, one.id, decision="accept", reason="agreed", by="Mei", clock=at.clock)
    at.refused("undo_after_decision", lambda: at.app.documents.undo(done.id, source="Lotus"))


def test_what_a_later_file_changed_is_undone_in_turn() -> None:
    desk = Desk()
    first = desk.take(order("PO-1", CORE, LOTUS, "Parts", 100_00, 1, DAY).raw)
    before = desk.told()
    second = desk.take(order("PO-1", CORE, LOTUS, "Parts", 120_00, 1, DAY).raw)
    assert desk.told() != before
    with pytest.raises(Problem) as caught:
        desk.undo(first)
    assert caught.value.code == "undo_after_change"
    desk.undo(second)
    assert desk.told() == before
    desk.undo(first)
    assert desk.told()["cases"] == []


def test_a_source_that_goes_back_to_its_first_word_has_changed_it_again() -> None:
    """A, then B, then A in another file: the last word counts, is shown as a change, and can be taken back."""
    desk = Desk()
    first = order("PO-1", CORE, LOTUS, "Parts", 100_00, 1, DAY).raw
    desk.take(first)
    at_first = desk.told()
    desk.take(order("PO-1", CORE, LOTUS, "Parts", 120_00, 1, DAY).raw)
    at_second = desk.told()
    assert look(desk, first).counts["duplicate"] == 1, "the first file itself is known, however often it comes"
    found = look(desk, first + b"\n")
    assert found.counts["changed"] == 1
    third = desk.take(first + b"\n")
    now = desk.told()
    assert [case.replace("'verdict_id'", "") for case in now["cases"]] == at_first["cases"]
    assert now["exceptions"] == at_first["exceptions"]
    for again in (first + b"\n", first + b"\n\n"):
        assert look(desk, again).counts["duplicate"] == 1
    desk.undo(third)
    assert desk.told() == at_second
    back = desk.take(first + b"\n")
    assert desk.told() == now
    fourth = desk.take(order("PO-1", CORE, LOTUS, "Parts", 120_00, 1, DAY).raw + b"\n")
    assert desk.told()["cases"] == at_second["cases"]
    desk.undo(fourth)
    desk.undo(back)
    assert desk.told() == at_second


def test_what_a_later_file_says_too_stays_when_the_one_that_said_it_again_is_taken_back() -> None:
    desk = Desk()
    first = order("PO-1", CORE, LOTUS, "Parts", 100_00, 1, DAY).raw
    desk.take(first)
    desk.take(order("PO-1", CORE, LOTUS, "Parts", 120_00, 1, DAY).raw)
    third = desk.take(first + b"\n")
    now = desk.told()["cases"]
    desk.take(first + b"\n\n")
    desk.undo(third)
    assert desk.told()["cases"] == now


def test_a_statement_taken_back_leaves_no_line(installation: Installation) -> None:
    at = installation
    raw = a_statement(at)
    first = at.app.documents.import_file(raw, "s.xml", source="Lotus", sender="Lotus", trust=Trust.T1)
    feed = at.app.documents.import_file(raw, "s.xml", source=bank_source(BIC), sender=BIC, trust=Trust.T3)
    at.refused("undo_after_statement", lambda: at.app.documents.undo(first.import_id, source=None))
    with at.app.reading() as session:
        assert [line.trust for line in session.exec(select(BankLine))] == [Trust.T3]
    at.app.documents.undo(feed.import_id, source=None)
    with at.app.reading() as session:
        assert [line.trust for line in session.exec(select(BankLine))] == [Trust.T1]
    at.app.documents.undo(first.import_id, source=None)
    with at.app.reading() as session:
        assert session.exec(select(BankLine)).all() == []


PAPERS: dict[str, tuple[str, Callable[[], bytes]]] = {
    "order": ("Northbridge", lambda: order("PO-1", CORE, LOTUS, "Parts", 100_00, 1, DAY).raw),
    "order changed": ("Northbridge", lambda: order("PO-1", CORE, LOTUS, "Parts", 150_00, 1, DAY).raw),
    "goods": ("Fairway", lambda: logistics_event("PO-1", "receiving", START, quantity=1, goods="p", despatch="D").raw),
    "invoice": ("Lotus", some_invoice),
    "invoice twice": ("Lotus", lambda: some_invoice(gross_minor=226_00)),
    "same invoice, other order": ("Pine", lambda: GOOD),
    "paid": ("Bank", lambda: pays("INV-1", "-113.00")),
    "paid nameless": ("Bank", lambda: pays("", "-113.00")),
    "paid other": ("Bank", lambda: pays("INV-7", "-113.00")),
}


def pays(said: str, amount: str) -> bytes:
    return f"booked_on,amount,currency,remittance,counterparty\n2026-03-05,{amount},CNY,{said},Lotus\n".encode()


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.sampled_from(sorted(PAPERS)), max_size=5, unique=True), st.sampled_from(sorted(PAPERS)))
def test_applied_and_undone_is_as_before(history: list[str], last: str) -> None:
    desk = Desk()
    for name in [name for name in history if name != last]:
        source, raw = PAPERS[name]
        desk.take(raw(), source=source, name=f"{name}.csv")
    before = desk.told()
    source, raw = PAPERS[last]
    for _ in range(2):  # and once more: what was taken back can be taken back again
        done = desk.take(raw(), source=source, name=f"{last}.csv")
        desk.undo(done)
        assert desk.told() == before


def test_payments_that_held_only_together_wait_again_when_one_is_taken_back() -> None:
    desk = Desk()
    for name in ("same invoice, other order", "paid", "paid nameless"):
        source, raw = PAPERS[name]
        desk.take(raw(), source=source, name=f"{name}.csv")
    before = desk.told()
    source, raw = PAPERS["paid other"]
    done = desk.take(raw(), source=source, name="other.csv")
    assert any("sole_combination" in placed for placed in desk.told()["placed"])
    desk.undo(done)
    assert desk.told() == before


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.sampled_from(sorted(PAPERS)), min_size=2, max_size=5, unique=True), st.data())
def test_an_earlier_import_undone_leaves_what_the_others_say(papers: list[str], data: st.DataObject) -> None:
    """Undoing one of several imports leaves the goods and money of the others, each once, and none of its own."""
    desk, ids = Desk(), {}
    for name in papers:
        source, raw = PAPERS[name]
        ids[name] = desk.take(raw(), source=source, name=f"{name}.csv")
    gone = data.draw(st.sampled_from(papers))
    try:
        desk.undo(ids[gone])
    except Problem as problem:
        assert problem.code == "undo_after_change"
        return
    # What names no document is settled by what is there when it comes: the others' own order, or else another one.
    others = [name for name in papers if name != gone]
    assert any(facts_of(desk) == facts_after(order) for order in permutations(others))


def test_a_payment_undone_lets_those_that_rivalled_it_be_settled() -> None:
    """Three payments of 113 for one invoice of 226 add up in no one way; with one of them taken back, they do."""
    title, _, second = GOOD.splitlines(keepends=True)[:3]
    papers = PAPERS | {"one invoice": ("Pine", lambda: title + second)}
    names = ("paid", "paid nameless", "paid other", "one invoice")
    desk, other = Desk(), Desk()
    ids = {name: desk.take(papers[name][1](), source=papers[name][0], name=f"{name}.csv") for name in names}
    for name in names[1:]:
        other.take(papers[name][1](), source=papers[name][0], name=f"{name}.csv")
    assert len(desk.told()["waiting"]) == 3
    desk.undo(ids["paid"])
    assert desk.told()["waiting"] == [] and facts_of(desk) == facts_of(other)


def facts_after(papers: Sequence[str]) -> list[str]:
    desk = Desk()
    for name in papers:
        source, raw = PAPERS[name]
        desk.take(raw(), source=source, name=f"{name}.csv")
    return facts_of(desk)


def facts_of(desk: Desk) -> list[str]:
    """Everything that counts: placed or waiting, with how much of it."""
    with Session(desk.engine) as session:
        contents = dict(session.exec(select(FactRow.id, FactRow.content)).all())
        live = session.exec(select(Allocation).where(sa.column("ended_by").is_(None))).all()
        placed = [f"{contents[row.fact_id]} {row.amount_minor}" for row in live]
        return sorted([*placed, *(contents[row.fact_id] for row in session.exec(select(WaitingPayment)).all())])
