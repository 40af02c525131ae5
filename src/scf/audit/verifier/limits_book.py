"""What obligors, their groups and financiers have used of their limits, counted again from the events.

A group's use is the sum of its members' debts in one currency; a financier's, the notes locked for it or bought by it,
until they are paid, passed on to another house, or given back.
"""

from __future__ import annotations

from .register import FINANCED, LOCKED, Event, Member, Note, Receivable, Register
from .report import Check

NO_LIMIT = 2**64 - 1
MAX_GROUP = 64


def owe(register: Register, event: Event, obligor: Member, receivable: Receivable) -> None:
    """An obligor promised: within its own limit and its group's."""
    check, code = register.report.check("terms"), receivable.currency
    if not obligor.used:
        obligor.currency = code
    obligor.used += receivable.face
    obligor.debts[code] = obligor.debts.get(code, 0) + receivable.face
    _require(check, "over_limit", event, obligor.used, obligor.limit)
    if obligor.group:
        owed = sum(register.members[one].debts.get(code, 0) for one in register.groups[obligor.group])
        limit = register.group_limits.get((obligor.group, code), NO_LIMIT)
        _require(check, "over_group_limit", event, owed, limit)


def pay(obligor: Member, receivable: Receivable, amount: int, *, was_reported: bool = False) -> None:
    """A part of a debt was paid or cancelled."""
    obligor.used -= amount
    obligor.debts[receivable.currency] = obligor.debts.get(receivable.currency, 0) - amount
    obligor.overdue -= was_reported


def buy(register: Register, event: Event, financier: bytes, receivable: Receivable, amount: int) -> None:
    """A note is locked for a financier: within its limit."""
    key = (financier, receivable.currency)
    register.bought[key] = register.bought.get(key, 0) + amount
    limit = register.financier_limits.get(key, NO_LIMIT)
    _require(register.report.check("financing"), "over_financier_limit", event, register.bought[key], limit)


def give_back(register: Register, parent: Note, receivable: Receivable, amount: int) -> None:
    """What was passed on comes back: to a note that was bought, whatever the limit is by now."""
    if parent.flags & FINANCED:
        key = (parent.holder, receivable.currency)
        register.bought[key] = register.bought.get(key, 0) + amount


def sell(register: Register, note: Note, receivable: Receivable, amount: int) -> None:
    """An amount leaves a note that was bought or locked; any other counts for no financier."""
    if note.flags & (FINANCED | LOCKED):
        key = (note.holder, receivable.currency)
        register.bought[key] = register.bought.get(key, 0) - amount


def set_group(register: Register, event: Event) -> None:
    """An obligor joins a group, changes it, or leaves (0), with all it owes."""
    check, args = register.report.check("members"), event.args
    member, group = register.members[args["obligor"]], args["group"]
    left = register.groups.get(member.group, [])
    if member.address in left:  # the last takes the place of the one that leaves, as in the contract
        left[left.index(member.address)] = left[-1]
        left.pop()
    member.group = group
    if group:
        register.groups.setdefault(group, []).append(member.address)
        check.expect("group_full", event.record, True, len(register.groups[group]) <= MAX_GROUP)


def set_limit(register: Register, event: Event) -> None:
    """Another limit of a group or a financier in one currency."""
    args = event.args
    if event.name == "GroupLimitSet":
        register.group_limits[args["group"], args["currency"]] = args["limit"]
    else:
        register.financier_limits[args["financier"], args["currency"]] = args["limit"]


def _require(check: Check, key: str, event: Event, used: int, limit: int) -> None:
    if used > limit:
        check.fail(key, event.record, f"<= {limit}", used)
