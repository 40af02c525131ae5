"""The acts of the platform by name: what each asks for, how it is prepared, and which door carries it.

Signed acts go `prepare` → signature → `submit`. The few that need no signature (asking for a price, registering, what
anyone may trigger) are done at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from sqlmodel import Session

from scf.api import acts_entrusted, acts_financing, acts_receivables, shapes
from scf.api.access import Caller
from scf.api.act_kinds import Message, PlainAct, Ready, Signatures, SignedAct, subject_of
from scf.api.policy import require_signer
from scf.app import App
from scf.financing.price import Price
from scf.kernel.problems import Problem

SIGNED: dict[str, SignedAct] = {
    act.name: act for act in (*acts_receivables.SIGNED, *acts_financing.SIGNED, *acts_entrusted.SIGNED)
}
"""Signed acts by name."""

PLAIN: dict[str, PlainAct] = {act.name: act for act in (*acts_financing.PLAIN, *acts_receivables.PLAIN)}
"""Acts without a signature, by name."""


STAYS_OPEN_ON_HOLD = frozenset(
    {"refuse", "withdraw", "dispute", "resolve", "urgent", "register", "lapse", "reclaim", "settle"}
)
"""What a firm on the blacklist may still do: keep what is its own safe, and let be done what nobody has to sign."""


def refuse_on_hold(app: App, session: Session, caller: Caller, name: str) -> None:
    """Say at once what the ledger would say at the end: a firm on the blacklist does no such act.

    Raises Problem `firm_on_hold`.
    """
    if name not in STAYS_OPEN_ON_HOLD and app.lists.is_held(session, caller.organisation_id):
        raise Problem("firm_on_hold")


def prepare(app: App, caller: Caller, act: SignedAct, body: Any) -> Ready:
    """Typed data for an act the caller is a party of; who is none learns nothing of what the act is about.

    Raises Problem `not_your_act`, `firm_on_hold` and what the room raises.
    """
    with app.reading() as session:
        require_signer(caller, act.name, act.signers(app, session, subject_of(caller, body)))
        refuse_on_hold(app, session, caller, act.name)
    ready = act.prepare(app, caller, body)
    require_signer(caller, act.name, ready.prepared.signers)
    return ready


def submit(
    app: App,
    caller: Caller,
    act: SignedAct,
    message: Message,
    signatures: Signatures,
    context: Mapping[str, Any],
    key: str,
) -> Mapping[str, Any]:
    """Carry a signed act to its room, once. Raises Problem `not_your_act` and what the room raises."""
    with app.reading() as session:
        signers = act.signers(app, session, message)
        require_signer(caller, act.name, signers)
    return act.submit(app, message, signatures, context, key, caller.key)


def price_of(figures: Price) -> dict[str, Any]:
    """Every figure of a price as answers show it."""
    raw = asdict(figures)
    money = ("face", "discount", "fees", "net")
    shown: dict[str, Any] = {name: shapes.amount(raw[f"{name}_minor"], figures.currency) for name in money}
    shown["fee_list"] = [
        {"code": fee.code, "payee": fee.payee, "amount": shapes.amount(fee.amount_minor, figures.currency)}
        for fee in figures.fees
    ]
    for name in ("rate_ppm", "apr_ppm", "effective_ppm", "days", "basis_days"):
        shown[name] = raw[name]
    for name in ("funded_on", "due_on", "pays_on"):
        shown[name] = raw[name].isoformat()
    return shown
