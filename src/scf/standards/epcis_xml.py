"""EPCIS XML (1.2 and 2.0) brought into the JSON form, so that one set of rules and one hash serve both."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

from lxml import etree

from scf.standards import tree, xml
from scf.standards.epcis_rules import EVENT_TYPES
from scf.standards.refusals import refusal

_WRAPPERS = ("extension", "baseExtension")
_EPC_LISTS = ("epcList", "childEPCs", "inputEPCList", "outputEPCList")
_QUANTITY_LISTS = ("quantityList", "childQuantityList", "inputQuantityList", "outputQuantityList")
_PAIRS = {"bizTransactionList": "bizTransaction", "sourceList": "source", "destinationList": "destination"}
_PLACED = 200
"""So many events are placed by their whole path; those after them by number, which a large file tells faster."""
_NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"
_NUMBER = re.compile(r"-?\d{1,30}(\.\d{1,20})?")


def read(raw: bytes, take: Callable[[str, dict[str, Any], dict[str, str]], None]) -> None:
    """Hand place, JSON form and prefixes of every event to `take`, each when the parser has come to its end.

    Raises Problem (see `xml.parse`; `document_not_this_kind`, `document_element_missing`, `document_element_repeated`,
    `document_element_unknown`) and those of `take`.
    """
    says_so = b"ignoreFields" in raw or b"i\0g\0n\0o\0r\0e" in raw  # rare, and it may stand behind the events
    events = _Events(take, _ignored(xml.parse(raw)) if says_so else frozenset())
    root = xml.stream(raw, EVENT_TYPES, events.read)
    events.finish(root)


class _Events:
    def __init__(self, take: Callable[[str, dict[str, Any], dict[str, str]], None], ignored: frozenset[str]) -> None:
        self._take = take
        self._ignored = ignored
        self._list: etree._Element | None = None
        self._count = 0

    def read(self, element: etree._Element) -> bool:
        """Read an event of the list; False for an element of that name elsewhere."""
        holder = element.getparent()
        while holder is not None and etree.QName(holder).localname in _WRAPPERS:
            holder = holder.getparent()
        if holder is None or etree.QName(holder).localname != "EventList":
            return False
        if self._list is None:
            _check_root(element.getroottree().getroot())
            self._list = holder
        if holder is not self._list:
            return False
        _strip(element)
        if element.tag not in EVENT_TYPES:
            return False
        prefixes: dict[str, str] = {}
        for child in [item for item in _unwrapped(element) if str(item.tag) in self._ignored]:
            child.getparent().remove(child)  # type: ignore[union-attr]
        is_short = self._count < _PLACED
        self._count += 1
        place = tree.place(element) if is_short else f"event {self._count}, {element.tag} (line {element.sourceline})"
        self._take(place, _event(element, prefixes), prefixes)
        return True

    def finish(self, root: etree._Element) -> None:
        """Refuse a document whose rest is not that of an EPCIS document, and read one event that stands alone."""
        _check_root(root)
        _strip(root)
        if root.tag in EVENT_TYPES:  # one event alone, as a repository's capture interface takes it
            bare: dict[str, str] = {}
            self._take(tree.place(root), _event(root, bare), bare)
            return
        lists = list(root.iter("EventList"))
        if not lists:
            raise refusal("document_element_missing", tree.place(root, "EPCISBody/EventList"), element="EventList")
        if len(lists) > 1:
            raise refusal("document_element_repeated", tree.place(lists[1]), element="EventList")
        for element in _unwrapped(lists[0]):
            if element.tag not in EVENT_TYPES:
                raise refusal("document_element_unknown", tree.place(element), element=etree.QName(element).localname)


def _check_root(root: etree._Element) -> None:
    name = etree.QName(root)
    is_epcis = "epcis" in (name.namespace or "").lower()
    is_document = name.localname in ("EPCISDocument", "EPCISQueryDocument") and is_epcis
    if not (is_document or (name.localname in EVENT_TYPES and (name.namespace is None or is_epcis))):
        raise refusal("document_not_this_kind", tree.place(root), found=f"{name.localname} {name.namespace or ''}")


def _strip(root: etree._Element) -> None:
    """Plain names for the standard's own elements, which most write without a namespace."""
    for element in root.iter("*"):
        if str(element.tag).startswith("{urn:epcglobal:epcis"):
            element.tag = etree.QName(element).localname


def _ignored(root: etree._Element) -> frozenset[str]:
    """Names of the extensions that a document says a repository added."""
    listed = [item for item in root if etree.QName(item).localname == "ignoreFields"]
    return frozenset(str(name.tag) for item in listed for name in item if str(name.tag).startswith("{"))


def _unwrapped(element: etree._Element) -> Iterator[etree._Element]:
    """Children, with those inside extension wrappers of EPCIS 1.x brought up."""
    for child in element:
        if not isinstance(child.tag, str):
            continue
        if child.tag in _WRAPPERS:
            yield from _unwrapped(child)
        else:
            yield child


def _event(element: etree._Element, prefixes: dict[str, str]) -> dict[str, Any]:
    event: dict[str, Any] = {"type": element.tag}
    for child in _unwrapped(element):
        name = str(child.tag)
        key = _key(child, prefixes)
        if key in event and ":" not in key:
            raise refusal("document_element_repeated", tree.place(child), element=name)
        value = _field(child, name, prefixes)
        if key in event:
            held = event[key]
            event[key] = [*held, value] if isinstance(held, list) else [held, value]
        else:
            event[key] = value
    return event


def _field(child: etree._Element, name: str, prefixes: dict[str, str]) -> Any:
    if name in _EPC_LISTS:
        return [tree.text_of(item) or "" for item in _unwrapped(child)]
    if name in _QUANTITY_LISTS:
        return [_quantity(item, prefixes) for item in _unwrapped(child)]
    if name in _PAIRS:
        return [
            {**({"type": item.get("type")} if item.get("type") else {}), _PAIRS[name]: tree.text_of(item) or ""}
            for item in _unwrapped(child)
        ]
    if name in ("readPoint", "bizLocation"):
        return _content(child, prefixes)
    if name == "persistentDisposition":
        found: dict[str, list[str]] = {}
        for item in _unwrapped(child):
            found.setdefault(str(item.tag), []).append(tree.text_of(item) or "")
        return found
    if name == "errorDeclaration":
        error = _content(child, prefixes)
        ids = child.find("correctiveEventIDs")
        if ids is not None and isinstance(error, dict):
            error["correctiveEventIDs"] = [tree.text_of(item) or "" for item in _unwrapped(ids)]
        return error
    if name == "sensorElementList":
        return [_sensor(item, prefixes) for item in _unwrapped(child)]
    return _content(child, prefixes)


def _quantity(item: etree._Element, prefixes: dict[str, str]) -> dict[str, Any]:
    found = {_key(part, prefixes): tree.text_of(part) or "" for part in _unwrapped(item)}
    text = found.get("quantity")
    if text is None:
        return dict(found)
    if not text and any(part.get(_NIL) in ("true", "1") for part in _unwrapped(item) if part.tag == "quantity"):
        return {name: value for name, value in found.items() if name != "quantity"}
    return {**found, "quantity": Decimal(text) if _NUMBER.fullmatch(text) else text}


def _sensor(item: etree._Element, prefixes: dict[str, str]) -> dict[str, Any]:
    element: dict[str, Any] = {}
    for part in _unwrapped(item):
        if part.tag == "sensorMetadata":
            element["sensorMetadata"] = _attributes(part, prefixes)
        elif part.tag == "sensorReport":
            element.setdefault("sensorReport", []).append(_attributes(part, prefixes))
        else:
            element[_key(part, prefixes)] = _content(part, prefixes)
    return element


def _attributes(element: etree._Element, prefixes: dict[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {_name(str(name), prefixes): str(value) for name, value in element.attrib.items()}
    for child in _unwrapped(element):
        found[_key(child, prefixes)] = _content(child, prefixes)
    return found


def _content(element: etree._Element, prefixes: dict[str, str]) -> Any:
    """Text of a simple element; a mapping of attributes and children otherwise."""
    children = list(_unwrapped(element))
    attributes = {
        _name(str(name), prefixes): str(value)
        for name, value in element.attrib.items()
        if not str(name).startswith("{http://www.w3.org/2001/XMLSchema-instance}")
    }
    text = tree.text_of(element) or ""
    if not children and not attributes:
        return text
    found: dict[str, Any] = {**attributes, **({"#text": text} if text and not children else {})}
    for child in children:
        key, value = _key(child, prefixes), _content(child, prefixes)
        if key in found:
            held = found[key]
            found[key] = [*held, value] if isinstance(held, list) else [held, value]
        else:
            found[key] = value
    return found


def _key(element: etree._Element, prefixes: dict[str, str]) -> str:
    return _name(str(element.tag), prefixes)


def _name(tag: str, prefixes: dict[str, str]) -> str:
    """A plain name, or `prefix:name` with a prefix of our own for a foreign namespace."""
    if not tag.startswith("{"):
        return tag
    namespace, _, name = tag[1:].partition("}")
    prefix = next((key for key, value in prefixes.items() if value == namespace), None)
    if prefix is None:
        prefix = f"ns{len(prefixes)}"
        prefixes[prefix] = namespace
    return f"{prefix}:{name}"
