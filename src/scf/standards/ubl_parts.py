"""Parts that every UBL document is made of: opening, parties, items, amounts and lines, read and written."""

from __future__ import annotations

import re
from decimal import Decimal

from lxml import etree

from scf.kernel.money import format_plain
from scf.standards import tree, xml
from scf.standards.records import Identifier, Party
from scf.standards.refusals import refusal

CAC = "urn:oasis:names:specification:ubl:schema:xsd:CommonAggregateComponents-2"
CBC = "urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2"
EXTENSIONS = "{urn:oasis:names:specification:ubl:schema:xsd:CommonExtensionComponents-2}UBLExtensions"
ROOT = "urn:oasis:names:specification:ubl:schema:xsd:{}-2"
_IBAN = re.compile(r"[A-Z]{2}\d{2}[A-Z0-9]{11,30}")


def open_document(raw: bytes, *names: str) -> etree._Element:
    """The root of a UBL 2 document named one of `names`, plain element names, all known to the standard.

    Raises Problem of `xml.parse`, `document_not_this_kind` or `document_element_unknown`.
    """
    root = xml.parse(raw)
    found = etree.QName(root)
    if found.localname not in names or found.namespace != ROOT.format(found.localname):
        raise refusal("document_not_this_kind", tree.place(root), found=f"{found.localname} {found.namespace or ''}")
    xml.strip_namespaces(root, CBC, CAC, found.namespace)
    for extension in root.findall(EXTENSIONS):
        root.remove(extension)
    tree.check_names(root, "ubl")
    return root


def document_currency(root: etree._Element) -> str:
    """The document's currency. Raises Problem `document_currency_unknown` or `document_element_missing`."""
    code = tree.need_text(root, "DocumentCurrencyCode")
    return tree.known_currency(code, tree.place(root, "DocumentCurrencyCode"))


def amount(element: etree._Element, code: str) -> int:
    """Minor units of an amount that must be in the document's currency. Raises Problem `document_currency_mixed`."""
    stated = element.get("currencyID")
    if stated is not None and stated != code:
        raise refusal("document_currency_mixed", tree.place(element), found=stated, currency=code)
    return tree.money(element, code)


def optional_number(element: etree._Element | None) -> Decimal | None:
    """Exact number of an element, None where absent."""
    return None if element is None else tree.number(element)


def account(text: str | None) -> str | None:
    """An account number; blanks taken out of an IBAN."""
    packed = (text or "").replace(" ", "")
    return packed if _IBAN.fullmatch(packed) else text


def party(element: etree._Element | None) -> Party | None:
    """A party (the element that holds names and identifiers); None where absent."""
    if element is None:
        return None
    found: list[Identifier] = []
    for path in ("PartyIdentification/ID", "PartyLegalEntity/CompanyID", "EndpointID"):
        for item in element.findall(path):
            value = tree.text_of(item)
            if value:
                found.append(Identifier(item.get("schemeID") or "", value))
    for item in element.findall("PartyTaxScheme"):
        value = tree.text(item, "CompanyID")
        if value:
            found.append(Identifier(tree.text(item, "TaxScheme/ID") or "TAX", value))
    lines = ("StreetName", "AdditionalStreetName", "AddressLine/Line", "PostalZone", "CityName", "CountrySubentity")
    address = [text for name in lines if (text := tree.text(element, f"PostalAddress/{name}"))]
    return Party(
        name=tree.text(element, "PartyLegalEntity/RegistrationName", "PartyName/Name") or "",
        identifiers=tuple(dict.fromkeys(found)),
        country=tree.text(element, "PostalAddress/Country/IdentificationCode"),
        address=", ".join(address) or None,
    )


def need_party(root: etree._Element, path: str, *, known: bool = False) -> Party:
    """A party that must be there and have a name; with `known`, a party both sides know, an identifier is enough.

    Raises Problem `document_element_missing`.
    """
    element = tree.need(root, path)
    found = party(element)
    if found is not None and not found.name and known and found.identifiers:
        return found
    if found is None or not found.name:
        raise refusal("document_element_missing", tree.place(element), element="RegistrationName")
    return found


def item_id(item: etree._Element | None) -> str | None:
    """The item's identifier: standard (GTIN), else the seller's, else the buyer's."""
    if item is None:
        return None
    return tree.text(
        item, "StandardItemIdentification/ID", "SellersItemIdentification/ID", "BuyersItemIdentification/ID"
    )


def item_name(item: etree._Element | None) -> str:
    """What the item is called; its description where it has no name."""
    return (tree.text(item, "Name", "Description") or "") if item is not None else ""


def new_document(name: str) -> etree._Element:
    """An empty UBL document."""
    spaces = {None: ROOT.format(name), "cac": CAC, "cbc": CBC}
    return etree.Element(f"{{{ROOT.format(name)}}}{name}", {}, nsmap=spaces)  # type: ignore[arg-type]


def add(parent: etree._Element, path: str, value: str | None = None, **attributes: str) -> etree._Element:
    """Append `path` under `parent`: every step an aggregate, the last one basic with text `value` where it is given."""
    steps = path.split("/")
    element = parent
    for index, step in enumerate(steps):
        is_basic = value is not None and index == len(steps) - 1
        element = etree.SubElement(element, f"{{{CBC if is_basic else CAC}}}{step}")
    if value is not None:
        element.text = "".join(char for char in value if char >= " " or char in "\t\n")
        for key, text in attributes.items():
            element.set(key, text)
    return element


def add_if(parent: etree._Element, path: str, value: str | None, **attributes: str) -> None:
    """`add` where there is a value."""
    if value:
        add(parent, path, value, **attributes)


def add_amount(parent: etree._Element, path: str, minor: int, code: str) -> None:
    """Append an amount with its currency."""
    add(parent, path, format_plain(minor, code), currencyID=code)


def add_party(parent: etree._Element, who: Party) -> None:
    """Append a Party's content under `parent` in schema order."""
    plain = [item for item in who.identifiers if item.scheme not in ("VAT", "TAX")]
    for item in plain:
        element = add(parent, "PartyIdentification/ID", item.value)
        if item.scheme:
            element.set("schemeID", item.scheme)
    add(parent, "PartyName/Name", who.name)
    address = add(parent, "PostalAddress")
    add_if(address, "StreetName", who.address)
    add(address, "Country/IdentificationCode", who.country or "CN")
    for item in who.identifiers:
        if item.scheme in ("VAT", "TAX"):
            scheme = add(parent, "PartyTaxScheme")
            add(scheme, "CompanyID", item.value)
            add(scheme, "TaxScheme/ID", item.scheme)
    add(parent, "PartyLegalEntity/RegistrationName", who.name)


def number(value: Decimal) -> str:
    """Decimal text without exponent."""
    return f"{value:f}"


def to_bytes(root: etree._Element) -> bytes:
    """The document as UTF-8 with declaration, indented, the same bytes every time."""
    etree.indent(root)
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8")
