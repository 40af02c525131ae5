"""Signing on pages: what to take to one's own key as EIP-712 documents, and the signatures brought back.

With demo keys the server signs; everybody else downloads the documents (or lets the wallet of the browser read them),
signs where the key is, and pastes one signature a line. Several acts at once are read once, and how they were read is
signed with them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlmodel import Session
from starlette.datastructures import FormData

from scf.api import acts
from scf.api.access import Caller
from scf.api.messages import read_message
from scf.app import App
from scf.desk.service import Prepared
from scf.kernel.problems import Problem
from scf.ledger.hashing import keccak
from scf.ledger.intents import digest, typed_data
from scf.ledger.signing import recover_digest, sign_digest
from scf.ledger.statements import Statement, statement
from scf.parties.models import Member
from scf.receivables.service import plain
from scf.store import evidence
from scf.store.commands import canonical_json
from scf.store.evidence import Trust
from scf.web.reading import check_read, record_of

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Signatures:
    """One person's signatures over several acts, and the signed statement of how they were read."""

    digests: tuple[bytes, ...]
    acts: tuple[bytes, ...]
    reading: Statement
    over_reading: bytes


def is_person(app: App, caller: Caller) -> bool:
    """Whether one key signs for this seat; a firm's two-key account is no person."""
    if not app.settings.demo:
        return True
    from scf.demo.cast import demo_signers  # the cast exists only in demo installations

    return len(demo_signers(app, caller.address)) == 1


def kept_act(prepared: Prepared, minor: int, currency: str) -> Json:
    """A prepared act as it travels in a sealed form."""
    return {
        "act": prepared.act,
        "contract": prepared.contract,
        "primary_type": prepared.primary_type,
        "message": plain(prepared.typed_data["message"]),
        "signers": list(prepared.signers),
        "summary": prepared.summary,
        "digest": prepared.digest.hex(),
        "minor": str(minor),
        "currency": currency,
    }


def prepared_act(app: App, kept: Mapping[str, Any]) -> Prepared:
    """The act of a sealed form as it was prepared. Raises Problem `ledger_bad_message`."""
    message = read_message(kept["contract"], kept["primary_type"], kept["message"])
    return Prepared(
        act=kept["act"],
        contract=kept["contract"],
        primary_type=kept["primary_type"],
        message=message,
        signers=tuple(kept["signers"]),
        summary=dict(kept["summary"]),
        typed_data={},
        digest=digest(app.contracts, kept["contract"], kept["primary_type"], message),
    )


def sign_read(app: App, caller: Caller, content: Json, form: FormData, *, speed: float) -> Signatures | None:
    """Check what was read of several acts and take this person's signatures over them and over the reading.

    None when the reading is confirmed and the signatures have to be asked for now: `content` then carries it. Raises
    Problem `clauses_not_confirmed`, `confirmed_too_fast`, `person_needed`, `signatures_missing`, `signature_not_hex`
    or `signature_not_theirs`.
    """
    if not is_person(app, caller):
        raise Problem("person_needed", caller=caller.name)
    if "read" not in content:
        check_read(content, form, speed)
        content["read"] = record_of(content, form, caller)
        if not app.settings.demo:
            return None
    digests = [bytes.fromhex(one["digest"]) for one in content["acts"]]
    reading = reading_statement(app, content)
    *parts, last = signatures_of(app, caller, [*digests, reading.digest], form)
    with app.reading() as session:
        member = session.get(Member, caller.address)
    if recover_digest(reading.digest, last) != (member.key if member else caller.address):
        raise Problem("signature_not_theirs", who=caller.name)
    return Signatures(tuple(digests), tuple(parts), reading, last)


def signatures_of(app: App, caller: Caller, digests: Sequence[bytes], form: FormData) -> list[bytes]:
    """This person's signature over each digest: made with the demo key, or given on the form, one a line.

    Raises Problem `person_needed`, `signatures_missing` or `signature_not_hex`.
    """
    if app.settings.demo:
        from scf.demo.cast import demo_signers  # the cast exists only in demo installations

        key = demo_signers(app, caller.address)[0]
        return [sign_digest(key.private, one) for one in digests]
    given = pasted(form)
    if len(given) != len(digests):
        raise Problem("signatures_missing", act="sign", needed=len(digests), given=len(given))
    return given


def pasted(form: FormData) -> list[bytes]:
    """Signatures pasted on a form, one a line. Raises Problem `signature_not_hex`."""
    try:
        return [bytes.fromhex(text.removeprefix("0x")) for text in str(form.get("signatures") or "").split()]
    except ValueError as error:
        raise Problem("signature_not_hex") from error


def reading_statement(app: App, content: Mapping[str, Any]) -> Statement:
    """What a person signs beside several acts: the hash of how they were read, tied to exactly these acts."""
    digests = b"".join(bytes.fromhex(one["digest"]) for one in content["acts"])
    record = keccak(canonical_json(content["read"]))
    message = {"reading": "0x" + record.hex(), "acts": "0x" + keccak(digests).hex()}
    return statement(app.contracts.chain_id, "Reading", message)


def keep_signed_reading(
    session: Session, app: App, caller: Caller, content: Mapping[str, Any], made: Signatures
) -> None:
    """File how several acts were read as evidence, with the digests it was signed for and the signature."""
    facts = {
        "reading": content["read"],
        "signed_digests": [one.hex() for one in made.digests],
        "statement": made.reading.typed_data,
        "signature": made.over_reading.hex(),
    }
    evidence.record(
        session,
        canonical_json(facts),
        kind="reading",
        source="pages",
        sender=caller.name,
        trust=Trust.T2,
        received_at=app.clock.now(),
        name=f"reading-{made.reading.digest.hex()[:12]}.json",
    )


def documents_of(app: App, content: Mapping[str, Any]) -> list[Json]:
    """The EIP-712 documents behind a sealed form, in the order in which signatures are asked for."""
    found = [
        typed_data(
            app.contracts,
            one["contract"],
            one["primary_type"],
            read_message(one["contract"], one["primary_type"], one["message"]),
        )
        for one in content.get("acts", ())
    ]
    if found:
        return [*found, reading_statement(app, content).typed_data] if "read" in content else found
    if "statement" in content:
        said = content["statement"]
        return [statement(app.contracts.chain_id, said["primary_type"], said["message"]).typed_data]
    act = acts.SIGNED[str(content["act"])]
    message = read_message(act.contract, act.primary_type, content["kept"]["message"])
    return [typed_data(app.contracts, act.contract, act.primary_type, message)]


def signing_file(app: App, content: Mapping[str, Any]) -> bytes:
    """Those documents as a file for `scf keys sign` or any wallet that signs typed data."""
    return json.dumps({"documents": documents_of(app, content)}, ensure_ascii=False, indent=1).encode()
