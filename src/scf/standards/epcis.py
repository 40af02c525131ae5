"""GS1 EPCIS 2.0 events: JSON-LD and XML read and validated, hashed, de-duplicated; simple object events written.

Identifiers come out as canonical GS1 Digital Links, terms of the Core Business Vocabulary as bare words, so that two
parties' words for one thing are equal.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any, Literal

from scf.standards import epcis_xml, gs1, json_text, tree
from scf.standards.epcis_hash import event_hash
from scf.standards.epcis_rules import EVENT_TYPES, Fault, faults, is_moment
from scf.standards.records import EpcQuantity, ErrorDeclaration, Identifier, LogisticsEvent
from scf.standards.refusals import quote, refusal

_TERM = re.compile(r"(?:https://ref\.gs1\.org/cbv/[A-Za-z]+-|urn:epcglobal:cbv:[a-z]+:|cbv:[A-Za-z]+-)([A-Za-z_]+)")
_CONTEXT = "https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld"
_REFERENCE = re.compile(r"urn:epcglobal:cbv:bt:\d+:(.+)|https?://[^?#]+/([^/?#]+)/?")
_MOST_FAULTS = 20
_ALONE: json_text.Path = ()
_CAPTURED: json_text.Path = ("epcisBody", "eventList")
_QUERIED: json_text.Path = ("epcisBody", "queryResults", "resultsBody", "eventList")


def read(raw: bytes) -> list[LogisticsEvent]:
    """The events of an EPCIS document, a query result, a list of events or one event, in JSON-LD or XML.

    One wrong event refuses the whole document: Problem `document_element_missing`, `document_value_wrong`,
    `document_date_wrong`, `document_number_wrong`, `document_element_unknown` or `document_not_this_kind` for the first
    fault; the fact `others` lists further faults (at most 20) and `fault_count` counts them all.
    """
    head = raw[:200].lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n\x00")
    reading = _Reading()
    if head.startswith(b"<"):
        epcis_xml.read(raw, reading.take)
    else:
        for event in _from_json(raw):
            reading.take(*event)
    if reading.wrong:
        _refuse(reading.wrong, reading.fault_count)
    return reading.events


class _Reading:
    """Events as they are taken in, each judged alone, so that a large document is never held whole."""

    def __init__(self) -> None:
        self.events: list[LogisticsEvent] = []
        self.wrong: list[Fault] = []
        self.fault_count = 0

    def take(self, place: str, event: Any, prefixes: dict[str, str]) -> None:
        for fault in faults(event, place):
            self.fault_count += 1
            if len(self.wrong) <= _MOST_FAULTS:
                self.wrong.append(fault)
        if not self.wrong:
            self.events.append(_record(event, prefixes))


def _refuse(wrong: Sequence[Fault], count: int) -> None:
    first = wrong[0]
    problem = refusal(first.code, first.place, **first.facts)
    others = [refusal(item.code, item.place, **item.facts) for item in wrong[1 : _MOST_FAULTS + 1]]
    problem.facts.update(
        others=tuple(f"{item.facts['place']}: {item.facts['reason']}" for item in others), fault_count=count
    )
    raise problem


def _from_json(raw: bytes) -> Iterator[tuple[str, Any, dict[str, str]]]:
    """Place, event and prefixes, one by one; what is wrong with the document is refused before the first."""
    outline = json_text.outline(raw, (_ALONE, _CAPTURED, _QUERIED))
    value = outline.value
    if isinstance(value, list):
        prefixes: dict[str, str] = {}
        for index, item in enumerate(outline.items(_ALONE) or ()):
            yield f"[{index}]", item, prefixes
        return
    if not isinstance(value, dict):
        raise refusal("document_not_this_kind", "document", found=type(value).__name__)
    prefixes = _prefixes(value)
    if value.get("type", value.get("isA")) in EVENT_TYPES:
        yield "event", value, prefixes
        return
    _check_document(value)
    body = value["epcisBody"]
    if not isinstance(body, dict):
        raise refusal("document_value_wrong", "epcisBody", text=type(body).__name__, expected="object")
    holders, events = [value], outline.items(_CAPTURED)
    if "queryResults" in body:
        results, events = body["queryResults"], outline.items(_QUERIED)
        holders += [results] if isinstance(results, dict) else []
        body = results.get("resultsBody") if isinstance(results, dict) else None
    listed = [names for holder in holders for key, names in holder.items() if key.endswith(":ignoreFields")]
    ignored = {str(name) for names in listed for name in (names if isinstance(names, list) else [names])}
    single = body.get("event") if isinstance(body, dict) else None
    if isinstance(single, dict):
        events = iter([single])
    holding = [value["epcisBody"]] if body is value["epcisBody"] else [value["epcisBody"], body]
    told = [name for item in holding if isinstance(item, dict) for name in ("event", "eventList") if name in item]
    if len(told) > 1:
        raise refusal("document_value_wrong", "epcisBody", text=", ".join(told), expected="eventList")
    if events is None:
        raise refusal("document_element_missing", "epcisBody.eventList", element="eventList")
    for index, event in enumerate(events):
        yield f"epcisBody.eventList[{index}]", _without(event, ignored), _own(event, prefixes)


def _without(event: Any, ignored: set[str]) -> Any:
    """The event without the extension fields that its document says a repository added."""
    if not ignored or not isinstance(event, dict):
        return event
    return {name: item for name, item in event.items() if ":" not in name or name not in ignored}


def _check_document(value: Mapping[str, Any]) -> None:
    kind = value.get("type", value.get("isA"))
    if kind not in ("EPCISDocument", "EPCISQueryDocument"):
        raise refusal("document_not_this_kind", "type", found=str(kind))
    for name in ("@context", "schemaVersion", "creationDate", "epcisBody"):
        if value.get(name) is None:
            raise refusal("document_element_missing", name, element=name)
    contexts = value["@context"] if isinstance(value["@context"], list) else [value["@context"]]
    if not any(isinstance(item, str) and "epcis" in item.lower() for item in contexts):
        raise refusal("document_element_missing", "@context", element=_CONTEXT)
    if not str(value["schemaVersion"]).startswith("2"):
        raise refusal("document_value_wrong", "schemaVersion", text=str(value["schemaVersion"]), expected="2.0")
    if not is_moment(value["creationDate"]):
        raise refusal("document_date_wrong", "creationDate", text=str(value["creationDate"]))


def _prefixes(value: Mapping[str, Any]) -> dict[str, str]:
    context = value.get("@context")
    items = context if isinstance(context, list) else [context]
    return {
        str(prefix): uri
        for item in items
        if isinstance(item, dict)
        for prefix, uri in item.items()
        if isinstance(uri, str) and not prefix.startswith("@")
    }


def _own(event: Any, prefixes: dict[str, str]) -> dict[str, str]:
    return {**prefixes, **_prefixes(event)} if isinstance(event, dict) and "@context" in event else prefixes


def term(value: str | None) -> str | None:
    """A vocabulary term as bare word (`shipping`); other values as they are."""
    found = _TERM.fullmatch(value.strip()) if value else None
    return found.group(1) if found else value


@lru_cache(maxsize=8_192)
def identifier(value: str) -> str:
    """The canonical Digital Link of a GS1 identifier, other URIs as they are."""
    return gs1.canonical(value.strip()) or value.strip()


def reference(value: str) -> str:
    """The bare document number of a business transaction: `ASN1` of `urn:epcglobal:cbv:bt:4012345000009:ASN1`."""
    found = _REFERENCE.fullmatch(value)
    return (found.group(1) or found.group(2)) if found else value


def _record(event: Mapping[str, Any], prefixes: Mapping[str, str]) -> LogisticsEvent:
    kind = str(event.get("type", event.get("isA")))
    epcs, quantities = (
        ("inputEPCList", "inputQuantityList")
        if kind == "TransformationEvent"
        else ("childEPCs", "childQuantityList")
        if kind in ("AggregationEvent", "AssociationEvent")
        else ("epcList", "quantityList")
    )
    error = event.get("errorDeclaration")
    recorded = event.get("recordTime")
    parent = event.get("parentID")
    return LogisticsEvent(
        event_id=event.get("eventID"),
        event_hash=event_hash(event, prefixes),
        kind=kind,
        action=event.get("action"),
        time=tree.parse_moment(event["eventTime"].strip()),
        recorded_at=tree.parse_moment(recorded.strip()) if recorded else None,
        biz_step=term(event.get("bizStep")),
        disposition=term(event.get("disposition")),
        read_point=_place(event.get("readPoint")),
        biz_location=_place(event.get("bizLocation")),
        biz_transactions=_pairs(event, "bizTransactionList", "bizTransaction"),
        sources=_pairs(event, "sourceList", "source"),
        destinations=_pairs(event, "destinationList", "destination"),
        epcs=tuple(map(identifier, event.get(epcs, ()))),
        quantities=_quantities(event.get(quantities, ())),
        parent_id=identifier(parent) if parent else None,
        output_epcs=tuple(map(identifier, event.get("outputEPCList", ()))),
        output_quantities=_quantities(event.get("outputQuantityList", ())),
        error_declaration=_error(error) if error else None,
        zone_offset=event.get("eventTimeZoneOffset"),
    )


def _place(value: Any) -> str | None:
    if value is None:
        return None
    return identifier(str(value["id"]) if isinstance(value, dict) else str(value))


def _pairs(event: Mapping[str, Any], name: str, inner: str) -> tuple[Identifier, ...]:
    return tuple(Identifier(term(item.get("type")) or "", identifier(item[inner])) for item in event.get(name, ()))


def _quantities(items: Iterable[Mapping[str, Any]]) -> tuple[EpcQuantity, ...]:
    return tuple(
        EpcQuantity(
            identifier(item["epcClass"]),
            None if item.get("quantity") is None else Decimal(item["quantity"]),
            item.get("uom"),
        )
        for item in items
    )


def _error(error: Mapping[str, Any]) -> ErrorDeclaration:
    return ErrorDeclaration(
        declared_at=tree.parse_moment(str(error["declarationTime"]).strip()),
        reason=term(error.get("reason")),
        corrective_event_ids=tuple(error.get("correctiveEventIDs", ())),
    )


def duplicates(events: Sequence[LogisticsEvent]) -> dict[int, tuple[int, Literal["same_id", "same_hash"]]]:
    """Positions of repeated events, each with the position of the first and what they share.

    An error declaration repeats only another error declaration: it has the id and hash of the event it withdraws.
    """
    first: dict[tuple[bool, str], int] = {}
    found: dict[int, tuple[int, Literal["same_id", "same_hash"]]] = {}
    for index, event in enumerate(events):
        keys: list[tuple[Literal["same_id", "same_hash"], str | None]] = [
            ("same_id", event.event_id),
            ("same_hash", event.event_hash),
        ]
        for how, key in keys:
            if key is None:
                continue
            earlier = first.setdefault((event.is_error_declaration, key), index)
            if earlier != index and index not in found:
                found[index] = (earlier, how)
    return found


def effective(events: Sequence[LogisticsEvent]) -> list[LogisticsEvent]:
    """What still stands: events without their repetitions, without withdrawn ones and without the declarations."""
    repeated = duplicates(events)
    withdrawn = {
        key for event in events if event.is_error_declaration for key in (event.event_id, event.event_hash) if key
    }
    return [
        event
        for index, event in enumerate(events)
        if index not in repeated
        and not event.is_error_declaration
        and event.event_id not in withdrawn
        and event.event_hash not in withdrawn
    ]


def contradictions(events: Sequence[LogisticsEvent]) -> list[tuple[int, int]]:
    """Pairs of positions that claim one event id with different content."""
    first: dict[str, int] = {}
    found: list[tuple[int, int]] = []
    for index, event in enumerate(events):
        if event.event_id is None:
            continue
        earlier = first.setdefault(event.event_id, index)
        if events[earlier].event_hash != event.event_hash:
            found.append((earlier, index))
    return found


def object_event(
    *,
    time: datetime,
    biz_step: str,
    epcs: Sequence[str] = (),
    quantities: Sequence[EpcQuantity] = (),
    disposition: str | None = None,
    read_point: str | None = None,
    biz_location: str | None = None,
    biz_transactions: Sequence[Identifier] = (),
    sources: Sequence[Identifier] = (),
    destinations: Sequence[Identifier] = (),
    action: Literal["ADD", "OBSERVE", "DELETE"] = "OBSERVE",
    event_id: str | None = None,
) -> dict[str, Any]:
    """A simple ObjectEvent in JSON form for `write`; its id is its hash unless given.

    Raises ValueError for a time without zone.
    """
    offset = time.strftime("%z")
    if not offset:
        raise ValueError("an event needs a time with its zone")
    event: dict[str, Any] = {
        "type": "ObjectEvent",
        "eventTime": time.isoformat(timespec="milliseconds"),
        "eventTimeZoneOffset": f"{offset[:3]}:{offset[3:5]}",
        "action": action,
        "bizStep": biz_step,
    }
    optional = {
        "epcList": list(epcs),
        "quantityList": [
            {
                "epcClass": item.epc_class,
                **({} if item.quantity is None else {"quantity": item.quantity}),
                **({"uom": item.unit} if item.unit else {}),
            }
            for item in quantities
        ],
        "disposition": disposition,
        "readPoint": {"id": read_point} if read_point else None,
        "bizLocation": {"id": biz_location} if biz_location else None,
        "bizTransactionList": [{"type": item.scheme, "bizTransaction": item.value} for item in biz_transactions],
        "sourceList": [{"type": item.scheme, "source": item.value} for item in sources],
        "destinationList": [{"type": item.scheme, "destination": item.value} for item in destinations],
    }
    event.update({name: value for name, value in optional.items() if value})
    event["eventID"] = event_id or event_hash(event, {})
    return event


def write(events: Sequence[Mapping[str, Any]], created_at: datetime) -> bytes:
    """An EPCIS 2.0 JSON-LD document of events in JSON form.

    Raises Problem as `read` does when an event is wrong: nothing is sent that would be refused.
    """
    wrong = [fault for index, event in enumerate(events) for fault in faults(dict(event), f"events[{index}]")]
    if wrong:
        _refuse(wrong, len(wrong))
    document = {
        "@context": [_CONTEXT],
        "type": "EPCISDocument",
        "schemaVersion": "2.0",
        "creationDate": created_at.isoformat(timespec="milliseconds"),
        "epcisBody": {"eventList": list(events)},
    }
    return json.dumps(document, ensure_ascii=False, indent=1, default=_number).encode()


def _number(value: object) -> float | int | str:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return quote(str(value))
