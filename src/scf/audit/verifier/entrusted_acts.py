"""The acts on entrusted accounts: who signed, and which events follow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .acts import Act, Context, Expected, Steps
from .authority import people
from .entrusted_book import APPROVES, ATTESTS, check_opening
from .interface import INTENTS

_SIGNATURES = ("signature", "bankSignature", "payerSignature", "beneficiarySignature", "signatures")


def _values(args: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in args.items() if name not in _SIGNATURES}


def _said(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name != "deadline"}


def _once(context: Context, intent: str, values: Mapping[str, Any]) -> None:
    """An act that has no natural counter is kept by its hash and works once."""
    used = context.register.used_acts
    signed = INTENTS[intent].struct_hash(values)
    context.register.report.check("acts").expect("act_twice", context.record, False, signed in used)
    used.add(signed)


def _different_people(context: Context) -> None:
    """Nobody's signature counts for both sides."""
    sides = [people(context.args[name]) for name in ("payerSignature", "beneficiarySignature")]
    for twice in set(sides[0]) & set(sides[1]):
        context.register.report.check("signatures").fail("counted_twice", context.record, "other people", twice)


def open_account(context: Context) -> Steps:
    """Payer and beneficiary open an account."""
    register, opening = context.register, context.args["opening"]
    _once(context, "Opening", opening)
    for who, signature in (("payer", "payerSignature"), ("beneficiary", "beneficiarySignature")):
        context.signed("Opening", opening, register.key_of(opening[who]), context.args[signature], who)
    _different_people(context)
    account_id = len(register.accounts) + 1
    amount = sum(stage["amount"] for stage in opening["stages"])
    names = ("payer", "beneficiary", "bank", "currency", "account", "purpose", "consent")
    yield Expected("Opened", {"accountId": account_id, "amount": amount, **{name: opening[name] for name in names}})
    for number, stage in enumerate(opening["stages"]):
        yield Expected("StageSet", {"accountId": account_id, "stage": number, **stage})
    for duty, given in ((ATTESTS, opening["attestors"]), (APPROVES, opening["approvers"])):
        for who in given:
            yield Expected("DutyGiven", {"accountId": account_id, "who": who, "duty": duty})
    check_opening(register, register.accounts[account_id], context.record)


def _by_bank(intent: str, event: str) -> Act:
    def act(context: Context) -> Steps:
        values = _values(context.args)
        bank = context.register.accounts[values["accountId"]].bank
        context.signed(intent, values, context.register.key_of(bank), context.args["bankSignature"], "bank")
        yield Expected(event, _said(values))

    return act


def _by_named(intent: str, event: str, who: str, *, once: bool = False) -> Act:
    def act(context: Context) -> Steps:
        values = _values(context.args)
        if once:
            _once(context, intent, values)
        context.signed(intent, values, context.register.key_of(values[who]), context.args["signature"], who)
        yield Expected(event, _said(values))

    return act


def resolve(context: Context) -> Steps:
    """Payer and beneficiary agree after a dispute."""
    register, values = context.register, _values(context.args)
    account = register.accounts[values["accountId"]]
    _once(context, "Resolve", values)
    context.signed("Resolve", values, register.key_of(account.payer), context.args["payerSignature"], "payer")
    context.signed(
        "Resolve", values, register.key_of(account.beneficiary), context.args["beneficiarySignature"], "beneficiary"
    )
    _different_people(context)
    yield Expected("DisputeResolved", _said(values))


def resolve_by_quorum(context: Context) -> Steps:
    """The operators carry out what a court or arbiter decided."""
    values = _values(context.args)
    context.quorum("ResolveByQuorum", values)
    yield Expected("DisputeResolved", values)


ACTS: Mapping[str, Act] = {
    "open": open_account,
    "confirmLocked": _by_bank("ConfirmLocked", "FundsLocked"),
    "attest": _by_named("Attest", "EvidenceAttested", "attestor"),
    "approve": _by_named("Approve", "ReleaseApproved", "approver"),
    "confirmReleased": _by_bank("ConfirmReleased", "ReleaseExecuted"),
    "confirmRefunded": _by_bank("ConfirmRefunded", "RefundExecuted"),
    "confirmReturned": _by_bank("ConfirmReturned", "PaymentReturned"),
    "dispute": _by_named("Dispute", "Disputed", "by", once=True),
    "resolve": resolve,
    "resolveByQuorum": resolve_by_quorum,
}
