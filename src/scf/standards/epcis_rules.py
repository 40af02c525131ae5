"""What EPCIS 2.0 and CBV 2.0 demand of an event in JSON form; every fault is told with its place."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from importlib import resources
from typing import Any

from scf.standards.epcis_hash import SENSOR_METADATA, SENSOR_REPORT
from scf.standards.tree import parse_moment

EVENT_TYPES = ("ObjectEvent", "AggregationEvent", "TransactionEvent", "TransformationEvent", "AssociationEvent")
_WORDS = tomllib.loads(resources.files("scf.standards").joinpath("cbv.toml").read_text(encoding="utf-8"))
BIZ_STEPS, DISPOSITIONS, TRANSACTION_TYPES, PARTY_TYPES, ERROR_REASONS = (
    frozenset(_WORDS[name])
    for name in ("biz_steps", "dispositions", "transaction_types", "party_types", "error_reasons")
)
_COMMON = frozenset(
    (
        "type",
        "isA",
        "eventID",
        "eventTime",
        "eventTimeZoneOffset",
        "recordTime",
        "errorDeclaration",
        "certificationInfo",
        "captureID",
        "action",
        "bizStep",
        "disposition",
        "persistentDisposition",
        "readPoint",
        "bizLocation",
        "bizTransactionList",
        "sourceList",
        "destinationList",
        "sensorElementList",
    )
)
_OWN = {
    "ObjectEvent": frozenset(("epcList", "quantityList", "ilmd")),
    "AggregationEvent": frozenset(("parentID", "childEPCs", "childQuantityList")),
    "TransactionEvent": frozenset(("parentID", "epcList", "quantityList")),
    "TransformationEvent": frozenset(
        ["inputEPCList", "inputQuantityList", "outputEPCList", "outputQuantityList", "transformationID", "ilmd"]
    ),
    "AssociationEvent": frozenset(("parentID", "childEPCs", "childQuantityList")),
}
_INNER = {
    "readPoint": frozenset(("id",)),
    "bizLocation": frozenset(("id",)),
    "persistentDisposition": frozenset(("set", "unset")),
    "errorDeclaration": frozenset(("declarationTime", "reason", "correctiveEventIDs")),
    "bizTransactionList": frozenset(("type", "bizTransaction")),
    "sourceList": frozenset(("type", "source")),
    "destinationList": frozenset(("type", "destination")),
    "sensorElementList": frozenset(("type", "sensorMetadata", "sensorReport")),
    "sensorMetadata": frozenset(SENSOR_METADATA),
    "sensorReport": frozenset((*SENSOR_REPORT, "bizRules")),
}
"""Names inside these objects; anything else there must be an extension with its prefix."""
_EPC_LISTS = ("epcList", "childEPCs", "inputEPCList", "outputEPCList")
_QUANTITY_LISTS = ("quantityList", "childQuantityList", "inputQuantityList", "outputQuantityList")
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:\S+")
_OFFSET = re.compile(r"[+-](0\d|1[0-4]):[0-5]\d")
_UNIT = re.compile(r"[A-Z0-9]{2,3}")


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong: sentence code, place and facts."""

    code: str
    place: str
    facts: Mapping[str, str]


def faults(event: Any, place: str) -> Iterator[Fault]:
    """Everything wrong with an event."""
    if not isinstance(event, dict):
        yield _wrong(place, event, "object")
        return
    kind = event.get("type", event.get("isA"))
    if kind not in EVENT_TYPES:
        yield _wrong(f"{place}.type", kind, ", ".join(EVENT_TYPES))
        return
    for name in event:
        if name not in _COMMON | _OWN[kind] and ":" not in name and not name.startswith("@"):
            yield Fault("document_element_unknown", f"{place}.{name}", {"element": name})
        elif event[name] is None:
            yield _wrong(f"{place}.{name}", "null", "value")
    yield from _when(event, place)
    yield from _what(event, kind, place)
    yield from _why(event, kind, place)
    yield from _where(event, place)
    yield from _details(event, place)
    for name, value in event.items():
        yield from _strangers(name, value, f"{place}.{name}")


def _strangers(name: str, value: Any, place: str) -> Iterator[Fault]:
    """Names that the standard does not have inside an object it defines."""
    known = _INNER.get(name)
    if known is None:
        return
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _strangers(name, item, f"{place}[{index}]")
    elif isinstance(value, dict):
        for key, item in value.items():
            if key not in known and ":" not in key and not key.startswith("@"):
                yield Fault("document_element_unknown", f"{place}.{key}", {"element": key})
            yield from _strangers(key, item, f"{place}.{key}")


def _wrong(place: str, text: Any, expected: str) -> Fault:
    return Fault("document_value_wrong", place, {"text": "" if text is None else str(text)[:80], "expected": expected})


def _missing(place: str, name: str) -> Fault:
    return Fault("document_element_missing", f"{place}.{name}", {"element": name})


def is_moment(value: Any) -> bool:
    """Whether `value` is a date-time with its zone."""
    try:
        return isinstance(value, str) and parse_moment(value.strip()).tzinfo is not None
    except ValueError:
        return False


def _when(event: Mapping[str, Any], place: str) -> Iterator[Fault]:
    for name, is_required in (("eventTime", True), ("recordTime", False)):
        if event.get(name) is None:
            if is_required:
                yield _missing(place, name)
        elif not is_moment(event[name]):
            yield Fault("document_date_wrong", f"{place}.{name}", {"text": str(event[name])[:80]})
    offset = event.get("eventTimeZoneOffset")
    if offset is None:
        yield _missing(place, "eventTimeZoneOffset")
    elif not isinstance(offset, str) or not _OFFSET.fullmatch(offset):
        yield _wrong(f"{place}.eventTimeZoneOffset", offset, "+08:00")


def _what(event: Mapping[str, Any], kind: str, place: str) -> Iterator[Fault]:
    for name in _EPC_LISTS:
        if name in event:
            yield from _uris(event[name], f"{place}.{name}")
    for name in _QUANTITY_LISTS:
        if name in event:
            yield from _quantities(event[name], f"{place}.{name}")

    def has(*names: str) -> bool:
        return any(isinstance(event.get(name), list) and event[name] for name in names)

    action = event.get("action")
    if kind == "ObjectEvent" and not has("epcList", "quantityList", "sensorElementList"):
        yield _missing(place, "epcList")
    elif kind == "TransformationEvent":
        if not has("inputEPCList", "inputQuantityList") and not event.get("transformationID"):
            yield _missing(place, "inputEPCList")
        if not has("outputEPCList", "outputQuantityList") and not event.get("transformationID"):
            yield _missing(place, "outputEPCList")
    elif kind in ("AggregationEvent", "AssociationEvent"):
        if not event.get("parentID") and (kind == "AssociationEvent" or action in ("ADD", "DELETE")):
            yield _missing(place, "parentID")
        if not has("childEPCs", "childQuantityList", "sensorElementList") and action != "DELETE":
            yield _missing(place, "childEPCs")
    elif kind == "TransactionEvent":
        if not has("bizTransactionList"):
            yield _missing(place, "bizTransactionList")
        if not has("epcList", "quantityList") and not event.get("parentID") and action != "DELETE":
            yield _missing(place, "epcList")
    parent = event.get("parentID")
    if parent is not None and not _is_uri(parent):
        yield _wrong(f"{place}.parentID", parent, "URI")


def _uris(value: Any, place: str) -> Iterator[Fault]:
    if not isinstance(value, list):
        yield _wrong(place, value, "list")
        return
    for index, item in enumerate(value):
        if not _is_uri(item):
            yield _wrong(f"{place}[{index}]", item, "URI")


def _quantities(value: Any, place: str) -> Iterator[Fault]:
    if not isinstance(value, list):
        yield _wrong(place, value, "list")
        return
    for index, item in enumerate(value):
        at = f"{place}[{index}]"
        if not isinstance(item, dict):
            yield _wrong(at, item, "object")
            continue
        if not _is_uri(item.get("epcClass")):
            yield _wrong(f"{at}.epcClass", item.get("epcClass"), "URI")
        quantity = item.get("quantity")
        is_number = isinstance(quantity, int | Decimal) and not isinstance(quantity, bool)
        if quantity is not None and (not is_number or quantity < 0):
            yield Fault("document_number_wrong", f"{at}.quantity", {"text": str(quantity)[:80]})
        unit = item.get("uom")
        if unit is not None and (not isinstance(unit, str) or not _UNIT.fullmatch(unit)):
            yield _wrong(f"{at}.uom", unit, "UN/ECE Rec. 20")
        for name in item:
            if name not in ("epcClass", "quantity", "uom") and ":" not in name:
                yield Fault("document_element_unknown", f"{at}.{name}", {"element": name})


def _is_uri(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= 2_048 and bool(_URI.fullmatch(value.strip()))


def _is_term(value: Any, known: frozenset[str]) -> bool:
    """A bare word of the vocabulary, or any URI or prefixed name."""
    return isinstance(value, str) and (value in known or _is_uri(value))


def _why(event: Mapping[str, Any], kind: str, place: str) -> Iterator[Fault]:
    action = event.get("action")
    if kind == "TransformationEvent":
        if action is not None:
            yield Fault("document_element_unknown", f"{place}.action", {"element": "action"})
    elif action is None:
        yield _missing(place, "action")
    elif action not in ("ADD", "OBSERVE", "DELETE"):
        yield _wrong(f"{place}.action", action, "ADD, OBSERVE, DELETE")
    for name, known in (("bizStep", BIZ_STEPS), ("disposition", DISPOSITIONS)):
        if event.get(name) is not None and not _is_term(event[name], known):
            yield _wrong(f"{place}.{name}", event[name], "CBV 2.0")
    persistent = event.get("persistentDisposition")
    if persistent is not None:
        if not isinstance(persistent, dict):
            yield _wrong(f"{place}.persistentDisposition", persistent, "object")
        else:
            for name in ("set", "unset"):
                values = persistent.get(name, [])
                for item in values if isinstance(values, list) else [values]:
                    if not _is_term(item, DISPOSITIONS):
                        yield _wrong(f"{place}.persistentDisposition.{name}", item, "CBV 2.0")


def _where(event: Mapping[str, Any], place: str) -> Iterator[Fault]:
    for name in ("readPoint", "bizLocation"):
        value = event.get(name)
        if value is None:
            continue
        identifier = value.get("id") if isinstance(value, dict) else value
        if not _is_uri(identifier):
            yield _wrong(f"{place}.{name}", identifier, "URI")
    for name, inner, known, is_typed in (
        ("bizTransactionList", "bizTransaction", TRANSACTION_TYPES, False),
        ("sourceList", "source", PARTY_TYPES, True),
        ("destinationList", "destination", PARTY_TYPES, True),
    ):
        value = event.get(name)
        if value is None:
            continue
        if not isinstance(value, list):
            yield _wrong(f"{place}.{name}", value, "list")
            continue
        for index, item in enumerate(value):
            at = f"{place}.{name}[{index}]"
            if not isinstance(item, dict) or not _is_uri(item.get(inner)):
                yield _wrong(f"{at}.{inner}", item.get(inner) if isinstance(item, dict) else item, "URI")
            elif (is_typed or item.get("type") is not None) and not _is_term(item.get("type"), known):
                yield _wrong(f"{at}.type", item.get("type"), ", ".join(sorted(known)))


def _details(event: Mapping[str, Any], place: str) -> Iterator[Fault]:
    identifier = event.get("eventID")
    if identifier is not None and not _is_uri(identifier):
        yield _wrong(f"{place}.eventID", identifier, "URI")
    error = event.get("errorDeclaration")
    if error is not None:
        if not isinstance(error, dict):
            yield _wrong(f"{place}.errorDeclaration", error, "object")
        else:
            if not is_moment(error.get("declarationTime")):
                text = str(error.get("declarationTime") or "")[:80]
                yield Fault("document_date_wrong", f"{place}.errorDeclaration.declarationTime", {"text": text})
            if error.get("reason") is not None and not _is_term(error["reason"], ERROR_REASONS):
                yield _wrong(f"{place}.errorDeclaration.reason", error["reason"], ", ".join(sorted(ERROR_REASONS)))
            if "correctiveEventIDs" in error:
                yield from _uris(error["correctiveEventIDs"], f"{place}.errorDeclaration.correctiveEventIDs")
    for name in ("ilmd",):
        value = event.get(name)
        if value is not None and not isinstance(value, dict):
            yield _wrong(f"{place}.{name}", value, "object")
        for key in value if isinstance(value, dict) else ():
            if ":" not in key:
                yield Fault("document_element_unknown", f"{place}.{name}.{key}", {"element": key})
    sensors = event.get("sensorElementList")
    if sensors is not None:
        yield from _sensors(sensors, f"{place}.sensorElementList")


def _sensors(value: Any, place: str) -> Iterator[Fault]:
    if not isinstance(value, list):
        yield _wrong(place, value, "list")
        return
    for index, item in enumerate(value):
        if not isinstance(item, dict) or not isinstance(item.get("sensorReport"), list):
            yield _missing(f"{place}[{index}]", "sensorReport")
            continue
        if not all(isinstance(report, dict) for report in item["sensorReport"]):
            yield _wrong(f"{place}[{index}].sensorReport", "", "object")
        if not isinstance(item.get("sensorMetadata", {}), dict):
            yield _wrong(f"{place}[{index}].sensorMetadata", item["sensorMetadata"], "object")
