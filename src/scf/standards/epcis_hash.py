"""The EPCIS event hash of CBV 2.0, section 8.9: one text for one event, whatever its syntax or field order.

Works on the JSON form of an event (`epcis_xml` brings XML into it). Left out of the text: event id, record time, error
declaration. The sample vectors fix what the standard leaves open: the lists of transactions, sources and destinations
stand with ILMD and extensions, sorted, after the sensor data.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, timedelta
from typing import Any

from scf.standards import gs1
from scf.standards.tree import parse_moment

_FIRST = ("eventTime", "eventTimeZoneOffset", "certificationInfo", "parentID")
_QUANTITY = ("epcClass", "quantity", "uom")
SENSOR_METADATA = (
    "time",
    "startTime",
    "endTime",
    "deviceID",
    "deviceMetadata",
    "rawData",
    "dataProcessingMethod",
    "bizRules",
)
SENSOR_REPORT = (
    "type",
    "exception",
    "deviceID",
    "deviceMetadata",
    "rawData",
    "dataProcessingMethod",
    "time",
    "microorganism",
    "chemicalSubstance",
    "value",
    "component",
    "stringValue",
    "booleanValue",
    "hexBinaryValue",
    "uriValue",
    "minValue",
    "maxValue",
    "meanValue",
    "sDev",
    "percRank",
    "percValue",
    "uom",
    "coordinateReferenceSystem",
)
_ORDERED = (
    "epcList",
    "inputEPCList",
    "childEPCs",
    "quantityList",
    "childQuantityList",
    "inputQuantityList",
    "outputEPCList",
    "outputQuantityList",
    "action",
    "transformationID",
    "bizStep",
    "disposition",
    "persistentDisposition",
    "readPoint",
    "bizLocation",
    "sensorElementList",
)
_IGNORED = frozenset(
    ("type", "isA", "eventID", "recordTime", "errorDeclaration", "captureID", "@context", "rdfs:comment")
)
_PAIRS = {"bizTransactionList": "bizTransaction", "sourceList": "source", "destinationList": "destination"}
_TIMES = frozenset(("eventTime", "time", "startTime", "endTime"))
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?")
_URNS = {
    "urn:epcglobal:cbv:bizstep:": "https://ref.gs1.org/cbv/BizStep-",
    "urn:epcglobal:cbv:disp:": "https://ref.gs1.org/cbv/Disp-",
    "urn:epcglobal:cbv:btt:": "https://ref.gs1.org/cbv/BTT-",
    "urn:epcglobal:cbv:sdt:": "https://ref.gs1.org/cbv/SDT-",
    "urn:epcglobal:cbv:er:": "https://ref.gs1.org/cbv/ER-",
}
_BARE = {
    "bizStep": "https://ref.gs1.org/cbv/BizStep-",
    "disposition": "https://ref.gs1.org/cbv/Disp-",
    "set": "https://ref.gs1.org/cbv/Disp-",
    "unset": "https://ref.gs1.org/cbv/Disp-",
    "bizTransaction": "https://ref.gs1.org/cbv/BTT-",
    "source": "https://ref.gs1.org/cbv/SDT-",
    "destination": "https://ref.gs1.org/cbv/SDT-",
    "component": "https://ref.gs1.org/cbv/Comp-",
    "sensorType": "https://gs1.org/voc/",
    "exception": "https://gs1.org/voc/",
}
PREFIXES = {"cbv": "https://ref.gs1.org/cbv/", "gs1": "https://gs1.org/voc/"}
"""Prefixes that every EPCIS document may use in values."""


def event_hash(event: Mapping[str, Any], prefixes: Mapping[str, str]) -> str:
    """The hash id `ni:///sha-256;…?ver=CBV2.0` of an event in JSON form; `prefixes` maps declared prefixes to URIs."""
    digest = hashlib.sha256(pre_hash(event, prefixes).encode("utf-8", "surrogatepass")).hexdigest()
    return f"ni:///sha-256;{digest}?ver=CBV2.0"


def pre_hash(event: Mapping[str, Any], prefixes: Mapping[str, str]) -> str:
    """The text that is hashed."""
    text = _Text(prefixes)
    parts = [f"eventType={event.get('type', event.get('isA', ''))}"]
    parts += [text.scalars(name, event.get(name)) for name in _FIRST]
    parts += [text.ordered(name, event.get(name)) for name in _ORDERED]
    known = _IGNORED | set(_FIRST) | set(_ORDERED)
    rest = [text.rest(name, value) for name, value in event.items() if name not in known and name[:1] != "@"]
    return "".join(parts) + "".join(sorted(item for found in rest for item in found))


def moment_text(text: str) -> str:
    """A date-time in UTC with milliseconds (rounded half up); unreadable text stays as it is."""
    try:
        found = parse_moment(text.strip())
    except ValueError:
        return text.strip()
    if found.tzinfo is None:
        return text.strip()
    rounded = found.replace(microsecond=0) + timedelta(milliseconds=(found.microsecond + 500) // 1000)
    return rounded.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class _Text:
    """Canonical pieces of one event's text."""

    def __init__(self, prefixes: Mapping[str, str]) -> None:
        self.prefixes = {**PREFIXES, **prefixes}

    def scalars(self, name: str, value: Any, vocabulary: str | None = None) -> str:
        """`name=value`, once per value of a list, sorted; empty where there is none."""
        values = value if isinstance(value, list) else [value]
        found = [self.value(name, item, vocabulary) for item in values if item is not None]
        return "".join(sorted(f"{name}={item}" for item in found if item))

    def value(self, name: str, value: Any, vocabulary: str | None = None) -> str:
        """A value in its canonical form."""
        if isinstance(value, bool):
            return "true" if value else "false"
        text = str(value).strip()
        if name in _TIMES:
            return moment_text(text)
        bare = _BARE.get(vocabulary or name)
        if bare and re.fullmatch(r"[A-Za-z_0-9]+", text):
            text = bare + text
        prefix, colon, rest = text.partition(":")
        if colon and prefix in self.prefixes:
            text = self.prefixes[prefix] + rest
        for urn, uri in _URNS.items():
            if text.startswith(urn):
                text = uri + text[len(urn) :]
        return gs1.canonical(text) or _plain_number(text)

    def ordered(self, name: str, value: Any) -> str:
        """One of the fields with a fixed place."""
        if value is None:
            return ""
        if name.endswith("EPCList") or name in ("epcList", "childEPCs"):
            inner = "".join(sorted(f"epc={self.value('epc', item)}" for item in value))
        elif name.endswith("uantityList"):
            inner = "".join(sorted("quantityElement" + self.fields(item, _QUANTITY) for item in value))
        elif name == "persistentDisposition":
            inner = self.fields(value, ("set", "unset"))
        elif name in ("readPoint", "bizLocation"):
            inner = self.fields(value, ("id",)) if isinstance(value, Mapping) else f"id={self.value('id', value)}"
        elif name == "sensorElementList":
            inner = "".join(sorted(self.sensor(item) for item in value))
        else:
            return self.scalars(name, value)
        return name + inner if inner else ""

    def fields(self, item: Mapping[str, Any], names: Sequence[str], vocabulary: Mapping[str, str] | None = None) -> str:
        """Fields in their order, then extensions sorted."""
        known = "".join(self.scalars(name, item.get(name), (vocabulary or {}).get(name)) for name in names)
        return known + self.extensions(item, names)

    def extensions(self, item: Mapping[str, Any], names: Sequence[str]) -> str:
        found = [self.rest(name, value) for name, value in item.items() if name not in names and ":" in name]
        return "".join(sorted(text for texts in found for text in texts))

    def sensor(self, element: Mapping[str, Any]) -> str:
        metadata = self.fields(element.get("sensorMetadata") or {}, SENSOR_METADATA)
        reports = sorted(
            "sensorReport" + self.fields(item, SENSOR_REPORT, {"type": "sensorType"})
            for item in element.get("sensorReport") or ()
        )
        return (
            "sensorElement"
            + ("sensorMetadata" + metadata if metadata else "")
            + "".join(reports)
            + self.extensions(element, ("sensorMetadata", "sensorReport"))
        )

    def rest(self, name: str, value: Any) -> list[str]:
        """Texts of a field without a fixed place: transactions, sources, destinations, ILMD, extensions."""
        if name in _PAIRS:
            pairs = sorted(self.pair(_PAIRS[name], item) for item in value)
            return [name + "".join(pairs)] if pairs else []
        title = self.title(name)
        values = value if isinstance(value, list) else [value]
        found: list[str] = []
        for item in values:
            if isinstance(item, Mapping):
                own = _plain_text(item.get("#text"))
                inner = [text for key, sub in item.items() if key != "#text" for text in self.rest(key, sub)]
                found.append(title + (f"={self.value('', own)}" if own else "") + "".join(sorted(inner)))
            elif isinstance(item, list):
                found += self.rest(name, item)
            elif item is not None:
                text = self.value("", item)
                found.append(f"{title}={text}" if text else title)
        return found

    def pair(self, name: str, item: Mapping[str, Any]) -> str:
        kind = item.get("type")
        first = f"type={self.value('type', kind, name)}" if kind else ""
        return f"{first}{name}={self.value('', item.get(name, ''))}"

    def title(self, name: str) -> str:
        """`prefix:name` as `{namespace}name` where the prefix is declared."""
        prefix, colon, rest = name.partition(":")
        return f"{{{self.prefixes[prefix]}}}{rest}" if colon and prefix in self.prefixes else name


def _plain_text(value: Any) -> str:
    return "" if value is None else str(value).strip()


def _plain_number(text: str) -> str:
    """A number without sign `+`, leading or trailing zeros; any other text as it is.

    Goes through binary floating point as GS1's published implementation does: parties must come to the same text.
    """
    if len(text) > 64 or not _NUMBER.fullmatch(text):
        return text
    value = float(text)
    if value in (float("inf"), float("-inf")):
        return text
    return str(int(value)) if value == int(value) else str(value)
