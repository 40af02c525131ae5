"""The job on a delivery list: what becomes a receivable, for how long, and how much goes down to the makers."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from scf.app import open_app, rebuild_books
from scf.demo.list_plan import matures_on, plan, punctuality
from scf.demo.list_run import run_list
from scf.installation import Settings
from scf.kernel.clock import SystemClock
from scf.kernel.problems import Problem
from scf.receivables import queries
from scf.standards.records import Delivery

LINE = Delivery(
    line_id="1",
    reference="ASN-1",
    order_reference="PO-1",
    vendor="Vendor",
    site="Site A",
    country="XX",
    product="Kit",
    quantity=Decimal(10),
    value_minor=100_00,
    currency="USD",
    scheduled_on=date(2014, 3, 1),
    delivered_on=date(2014, 3, 3),
    recorded_on=date(2014, 3, 4),
)
HEADER = (
    "ID,ASN/DN #,PO / SO #,Vendor,Manufacturing Site,Country,Item Description,Line Item Quantity,Line Item Value,"
    "Scheduled Delivery Date,Delivered to Client Date,Delivery Recorded Date,PO Sent to Vendor Date"
)


def test_one_receivable_a_delivery_note_with_its_lines_summed() -> None:
    rows = [LINE, replace(LINE, line_id="2", site="Site B", value_minor=50_01)]
    (planned,) = plan(rows, 80)
    assert planned.face_minor == 150_01
    assert dict(planned.parts).keys() == {"Site A", "Site B"}
    assert planned.passed_minor == 150_01 * 80 // 100


def test_notes_without_value_or_delivery_make_no_receivable() -> None:
    assert plan([replace(LINE, value_minor=0)], 80) == []
    assert plan([replace(LINE, delivered_on=None)], 80) == []


def test_a_vendor_that_is_the_maker_passes_nothing_to_itself() -> None:
    (planned,) = plan([replace(LINE, site="Vendor")], 80)
    assert planned.parts == ()


@pytest.mark.parametrize(
    ("recorded", "due"),
    [
        (date(2014, 3, 4), date(2014, 5, 3)),  # the clock starts when the buyer records the delivery …
        (date(2014, 6, 1), date(2014, 5, 17)),  # … and at the latest when the inspection period ends (Art. 10)
        (None, date(2014, 5, 2)),
    ],
)
def test_maturity_follows_the_payment_term_law(recorded: date | None, due: date) -> None:
    assert matures_on(date(2014, 3, 3), recorded) == due


def test_punctuality_counts_lines() -> None:
    early = replace(LINE, delivered_on=date(2014, 2, 1))
    on_time = replace(LINE, delivered_on=LINE.scheduled_on)
    found = punctuality([LINE, early, on_time, replace(LINE, scheduled_on=None)])
    assert (found.late, found.early, found.on_time, found.unknown) == (1, 1, 1, 1)


def _list(folder: Path) -> Path:
    rows = [
        f"{n},ASN-{n},PO-{n},Vendor {n % 2},Site {n % 3},XX,Kit {n},{n},{n}00.50,1-Mar-14,{n}-Mar-14,{n + 1}-Mar-14,"
        for n in range(1, 7)
    ]
    path = folder / "list.csv"
    path.write_text("\r".join([HEADER, *rows]), encoding="utf-8")
    return path


def test_a_list_runs_to_settlement_and_a_second_run_changes_nothing(tmp_path: Path) -> None:
    path, data = _list(tmp_path), tmp_path / "data"
    run_list(data, path, "scms", None)
    with open_app(Settings.from_environment(data), SystemClock()) as app:
        head = app.ledger.head().hash
        with app.desk.session() as session:
            rows = queries.all_receivables(session)
            assert [row.state for row in rows] == ["closed"] * 6
            assert sum(row.paid_minor for row in rows) == sum(n * 100_00 + 50 for n in range(1, 7))
            assert all(live == face for live, face in (queries.conservation(session, row.id) for row in rows))
        differences, events = rebuild_books(app, check=True)
        assert differences == []
        assert events > 0
    run_list(data, path, "scms", None)
    with open_app(Settings.from_environment(data), SystemClock()) as app:
        assert app.ledger.head().hash == head


def test_another_run_in_the_same_folder_is_refused(tmp_path: Path) -> None:
    path, data = _list(tmp_path), tmp_path / "data"
    run_list(data, path, "scms", 2)
    with pytest.raises(Problem) as refused:
        run_list(data, path, "scms", 3)
    assert refused.value.code == "list_run_differs"
