"""DCSA track & trace events (2.x and 3.x): what happened to containers, vessels and shipments.

Only `ACT` says that something happened; `PLN` and `EST` are read and kept, and are never evidence
(`LogisticsEvent.is_evidence`).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from scf.standards import json_text
from scf.standards.records import Identifier, LogisticsEvent
from scf.standards.refusals import refusal
from scf.standards.tree import parse_moment

_TYPES = {
    "EQUIPMENT": "equipmentEventTypeCode",
    "TRANSPORT": "transportEventTypeCode",
    "SHIPMENT": "shipmentEventTypeCode",
    "REEFER": "reeferEventTypeCode",
    "IOT": "iotEventTypeCode",
}
_STEPS = {
    "LOAD": "loading",
    "DISC": "unloading",
    "ARRI": "arriving",
    "DEPA": "departing",
    "GTIN": "arriving",
    "GTOT": "departing",
    "STUF": "packing",
    "STRP": "unpacking",
    "PICK": "picking",
    "INSP": "inspecting",
}
_CLASSIFIERS = ("ACT", "PLN", "EST", "REQ")


def read(raw: bytes) -> list[LogisticsEvent]:
    """The events of a JSON file: one event, a list, or an object with `events`.

    Raises Problem of `json_text.parse`, `document_not_this_kind`, `document_element_missing`, `document_value_wrong`,
    `document_date_wrong`.
    """
    value = json_text.parse(raw)
    items = value.get("events", [value]) if isinstance(value, dict) else value
    if not isinstance(items, list):
        raise refusal("document_not_this_kind", "document", found=type(items).__name__)
    if not items:
        raise refusal("document_element_missing", "events", element="event")
    return [_event(item, f"events[{index}]") for index, item in enumerate(items)]


def _event(item: Any, place: str) -> LogisticsEvent:
    if not isinstance(item, dict):
        raise refusal("document_value_wrong", place, text=str(item), expected="object")
    plain: dict[str, Any] = {}
    for part in (item.get("metadata"), item.get("payload"), item):
        if isinstance(part, dict):
            plain = {**plain, **part}
    kind = _choice(plain, "eventType", tuple(_TYPES), place)
    classifier = _choice(plain, "eventClassifierCode", _CLASSIFIERS, place)
    code = _text(plain, _TYPES[kind], place)
    return LogisticsEvent(
        event_id=_optional(plain, "eventID", place),
        event_hash=None,
        kind=kind,
        action=code,
        time=_moment(plain, "eventDateTime", place),
        recorded_at=_moment(plain, "eventCreatedDateTime", place) if plain.get("eventCreatedDateTime") else None,
        biz_step=_STEPS.get(code),
        disposition=_optional(plain, "emptyIndicatorCode", place),
        read_point=_location(plain),
        biz_location=None,
        biz_transactions=_references(plain, place),
        epcs=tuple(text for text in (_optional(plain, "equipmentReference", place),) if text),
        classifier=classifier,
        syntax="DCSA",
    )


def _optional(plain: Mapping[str, Any], name: str, place: str) -> str | None:
    value = plain.get(name)
    if value is None:
        return None
    if not isinstance(value, str):
        raise refusal("document_value_wrong", f"{place}.{name}", text=str(value), expected="text")
    return value.strip() or None


def _text(plain: Mapping[str, Any], name: str, place: str) -> str:
    found = _optional(plain, name, place)
    if found is None:
        raise refusal("document_element_missing", f"{place}.{name}", element=name)
    return found


def _choice(plain: Mapping[str, Any], name: str, allowed: tuple[str, ...], place: str) -> str:
    found = _text(plain, name, place)
    if found not in allowed:
        raise refusal("document_value_wrong", f"{place}.{name}", text=found, expected=", ".join(allowed))
    return found


def _moment(plain: Mapping[str, Any], name: str, place: str) -> datetime:
    text = _text(plain, name, place)
    try:
        found = parse_moment(text)
        if found.tzinfo is None:
            raise ValueError(text)
    except ValueError as error:
        raise refusal("document_date_wrong", f"{place}.{name}", text=text) from error
    return found


def _location(plain: Mapping[str, Any]) -> str | None:
    """UN/LOCODE, facility or name of the place, wherever the version puts it."""
    for name in ("eventLocation", "transportCall", "location"):
        found = plain.get(name)
        if not isinstance(found, dict):
            continue
        inner = found.get("location")
        for part in (found, inner if isinstance(inner, dict) else {}):
            for key in ("UNLocationCode", "facilityCode", "locationName"):
                if isinstance(part.get(key), str) and part[key]:
                    return str(part[key])
    return None


def _references(plain: Mapping[str, Any], place: str) -> tuple[Identifier, ...]:
    found: list[Identifier] = []
    for name in ("documentReferences", "references"):
        items = plain.get(name) or []
        if not isinstance(items, list):
            raise refusal("document_value_wrong", f"{place}.{name}", text=str(items), expected="list")
        for item in items:
            if not isinstance(item, dict):
                raise refusal("document_value_wrong", f"{place}.{name}", text=str(item), expected="object")
            kind = item.get("documentReferenceType") or item.get("referenceType") or item.get("type") or ""
            value = item.get("documentReferenceValue") or item.get("referenceValue") or item.get("reference")
            if isinstance(value, str) and value:
                found.append(Identifier(str(kind), value))
    if isinstance(plain.get("documentID"), str):
        found.append(Identifier(str(plain.get("documentTypeCode") or ""), plain["documentID"]))
    return tuple(dict.fromkeys(found))
