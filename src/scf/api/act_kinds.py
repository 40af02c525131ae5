"""What an act is to the faces: its body, its preparation, its signers and the door that carries it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel
from sqlmodel import Session

from scf.api import shapes
from scf.api.access import Caller
from scf.app import App
from scf.desk.service import Prepared
from scf.financing.price import Price

Message = Mapping[str, Any]
Signatures = Sequence[Sequence[bytes]]


@dataclass(frozen=True, slots=True)
class Ready:
    """A prepared act with what else the caller must see or send back."""

    prepared: Prepared
    context: dict[str, Any] = field(default_factory=dict)
    price: Price | None = None


@dataclass(frozen=True, slots=True)
class SignedAct:
    """One signed act: its body, how to prepare it, how many sign apart, who signs, and the door that carries it."""

    name: str
    title: str
    contract: str
    primary_type: str
    body: type[BaseModel]
    prepare: Callable[[App, Caller, Any], Ready]
    signers: Callable[[App, Session, Message], Sequence[str]]
    submit: Callable[[App, Message, Signatures, Mapping[str, Any], str, str], Mapping[str, Any]]
    example: Mapping[str, Any]
    signer_count: int = 1


@dataclass(frozen=True, slots=True)
class PlainAct:
    """An act without a signature. `run` must be safe to repeat."""

    name: str
    title: str
    body: type[BaseModel]
    run: Callable[[App, Caller, Any], Mapping[str, Any]]
    example: Mapping[str, Any]


def by_field(name: str) -> Callable[[App, Session, Message], Sequence[str]]:
    """Signed by the address a field of the message names."""
    return lambda app, session, message: (str(message[name]),)


def subject_of(caller: Caller, body: Any) -> Message:
    """What a request is about, named as in the message that will be signed: enough to tell who must sign it."""
    given = body.model_dump()
    found: dict[str, Any] = {name: given[name] for name in _PARTIES if name in given}
    for name in _OWN:
        if name in given:
            found[name] = given[name] or caller.address
    if "note" in given:
        found["noteId"] = found["parentId"] = found["massId"] = int(given["note"], 16)
    for name, signed in _NUMBERS.items():
        if name in given:
            found[signed] = given[name]
    if "quote" in given:
        found["quoteHash"] = given["quote"].lower()
    return found


_PARTIES = ("obligor", "financier", "payer", "beneficiary")
_OWN = ("attestor", "approver", "by", "to")
_NUMBERS = {"receivable": "receivableId", "account": "accountId"}
MONEY_EXAMPLE = {"minor": "50000000", "currency": "CNY"}
NOTE_EXAMPLE = {"note": shapes.NOTE}
