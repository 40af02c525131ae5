"""EPCIS documents nobody here wrote: the valid load, the invalid are refused, every published hash agrees."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from scf.kernel.problems import Problem
from scf.standards import epcis, epcis_hash
from scf.standards.detect import detect
from scf.standards.records import DocumentKind

COUNTS = {
    "AggregationEvent": 1,
    "AssociationEvent": 2,
    "Combination_of_different_event": 6,
    "JumbledFieldsOrder": 1,
    "ObjectEvent": 2,
    "ObjectEvent_all_possible_fields": 1,
    "ObjectEvent_with_error_declaration": 2,
    "ObjectEvent_with_sensorData": 1,
    "SensorData_with_combined_events": 13,
    "TransactionEvent": 2,
    "TransactionEvent_all_possible_fields": 1,
    "TransformationEvent": 1,
    "epcisDocWithAllGS1Keys": 1,
}
REFUSALS = {
    "Combination_of_multiple_invalid_fields": ("document_value_wrong", "epcisBody.eventList[0].bizStep", 6),
    "EPCISDocument_without_context": ("document_element_missing", "@context", None),
    "ObjectEvent_with_invalid_action": ("document_value_wrong", "epcisBody.eventList[0].action", 1),
    "ObjectEvent_with_invalid_eventTime_format": ("document_date_wrong", "epcisBody.eventList[0].eventTime", 1),
    "ObjectEvent_with_quantity_as_text": (
        "document_number_wrong",
        "epcisBody.eventList[0].quantityList[0].quantity",
        1,
    ),
    "ObjectEvent_without_action_and_eventTime": ("document_element_missing", "epcisBody.eventList[0].eventTime", 3),
    "ObjectEvent_without_identifier_list": ("document_element_missing", "epcisBody.eventList[0].epcList", 1),
}
AGREEING = (
    "AggregationEvent",
    "AssociationEvent",
    "ObjectEvent",
    "ObjectEvent_with_error_declaration",
    "ObjectEvent_with_sensorData",
    "TransformationEvent",
    "epcisDocWithAllGS1Keys",
)


def test_every_file_is_known_here(samples: Path) -> None:
    assert {path.stem for path in (samples / "epcis" / "valid").glob("*.json")} == set(COUNTS)
    assert {path.stem for path in (samples / "epcis" / "invalid").glob("*.json")} == set(REFUSALS)


@pytest.mark.parametrize("name", COUNTS)
def test_the_valid_load(samples: Path, name: str) -> None:
    raw = (samples / "epcis" / "valid" / f"{name}.json").read_bytes()
    assert detect(raw) == DocumentKind.EPCIS_JSON
    events = epcis.read(raw)
    assert len(events) == COUNTS[name]
    assert any(event.is_error_declaration for event in events) is ("error" in name or b"errorDeclaration" in raw)


@pytest.mark.parametrize("name", REFUSALS)
def test_the_invalid_are_refused_with_place_and_reason(samples: Path, name: str) -> None:
    code, place, count = REFUSALS[name]
    with pytest.raises(Problem) as caught:
        epcis.read((samples / "epcis" / "invalid" / f"{name}.json").read_bytes())
    assert (caught.value.code, caught.value.facts["place"], caught.value.facts.get("fault_count")) == (
        code,
        place,
        count,
    )
    assert caught.value.facts["reason"]


def test_every_published_hash_agrees(samples: Path) -> None:
    files = sorted((samples / "epcis" / "event-hash").glob("*.jsonld"))
    assert len(files) == 4
    for path in files:
        found = [event.event_hash for event in epcis.read(path.read_bytes())]
        assert found == path.with_suffix(".hashes").read_text().split(), path.name
        document = json.loads(path.read_bytes())
        prefixes = {key: uri for item in document["@context"] if isinstance(item, dict) for key, uri in item.items()}
        texts = "".join(epcis_hash.pre_hash(event, prefixes) for event in document["epcisBody"]["eventList"])
        assert texts == "".join(path.with_suffix(".prehashes").read_text().split("\n")), path.name


TRANSFORMATION = """<epcis:EPCISDocument xmlns:epcis="urn:epcglobal:epcis:xsd:2" schemaVersion="2.0"
 xmlns:example="https://ns.example.com/epcis/" xmlns:cbvmda="urn:epcglobal:cbv:mda" creationDate="2026-11-23T09:30:00Z">
<EPCISBody><EventList><TransformationEvent><eventTime>2026-10-31T14:58:56.591Z</eventTime>
<eventTimeZoneOffset>+08:00</eventTimeZoneOffset>
<inputEPCList><epc>urn:epc:id:sgtin:4012345.011122.25</epc></inputEPCList>
<inputQuantityList><quantityElement><epcClass>urn:epc:class:lgtin:4012345.011111.4444</epcClass>
 <quantity>10.0</quantity><uom>KGM</uom></quantityElement></inputQuantityList>
<outputEPCList><epc>urn:epc:id:sgtin:4012345.077889.25</epc><epc>urn:epc:id:sgtin:4012345.077889.24</epc></outputEPCList>
<transformationID>urn:epc:id:gdti:0614141.12345.400</transformationID>
<bizStep>https://ref.gs1.org/cbv/BizStep-commissioning</bizStep>
<persistentDisposition><set>urn:epcglobal:cbv:disp:completeness_verified</set>
 <unset>https://ref.gs1.org/cbv/Disp-completeness_inferred</unset></persistentDisposition>
<readPoint><id>urn:epc:id:sgln:4012345.00001.0</id></readPoint>
<ilmd><example:bestBeforeDate>2026-12-10</example:bestBeforeDate><cbvmda:lotNumber>007</cbvmda:lotNumber></ilmd>
<sensorElementList><sensorElement><sensorMetadata time="2026-04-02T13:05:00.000Z" deviceID="urn:epc:id:giai:4000001.1"/>
 <sensorReport type="gs1:Temperature" value="26.0" uom="CEL" sDev="0.1"/></sensorElement></sensorElementList>
<example:myField><example:a>2</example:a><example:b>05</example:b></example:myField></TransformationEvent>
</EventList></EPCISBody></epcis:EPCISDocument>"""


def test_the_published_implementation_agrees_on_xml() -> None:
    hashes = pytest.importorskip("epcis_event_hash_generator.hash_generator")
    reader = pytest.importorskip("epcis_event_hash_generator.xml_to_py")
    wanted = hashes.epcis_hashes_from_events(reader.event_list_from_epcis_document_str(TRANSFORMATION))
    assert [event.event_hash for event in epcis.read(TRANSFORMATION.encode())] == wanted


@pytest.mark.parametrize("name", AGREEING)
def test_the_published_implementation_agrees(samples: Path, name: str) -> None:
    logging.disable(logging.CRITICAL)
    try:
        hashes = pytest.importorskip("epcis_event_hash_generator.hash_generator")
        reader = pytest.importorskip("epcis_event_hash_generator.json_to_py")
        reader._namespaces.clear()
        raw = (samples / "epcis" / "valid" / f"{name}.json").read_text(encoding="utf-8")
        bundled = raw.replace("epcis/epcis-context", "epcis/2.0.0/epcis-context")
        wanted = hashes.epcis_hashes_from_events(reader.event_list_from_epcis_document_str(bundled))
    finally:
        logging.disable(logging.NOTSET)
    assert [event.event_hash for event in epcis.read(raw.encode())] == wanted
