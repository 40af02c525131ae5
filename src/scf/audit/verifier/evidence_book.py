"""Heads of the evidence log as anchored, and the act that anchors one."""

from __future__ import annotations

from .acts import Context, Expected, Steps
from .register import Event, Register

_MOST_AT_ONCE = 2**32 - 1
"""Growth one head may say, so that none uses up the numbers of the ones after it."""


def apply(register: Register, event: Event) -> None:
    """Note an anchored head; each names the one it extends and grows."""
    check, args = register.report.check("anchors"), event.args
    check.count()
    before = register.heads[-1][0] if register.heads else 0
    if args["previousSize"] != before:
        check.fail("anchor_previous", event.record, before, args["previousSize"])
    if not before < args["size"] <= before + _MOST_AT_ONCE:
        check.fail("anchor_size", event.record, f"{before + 1}…{before + _MOST_AT_ONCE}", args["size"])
    if args["operator"] not in register.operators:
        check.fail("anchor_operator", event.record, "an operator", args["operator"])
    register.heads.append((args["size"], args["root"], event.record))
    register.anchored_at = event.timestamp


def anchor(context: Context) -> Steps:
    """An operator anchors a head."""
    args = context.args
    values = {name: value for name, value in args.items() if name != "signature"}
    context.signed("Anchor", values, args["operator"], args["signature"], "operator")
    yield Expected("Anchored", {name: args[name] for name in ("size", "root", "operator", "previousSize")})


ACTS = {"anchor": anchor}
