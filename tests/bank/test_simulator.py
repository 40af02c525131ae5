"""The simulated bank as its customers meet it: files in, files out, and reasons for every refusal."""

from __future__ import annotations

from datetime import date, time, timedelta

import pytest
from tests.bank.town import HOLDERS, LOCKED, MONDAY, PAYEE, PAYER, order, start_bank, transfer

from scf.bank.calendar import ChinaCalendar
from scf.bank.simulator import SimulatedBank, account_number_of
from scf.kernel.clock import VirtualClock
from scf.kernel.dates import to_unix
from scf.kernel.problems import Problem
from scf.standards import camt, pain
from scf.standards.bank_records import Entry, PaymentStatus, Statement
from scf.standards.records import Party


def read_all(bank: SimulatedBank) -> tuple[dict[str, PaymentStatus], list[Statement]]:
    """Everything the bank has to say: last status by end-to-end id, and statements and notifications."""
    bank.tick()
    statuses: dict[str, PaymentStatus] = {}
    records: list[Statement] = []
    for file in bank.files():
        if file.name.startswith("pain.002"):
            report = pain.read_002(file.raw)
            for item in report.statuses:
                statuses[item.end_to_end_id or ""] = item
            if not report.statuses:
                statuses[report.original_message_id] = PaymentStatus(
                    None, report.group_status or "", report.group_reason_code
                )
        else:
            records += camt.read(file.raw)
        bank.acknowledge(file.id)
    return statuses, records


def entries(records: list[Statement], account: str, kind: str = "camt.054") -> list[Entry]:
    return [entry for item in records if (item.account, item.kind) == (account, kind) for entry in item.entries]


def test_a_payment_is_booked_answered_and_notified_on_both_accounts(bank: SimulatedBank) -> None:
    bank.deposit(PAYER, 1_000_00, reference="opening")
    bank.receive(order("M1", transfer("E1", 250_00, remittance="货款 INV-1", structured_reference="RF1")))
    statuses, records = read_all(bank)
    assert statuses["E1"].status == "ACSC"
    assert (bank.balance_minor(PAYER), bank.balance_minor(PAYEE)) == (750_00, 250_00)
    out, into = entries(records, PAYER)[-1], entries(records, PAYEE)[-1]
    assert (out.amount_minor, into.amount_minor) == (-250_00, 250_00)
    for entry, other in ((out, HOLDERS[PAYEE]), (into, HOLDERS[PAYER])):
        assert (entry.end_to_end_id, entry.remittance, entry.structured_reference) == ("E1", "货款 INV-1", "RF1")
        assert entry.counterparty == other
        assert entry.bank_transaction_id == statuses["E1"].bank_transaction_id
        assert entry.uetr == statuses["E1"].uetr
        assert entry.is_booked
    assert bank.faults() == []


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"amount_minor": 1_000_01}, "AM04"),
        ({"debtor": Party("nobody", account=account_number_of("nobody"))}, "AC01"),
        ({"creditor": Party("nobody", account=account_number_of("nobody"))}, "AC03"),
        ({"creditor": Party("self", account=PAYER)}, "AG01"),
        ({"currency": "USD"}, "AM03"),
        ({"execute_on": date(2025, 1, 2)}, "DT01"),
    ],
)
def test_what_cannot_be_paid_is_refused_with_its_reason_and_moves_nothing(
    bank: SimulatedBank, changes: dict[str, object], code: str
) -> None:
    bank.deposit(PAYER, 1_000_00, reference="opening")
    bank.receive(order("M1", transfer("E1", **({"amount_minor": 5} | changes))))  # type: ignore[arg-type]
    statuses, _ = read_all(bank)
    assert (statuses["E1"].status, statuses["E1"].reason_code) == ("RJCT", code)
    assert bank.balance_minor(PAYER) == 1_000_00


def test_one_refused_payment_does_not_stop_the_others(bank: SimulatedBank) -> None:
    bank.deposit(PAYER, 100, reference="opening")
    bank.receive(order("M1", transfer("E1", 60), transfer("E2", 60), transfer("E3", 40)))
    statuses, _ = read_all(bank)
    assert [statuses[name].status for name in ("E1", "E2", "E3")] == ["ACSC", "RJCT", "ACSC"]
    assert bank.balance_minor(PAYEE) == 100


@pytest.mark.parametrize("raw", [b"", b"<a/>", b"\xff\xfe", b"<!DOCTYPE a><a/>"])
def test_a_file_that_is_no_order_is_answered_not_executed(bank: SimulatedBank, raw: bytes) -> None:
    bank.receive(raw)
    statuses, _ = read_all(bank)
    assert (statuses["NOTPROVIDED"].status, statuses["NOTPROVIDED"].reason_code) == ("RJCT", "FF01")


def test_the_same_order_twice_is_executed_once_and_answered_twice(bank: SimulatedBank) -> None:
    bank.deposit(PAYER, 100, reference="opening")
    raw = order("M1", transfer("E1", 60))
    bank.receive(raw)
    assert read_all(bank)[0]["E1"].status == "ACSC"
    bank.receive(raw)
    assert read_all(bank)[0]["E1"].status == "ACSC"
    assert bank.balance_minor(PAYEE) == 60


def test_a_message_id_or_end_to_end_id_used_again_is_a_duplicate(bank: SimulatedBank) -> None:
    bank.deposit(PAYER, 1_000, reference="opening")
    bank.receive(order("M1", transfer("E1", 60), transfer("E1", 60)))
    bank.receive(order("M1", transfer("E2", 60)))
    assert read_all(bank)[0]["M1"].reason_code == "AM05"
    bank.receive(order("M2", transfer("E1", 60)))
    assert read_all(bank)[0]["E1"].reason_code == "AM05"
    assert bank.balance_minor(PAYEE) == 60


def test_a_refused_payment_may_be_instructed_again_under_its_id(bank: SimulatedBank) -> None:
    bank.receive(order("M1", transfer("E1", 60)))
    assert read_all(bank)[0]["E1"].reason_code == "AM04"
    bank.deposit(PAYER, 60, reference="later")
    bank.receive(order("M2", transfer("E1", 60)))
    assert read_all(bank)[0]["E1"].status == "ACSC"


def test_a_deposit_is_booked_once_for_its_reference(bank: SimulatedBank) -> None:
    first = bank.deposit(PAYER, 100, reference="d")
    assert bank.deposit(PAYER, 100, reference="d") == first
    with pytest.raises(Problem) as refused:
        bank.deposit(PAYER, 101, reference="d")
    assert refused.value.code == "bank_reference_reused"
    assert bank.balance_minor(PAYER) == 100


def test_after_cut_off_and_over_a_weekend_money_waits_and_the_bank_says_so(clock: VirtualClock) -> None:
    clock.move_to(to_unix(date(2026, 3, 6), time(17, 30)))
    bank = start_bank(clock)
    bank.deposit(PAYER, 100, reference="opening")
    bank.receive(order("M1", transfer("E1", 60, execute_on=date(2026, 3, 6))))
    statuses, _ = read_all(bank)
    assert (statuses["E1"].status, statuses["E1"].reason_code) == ("PDNG", "DT06")
    assert "2026-03-09" in (statuses["E1"].reason or "")
    assert bank.balance_minor(PAYEE) == 0
    clock.move_to(to_unix(date(2026, 3, 11), time(9)))
    statuses, records = read_all(bank)
    assert statuses["E1"].status == "ACSC"
    assert entries(records, PAYEE, "camt.053")[0].booked_on == date(2026, 3, 9)


def test_a_waiting_payment_without_funds_on_its_day_is_refused_then(bank: SimulatedBank, clock: VirtualClock) -> None:
    bank.receive(order("M1", transfer("E1", 60, execute_on=MONDAY + timedelta(days=1))))
    assert read_all(bank)[0]["E1"].status == "PDNG"
    clock.advance(days=1)
    assert read_all(bank)[0]["E1"].reason_code == "AM04"


def test_an_unpublished_year_is_refused_or_flagged_never_guessed_silently(clock: VirtualClock) -> None:
    clock.move_to(to_unix(date(2031, 1, 6), time(10)))
    day = date(2031, 1, 6)
    strict = start_bank(clock, calendar=ChinaCalendar())
    strict.deposit(PAYER, 100, reference="opening")
    strict.receive(order("M1", transfer("E1", 60, execute_on=day)))
    refused = read_all(strict)[0]["E1"]
    assert (refused.status, refused.reason_code) == ("RJCT", "DT01")
    assert "2031" in (refused.reason or "")
    lenient = start_bank(clock)
    lenient.deposit(PAYER, 100, reference="opening")
    lenient.receive(order("M1", transfer("E1", 60, execute_on=day)))
    done = read_all(lenient)[0]["E1"]
    assert done.status == "ACSC"
    assert "not published" in (done.reason or "")


def test_a_locked_account_pays_only_under_its_release_reference_to_agreed_payees(bank: SimulatedBank) -> None:
    bank.deposit(LOCKED, 100, reference="loan")
    bank.lock_account(LOCKED, "REL-1", [PAYEE])
    debtor = Party(HOLDERS[LOCKED], account=LOCKED)
    bank.receive(
        order(
            "M1",
            transfer("E1", 10, debtor=debtor),
            transfer("E2", 10, debtor=debtor, structured_reference="REL-2"),
            transfer("E3", 10, debtor=debtor, structured_reference="REL-1", creditor=Party("甲", account=PAYER)),
            transfer("E4", 10, debtor=debtor, structured_reference="REL-1"),
            transfer("E5", 10, debtor=debtor, remittance="stage 2 REL-1"),
        )
    )
    statuses, _ = read_all(bank)
    codes = [statuses[f"E{n}"].reason_code or statuses[f"E{n}"].status for n in range(1, 6)]
    assert codes == ["AC06", "AC06", "AC06", "ACSC", "ACSC"]
    assert (bank.balance_minor(LOCKED), bank.balance_minor(PAYEE)) == (80, 20)


def test_a_payment_waiting_when_the_account_is_locked_stays_locked_in(bank: SimulatedBank, clock: VirtualClock) -> None:
    bank.deposit(LOCKED, 100, reference="loan")
    debtor = Party(HOLDERS[LOCKED], account=LOCKED)
    bank.receive(order("M1", transfer("E1", 10, debtor=debtor, execute_on=MONDAY + timedelta(days=1))))
    bank.lock_account(LOCKED, "REL-1")
    clock.advance(days=1)
    assert read_all(bank)[0]["E1"].reason_code == "AC06"
    assert bank.balance_minor(LOCKED) == 100


def test_statements_follow_each_other_and_add_up(bank: SimulatedBank, clock: VirtualClock) -> None:
    bank.deposit(PAYER, 1_000, reference="opening")
    for number in range(5):
        bank.receive(order(f"M{number}", transfer(f"E{number}", 10 + number, execute_on=MONDAY)))
        clock.advance(days=1)
    statements = [item for item in read_all(bank)[1] if item.kind == "camt.053" and item.account == PAYER]
    assert all(item.adds_up for item in statements)
    assert [item.sequence for item in statements] == ["1", "2", "3", "4", "5"]
    assert [item.opening_minor for item in statements[1:]] == [item.closing_minor for item in statements[:-1]]
    assert statements[-1].closing_minor == bank.balance_minor(PAYER)


def test_daily_statements_come_on_quiet_days_too(clock: VirtualClock) -> None:
    bank = start_bank(clock)
    quiet = account_number_of("quiet")
    bank.open_account(quiet, "安静", "CNY", daily_statement=True)
    clock.advance(days=3)
    statements = [item for item in read_all(bank)[1] if item.account == quiet]
    assert [item.closing_minor for item in statements] == [0, 0, 0]


def test_a_payment_to_another_bank_leaves_and_can_come_back(bank: SimulatedBank) -> None:
    bank.deposit(PAYER, 100, reference="opening")
    abroad = {"creditor": Party("丙", account="9558801234567890"), "creditor_agent": "OTHRCNBJXXX"}
    bank.receive(order("M1", transfer("E1", 60, **abroad)))
    statuses, _ = read_all(bank)
    assert bank.balance_minor(PAYER) == 40
    reference = statuses["E1"].bank_transaction_id or ""
    back = bank.return_payment(reference)
    assert bank.return_payment(reference) == back
    assert bank.balance_minor(PAYER) == 100
    line = entries(read_all(bank)[1], PAYER)[-1]
    assert (line.amount_minor, line.return_reason, line.end_to_end_id) == (60, "AC04", "E1")
    with pytest.raises(Problem) as refused:
        bank.reverse(reference)
    assert refused.value.code == "bank_booking_undone"
    assert bank.faults() == []


def test_a_reversal_takes_the_money_back_if_it_is_still_there(bank: SimulatedBank) -> None:
    reference = bank.deposit(PAYER, 100, reference="in", debtor="客户", end_to_end_id="X1")
    bank.receive(order("M1", transfer("E1", 60)))
    read_all(bank)
    with pytest.raises(Problem) as refused:
        bank.reverse(reference)
    assert refused.value.code == "bank_funds_insufficient"
    bank.deposit(PAYER, 60, reference="more")
    bank.reverse(reference)
    bank.reverse(reference)
    assert bank.balance_minor(PAYER) == 0
    line = entries(read_all(bank)[1], PAYER)[-1]
    assert (line.amount_minor, line.is_reversal, line.end_to_end_id) == (-100, True, "X1")


def test_a_locked_account_is_not_debited_by_a_reversal_either(bank: SimulatedBank) -> None:
    reference = bank.deposit(LOCKED, 100, reference="loan")
    bank.lock_account(LOCKED, "REL-1")
    with pytest.raises(Problem) as refused:
        bank.reverse(reference)
    assert refused.value.code == "bank_account_locked"


def test_files_wait_until_they_are_acknowledged(bank: SimulatedBank) -> None:
    bank.deposit(PAYER, 100, reference="opening")
    first = bank.files()
    assert [file.id for file in bank.files()] == [file.id for file in first]
    bank.acknowledge(first[0].id)
    bank.acknowledge(first[0].id)
    assert bank.files() == []
