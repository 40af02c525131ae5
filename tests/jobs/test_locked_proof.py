"""A locked account is proved against every statement; one cent of difference is an alarm; hard cases of stages."""

from __future__ import annotations

import pytest
from tests.financing.scene import Scene as MoneyScene
from tests.installation import Installation

from scf.api.account_facts import came_back
from scf.bank import service as bank_room
from scf.bank.models import BankStatement
from scf.demo.cast import CIVIC, CORE, FAIRWAY, HARBOUR, MEASURE, PINE, STEEL, firm
from scf.demo.papers import logistics_event
from scf.entrusted import queries
from scf.entrusted.service import OpenRequest, StagePlan
from scf.jobs.locked_proof import day_by_day, prove_locked
from scf.jobs.service import Jobs
from scf.kernel.dates import next_day
from scf.receivables.service import reference_hash
from scf.store.evidence import Trust

FIRST, SECOND = 40_000_00, 60_000_00
DAY = 86_400


class Locked:
    """An account of two stages, locked at a simulated bank."""

    def __init__(self, at: Installation) -> None:
        self.at = at
        self.money = MoneyScene(at)
        self.bank = self.money.bank
        self.room = at.app.entrusted
        self.account = int(at.submit_entrusted(self.room.prepare_open(self._request()))["account"])
        line = self.bank.fund(self.account, FIRST + SECOND)
        at.submit_entrusted(self.room.prepare_confirm_locked(self.account, line))
        self.jobs = Jobs(
            at.app.desk,
            at.app.parties,
            at.app.receivables,
            at.app.maturity,
            at.app.notices,
            exchange=lambda: len(at.app.documents.exchange(self.bank.gateway).new_lines),
        )

    def _request(self) -> OpenRequest:
        at = self.at
        until = at.clock.now() + 60 * DAY
        stages = tuple(
            StagePlan(at.who(STEEL), firm(STEEL).account, amount, "Arrived", "到货", ("arrival",), until)
            for amount in (FIRST, SECOND)
        )
        return OpenRequest(
            payer=at.who(HARBOUR),
            beneficiary=at.who(PINE),
            bank=at.who(CIVIC),
            currency="CNY",
            account=self.bank.locked_account,
            purpose="steel",
            contract="HT-2026-9",
            consent="agreed",
            stages=stages,
            attestors=(at.who(FAIRWAY), at.who(MEASURE)),
            approvers=(at.who(HARBOUR, "credit-officer"), at.who(CORE, "approver")),
        )

    def ready(self, stage: int, up_to: int) -> None:
        """Evidence of two organisations and two approvals for a stage up to a value."""
        at = self.at
        for code in (FAIRWAY, MEASURE):
            event = logistics_event(
                f"PO-{stage}-{up_to}-{code}", "arriving", at.clock.now(), quantity=1, goods="x", despatch="DN-9"
            )
            kept = at.app.documents.import_file(
                event.raw, event.name, source=firm(code).name, sender=firm(code).name, trust=Trust.T3
            )
            at.submit_entrusted(self.room.prepare_attest(self.account, stage, at.who(code), up_to, kept.evidence_id))
        for code, seat in ((HARBOUR, "credit-officer"), (CORE, "approver")):
            at.submit_entrusted(self.room.prepare_approve(self.account, stage, at.who(code, seat), up_to, "agreed"))

    def release(self, stage: int) -> None:
        self.bank.release(self.account, stage, "PO-9")

    def statement(self) -> None:
        """The bank closes the day and its statement comes."""
        self.money.move_to(next_day(self.money.today()))
        self.jobs._bank("")

    def view(self, stage: int):  # type: ignore[no-untyped-def]
        with self.at.app.desk.session() as session:
            return self.room.stage_view(session, self.account, stage)

    def alarms(self) -> list[int]:
        with self.at.app.desk.session() as session:
            return [one.difference_minor or 0 for one in self.jobs.alarms(session)]


@pytest.fixture
def locked(installation: Installation) -> Locked:
    return Locked(installation)


def test_a_partial_delivery_releases_its_part_and_the_proof_holds(locked: Locked) -> None:
    locked.ready(0, 25_000_00)
    assert locked.view(0).releasable_minor == 25_000_00
    locked.release(0)
    assert (locked.view(0).released_minor, locked.view(0).releasable_minor) == (25_000_00, 0)
    locked.statement()
    assert locked.alarms() == []
    assert locked.bank.simulator.balance_minor(locked.bank.locked_account) == FIRST + SECOND - 25_000_00


def test_a_dispute_in_stage_two_holds_only_its_part(locked: Locked) -> None:
    at = locked.at
    at.submit_entrusted(locked.room.prepare_dispute(locked.account, 1, at.who(PINE), 10_000_00, "10 tonnes are rusted"))
    locked.ready(0, FIRST)
    locked.ready(1, SECOND)
    assert locked.view(0).releasable_minor == FIRST
    assert locked.view(1).releasable_minor == SECOND - 10_000_00
    locked.release(1)
    assert (locked.view(1).disputed_minor, locked.view(1).releasable_minor) == (10_000_00, 0)
    locked.statement()
    assert locked.alarms() == []


def test_one_cent_of_difference_is_an_alarm_with_the_next_statement_and_a_correction_ends_it(locked: Locked) -> None:
    locked.statement()
    with locked.at.app.desk.session() as session:
        assert prove_locked(session, now=1) == ([], [])  # proved once
    locked.bank.simulator.deposit(locked.bank.locked_account, 1, reference="a cent too much")
    locked.statement()
    assert locked.alarms() == [1]
    with locked.at.app.desk.session() as session:
        notices = locked.at.app.notices.of(session, locked.at.who(HARBOUR))
        assert [(one.kind, one.evidence_id is not None) for one in notices] == [("alarm", True)]
    locked.statement()
    assert len(locked.alarms()) >= 1  # still there, told once a day


def test_money_that_left_the_bank_and_is_not_confirmed_yet_is_an_alarm_until_it_is(locked: Locked) -> None:
    locked.ready(0, FIRST)
    with locked.at.app.desk.session() as session:
        amount, order, payee = locked.room.payment_order(session, locked.account, 0)
        account = payee.account
    lock = f"EA{locked.account}"
    paid = locked.bank._pay(order, locked.bank.locked_account, account, amount, lock=lock)
    locked.statement()
    assert locked.alarms() == [-FIRST]
    locked.at.submit_entrusted(
        locked.room.prepare_confirm_released(locked.account, 0, amount, paid.end_to_end_id, paid.reference)
    )
    locked.statement()
    assert locked.alarms() == []
    with locked.at.app.desk.session() as session:
        assert session.query(BankStatement).count() > 0
    assert reference_hash(paid.reference).startswith("0x")


def test_a_release_the_payees_bank_returns_is_an_alarm_until_it_is_held_again_and_then_agrees_every_day(
    locked: Locked,
) -> None:
    """Paid, confirmed, returned: an alarm with the next statement; held again, and paid anew under its own name."""
    at, room, bank = locked.at, locked.room, locked.bank
    locked.ready(0, FIRST)
    locked.release(0)
    locked.statement()
    assert locked.alarms() == []
    name = f"EA{locked.account}S0R0"
    with at.app.desk.session() as session:
        line = bank_room.line_of(session, name)
        assert line is not None and line.bank_reference
        reference = line.bank_reference
    back = bank.simulator.return_payment(reference)
    locked.statement()
    assert locked.alarms() == [FIRST]
    with at.app.desk.session() as session:
        assert bank_room.payment(session, name).state == "returned"
        (told,) = came_back(session, queries.account(session, locked.account))
    assert (told["payment"], told["stage"], told["line"]) == (name, 0, back)
    assert told["amount"]["minor"] == str(FIRST)
    at.submit_entrusted(room.prepare_confirm_returned(locked.account, 0, FIRST, name, back))
    locked.statement()
    assert locked.alarms() == [], "the day of the return agrees once the ledger knows of it"
    assert (locked.view(0).released_minor, locked.view(0).disputed_minor) == (0, FIRST)
    with at.app.desk.session() as session:
        assert came_back(session, queries.account(session, locked.account)) == []
    at.submit_entrusted(at.app.settling.prepare_resolve(locked.account, 0, FIRST, 0, "the account is open again"))
    with at.app.desk.session() as session:
        amount, again, payee = room.payment_order(session, locked.account, 0)
        account = payee.account
    assert (amount, again) == (FIRST, f"{name}.R2")
    paid = bank._pay(again, bank.locked_account, account, amount, lock=f"EA{locked.account}")
    at.submit_entrusted(room.prepare_confirm_released(locked.account, 0, amount, paid.end_to_end_id, paid.reference))
    assert bank.simulator.balance_minor(bank.locked_account) == SECOND
    locked.statement()
    assert locked.alarms() == []
    with at.app.desk.session() as session:
        row = queries.account(session, locked.account)
        assert (row.released_minor, row.refunded_minor, row.locked_minor) == (FIRST, 0, FIRST + SECOND)
        days = list(day_by_day(session, locked.account, bank.locked_account, locked.money.today()))
    assert [(held, stated) for _, held, stated in days if held != stated] == []
