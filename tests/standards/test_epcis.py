"""EPCIS events: one meaning, one hash, whatever syntax, order or identifier form; every fault told."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scf.kernel.problems import Problem
from scf.standards import epcis, epcis_xml, gs1, json_text
from scf.standards.detect import detect
from scf.standards.records import DocumentKind, EpcQuantity, Identifier

NOW = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
CHINA = timezone(timedelta(hours=8))
SSCC = "urn:epc:id:sscc:4012345.0000000333"


def shipping(**more: Any) -> dict[str, Any]:
    values: dict[str, Any] = {
        "time": datetime(2026, 11, 20, 16, 5, 1, 250_000, CHINA),
        "biz_step": "shipping",
        "disposition": "in_transit",
        "epcs": [SSCC],
        "quantities": [EpcQuantity("urn:epc:class:lgtin:4012345.012345.L-7", Decimal("20.50"), "KGM")],
        "read_point": "urn:epc:id:sgln:4012345.00011.987",
        "biz_transactions": [Identifier("desadv", "urn:epcglobal:cbv:bt:4012345000009:DN-1"), Identifier("po", "http://x.example/po/PO-1")],
        "sources": [Identifier("possessing_party", "urn:epc:id:pgln:4012345.00225")],
        "destinations": [Identifier("possessing_party", "urn:epc:id:pgln:0614141.00777")],
    }  # fmt: skip
    return epcis.object_event(**{**values, **more})


XML = """<?xml version="1.0" encoding="UTF-8"?>
<epcis:EPCISDocument xmlns:epcis="urn:epcglobal:epcis:xsd:{major}" schemaVersion="{major}.0" creationDate="2026-11-23T09:30:00Z">
<EPCISBody><EventList><ObjectEvent>
 <eventTime>2026-11-20T08:05:01.25Z</eventTime><eventTimeZoneOffset>+08:00</eventTimeZoneOffset>
 <epcList><epc>https://example.com/sscc/040123450000003338?x=1</epc></epcList>
 <action>OBSERVE</action><bizStep>urn:epcglobal:cbv:bizstep:shipping</bizStep>
 <disposition>urn:epcglobal:cbv:disp:in_transit</disposition>
 <readPoint><id>urn:epc:id:sgln:4012345.00011.987</id></readPoint>
 <bizTransactionList>
  <bizTransaction type="urn:epcglobal:cbv:btt:po">http://x.example/po/PO-1</bizTransaction>
  <bizTransaction type="urn:epcglobal:cbv:btt:desadv">urn:epcglobal:cbv:bt:4012345000009:DN-1</bizTransaction>
 </bizTransactionList>
 {before}<quantityList><quantityElement><epcClass>urn:epc:class:lgtin:4012345.012345.L-7</epcClass>
  <quantity>20.5</quantity><uom>KGM</uom></quantityElement></quantityList>
 <sourceList><source type="urn:epcglobal:cbv:sdt:possessing_party">urn:epc:id:pgln:4012345.00225</source></sourceList>
 <destinationList><destination type="urn:epcglobal:cbv:sdt:possessing_party">urn:epc:id:pgln:0614141.00777</destination></destinationList>{after}
</ObjectEvent></EventList></EPCISBody></epcis:EPCISDocument>"""  # noqa: E501


def test_a_written_event_is_read_back() -> None:
    (event,) = epcis.read(epcis.write([shipping()], NOW))
    assert (event.kind, event.action, event.biz_step, event.disposition) == (
        "ObjectEvent",
        "OBSERVE",
        "shipping",
        "in_transit",
    )
    assert event.epcs == ("https://id.gs1.org/00/040123450000003338",)
    assert event.quantities == (EpcQuantity("https://id.gs1.org/01/04012345123456/10/L-7", Decimal("20.5"), "KGM"),)
    assert event.time == datetime(2026, 11, 20, 8, 5, 1, 250_000, UTC)
    found = [(item.scheme, epcis.reference(item.value)) for item in event.biz_transactions]
    assert found == [("desadv", "DN-1"), ("po", "PO-1")]
    assert event.event_id == event.event_hash
    assert event.is_evidence


@pytest.mark.parametrize("namespace", ["", "urn:epcglobal:epcis:xsd:2"])
def test_one_event_alone_is_read_as_in_its_document(namespace: str) -> None:
    document = XML.format(major="2", before="", after="")
    event = document[document.index("<ObjectEvent>") : document.index("</EventList>")]
    if namespace:
        event = event.replace("<ObjectEvent>", f'<e:ObjectEvent xmlns:e="{namespace}">').replace(
            "</ObjectEvent>", "</e:ObjectEvent>"
        )
    assert detect(event.encode()) == DocumentKind.EPCIS_XML
    assert epcis.read(event.encode()) == epcis.read(document.encode())


def test_an_event_of_another_vocabulary_is_none_of_ours() -> None:
    with pytest.raises(Problem) as refused:
        epcis.read(
            b'<ObjectEvent xmlns="urn:example:parties"><eventTime>2026-11-20T08:05:01Z</eventTime></ObjectEvent>'
        )
    assert refused.value.code == "document_not_this_kind"


@pytest.mark.parametrize(
    ("major", "before", "after"), [("2", "", ""), ("1", "<extension>", "</extension>")], ids=["2.0", "1.2"]
)
def test_xml_and_json_of_one_event_agree(major: str, before: str, after: str) -> None:
    (from_xml,) = epcis.read(XML.format(major=major, before=before, after=after).encode())
    (from_json,) = epcis.read(epcis.write([shipping()], NOW))
    assert from_xml.event_hash == from_json.event_hash
    assert from_xml.biz_step == "shipping"
    assert set(from_xml.biz_transactions) == set(from_json.biz_transactions)


@settings(max_examples=50, deadline=None)
@given(st.randoms(use_true_random=False))
def test_field_order_does_not_change_the_hash(random: Any) -> None:
    event = shipping()
    names = list(event)
    random.shuffle(names)
    jumbled = {name: event[name] for name in names}
    jumbled["bizTransactionList"] = list(reversed(jumbled["bizTransactionList"]))
    (one,), (other,) = epcis.read(epcis.write([event], NOW)), epcis.read(epcis.write([jumbled], NOW))
    assert one.event_hash == other.event_hash


def test_any_change_of_meaning_changes_the_hash() -> None:
    base = shipping()
    for name, value in (
        ("biz_step", "receiving"),
        ("epcs", []),
        ("read_point", None),
        ("time", datetime(2026, 11, 20, 16, 5, 1, 251_000, CHINA)),
        ("quantities", [EpcQuantity("urn:epc:class:lgtin:4012345.012345.L-7", Decimal("20.51"), "KGM")]),
        ("destinations", []),
    ):
        assert shipping(**{name: value})["eventID"] != base["eventID"], name


def test_repeated_and_withdrawn_events_are_told_apart() -> None:
    event, other = shipping(), shipping(biz_step="receiving")
    declaration = {**event, "errorDeclaration": {"declarationTime": "2026-11-21T00:00:00Z", "reason": "incorrect_data"}}
    events = epcis.read(epcis.write([event, event, other, declaration], NOW))
    assert events[3].is_error_declaration
    assert events[3].event_hash == events[0].event_hash
    assert epcis.duplicates(events) == {1: (0, "same_id")}
    assert [item.biz_step for item in epcis.effective(events)] == ["receiving"]
    assert epcis.contradictions(events) == []


def test_one_id_with_two_meanings_is_a_contradiction() -> None:
    events = epcis.read(epcis.write([shipping(event_id="urn:uuid:1"), shipping(event_id="urn:uuid:1", epcs=[])], NOW))
    assert epcis.contradictions(events) == [(0, 1)]


def test_every_fault_is_told() -> None:
    event = shipping()
    event.update(action="CREATE", bizStep="transforming", eventTime="22-07-2026")
    with pytest.raises(Problem) as caught:
        epcis.write([event], NOW)
    assert caught.value.facts["fault_count"] == 3
    assert len(caught.value.facts["others"]) == 2  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"epcList": "x:1"}, "epcList"),
        ({"epcList": ["no uri"]}, "epcList[0]"),
        ({"quantityList": [{"epcClass": "x:1", "quantity": True}]}, "quantityList[0].quantity"),
        ({"quantityList": [{"epcClass": "x:1", "quantity": -1}]}, "quantityList[0].quantity"),
        ({"quantityList": [5]}, "quantityList[0]"),
        ({"eventTime": "2026-11-20T16:05:01"}, "eventTime"),
        ({"eventTimeZoneOffset": "8"}, "eventTimeZoneOffset"),
        ({"readPoint": {"id": 7}}, "readPoint"),
        ({"sourceList": [{"source": "x:1"}]}, "sourceList[0].type"),
        ({"bizTransactionList": {"po": 1}}, "bizTransactionList"),
        ({"errorDeclaration": {}}, "errorDeclaration.declarationTime"),
        ({"eventTme": "x"}, "eventTme"),
        ({"sensorElementList": [{}]}, "sensorElementList[0].sensorReport"),
        ({"type": "BirthdayEvent"}, "type"),
    ],
)
def test_a_wrong_event_is_refused_with_its_place(change: dict[str, Any], place: str) -> None:
    document = json.loads(epcis.write([shipping()], NOW))
    document["epcisBody"]["eventList"][0].update(change)
    with pytest.raises(Problem) as caught:
        epcis.read(json.dumps(document).encode())
    assert caught.value.facts["place"] == f"epcisBody.eventList[0].{place}"


@pytest.mark.parametrize(
    ("uri", "wanted"),
    [
        ("urn:epc:id:sgtin:4012345.011111.9876", "https://id.gs1.org/01/04012345111118/21/9876"),
        (
            "https://shop.example/some/gtin/4012345111118/lot/A/ser/9876?color=red",
            "https://id.gs1.org/01/04012345111118/21/9876",
        ),
        ("https://id.gs1.org/01/04012345111118/10/A", "https://id.gs1.org/01/04012345111118/10/A"),
        ("urn:epc:id:sgln:4012345.00011.0", "https://id.gs1.org/414/4012345000115"),
        ("urn:epc:id:sgtin:4012345.11111.9876", None),
        ("urn:epc:id:unknown:1", None),
        ("https://example.com/orders/4711", None),
        ("plain text", None),
    ],
)
def test_identifiers_come_into_one_form(uri: str, wanted: str | None) -> None:
    assert gs1.canonical(uri) == wanted


def test_check_digits() -> None:
    assert [gs1.check_digit(key) for key in ("629104150021", "0614141073467"[:12], "04012345000000333")] == [
        "3",
        "7",
        "8",
    ]


WARM = {
    "type": "ObjectEvent",
    "eventTime": "2026-11-20T16:05:01.2504+08:00",
    "eventTimeZoneOffset": "+08:00",
    "recordTime": "2026-11-20T08:06:00Z",
    "epcList": [SSCC],
    "action": "ADD",
    "bizStep": "commissioning",
    "ilmd": {"ext:bestBefore": "2027-01-31", "ext:lots": {"ext:lot": ["B", "A"]}},
    "sensorElementList": [
        {
            "sensorMetadata": {"time": "2026-11-20T08:00:00Z", "deviceID": "urn:epc:id:giai:4000001.111"},
            "sensorReport": [
                {"type": "Temperature", "exception": "ALARM_CONDITION", "value": 26.50, "uom": "CEL"},
            ],
        }
    ],
    "ext:seal": {"ext:number": "00731"},
}
WARM_XML = """<epcis:EPCISDocument xmlns:epcis="urn:epcglobal:epcis:xsd:2" schemaVersion="2.0" xmlns:e="https://ext.example/"
 xmlns:gs1="https://gs1.org/voc/" creationDate="2026-11-23T09:30:00Z">{ignored}<EPCISBody><EventList><ObjectEvent>
<eventTime>2026-11-20T08:05:01.250Z</eventTime><eventTimeZoneOffset>+08:00</eventTimeZoneOffset>
<epcList><epc>https://id.gs1.org/00/040123450000003338</epc></epcList><action>ADD</action>
<bizStep>urn:epcglobal:cbv:bizstep:commissioning</bizStep>
<sensorElementList><sensorElement>
 <sensorMetadata time="2026-11-20T16:00:00+08:00" deviceID="https://id.gs1.org/8004/4000001111"/>
 <sensorReport type="gs1:Temperature" exception="gs1:ALARM_CONDITION" value="26.5" uom="CEL"/>
</sensorElement></sensorElementList>
<ilmd><e:lots><e:lot>A</e:lot><e:lot>B</e:lot></e:lots><e:bestBefore>2027-01-31</e:bestBefore></ilmd>
<e:seal><e:number>731</e:number></e:seal>{more}</ObjectEvent></EventList></EPCISBody></epcis:EPCISDocument>"""


def warm(**more: Any) -> bytes:
    document = {
        "@context": ["https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld", {"ext": "https://ext.example/"}],
        "type": "EPCISDocument",
        "schemaVersion": "2.0",
        "creationDate": "2026-11-23T09:30:00Z",
        "epcisBody": {"eventList": [WARM]},
    }
    return json.dumps({**document, **more}).encode()


def test_sensor_alarms_master_data_and_extensions_hash_alike_in_both_syntaxes() -> None:
    (from_json,) = epcis.read(warm())
    (from_xml,) = epcis.read(WARM_XML.format(ignored="", more="").encode())
    assert from_json.event_hash == from_xml.event_hash


def test_what_a_repository_added_and_says_so_does_not_change_the_hash() -> None:
    (plain,) = epcis.read(warm())
    added = {**WARM, "ext:storedAs": "7"}
    body = {"eventList": [added]}
    assert epcis.read(warm(epcisBody=body))[0].event_hash != plain.event_hash
    (left_out,) = epcis.read(warm(epcisBody=body, **{"ext:ignoreFields": ["ext:storedAs", "epcList"]}))
    assert left_out.event_hash == plain.event_hash, "only extensions can be left out, never what happened"
    assert left_out.epcs
    ignored = "<e:ignoreFields><e:storedAs/></e:ignoreFields>"
    (from_xml,) = epcis.read(WARM_XML.format(ignored=ignored, more="<e:storedAs>7</e:storedAs>").encode())
    assert from_xml.event_hash == plain.event_hash


def test_a_quantity_that_is_expressly_unknown_is_unknown_and_an_empty_one_is_refused() -> None:
    quantity = """<quantityList><quantityElement><epcClass>urn:epc:class:lgtin:4012345.012345.L-7</epcClass>
    <quantity {nil}/></quantityElement></quantityList>"""
    nil = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:nil="true"'
    (event,) = epcis.read(WARM_XML.format(ignored="", more=quantity.format(nil=nil)).encode())
    assert event.quantities[0].quantity is None
    with pytest.raises(Problem) as caught:
        epcis.read(WARM_XML.format(ignored="", more=quantity.format(nil="")).encode())
    assert caught.value.code == "document_number_wrong"


def many(count: int) -> list[dict[str, Any]]:
    return [
        shipping(biz_transactions=[Identifier("po", f"urn:epcglobal:cbv:bt:4012345000009:PO{n}")]) for n in range(count)
    ]


def test_events_of_a_large_document_are_never_held_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """A shipper's year fits a small machine: what is read is let go, event by event, in both syntaxes."""
    one = XML[XML.index("<ObjectEvent>") : XML.index("</ObjectEvent>") + 14].format(major="2", before="", after="")
    raw = XML.format(major="2", before="", after="").replace(one, one * 3_000).encode()
    held: list[int] = []
    form = epcis_xml._event

    def watched(element: Any, prefixes: dict[str, str]) -> dict[str, Any]:
        if len(held) % 500 == 0:
            held.append(sum(1 for _ in element.getparent().iter("eventTime")))
        else:
            held.append(0)
        return form(element, prefixes)

    monkeypatch.setattr(epcis_xml, "_event", watched)
    assert len(epcis.read(raw)) == len(held) == 3_000
    assert max(held) < 300, "only what one piece of text holds"
    outline = json_text.outline(epcis.write(many(50), NOW), [("epcisBody", "eventList")])
    assert outline.value["epcisBody"] == {"eventList": []}
    assert [event["type"] for event in outline.items(("epcisBody", "eventList")) or ()] == ["ObjectEvent"] * 50


NOT_JSON = """{"a":[1,2}|{"a":1 "b":2}|{a:1}|[1]]|{"a":[NaN]}|{"a":1,"a":[2]}|{"a":[1],}|{"a":[1]} x|[1 2]|[1,]|{|["""


@pytest.mark.parametrize("text", NOT_JSON.split("|"))
def test_a_text_read_item_by_item_is_refused_like_one_read_whole(text: str) -> None:
    for lists in ([("a",)], [()], [("a", "b")], []):
        with pytest.raises(Problem) as whole:
            json_text.parse(text.encode())
        with pytest.raises(Problem) as piecewise:
            json_text.outline(text.encode(), lists)
        assert piecewise.value.code == whole.value.code


VALUES = st.recursive(
    st.none() | st.integers() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["a", "b", '["']), inner, max_size=3),
    max_leaves=12,
)


@given(value=VALUES, indent=st.sampled_from([None, 1]))
@settings(max_examples=60, deadline=None)
def test_a_text_read_item_by_item_says_what_it_says_as_a_whole(value: Any, indent: int | None) -> None:
    raw = json.dumps(value, indent=indent).encode()
    outline = json_text.outline(raw, [("a", "b"), ("a",)])
    listed = value.get("a") if isinstance(value, dict) else None
    below = listed.get("b") if isinstance(listed, dict) else None
    for path, wanted in ((("a",), listed), (("a", "b"), below)):
        items = outline.items(path)
        assert (None if items is None else list(items)) == (wanted if isinstance(wanted, list) else None)
    if not isinstance(listed, list) and not isinstance(below, list):
        assert outline.value == value


def test_events_behind_a_second_list_are_not_lost_in_silence() -> None:
    raw = XML.format(major="2", before="", after="")
    twice = raw.replace("</EventList>", "</EventList><EventList></EventList>")
    document = json.loads(epcis.write([shipping()], NOW))
    document["epcisBody"]["event"] = document["epcisBody"]["eventList"][0]
    for wrong in (twice.encode(), json.dumps(document).encode()):
        with pytest.raises(Problem) as refused:
            epcis.read(wrong)
        assert refused.value.code in ("document_element_repeated", "document_value_wrong")
        assert "Body" in refused.value.facts["place"]


def test_context_and_exceptions_may_stand_behind_the_events() -> None:
    document = json.loads(warm())
    turned = dict(reversed(list(document.items())))
    assert epcis.read(json.dumps(turned).encode()) == epcis.read(json.dumps(document).encode())
    plain = epcis.read(WARM_XML.format(ignored="", more="").encode())
    late = WARM_XML.format(ignored="", more="<e:storedAs>7</e:storedAs>").replace(
        "</EPCISBody>", "</EPCISBody><e:ignoreFields><e:storedAs/></e:ignoreFields>"
    )
    assert [item.event_hash for item in epcis.read(late.encode())] == [item.event_hash for item in plain]
