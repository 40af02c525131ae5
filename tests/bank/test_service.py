"""Payments out and statements in: sent once, executed by proof only, told twice and counted once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from sqlmodel import Session, select
from tests.bank.town import HOLDERS, LOCKED, MONDAY, PAYEE, PAYER, Town, transfer

from scf.bank import service
from scf.bank.gateway import BankFile, FolderBank, FolderGateway
from scf.bank.models import BankLine, BankOrder, BankStatement
from scf.kernel.problems import Problem
from scf.standards import camt, pain
from scf.standards.bank_records import Balance, Entry, PaymentStatus, PaymentStatusReport, Statement
from scf.store import evidence
from scf.store.evidence import Trust
from scf.store.session import transaction

STAMP = datetime(2026, 3, 2, 12, tzinfo=UTC)


def movement(amount_minor: int, reference: str | None = "B1", **changes: object) -> Entry:
    values: dict[str, object] = {
        "booked_on": MONDAY, "value_on": MONDAY, "amount_minor": amount_minor, "currency": "CNY",
        "end_to_end_id": None, "reference": None, "structured_reference": None, "remittance": "",
        "counterparty": None, "counterparty_account": None, "is_reversal": False, "bank_transaction_id": reference,
        "uetr": None, "status": "BOOK",
    }  # fmt: skip
    return Entry(**(values | changes))  # type: ignore[arg-type]


def statement(
    *entries: Entry, opening: int = 0, day: date = MONDAY, name: str = "S1", account: str = PAYER
) -> Statement:
    closing = opening + sum(entry.amount_minor for entry in entries)
    return Statement(
        id=name, kind="camt.053", account=account, currency="CNY", created_at=STAMP, from_at=None, to_at=None,
        opening_minor=opening, closing_minor=closing,
        balances=(Balance("OPBD", opening, "CNY", day), Balance("CLBD", closing, "CNY", day)),
        entries=tuple(replace(entry, entry_index=n) if entry.detail_index is None else entry
                      for n, entry in enumerate(entries)),
        message_id="m",
    )  # fmt: skip


def as_053(*records: Statement) -> bytes:
    return camt.write_053("MSG", STAMP, records)


def as_054(*records: Statement) -> bytes:
    return camt.write_054("NOTE", STAMP, records)


def bring(town: Town, raw: bytes, *, trust: Trust = Trust.T3, source: str | None = None) -> list[BankLine]:
    with transaction(town.engine) as session:
        kept = evidence.record(
            session, raw, kind="camt", source=source or service.bank_source(town.bank.bic), sender="bank", trust=trust,
            received_at=town.clock.now(),
        )  # fmt: skip
        return service.import_statement(session, raw, kept.evidence_id, now=town.clock.now())


def all_lines(session: Session) -> list[BankLine]:
    return list(session.exec(select(BankLine)).all())


# Payments


def test_a_payment_goes_out_once_and_only_a_bank_line_makes_it_executed(town: Town) -> None:
    town.bank.deposit(PAYER, 1_000, reference="opening")
    name = town.pay("invoice 1", 400)
    assert town.state(name) == "written"
    service.send_payments(town.engine, town.gateway, town.clock)
    assert town.state(name) == "sent"
    for file in town.gateway.collect():
        if file.name.startswith("pain.002"):
            with transaction(town.engine) as session:
                kept = evidence.record(
                    session, file.raw, kind="pain.002", source=service.bank_source(town.bank.bic), sender="bank",
                    trust=Trust.T3, received_at=1,
                )  # fmt: skip
                service.import_status(session, file.raw, kept.evidence_id, now=1)
    assert town.state(name) == "accepted"
    town.settle()
    assert town.state(name) == "executed"
    with town.session() as session:
        line = service.line_of(session, name)
        assert line is not None
        assert (line.amount_minor, line.match_kind, line.account) == (-400, "end_to_end", PAYER)
        assert service.payment(session, name).bank_reference == line.bank_reference
        mirrored = service.lines(session, PAYEE)
        assert [(item.amount_minor, item.matched) for item in mirrored] == [(400, name)]


def test_the_same_instruction_again_is_the_first_and_another_content_is_refused(town: Town) -> None:
    town.bank.deposit(PAYER, 1_000, reference="opening")
    name = town.pay("invoice 1", 400)
    assert town.pay("invoice 1", 400, now=town.clock.now() + 5) == name
    with pytest.raises(Problem) as refused:
        town.pay("invoice 1", 401)
    assert (refused.value.code, refused.value.money_moved) == ("bank_instruction_conflict", "no")
    town.settle()
    town.pay("invoice 1", 400)
    town.settle()
    assert town.bank.balance_minor(PAYEE) == 400


def test_a_refusal_by_the_bank_reaches_the_payment_with_its_reason(town: Town) -> None:
    name = town.pay("too much", 5)
    town.settle()
    with town.session() as session:
        row = service.payment(session, name)
        assert (row.state, row.reason_code) == ("rejected", "AM04")
        assert service.line_of(session, name) is None


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"amount_minor": 0}, "bank_amount_not_positive"),
        ({"amount_minor": -5}, "bank_amount_not_positive"),
        ({"creditor_account": PAYER}, "bank_same_account"),
        ({"debtor_account": "unknown"}, "bank_account_unknown"),
        ({"end_to_end_id": "x" * 36}, "bank_reference_unfit"),
        ({"end_to_end_id": "发票"}, "bank_reference_unfit"),
        ({"currency": "XXX"}, "unknown_currency"),
    ],
)
def test_a_payment_that_cannot_be_is_refused_before_it_is_written(
    town: Town, changes: dict[str, object], code: str
) -> None:
    with pytest.raises(Problem) as refused:
        town.pay("p", **({"amount_minor": 5} | changes))  # type: ignore[arg-type]
    assert refused.value.code == code
    for language in ("en", "zh-CN"):
        assert "{" not in refused.value.sentence(language)
    with town.session() as session:
        assert service.payments(session) == []


def test_a_locked_account_is_held_to_its_release_reference_on_both_sides(town: Town) -> None:
    town.bank.deposit(LOCKED, 1_000, reference="loan")
    town.bank.lock_account(LOCKED, "REL-1", [PAYEE])
    with town.session() as session:
        service.lock_account(session, LOCKED, "REL-1", now=1)
    with pytest.raises(Problem) as refused:
        town.pay("leak", 5, debtor_account=LOCKED)
    assert refused.value.code == "bank_account_locked"
    diverted = town.pay("diverted", 5, debtor_account=LOCKED, creditor_account=PAYER, release_reference="REL-1")
    good = town.pay("stage 1", 300, debtor_account=LOCKED, release_reference="REL-1")
    town.settle()
    assert (town.state(diverted), town.state(good)) == ("rejected", "executed")
    assert town.bank.balance_minor(LOCKED) == 700


def test_a_payment_is_withdrawn_only_before_it_is_in_an_order(town: Town) -> None:
    early, late = town.pay("a", 5), town.pay("b", 5)
    with town.session() as session:
        service.withdraw_payment(session, early, now=1)
    service.send_payments(town.engine, town.gateway, town.clock)
    with pytest.raises(Problem) as refused, town.session() as session:
        service.withdraw_payment(session, late, now=1)
    assert refused.value.code == "bank_instruction_sent"
    assert town.state(early) == "withdrawn"


def test_a_crash_after_writing_the_order_sends_the_same_order_again(town: Town) -> None:
    town.bank.deposit(PAYER, 1_000, reference="opening")
    name = town.pay("a", 5)

    class Dead(Exception):
        pass

    class Broken:
        bank = town.bank.bic

        def __init__(self, deliver: bool) -> None:
            self.deliver = deliver

        def instruct(self, _: str, raw: bytes) -> None:
            if self.deliver:
                town.bank.receive(raw)
            raise Dead

        def collect(self) -> list[BankFile]:
            return []

        def acknowledge(self, file: BankFile) -> None: ...

    for deliver in (False, True):
        with pytest.raises(Dead):
            service.send_payments(town.engine, Broken(deliver), town.clock)
    town.settle()
    assert town.state(name) == "executed"
    assert town.bank.balance_minor(PAYEE) == 5
    with town.session() as session:
        assert len(session.exec(select(BankOrder)).all()) == 1


def test_an_order_the_bank_never_answered_can_be_asked_for_again(town: Town) -> None:
    town.bank.deposit(PAYER, 1_000, reference="opening")
    name = town.pay("a", 5)
    service.send_payments(town.engine, town.gateway, town.clock)
    for file in town.bank.files():
        town.bank.acknowledge(file.id)  # lost on the way
    town.clock.advance(hours=5)
    with town.session() as session:
        assert service.ask_again(session, town.bank.bic, older_than=town.clock.now() - 3600) == 1
    town.settle()
    assert town.state(name) == "accepted"
    town.clock.advance(days=1)
    town.settle()
    assert town.state(name) == "executed"
    assert town.bank.balance_minor(PAYEE) == 5


def test_a_payment_that_arrives_before_its_instruction_is_tied_and_never_sent(town: Town) -> None:
    town.bank.deposit(PAYER, 1_000, reference="opening")
    name = service.payment_reference("early")
    town.bank.receive(pain.write_001("BYHAND", STAMP, "counter", [transfer(name, 400)]))
    town.settle()
    assert town.pay("early", 400) == name
    assert town.state(name) == "executed"
    assert service.send_payments(town.engine, town.gateway, town.clock) == 0
    assert town.bank.balance_minor(PAYEE) == 400


def test_money_that_comes_back_makes_the_payment_returned_whatever_is_seen_first(town: Town) -> None:
    town.bank.deposit(PAYER, 1_000, reference="opening")
    name = town.pay("abroad", 60, creditor_account="9558801234567890", creditor_agent="OTHRCNBJXXX")
    service.send_payments(town.engine, town.gateway, town.clock)
    [line] = [
        entry for file in town.bank.files() if file.name.startswith("camt.054")
        for record in camt.read(file.raw) for entry in record.entries if entry.end_to_end_id == name
    ]  # fmt: skip
    town.bank.return_payment(line.bank_transaction_id or "", "AC04")
    files = town.bank.files()
    for file in reversed(files):
        if file.name.startswith("camt"):
            bring(town, file.raw)
    with town.session() as session:
        row = service.payment(session, name)
        assert (row.state, row.reason_code, row.executed_on) == ("returned", "AC04", MONDAY)
    town.settle()
    assert town.state(name) == "returned"


def test_a_reversal_after_execution_is_seen(town: Town) -> None:
    town.bank.deposit(PAYER, 1_000, reference="opening")
    name = town.pay("a", 60)
    town.settle()
    with town.session() as session:
        reference = service.payment(session, name).bank_reference or ""
    town.bank.reverse(reference)
    town.settle()
    assert town.state(name) == "reversed"


def test_a_payment_the_bank_made_twice_is_tied_once_and_shown(town: Town) -> None:
    name, _ = sent_payment(town)
    twice = statement(
        movement(-5, "B1", end_to_end_id=name), movement(-5, "B2", end_to_end_id=name, remittance=name), opening=100
    )
    bring(town, as_053(twice))
    with town.session() as session:
        assert [line.bank_reference for line in service.contradicting_lines(session)] == ["B2"]
        assert service.payment(session, name).bank_reference == "B1"


# Answers


def report(message_id: str, *items: PaymentStatus, group: str | None = None) -> bytes:
    return pain.write_002(PaymentStatusReport("A1", STAMP, message_id, "pain.001.001.09", group, items))


def bring_status(town: Town, raw: bytes, *, trust: Trust = Trust.T3, source: str | None = None) -> None:
    with transaction(town.engine) as session:
        kept = evidence.record(
            session, raw, kind="pain.002", source=source or service.bank_source(town.bank.bic), sender="bank",
            trust=trust, received_at=1,
        )  # fmt: skip
        service.import_status(session, raw, kept.evidence_id, now=1)


def sent_payment(town: Town) -> tuple[str, str]:
    name = town.pay("a", 5)
    service.send_payments(town.engine, town.gateway, town.clock)
    with town.session() as session:
        return name, service.payment(session, name).message_id or ""


def test_a_refusal_of_the_whole_order_refuses_each_payment(town: Town) -> None:
    name, message = sent_payment(town)
    bring_status(town, report(message, group="RJCT"))
    assert town.state(name) == "rejected"


def test_a_duplicate_answer_never_rejects_what_may_have_been_paid(town: Town) -> None:
    name, message = sent_payment(town)
    bring_status(town, report(message, PaymentStatus(name, "RJCT", "AM05"), group="PART"))
    assert town.state(name) == "sent"


def test_an_answer_from_anyone_but_the_paying_bank_is_refused(town: Town) -> None:
    name, message = sent_payment(town)
    forged = report(message, PaymentStatus(name, "RJCT", "AC01"))
    for trust, source in ((Trust.T1, "upload"), (Trust.T3, service.bank_source("OTHRCNBJXXX"))):
        with pytest.raises(Problem) as refused:
            bring_status(town, forged, trust=trust, source=source)
        assert refused.value.code == "bank_file_not_from_bank"
    with pytest.raises(Problem) as refused:
        bring_status(town, report("NEVERSENT", PaymentStatus(name, "RJCT", "AC01")))
    assert refused.value.code == "bank_status_unknown_order"
    assert town.state(name) == "sent"


# Statements


def test_a_statement_twice_changes_nothing(town: Town) -> None:
    raw = as_053(statement(movement(500), movement(-200, "B2")))
    assert [line.amount_minor for line in bring(town, raw)] == [500, -200]
    with town.session() as session:
        before = [line.model_dump() for line in all_lines(session)]
    assert bring(town, raw) == []
    with town.session() as session:
        assert [line.model_dump() for line in all_lines(session)] == before
        assert len(session.exec(select(BankStatement)).all()) == 1


def test_a_movement_notified_and_stated_is_one_line(town: Town) -> None:
    record = statement(movement(500))
    assert len(bring(town, as_054(record))) == 1
    assert bring(town, as_053(record)) == []
    with town.session() as session:
        [line] = service.lines(session, PAYER)
        assert line.statement_evidence_id not in (None, line.evidence_id)


@pytest.mark.parametrize("uetr", [None, "5f0d4e0a-8f5c-4e55-9a59-6c2f8a3f1c11"])
def test_without_a_bank_reference_a_movement_is_still_known_again(town: Town, uetr: str | None) -> None:
    lines = [movement(500, None, uetr=uetr, remittance="x"), movement(500, None, remittance="y")]
    raw = as_053(statement(*lines))
    again = camt.write_053("OTHER", STAMP, [statement(*lines)])
    assert len(bring(town, raw)) == 2
    assert bring(town, again) == []


def test_two_equal_movements_of_one_day_are_two_lines(town: Town) -> None:
    same = movement(500, None, remittance="subscription")
    assert len(bring(town, as_053(statement(same, same)))) == 2


def test_pending_and_announced_entries_are_no_money(town: Town) -> None:
    record = replace(statement(), entries=(movement(500, status="PDNG"), movement(7, "B2", status="INFO")))
    assert bring(town, as_053(record)) == []


@pytest.mark.parametrize("total_first", [True, False])
def test_a_batch_told_in_parts_and_as_a_total_is_counted_once(town: Town, total_first: bool) -> None:
    parts = statement(
        *(
            movement(-amount, "BATCH", detail_index=n, payment_information_id="PI")
            for n, amount in enumerate((100, 200, 300))
        )
    )
    whole = as_053(statement(movement(-600, "BATCH"), opening=600)).replace(
        b"<NtryDtls>", b"<NtryDtls><Btch><PmtInfId>PI</PmtInfId><NbOfTxs>3</NbOfTxs></Btch><!--"
    ).replace(b"</NtryDtls>", b"--></NtryDtls>")  # fmt: skip
    files = [whole, as_054(parts)] if total_first else [as_054(parts), whole]
    for raw in files:
        bring(town, raw)
    with town.session() as session:
        assert sorted(line.amount_minor for line in service.lines(session, PAYER)) == [-300, -200, -100]
        assert service.prove_balance(session, PAYER).movements_minor == -600


def test_a_statement_that_does_not_add_up_is_refused_whole(town: Town) -> None:
    good, bad = statement(movement(5)), statement(movement(7, "B2"), name="S2", account=PAYEE)
    broken = replace(bad, closing_minor=8, balances=(bad.balances[0], Balance("CLBD", 8, "CNY", MONDAY)))
    with pytest.raises(Problem) as refused:
        bring(town, as_053(good, broken))
    assert refused.value.code == "bank_statement_does_not_add_up"
    with town.session() as session:
        assert all_lines(session) == []


def test_an_uploaded_copy_proves_nothing_until_the_bank_says_the_same(town: Town) -> None:
    town.bank.deposit(PAYER, 1_000, reference="opening")
    name, _ = sent_payment(town)
    claimed = movement(-5, "B9", end_to_end_id=name, counterparty="someone else")
    raw = as_053(statement(claimed, opening=1_000))
    bring(town, raw, trust=Trust.T1, source="upload")
    assert town.state(name) == "sent"
    with town.session() as session:
        assert service.lines(session, PAYER) == []
        with pytest.raises(Problem):
            service.prove_balance(session, PAYER)
    bring(town, raw, source=service.bank_source("OTHRCNBJXXX"))  # another bank's feed is no better about this account
    assert town.state(name) == "sent"
    true = as_053(statement(replace(claimed, counterparty=HOLDERS[PAYEE]), opening=1_000))
    [line] = bring(town, true)
    assert (line.counterparty, line.matched) == (HOLDERS[PAYEE], name)
    assert town.state(name) == "executed"


def test_a_line_without_end_to_end_id_is_tied_by_reference_and_amount_if_only_one_fits(town: Town) -> None:
    first = town.pay("a", 5, remittance="INV-77")
    second, third = town.pay("b", 6, remittance="INV-78"), town.pay("c", 6, remittance="INV-78")
    service.send_payments(town.engine, town.gateway, town.clock)
    record = statement(
        movement(-5, "B1", remittance="payment INV-77 thanks"),
        movement(-6, "B2", remittance="INV-78"),
        movement(-6, "B3", remittance=f"INV-78 {third}"),
        movement(-7, "B4", end_to_end_id=second),
        opening=100,
    )
    bring(town, as_053(record))
    assert [town.state(name) for name in (first, second, third)] == ["executed", "sent", "executed"]
    with town.session() as session:
        assert sorted(line.amount_minor for line in service.unmatched_lines(session, PAYER)) == [-7, -6]
        assert [line.amount_minor for line in service.contradicting_lines(session)] == [-7]


# Balance proof


def test_the_balance_is_proved_from_statement_to_statement(town: Town) -> None:
    town.bank.deposit(PAYER, 1_000, reference="opening")
    for number in range(4):
        town.pay(f"p{number}", 10 + number, execute_on=MONDAY + timedelta(days=number))
        town.settle()
        town.clock.advance(days=1)
    town.settle()
    town.bank.deposit(PAYER, 7, reference="today")
    town.settle()
    with town.session() as session:
        proof = service.prove_balance(session, PAYER)
        assert proof.opening_minor + proof.movements_minor == proof.closing_minor == 954
        assert proof.later_minor == 7
        assert service.booked_minor(session, PAYER) == town.bank.balance_minor(PAYER) == 961


def test_one_cent_or_one_missing_statement_raises_the_alarm(town: Town) -> None:
    bring(town, as_053(statement(movement(500))))
    tuesday = MONDAY + timedelta(days=1)
    later = statement(movement(1, "B2", booked_on=tuesday), opening=501, day=tuesday, name="S2")
    bring(town, as_053(later))
    with town.session() as session, pytest.raises(Problem) as refused:
        service.prove_balance(session, PAYER)
    assert refused.value.code == "bank_balance_differs"
    assert refused.value.facts["difference_minor"] == 1
    assert refused.value.money_moved == "unknown"


def test_a_line_notified_but_missing_from_its_statement_raises_the_alarm(town: Town) -> None:
    bring(town, as_054(statement(movement(3, "GHOST"))))
    bring(town, as_053(statement(movement(500))))
    with town.session() as session, pytest.raises(Problem) as refused:
        service.prove_balance(session, PAYER)
    assert refused.value.facts["difference_minor"] == 3


def test_the_same_statement_with_other_balances_is_refused(town: Town) -> None:
    bring(town, as_053(statement(movement(500))))
    with pytest.raises(Problem) as refused:
        bring(town, as_053(statement(movement(500), movement(9, "B2"))))
    assert refused.value.code == "bank_statement_contradicts"


# Files


def test_a_bad_file_is_kept_shown_and_holds_nothing_up(town: Town) -> None:
    class Mixed:
        bank = town.bank.bic
        waiting = [  # noqa: RUF012
            BankFile("a.xml", b"<nonsense/>", "a"),
            BankFile("b.xml", as_053(statement(movement(5))), "b"),
            BankFile("c.xml", pain.write_001("X", STAMP, "x", [transfer("E1", 5)]), "c"),
        ]

        def instruct(self, name: str, raw: bytes) -> None: ...

        def collect(self) -> list[BankFile]:
            return list(self.waiting)

        def acknowledge(self, file: BankFile) -> None:
            self.waiting.remove(file)

    collected = service.collect(town.engine, Mixed(), town.clock)
    assert (collected.files, len(collected.new_lines), len(collected.refused)) == (3, 1, 2)
    with town.session() as session:
        for row in service.refused_files(session):
            assert service.take_again(session, row.evidence_id, row.bank, now=9).problem is not None
        assert {row.name for row in service.refused_files(session)} == {"a.xml", "c.xml"}
        assert all(evidence.raw_bytes(session, row.evidence_id) for row in service.refused_files(session))


def test_what_follows_from_new_lines_is_written_with_them_or_not_at_all(town: Town) -> None:
    town.bank.deposit(PAYER, 1_000, reference="opening")

    def fail(session: Session, lines: object) -> None:
        raise RuntimeError("no room")

    with pytest.raises(RuntimeError):
        service.collect(town.engine, town.gateway, town.clock, react=fail)
    seen: list[int] = []
    service.collect(
        town.engine, town.gateway, town.clock, react=lambda _, lines: seen.extend(x.amount_minor for x in lines)
    )
    service.collect(
        town.engine, town.gateway, town.clock, react=lambda _, lines: seen.extend(x.amount_minor for x in lines)
    )
    assert seen == [1_000]


def test_drop_folders_carry_the_same_conversation(town: Town, tmp_path: Path) -> None:
    gateway = FolderGateway(town.bank.bic, tmp_path / "out", tmp_path / "in")
    far_end = FolderBank(town.bank, tmp_path / "out", tmp_path / "in")
    town.bank.deposit(PAYER, 1_000, reference="opening")
    name = town.pay("a", 400)
    (tmp_path / "in" / "half.xml.part").write_bytes(b"<Docu")
    (tmp_path / "in" / "link.xml").symlink_to("/etc/hostname")
    for _ in range(2):
        service.exchange(town.engine, gateway, town.clock)
        far_end.work()
    assert town.state(name) == "executed"
    assert not [path for path in (tmp_path / "in").glob("*.xml") if not path.is_symlink()]
    assert len(list((tmp_path / "in" / "done").iterdir())) == 3
    assert not list((tmp_path / "out").glob("*.xml"))


def test_statements_nobody_here_wrote_are_taken_and_proved(make_town: Callable[..., Town], samples: Path) -> None:
    taken = 0
    for path in sorted((samples / "bank-statements").glob("camt05*.xml")):
        town = make_town()
        raw = path.read_bytes()
        try:
            fresh = bring(town, raw)
        except Problem as problem:
            assert problem.sentence("zh-CN") != problem.code
            continue
        taken += 1
        assert bring(town, raw) == []
        moved = [one for record in camt.read(raw) for one in record.movements if one.is_booked and one.amount_minor]
        assert sum(line.amount_minor for line in fresh) == sum(one.amount_minor for one in moved), path.name
        assert len(fresh) == len(moved), path.name
    assert taken >= 8
