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


MONEY_EXAMPLE = {"minor": "50000000", "currency": "CNY"}
NOTE_EXAMPLE = {"note": shapes.NOTE}
