"""Carrying out requests once: the outer command of the faces around the rooms' own."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from scf.api import acts
from scf.api.access import Caller
from scf.api.act_kinds import Ready, SignedAct
from scf.api.messages import read_message
from scf.app import App
from scf.desk.service import Prepared
from scf.kernel.problems import Problem
from scf.ledger.signing import sign_digest
from scf.receivables.service import plain
from scf.store import commands

KEY_CHARACTERS = 100
"""Longest Idempotency-Key; what is stored carries a short prefix."""


def check_key(key: str | None) -> str:
    """The caller's Idempotency-Key. Raises Problem `idempotency_key_missing`."""
    if key is None or not 0 < len(key.strip()) <= KEY_CHARACTERS or not key.isprintable() or key != key.strip():
        raise Problem("idempotency_key_missing")
    return key


def carry_out(
    app: App,
    caller: Caller,
    key: str,
    body: Mapping[str, Any],
    work: Callable[[dict[str, Any]], Mapping[str, Any]],
    *,
    plan: Callable[[], Mapping[str, Any]] | None = None,
) -> dict[str, Any]:
    """Do `work` once for this key and answer the same each time; `plan` is made once and given to `work`.

    Raises Problem `idempotency_conflict` for another body under the same key.
    """
    with app.reading() as session:
        known = session.get(commands.Command, (caller.key, key)) is not None
    made = dict(plan()) if plan is not None and not known else {}
    started = commands.begin(app.engine, key, caller.key, body, prepare=lambda session: made, at=app.clock.now())
    if isinstance(started, commands.Replied):
        return started.reply
    return commands.finish(app.engine, key, caller.key, work(started.plan))


def sign_with_demo_keys(
    app: App, prepared_signers: list[str], digest: bytes, caller: Caller | None = None
) -> list[list[bytes]]:
    """Signature parts of each signer by the demo keys, for an account of two keys only the caller's own.

    Raises Problem `demo_only`, and `demo_two_people` where such an account itself asks: two people sign for it.
    """
    if not app.settings.demo:
        raise Problem("demo_only")
    from scf.demo.cast import demo_signers  # the cast exists only in demo installations

    signed = []
    for who in prepared_signers:
        pairs = demo_signers(app, who)
        if caller is not None and len(pairs) > 1:
            pairs = [pair for pair in pairs if pair.address == caller.address]
            if not pairs:
                raise Problem("demo_two_people")
        signed.append([sign_digest(pair.private, digest) for pair in pairs])
    return signed


def demo_act(app: App, caller: Caller, act: SignedAct, body: Any, key: str) -> dict[str, Any]:
    """Prepare, sign with the demo keys and send, once. Raises Problem `demo_only` and what the room raises."""
    if not app.settings.demo:
        raise Problem("demo_only")

    def plan() -> Mapping[str, Any]:
        ready = acts.prepare(app, caller, act, body)
        return stored(ready)

    def work(kept: dict[str, Any]) -> Mapping[str, Any]:
        return send_stored(app, caller, act, kept, key)

    request = {"act": act.name, "demo": True, "body": body.model_dump(mode="json")}
    return carry_out(app, caller, key, request, work, plan=plan)


def stored(ready: Ready) -> dict[str, Any]:
    """What of a prepared act is kept between showing and signing."""
    return {
        "message": ready.prepared.typed_data["message"],
        "signers": list(ready.prepared.signers),
        "digest": ready.prepared.digest.hex(),
        "context": ready.context,
    }


def send_stored(app: App, caller: Caller, act: SignedAct, kept: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """Sign a kept act with the demo keys and send it."""
    signatures = sign_with_demo_keys(app, list(kept["signers"]), bytes.fromhex(kept["digest"]), caller)
    message = read_message(act.contract, act.primary_type, kept["message"])
    return acts.submit(app, caller, act, message, signatures, kept["context"], f"in:{key}")


def show_prepared(app: App, ready: Ready) -> dict[str, Any]:
    """What a caller gets to sign."""
    prepared: Prepared = ready.prepared
    with app.reading() as session:
        names = app.parties.names(session)
    shown: dict[str, Any] = {
        "act": prepared.act,
        "typed_data": prepared.typed_data,
        "message": json.loads(json.dumps(plain(prepared.typed_data["message"]))),
        "digest": "0x" + prepared.digest.hex(),
        "signers": [{"address": who, "name": names.get(who, who)} for who in prepared.signers],
        "summary": prepared.summary,
        "context": ready.context,
    }
    if ready.price is not None:
        shown["price"] = acts.price_of(ready.price)
    return shown
