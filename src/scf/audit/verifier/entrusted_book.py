"""Entrusted accounts: what their events change, and that nothing leaves but on evidence, approval or decision."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from .register import APPROVER, ATTESTOR, BANK, Account, BankLine, Event, Executed, Register, Stage

ATTESTS, APPROVES = 1, 2
_MOST_STAGES, _MOST_DUTIES = 16, 8


def apply(register: Register, event: Event) -> None:
    """Change the register by one event of `EntrustedAccounts`, then see that locked = released + refunded + held."""
    account = _HANDLERS[event.name](register, event)
    check = register.report.check("entrusted")
    check.count()
    held = account.locked - account.released - account.refunded
    stages_ok = all(stage.free >= 0 for stage in account.stages)
    if held < 0 or not stages_ok:
        found = f"{account.locked} - {account.released} - {account.refunded}"
        check.fail("entrusted_sum", event.record, "locked = released + refunded + held", found)


def attested(register: Register, account: Account, stage: Stage) -> int:
    """Value two organisations' evidence supports: the second highest of the organisations' highest statements."""
    best: dict[int, int] = {}
    for who, duty in account.duties.items():
        up_to = stage.up_to.get(who, 0)
        house = register.organisation(who)
        if duty == ATTESTS and up_to and house is not None and register.is_good(who):
            best[house] = max(best.get(house, 0), up_to)
    return sorted(best.values(), reverse=True)[1] if len(best) > 1 else 0


def approved(register: Register, account: Account, stage: Stage) -> int:
    """Value two approvers let go: the second highest statement."""
    values = sorted(
        (stage.up_to.get(who, 0) for who, duty in account.duties.items() if duty == APPROVES and register.is_good(who)),
        reverse=True,
    )
    return values[1] if len(values) > 1 else 0


def supported(register: Register, account: Account, stage: Stage) -> int:
    """What evidence and approvals still let go, beside what a decision granted; a dispute holds it first.

    What a decision sent back of it supports nothing else.
    """
    up_to = min(attested(register, account, stage), approved(register, account, stage))
    gone = stage.released + stage.granted_release + stage.disputed + stage.denied_support
    return max(0, min(up_to - gone, stage.free))


def _opened(register: Register, event: Event) -> Account:
    args, check = event.args, register.report.check("entrusted")
    if args["accountId"] != len(register.accounts) + 1:
        check.fail("account_id", event.record, len(register.accounts) + 1, args["accountId"])
    own = register.organisation(args["beneficiary"])
    if not register.is_good(args["bank"], BANK) or register.organisation(args["bank"]) == own:
        check.fail("not_independent", event.record, "a bank of another organisation", args["bank"])
    if register.organisation(args["payer"]) == own or not register.is_good(args["payer"]):
        check.fail("not_independent", event.record, "a payer of another organisation", args["payer"])
    account = Account(
        args["accountId"], args["payer"], args["beneficiary"], args["bank"], args["currency"], args["amount"]
    )
    register.accounts[account.id] = account
    return account


def _stage_set(register: Register, event: Event) -> Account:
    args, check = event.args, register.report.check("entrusted")
    account = register.accounts[args["accountId"]]
    if args["stage"] != len(account.stages) or len(account.stages) >= _MOST_STAGES:
        check.fail("stage_number", event.record, len(account.stages), args["stage"])
    if not args["amount"] or args["deadline"] <= event.timestamp:
        check.fail("stage_terms", event.record, "an amount and a deadline ahead", args["amount"])
    account.stages.append(Stage(args["payee"], args["amount"], args["deadline"]))
    return account


def _duty_given(register: Register, event: Event) -> Account:
    args, check = event.args, register.report.check("entrusted")
    account, who = register.accounts[args["accountId"]], args["who"]
    if args["duty"] not in (ATTESTS, APPROVES) or who in account.duties:
        check.fail("two_duties", event.record, "one duty", args["duty"])
    if not register.is_good(who, ATTESTOR if args["duty"] == ATTESTS else APPROVER):
        check.fail("not_allowed", event.record, "a member in that role", who)
    _independent(register, account, who, event)
    account.duties[who] = args["duty"]
    return account


def _independent(register: Register, account: Account, who: bytes, event: Event) -> None:
    house = register.organisation(who)
    parties = [account.beneficiary, *(stage.payee for stage in account.stages)]
    if house is None or any(register.organisation(party) == house for party in parties):
        register.report.check("entrusted").fail("not_independent", event.record, "another organisation", who)


def check_opening(register: Register, account: Account, record: str) -> None:
    """Once all is said: stages add up, at least two attestors of two houses, at least two approvers."""
    check = register.report.check("entrusted")
    check.expect("stage_sum", record, account.amount, sum(stage.amount for stage in account.stages))
    attestors = [who for who, duty in account.duties.items() if duty == ATTESTS]
    approvers = [who for who, duty in account.duties.items() if duty == APPROVES]
    houses = {register.organisation(who) for who in attestors}
    if len(houses) < 2 or not 2 <= len(attestors) <= _MOST_DUTIES or not 2 <= len(approvers) <= _MOST_DUTIES:
        check.fail("too_few_duties", record, "2 organisations attest, 2 approve", f"{len(houses)}, {len(approvers)}")


def _stage(register: Register, event: Event) -> tuple[Account, Stage]:
    account = register.accounts[event.args["accountId"]]
    if not account.locked:
        register.report.check("entrusted").fail("not_locked", event.record, "locked", account.id)
    return account, account.stages[event.args["stage"]]


def _locked(register: Register, event: Event) -> Account:
    args, check = event.args, register.report.check("entrusted")
    account = register.accounts[args["accountId"]]
    if account.locked or args["amount"] != account.amount:
        check.fail("locked_amount", event.record, account.amount, args["amount"])
    if not register.is_good(account.bank, BANK):
        check.fail("not_allowed", event.record, "a bank in good standing", account.bank)
    account.locked += args["amount"]
    _bank_line(register, account, event, "locked", None)
    return account


def _bank_line(register: Register, account: Account, event: Event, kind: str, payment_id: bytes | None) -> None:
    args = event.args
    register.use_reference("EntrustedAccounts", account.bank, args["bankReference"], event.record)
    if payment_id is not None:
        earlier = register.payment_ids.setdefault((account.bank, payment_id), event.record)
        register.report.check("references").expect("payment_twice", event.record, event.record, earlier)
    register.bank_lines.append(
        BankLine(event.record, kind, args["bankReference"], payment_id, args["amount"], account.currency, account.id)
    )


def _supports(duty: int, who_field: str) -> Callable[[Register, Event], Account]:
    def handler(register: Register, event: Event) -> Account:
        account, stage = _stage(register, event)
        args, check = event.args, register.report.check("entrusted")
        who = args[who_field]
        if account.duties.get(who) != duty:
            check.fail("no_duty", event.record, duty, who)
        if not register.is_good(who, ATTESTOR if duty == ATTESTS else APPROVER):
            check.fail("not_allowed", event.record, "a member in that role", who)
        _independent_of_stage(register, account, stage, who, event)
        if event.timestamp >= stage.deadline:
            check.fail("stage_over", event.record, f"before {stage.deadline}", event.timestamp)
        before = stage.up_to.get(who, 0)
        if not before < args["upTo"] <= stage.amount:
            check.fail("up_to", event.record, f"{before + 1}…{stage.amount}", args["upTo"])
        stage.up_to[who] = args["upTo"]
        return account

    return handler


def _independent_of_stage(register: Register, account: Account, stage: Stage, who: bytes, event: Event) -> None:
    house = register.organisation(who)
    if house in (register.organisation(account.beneficiary), register.organisation(stage.payee)):
        register.report.check("entrusted").fail("not_independent", event.record, "another organisation", who)


def _released(register: Register, event: Event) -> Account:
    account, stage = _stage(register, event)
    args, check = event.args, register.report.check("entrusted")
    amount = args["amount"]
    available = stage.granted_release + supported(register, account, stage)
    if not 0 < amount <= available:
        check.fail("released_without_ground", event.record, f"<= {available}", amount)
    stage.granted_release = max(0, stage.granted_release - amount)
    stage.released += amount
    account.released += amount
    _bank_line(register, account, event, "released", args["paymentId"])
    register.executed[account.bank, args["paymentId"]] = Executed(account.id, args["stage"], False, amount)
    return account


def _refunded(register: Register, event: Event) -> Account:
    account, stage = _stage(register, event)
    args, check = event.args, register.report.check("entrusted")
    amount = args["amount"]
    available = stage.granted_refund
    if event.timestamp >= stage.deadline:
        available += stage.free - supported(register, account, stage)
    if not 0 < amount <= available:
        check.fail("refunded_without_ground", event.record, f"<= {available}", amount)
    stage.granted_refund = max(0, stage.granted_refund - amount)
    stage.refunded += amount
    account.refunded += amount
    _bank_line(register, account, event, "refunded", args["paymentId"])
    register.executed[account.bank, args["paymentId"]] = Executed(account.id, args["stage"], True, amount)
    return account


def _returned(register: Register, event: Event) -> Account:
    """A payment came back: a release is held from then on, a refund is owed back again."""
    account, stage = _stage(register, event)
    args, check = event.args, register.report.check("entrusted")
    paid = register.executed.get((account.bank, args["paymentId"]))
    if paid is None or (paid.account, paid.stage) != (account.id, args["stage"]):
        check.fail("unknown_payment", event.record, "a payment of this stage", args["paymentId"])
        return account
    if not 0 < args["amount"] <= paid.left:
        check.fail("returned_amount", event.record, f"<= {paid.left}", args["amount"])
    paid.left -= args["amount"]
    if paid.is_refund:
        stage.refunded -= args["amount"]
        account.refunded -= args["amount"]
        stage.granted_refund += args["amount"]
    else:
        stage.released -= args["amount"]
        account.released -= args["amount"]
        stage.disputed += args["amount"]
    register.use_reference("EntrustedAccounts", account.bank, args["bankReference"], event.record)
    register.bank_lines.append(
        BankLine(
            event.record,
            "returned",
            args["bankReference"],
            args["paymentId"],
            args["amount"],
            account.currency,
            account.id,
        )
    )
    return account


def _disputed(register: Register, event: Event) -> Account:
    account, stage = _stage(register, event)
    args, check = event.args, register.report.check("entrusted")
    if args["by"] not in (account.payer, account.beneficiary, stage.payee):
        check.fail("not_party", event.record, "payer, beneficiary or payee", args["by"])
    if not 0 < args["amount"] <= stage.free:
        check.fail("disputed_amount", event.record, f"<= {stage.free}", args["amount"])
    stage.disputed += args["amount"]
    return account


def _resolved(register: Register, event: Event) -> Account:
    account, stage = _stage(register, event)
    args, check = event.args, register.report.check("entrusted")
    total = args["toRelease"] + args["toRefund"]
    if not 0 < total <= stage.disputed:
        check.fail("disputed_amount", event.record, f"<= {stage.disputed}", total)
    stage.disputed -= total
    stage.granted_release += args["toRelease"]
    stage.denied_support += min(args["toRefund"], supported(register, account, stage))
    stage.granted_refund += args["toRefund"]
    return account


_HANDLERS: Mapping[str, Callable[[Register, Event], Account]] = {
    "Opened": _opened,
    "StageSet": _stage_set,
    "DutyGiven": _duty_given,
    "FundsLocked": _locked,
    "EvidenceAttested": _supports(ATTESTS, "attestor"),
    "ReleaseApproved": _supports(APPROVES, "approver"),
    "ReleaseExecuted": _released,
    "RefundExecuted": _refunded,
    "PaymentReturned": _returned,
    "Disputed": _disputed,
    "DisputeResolved": _resolved,
}
