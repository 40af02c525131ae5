"""Facts: what somebody said about an order, normalised to one shape, with who said it and who could have written it.

A fact is small and immutable. References keep their raw text; matching uses `normalise`, which is pure and versioned,
so that a match made years ago can be made again.
"""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from dataclasses import astuple, dataclass, fields
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum
from functools import lru_cache
from typing import Any

from scf.kernel.money import currency as currency_of
from scf.kernel.problems import Problem
from scf.reconciliation.rule import MAX_VALUE

NORMALISATION_VERSION = 1
_EPOCH = date(1970, 1, 1).toordinal()
_DROPPED = re.compile(r"[^A-Z0-9]+")
_LOOKALIKES = str.maketrans("OI", "01")
_WORD = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9/._#-]*[A-Za-z0-9])?")
SHORTEST_WORD = 4
SHORTEST_MENTION = 5
"""A word of a remittance text shorter than this, normalised, proves nothing."""
SHORTEST_NUMBER = 6
_NUMBERS = re.compile(r"[0-9]+")
_PARTY_NOISE = re.compile(r"[\W_]+")


class Kind(StrEnum):
    """What a fact speaks of. `instruction` is a payment we ordered: it only teaches us its end-to-end id."""

    ORDER = "order"
    INSTRUCTION = "instruction"
    DESPATCH = "despatch"
    DELIVERY = "delivery"
    INSPECTION = "inspection"
    INVOICE = "invoice"
    CREDIT_NOTE = "credit_note"
    PAYMENT = "payment"


KIND_ORDER = {kind: place for place, kind in enumerate(Kind)}
"""Facts of one batch are taken in this order, so that the answer does not depend on how a file was sorted."""


@dataclass(frozen=True, slots=True)
class FactLine:
    """One line: item as its buyer or seller names it, quantity in thousandths, price in millionths, amount net."""

    item: str
    quantity_milli: int | None = None
    unit: str | None = None
    price_micro: int | None = None
    amount_minor: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One fact. Quantities in thousandths of `unit`, amounts in minor units, prices in millionths, days since 1970.

    `amount_minor` is net of tax (goods, order, invoice) or what moved (payment, negative for money back);
    `payable_minor` is what an invoice asks for. `key` tells two facts of one source apart that are otherwise alike: a
    bank's transaction id, an event's hash. `applicant_can_write` is True unless the source is known to be out of the
    applicant's hands. `payee` is who is to be paid where an invoice says that it is not its seller. `retracts` names
    the key of an earlier fact of the same source that is hereby withdrawn.
    """

    kind: Kind
    source: str
    trust: int
    evidence_id: str
    day: int
    reference: str | None = None
    order_reference: str | None = None
    despatch_reference: str | None = None
    invoice_references: tuple[str, ...] = ()
    structured_reference: str | None = None
    end_to_end_id: str | None = None
    mentions: tuple[str, ...] = ()
    key: str | None = None
    buyer: str | None = None
    seller: str | None = None
    quantity_milli: int | None = None
    unit: str | None = None
    price_micro: int | None = None
    amount_minor: int | None = None
    payable_minor: int | None = None
    currency: str | None = None
    promised_day: int | None = None
    due_day: int | None = None
    account: str | None = None
    payee: str | None = None
    applicant_can_write: bool = True
    passed: bool | None = None
    retracts: str | None = None
    lines: tuple[FactLine, ...] = ()

    def digest(self) -> str:
        """Digest of what is said, by whom; not of the file it came in: a bank line said twice is one fact."""
        said = {name: value for name, value in _said(self).items() if name not in _NOT_SAID}
        return self._shelved(_json({"normalisation": NORMALISATION_VERSION, **said}))

    def identity(self) -> str | None:
        """Digest of kind, source and own key or reference: a later fact with the same identity replaces this one."""
        own = self.key or self.reference
        if own is None:
            return None
        said = [self.kind.value, self.source, own]
        if self.key is None:  # a number of the firm's own, not of a bank's or an event's: others use it too
            said += [self.order_reference or "", normalise_party(self.buyer) or "", normalise_party(self.seller) or ""]
        return self._shelved(_json(said))

    def _shelved(self, said: str) -> str:
        """208 bits of SHA-256 behind 48 bits of kind and document number.

        Documents come roughly in the order of their numbers, so new keys fall side by side and an index of millions
        takes them as fast as one of thousands; scattered keys touch a page each.
        """
        own = self.key or self.reference or self.end_to_end_id or self.order_reference or ""
        number = max(_NUMBERS.findall(own), key=len, default="0")[-13:]
        place = KIND_ORDER[self.kind] << 44 | int(number)
        return f"{place:012x}" + hashlib.sha256(said.encode()).hexdigest()[:52]


_DEFAULTS = {f.name: f.default for f in fields(Fact)}
_NOT_SAID = {"evidence_id", "trust", "applicant_can_write"}
_TUPLES = ("invoice_references", "mentions")


def to_json(fact: Fact) -> str:
    """The fact as JSON, without what it does not say."""
    return _json(_said(fact))


def _said(fact: Fact) -> dict[str, Any]:
    said = {name: value for name, default in _DEFAULTS.items() if (value := getattr(fact, name)) != default}
    if fact.lines:
        said["lines"] = [astuple(line) for line in fact.lines]
    return said


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def from_json(text: str) -> Fact:
    """The fact that `to_json` wrote."""
    said = json.loads(text)
    said["kind"] = Kind(said["kind"])
    for name in _TUPLES:
        if name in said:
            said[name] = tuple(said[name])
    if "lines" in said:
        said["lines"] = tuple(FactLine(*line) for line in said["lines"])
    return Fact(**said)


def check(fact: Fact) -> Fact:
    """The fact itself when it can be reckoned with.

    Raises Problem `fact_unusable` for a reference that is only punctuation, a currency that is not one, an amount
    without a currency, values outside 64 bits x 1000, a trust level outside 0-4, or no source.
    """
    for name in ("reference", "order_reference", "despatch_reference"):
        value = getattr(fact, name)
        if value is not None and normalise(value) is None:
            raise Problem("fact_unusable", field=name, text=value[:40])
    for name in ("quantity_milli", "price_micro", "amount_minor", "payable_minor"):
        value = getattr(fact, name)
        if value is not None and abs(value) > MAX_VALUE:
            raise Problem("fact_unusable", field=name, text=str(value))
    if fact.amount_minor is not None or fact.payable_minor is not None:
        if fact.currency is None:
            raise Problem("fact_unusable", field="currency", text="")
        currency_of(fact.currency)
    if not 0 <= fact.trust <= 4:
        raise Problem("fact_unusable", field="trust", text=str(fact.trust))
    if not fact.source:
        raise Problem("fact_unusable", field="source", text="")
    return fact


@lru_cache(maxsize=50_000)
def normalise(reference: str) -> str | None:
    """Version 1: upper case, A-Z and 0-9 only, O read as 0 and I as 1. None when nothing is left to compare."""
    return _DROPPED.sub("", reference.upper()).translate(_LOOKALIKES) or None


@lru_cache(maxsize=50_000)
def normalise_party(name: str | None) -> str | None:
    """A party's name or identifier for comparing: case folded, without blanks and punctuation; None when empty."""
    return (_PARTY_NOISE.sub("", name).casefold() or None) if name else None


def differ(one: str | None, other: str | None) -> bool:
    """Whether two parties, normalised, are surely not one: two names, or two identifiers, that are not the same.

    A bank writes names where an invoice writes a registration number; those two cannot be compared.
    """
    return bool(one and other and one != other and _is_number(one) == _is_number(other))


def _is_number(party: str) -> bool:
    return sum(c.isdigit() for c in party) * 2 >= len(party) and len(party) >= SHORTEST_NUMBER


def words_of(text: str) -> tuple[str, ...]:
    """Words of a text that could be a document's number, as written: those with a digit.

    Numbers are written apart ("PO 2026 0012"), so a word with the one or two numbers behind it counts as one too.
    Any writing that is not Latin parts words: "支付PO-2026-0012货款".
    """
    plain = unicodedata.normalize("NFKC", text)
    found: dict[str, None] = {}
    runs: list[list[str]] = [[]]
    after = 0
    for match in _WORD.finditer(plain):
        if plain[after : match.start()] not in ("", " "):
            runs.append([])
        runs[-1].append(match.group())
        after = match.end()
    for words in runs:
        for length in (1, 2, 3):
            for start in range(len(words) - length + 1):
                first, *more = words[start : start + length]
                word = " ".join((first, *more))
                if len(word) >= SHORTEST_WORD and all(w[0].isdigit() for w in more) and any(c.isdigit() for c in word):
                    found[word] = None
    return tuple(found)


def normalise_account(account: str | None) -> str | None:
    """An account number for comparing: letters and digits only, upper case; None when empty."""
    return (_DROPPED.sub("", account.upper()) or None) if account else None


def day_number(day: date) -> int:
    """Days since 1970-01-01."""
    return day.toordinal() - _EPOCH


def date_of(day: int) -> date:
    """The calendar date of a day number."""
    return date.fromordinal(day + _EPOCH)


def thousandths(quantity: Decimal | None) -> int | None:
    """A quantity in thousandths, rounded once, half up."""
    return None if quantity is None else int(quantity.scaleb(3).to_integral_value(ROUND_HALF_UP))


def millionths(price: Decimal | None, per: Decimal = Decimal(1)) -> int | None:
    """A unit price in millionths, rounded once, half up. `per` is the quantity the price is for."""
    if price is None or per <= 0:
        return None
    return int((price / per).scaleb(6).to_integral_value(ROUND_HALF_UP))
