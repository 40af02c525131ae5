"""Members: what their events change, and the acts that lead to them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from .acts import Context, Expected, Steps
from .authority import constructor_tail
from .limits_book import set_group
from .limits_book import set_limit as keep_limit
from .register import BLACKLISTED, HALTED, OBLIGOR, SUSPENDED, ZERO, Event, Member, Register, address_text

_ENROLLED = ("member", "key", "organisation", "roles", "limit", "payingBank", "identity")


def apply(register: Register, event: Event) -> None:
    """Change the register by one event of `Members`."""
    check = register.report.check("members")
    check.count()
    args = event.args
    if event.name == "Enrolled":
        _enrol(register, event)
    elif event.name == "OperatorsSet":
        operators = tuple(args["operators"])
        if len(set(operators)) != len(operators) or not 2 <= args["threshold"] <= len(operators):
            check.fail("operators", event.record, "2 or more of distinct operators", args["threshold"])
        register.operators, register.threshold = operators, args["threshold"]
    elif event.name == "Connected":
        register.connected.append(args["target"])
    elif event.name in ("GroupLimitSet", "FinancierLimitSet"):
        keep_limit(register, event)
    else:
        _change(register, event)


def _enrol(register: Register, event: Event) -> None:
    check, args = register.report.check("members"), event.args
    known = register.members.get(args["member"])
    if args["roles"] == 0 or ZERO in (args["member"], args["key"]) or args["organisation"] == 0:
        check.fail("enrolment", event.record, "member, key, organisation and a role", address_text(args["member"]))
    if not args["roles"] & OBLIGOR and (args["limit"] or args["payingBank"] != ZERO):
        check.fail("enrolment", event.record, "no limit without the obligor's role", args["limit"])
    if known is None:
        holder = register.keys.get(args["key"])
        if holder is not None:
            check.fail("key_taken", event.record, address_text(holder), args["key"])
        register.keys[args["key"]] = args["member"]
    elif known.key != args["key"]:
        check.fail("key_changed", event.record, known.key, args["key"])
    elif known.paying_bank not in (ZERO, args["payingBank"]):
        check.fail("paying_bank_changed", event.record, address_text(known.paying_bank), args["payingBank"])
    now = {
        "key": args["key"],
        "organisation": args["organisation"],
        "roles": args["roles"],
        "limit": args["limit"],
        "paying_bank": args["payingBank"],
    }
    register.members[args["member"]] = replace(known, **now) if known else Member(address=args["member"], **now)


def _change(register: Register, event: Event) -> None:
    check, args = register.report.check("members"), event.args
    who = args.get("member", args.get("obligor"))
    member = register.members.get(who) if who is not None else None
    if member is None:
        check.fail("unknown_member", event.record, "a member", who or b"")
        return
    if event.name == "StandingSet":
        if args["standing"] & ~(SUSPENDED | BLACKLISTED | HALTED) or (args["standing"] ^ member.standing) & HALTED:
            check.fail("standing", event.record, member.standing & HALTED, args["standing"])
        member.standing = args["standing"]
    elif event.name == "LimitSet":
        member.limit = args["limit"]
    elif event.name == "GroupSet":
        set_group(register, event)
    elif event.name == "PayingBankSet":
        member.paying_bank = args["payingBank"]
    elif event.name == "Halted":
        member.standing |= HALTED
        if args["receivableId"]:
            register.receivables[args["receivableId"]].overdue_reported = True
            member.overdue += 1
    elif event.name == "Cured":
        if not member.standing & HALTED:
            check.fail("standing", event.record, "halted", "not halted")
        member.standing &= ~HALTED
    elif event.name == "KeyRotated":
        if args["oldKey"] != member.key:
            check.fail("key_changed", event.record, member.key, args["oldKey"])
        holder = register.keys.get(args["newKey"])
        if holder is not None:
            check.fail("key_taken", event.record, address_text(holder), args["newKey"])
        register.keys.pop(member.key, None)
        register.keys[args["newKey"]] = member.address
        member.key = args["newKey"]


def creation(context: Context) -> Steps:
    """The constructor names the operators; they stand at the end of the creation code."""
    event = yield Expected("OperatorsSet", {})
    if event is None:
        return
    tail = constructor_tail(event.args["operators"], event.args["threshold"])
    if not context.args["creation"].endswith(tail):
        context.register.report.check("acts").fail("event_differs", context.record, "the constructor's operators", tail)


def _plain(args: Any) -> dict[str, Any]:
    return {name: value for name, value in args.items() if name != "signatures"}


def enrol(context: Context) -> Steps:
    """Enrol one member."""
    context.quorum("Enrol", {"e": context.args["e"]})
    yield Expected("Enrolled", {name: context.args["e"][name] for name in _ENROLLED})


def enrol_many(context: Context) -> Steps:
    """Enrol several members."""
    context.quorum("EnrolMany", {"e": context.args["e"]})
    for entry in context.args["e"]:
        yield Expected("Enrolled", {name: entry[name] for name in _ENROLLED})


def set_standing(context: Context) -> Steps:
    """Suspend, blacklist or restore."""
    args = _plain(context.args)
    context.quorum("SetStanding", args)
    halted = context.register.members[args["member"]].standing & HALTED
    yield Expected("StandingSet", {**args, "standing": args["standing"] | halted})


def set_limit(context: Context) -> Steps:
    """Set an obligor's ceiling."""
    context.quorum("SetLimit", _plain(context.args))
    yield Expected("LimitSet", _plain(context.args))


def put_in_group(context: Context) -> Steps:
    """Say which group an obligor belongs to."""
    context.quorum("SetGroup", _plain(context.args))
    yield Expected("GroupSet", _plain(context.args))


def set_group_limit(context: Context) -> Steps:
    """Set the ceiling of a group's debt in one currency."""
    context.quorum("SetGroupLimit", _plain(context.args))
    yield Expected("GroupLimitSet", _plain(context.args))


def set_financier_limit(context: Context) -> Steps:
    """Set the ceiling of what a financier may have bought in one currency."""
    context.quorum("SetFinancierLimit", _plain(context.args))
    yield Expected("FinancierLimitSet", _plain(context.args))


def set_paying_bank(context: Context) -> Steps:
    """Name the bank that attests an obligor's payments; one in office agrees, or the obligor where it is stopped."""
    register, args = context.register, {name: context.args[name] for name in ("obligor", "payingBank")}
    signed = {**args, "nonce": register.quorum_nonces.get(context.contract, 0)}
    context.quorum("SetPayingBank", args)
    obligor = register.members.get(args["obligor"])
    if obligor is not None and obligor.paying_bank != ZERO:
        bank = register.members.get(obligor.paying_bank)
        asked = bank if bank is not None and not bank.standing & (SUSPENDED | BLACKLISTED) else obligor
        context.signed("SetPayingBank", signed, asked.key, context.args["consent"], "consent")
    yield Expected("PayingBankSet", args)


def halt(context: Context) -> Steps:
    """Stop an obligor's new issues."""
    context.quorum("Halt", _plain(context.args))
    yield Expected("Halted", {**_plain(context.args), "receivableId": 0})


def cure(context: Context) -> Steps:
    """Lift a halt."""
    context.quorum("Cure", _plain(context.args))
    yield Expected("Cured", _plain(context.args))


def connect(context: Context) -> Steps:
    """Connect a contract."""
    context.quorum("Connect", _plain(context.args))
    yield Expected("Connected", _plain(context.args))


def set_operators(context: Context) -> Steps:
    """Replace the operators."""
    context.quorum("SetOperators", _plain(context.args))
    yield Expected("OperatorsSet", _plain(context.args))


def rotate_key(context: Context) -> Steps:
    """Replace a member's key; both keys sign."""
    args = context.args
    values = {name: args[name] for name in ("member", "newKey", "deadline")}
    old = context.register.key_of(args["member"])
    context.signed("RotateKey", values, old, args["oldSignature"], "old key")
    context.signed("RotateKey", values, args["newKey"], args["newSignature"], "new key")
    yield Expected("KeyRotated", {"member": args["member"], "oldKey": old, "newKey": args["newKey"]})


def halt_overdue(context: Context) -> Steps:
    """Anyone reports an unpaid receivable after its maturity."""
    register, id_ = context.register, context.args["receivableId"]
    receivable = register.receivables[id_]
    if context.timestamp <= receivable.maturity or not receivable.outstanding:
        register.report.check("acts").fail("not_overdue", context.record, receivable.maturity, context.timestamp)
    yield Expected("Halted", {"obligor": receivable.obligor, "receivableId": id_, "reason": b"\0" * 32})


ACTS = {
    "enrol": enrol,
    "enrolMany": enrol_many,
    "setStanding": set_standing,
    "setLimit": set_limit,
    "setGroup": put_in_group,
    "setGroupLimit": set_group_limit,
    "setFinancierLimit": set_financier_limit,
    "setPayingBank": set_paying_bank,
    "halt": halt,
    "cure": cure,
    "connect": connect,
    "setOperators": set_operators,
    "rotateKey": rotate_key,
    "haltOverdue": halt_overdue,
}
