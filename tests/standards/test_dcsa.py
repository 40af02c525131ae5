"""DCSA track & trace: planned and estimated events are read and are never evidence."""

from __future__ import annotations

import json
from typing import Any

import pytest

from scf.kernel.problems import Problem
from scf.standards import dcsa
from scf.standards.detect import detect
from scf.standards.records import DocumentKind

EVENT: dict[str, Any] = {
    "eventID": "3f2504e0-4f89-41d3-9a0c-0305e82c3301",
    "eventType": "EQUIPMENT",
    "eventClassifierCode": "ACT",
    "eventDateTime": "2026-11-20T09:15:00+08:00",
    "eventCreatedDateTime": "2026-11-20T01:20:00Z",
    "equipmentEventTypeCode": "LOAD",
    "equipmentReference": "APZU4812090",
    "documentReferences": [{"documentReferenceType": "TRD", "documentReferenceValue": "BL-77"}],
    "transportCall": {"location": {"UNLocationCode": "CNSHA"}},
}


def raw(*events: Any) -> bytes:
    return json.dumps(list(events)).encode()


def test_what_happened_is_evidence() -> None:
    (event,) = dcsa.read(raw(EVENT))
    assert detect(raw(EVENT)) == DocumentKind.DCSA_EVENTS
    assert (event.kind, event.action, event.biz_step, event.read_point) == ("EQUIPMENT", "LOAD", "loading", "CNSHA")
    assert [(item.scheme, item.value) for item in event.biz_transactions] == [("TRD", "BL-77")]
    assert (event.epcs, event.is_evidence) == (("APZU4812090",), True)


@pytest.mark.parametrize("classifier", ["PLN", "EST", "REQ"])
def test_what_is_planned_or_estimated_is_not(classifier: str) -> None:
    (event,) = dcsa.read(raw({**EVENT, "eventClassifierCode": classifier}))
    assert not event.is_evidence


def test_events_in_an_envelope_are_found() -> None:
    split = {"metadata": {"eventID": "x"}, "payload": {k: v for k, v in EVENT.items() if k != "eventID"}}
    assert dcsa.read(json.dumps({"events": [split, EVENT]}).encode())[0].event_id == "x"
    assert len(dcsa.read(json.dumps(EVENT).encode())) == 1


@pytest.mark.parametrize(
    ("change", "code", "place"),
    [
        ({"eventClassifierCode": "ACTUAL"}, "document_value_wrong", "events[0].eventClassifierCode"),
        ({"eventClassifierCode": None}, "document_element_missing", "events[0].eventClassifierCode"),
        ({"eventType": "PARTY"}, "document_value_wrong", "events[0].eventType"),
        ({"eventDateTime": "2026-11-20 09:15"}, "document_date_wrong", "events[0].eventDateTime"),
        ({"eventDateTime": "2026-11-20T09:15:00"}, "document_date_wrong", "events[0].eventDateTime"),
        ({"equipmentEventTypeCode": None}, "document_element_missing", "events[0].equipmentEventTypeCode"),
        ({"equipmentReference": 7}, "document_value_wrong", "events[0].equipmentReference"),
        ({"documentReferences": "BL-77"}, "document_value_wrong", "events[0].documentReferences"),
    ],
)
def test_a_wrong_event_is_refused(change: dict[str, Any], code: str, place: str) -> None:
    with pytest.raises(Problem) as caught:
        dcsa.read(raw({**EVENT, **change}))
    assert (caught.value.code, caught.value.facts["place"]) == (code, place)


@pytest.mark.parametrize("value", [[], [1], 5, "x", {"events": {}}])
def test_anything_else_is_refused(value: Any) -> None:
    with pytest.raises(Problem):
        dcsa.read(json.dumps(value).encode())
