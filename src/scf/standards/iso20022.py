"""What the ISO 20022 messages share: opening a message, parties, accounts and agents, reading and writing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal

from lxml import etree

from scf.kernel.money import format_plain
from scf.standards import tree, xml
from scf.standards.records import Identifier, Party
from scf.standards.refusals import refusal

_NAMESPACE = re.compile(r"urn:(?:iso:std:iso:20022:tech:xsd|iso:std:iso:20022:tech:xsd:swift|swift:xsd:\$?)[:.]?(.+)")
_VERSION = re.compile(r"\$?([a-z]{4}\.\d{3})\.(\d{3})\.(\d{2})")
_IBAN = re.compile(r"[A-Z]{2}\d{2}[A-Z0-9]{11,30}")
NOT_PROVIDED = "NOTPROVIDED"


def open_message(raw: bytes, names: dict[str, str]) -> tuple[etree._Element, str, int | None]:
    """The body of a message, its name (such as `camt.053`) and version; `names` maps the body's element to the message.

    A business envelope around the Document is allowed, and so is any version. Raises Problem of `xml.parse`,
    `document_element_missing` or `document_not_this_kind`.
    """
    return opened(xml.parse(raw), names)


def opened(root: etree._Element, names: dict[str, str]) -> tuple[etree._Element, str, int | None]:
    """`open_message` of a document that is parsed already."""
    document = root
    if etree.QName(root).localname != "Document":
        found = [item for item in root.iter("{*}Document") if isinstance(item.tag, str)]
        if len(found) != 1:
            raise refusal("document_not_this_kind", tree.place(root), found=etree.QName(root).localname)
        document = found[0]
    namespace = etree.QName(document).namespace or ""
    if namespace:
        xml.strip_namespaces(document, namespace)
    bodies = [child for child in document if isinstance(child.tag, str)]
    if not bodies:
        raise refusal("document_element_missing", tree.place(document), element=" | ".join(names))
    body = bodies[0]
    name = names.get(plain_name(body))
    version = _VERSION.search(namespace)
    if name is None or (version is not None and version.group(1) != name) or (namespace and version is None):
        found_name = f"{body.tag} {version.group(0) if version else namespace}"
        raise refusal("document_not_this_kind", tree.place(body), found=found_name)
    if len(bodies) > 1:
        raise refusal("document_element_unknown", tree.place(bodies[1]), element=str(bodies[1].tag))
    check_words(body, name)
    return body, name, int(version.group(3)) if version else None


def plain_name(body: etree._Element) -> str:
    """A message's element name without namespace and version, as early versions wrote it: `BkToCstmrStmtV02`."""
    return re.sub(r"V\d\d$", "", etree.QName(body).localname)


def check_words(body: etree._Element, name: str) -> None:
    """Refuse elements that message `name` has not, and those that stand twice where one is meant.

    Every element must be a name of the standard, but for supplementary data, which may be anything. Raises Problem
    `document_element_unknown`, `document_element_repeated`.
    """
    known = tree.vocabulary()
    waiting = [body]
    while waiting:
        for child in waiting.pop():
            if str(child.tag) not in known:
                raise refusal("document_element_unknown", tree.place(child), element=etree.QName(child).localname)
            if child.tag != "SplmtryData":
                waiting.append(child)
    tree.check_names(body, name[:4])


def reference(element: etree._Element, path: str) -> str | None:
    """A reference, None where absent or `NOTPROVIDED`."""
    found = tree.text(element, path)
    return None if found == NOT_PROVIDED else found


def account(element: etree._Element | None) -> str | None:
    """The number of an account element: IBAN (without blanks) or whatever the bank uses; old versions' forms too."""
    if element is None:
        return None
    found = tree.text(element, "Id/IBAN", "Id/Othr/Id", "Id/PrtryAcct/Id", "Id/BBAN", "Id/UPIC", "Prxy/Id")
    if found is None:
        return None
    packed = found.replace(" ", "")
    return packed if _IBAN.fullmatch(packed) else found


def agent(element: etree._Element | None) -> str | None:
    """The identifier of an agent (bank): BIC, clearing member, LEI or other id; its name at last."""
    if element is None:
        return None
    return tree.text(
        element,
        "FinInstnId/BICFI",
        "FinInstnId/BIC",
        "FinInstnId/ClrSysMmbId/MmbId",
        "FinInstnId/LEI",
        "FinInstnId/Othr/Id",
        "FinInstnId/Nm",
    )


def party(element: etree._Element | None, account_number: str | None = None) -> Party | None:
    """A party element of any version (`Pty` wrapped or not); None where absent."""
    if element is None:
        return Party("", (), None, account_number) if account_number else None
    inner = element.find("Pty")
    inner = element if inner is None else inner
    bank = element.find("Agt")
    name = (
        tree.text(inner, "Nm") or (tree.text(bank, "FinInstnId/Nm") if bank is not None else None) or agent(bank) or ""
    )
    address = [item for item in inner.findall("PstlAdr/*") if item.tag != "Ctry"]
    lines = [part for part in map(tree.text_of, address) if part]
    country = tree.text(inner, "PstlAdr/Ctry", "CtryOfRes")
    return Party(name, tuple(_identifiers(inner)), country, account_number, ", ".join(lines) or None)


def _identifiers(inner: etree._Element) -> Iterator[Identifier]:
    for path, scheme in (("BICOrBEI", "BIC"), ("AnyBIC", "BIC"), ("BEI", "BIC"), ("LEI", "LEI")):
        value = tree.text(inner, f"Id/OrgId/{path}")
        if value:
            yield Identifier(scheme, value)
    for other in (*inner.findall("Id/OrgId/Othr"), *inner.findall("Id/PrvtId/Othr")):
        value = tree.text(other, "Id")
        if value:
            yield Identifier(tree.text(other, "SchmeNm/Cd", "SchmeNm/Prtry", "Issr") or "", value)


def new_document(namespace: str, body: str) -> tuple[etree._Element, etree._Element]:
    """An empty Document of `namespace` and its body element."""
    document = etree.Element("Document", {}, nsmap={None: namespace})  # type: ignore[dict-item]
    return document, etree.SubElement(document, body)


def add(parent: etree._Element, path: str, value: str | None = None) -> etree._Element:
    """Append the chain of elements `path` under `parent`, the last one with text `value`; returns the last."""
    element = parent
    for name in path.split("/"):
        element = etree.SubElement(element, name)
    if value is not None:
        element.text = clean(value)
    return element


def add_if(parent: etree._Element, path: str, value: str | None) -> None:
    """`add` where there is a value."""
    if value:
        add(parent, path, value)


def clean(value: str) -> str:
    """`value` without the control characters that XML forbids."""
    return "".join(char for char in value if char >= " " or char in "\t\n")


def add_amount(parent: etree._Element, name: str, amount_minor: int, code: str) -> None:
    """An amount element with its currency; the sign is left to the credit/debit indicator."""
    element = add(parent, name, format_plain(abs(amount_minor), code))
    element.set("Ccy", code)


def add_account(parent: etree._Element, name: str, number: str) -> etree._Element:
    """An account element: IBAN where the number has its shape, other identification where not."""
    element = add(parent, name)
    add(element, "Id/IBAN" if _IBAN.fullmatch(number) else "Id/Othr/Id", number)
    return element


def add_party(parent: etree._Element, who: Party) -> None:
    """Name, country and organisation identifiers of `who` in schema order."""
    add_if(parent, "Nm", who.name[:140])
    if who.country and re.fullmatch("[A-Z]{2}", who.country):
        add(parent, "PstlAdr/Ctry", who.country)
    lei = who.identifier("LEI")
    others = [item for item in who.identifiers if item.scheme not in ("LEI", "BIC")]
    if lei or others:
        organisation = add(parent, "Id/OrgId")
        add_if(organisation, "LEI", lei)
        for item in others:
            other = add(organisation, "Othr")
            add(other, "Id", item.value[:256])
            add_if(other, "SchmeNm/Prtry", item.scheme[:35])


def add_agent(parent: etree._Element, name: str, identifier: str | None) -> None:
    """An agent by BIC where it has its shape, else by clearing member id; `NOTPROVIDED` where unknown."""
    element = add(parent, f"{name}/FinInstnId")
    if identifier and re.fullmatch(r"[A-Z0-9]{4}[A-Z]{2}[A-Z0-9]{2}([A-Z0-9]{3})?", identifier):
        add(element, "BICFI", identifier)
    elif identifier:
        add(element, "ClrSysMmbId/MmbId", identifier)
    else:
        add(element, "Othr/Id", NOT_PROVIDED)


def stamp(moment: datetime) -> str:
    """ISO date-time of whole seconds, with its zone where it has one."""
    return moment.replace(microsecond=0).isoformat()


def total(amounts: list[tuple[int, str]]) -> str:
    """Control sum over amounts of any currency, as ISO 20022 wants it: plain numbers added."""
    whole = sum((Decimal(format_plain(minor, code)) for minor, code in amounts), Decimal(0))
    return f"{whole:f}"


def to_bytes(document: etree._Element) -> bytes:
    """The document as UTF-8 with its XML declaration, indented, the same bytes every time."""
    etree.indent(document)
    return etree.tostring(document, xml_declaration=True, encoding="UTF-8")
