"""GS1 identifiers in one form: EPC URNs and GS1 Digital Links of any domain become canonical Digital Link URIs.

Two parties may name one pallet as `urn:epc:id:sscc:…` and as `https://…/00/…`; both become the same text. Sources:
GS1 EPC Tag Data Standard (URN forms), GS1 Digital Link: URI Syntax, GS1 General Specifications 7.9 (check digit).
"""

from __future__ import annotations

import re
from collections.abc import Callable

CANONICAL = "https://id.gs1.org"
_URN = re.compile(r"urn:epc:(id|class|idpat):([a-z]+):(.{1,90})", re.DOTALL)
_LINK = re.compile(r"https?://[^/?#\s]{1,200}(/[^?#\s]*)(?:\?[^#\s]*)?(?:#\S*)?")
_CHARS = re.compile(r"(?:%[0-9A-Fa-f]{2}|[!')(*+,.0-9:;=A-Za-z_-]){1,30}")
_VALUE = re.compile(r"[\"'\-.0-9;<=>?A-Z_a-z%!()*+,:]{1,60}")
_ENCODED = {char: f"%{ord(char):02X}" for char in "!()*+,:"}
_NAMES = {
    "gtin": "01",
    "itip": "8006",
    "cpid": "8010",
    "gln": "414",
    "party": "417",
    "gsrnp": "8017",
    "gsrn": "8018",
    "gcn": "255",
    "sscc": "00",
    "gdti": "253",
    "ginc": "401",
    "gsin": "402",
    "grai": "8003",
    "giai": "8004",
    "cpv": "22",
    "lot": "10",
    "ser": "21",
}
_KEYS = {
    "00": (r"\d{18}", ()),
    "01": (r"\d{14}", ("21", "235", "10")),
    "253": (r"\d{13}.{0,17}", ()),
    "255": (r"\d{13}\d{0,12}", ()),
    "401": (r".{4,30}", ()),
    "402": (r"\d{17}", ()),
    "414": (r"\d{13}", ("254",)),
    "417": (r"\d{13}", ()),
    "8003": (r"\d{14}.{0,16}", ()),
    "8004": (r".{4,30}", ()),
    "8006": (r"\d{18}", ("21", "10")),
    "8010": (r".{4,30}", ("8011",)),
    "8017": (r"\d{18}", ()),
    "8018": (r"\d{18}", ()),
}
"""Primary keys: form of the value, and the qualifiers that may follow, the finest first."""


def check_digit(digits: str) -> str:
    """GS1 check digit of a key without it: weights 3 and 1 from the right, up to the next ten."""
    total = sum(int(char) * (3 if place % 2 == 0 else 1) for place, char in enumerate(reversed(digits)))
    return str(-total % 10)


def canonical(uri: str) -> str | None:
    """The canonical Digital Link of an EPC URN or a Digital Link URI, finest level only; None for anything else."""
    found = _URN.fullmatch(uri)
    if found is not None:
        handler = _HANDLERS.get((found.group(1), found.group(2)))
        return handler(found.group(3)) if handler else None
    link = _LINK.fullmatch(uri)
    return _from_link(link.group(1)) if link else None


def _encode(text: str) -> str:
    return "".join(_ENCODED.get(char, char) for char in text)


def _digits(prefix: str, reference: str, length: int) -> bool:
    """Whether company prefix (6 to 12 digits) and reference together have `length` digits."""
    joined = prefix + reference
    return 6 <= len(prefix) <= 12 and len(joined) == length and joined.isascii() and joined.isdigit()


def _item(qualifier: str | None) -> Callable[[str], str | None]:
    """GTIN classes and instances: company prefix . indicator and item . serial or lot (or `*`)."""

    def convert(body: str) -> str | None:
        prefix, reference, rest = (*body.split(".", 2), "", "")[:3]
        if not _digits(prefix, reference, 13) or (rest != "*" if qualifier is None else not _CHARS.fullmatch(rest)):
            return None
        bare = reference[0] + prefix + reference[1:]
        tail = f"/{qualifier}/{_encode(rest)}" if qualifier else ""
        return f"{CANONICAL}/01/{bare}{check_digit(bare)}{tail}"

    return convert


def _trade_piece(has_serial: bool) -> Callable[[str], str | None]:
    """Pieces of a trade item: company prefix . item . piece . total . serial (or `*`)."""

    def convert(body: str) -> str | None:
        prefix, reference, piece, total, rest = (*body.split(".", 4), "", "", "", "")[:5]
        is_numbered = all(len(part) == 2 and part.isascii() and part.isdigit() for part in (piece, total))
        if not _digits(prefix, reference, 13) or not is_numbered:
            return None
        if not _CHARS.fullmatch(rest) if has_serial else rest != "*":
            return None
        bare = reference[0] + prefix + reference[1:]
        tail = f"/21/{_encode(rest)}" if has_serial else ""
        return f"{CANONICAL}/8006/{bare}{check_digit(bare)}{piece}{total}{tail}"

    return convert


def _plain(key: str, length: int, *, extension_first: bool = False) -> Callable[[str], str | None]:
    """Keys of digits only: company prefix . reference."""

    def convert(body: str) -> str | None:
        prefix, reference = (*body.split(".", 1), "")[:2]
        if not _digits(prefix, reference, length):
            return None
        bare = reference[:1] + prefix + reference[1:] if extension_first else prefix + reference
        return f"{CANONICAL}/{key}/{bare}{check_digit(bare)}"

    return convert


def _with_serial(key: str, lead: str = "", *, is_pattern: bool = False) -> Callable[[str], str | None]:
    """Keys of 12 digits, check digit and serial in one value: assets, documents, coupons."""

    def convert(body: str) -> str | None:
        prefix, reference, serial = (*body.split(".", 2), "", "")[:3]
        if not _digits(prefix, reference, 12) or (serial != "*" if is_pattern else not _CHARS.fullmatch(serial)):
            return None
        bare = lead + prefix + reference
        return f"{CANONICAL}/{key}/{bare}{check_digit(bare)}{'' if is_pattern else _encode(serial)}"

    return convert


def _location(body: str) -> str | None:
    prefix, reference, extension = (*body.split(".", 2), "", "")[:3]
    if not _digits(prefix, reference, 12) or not _CHARS.fullmatch(extension):
        return None
    bare = prefix + reference
    tail = "" if extension == "0" else f"/254/{_encode(extension)}"
    return f"{CANONICAL}/414/{bare}{check_digit(bare)}{tail}"


def _free(key: str) -> Callable[[str], str | None]:
    """Keys whose reference is free text: individual assets, consignments."""

    def convert(body: str) -> str | None:
        prefix, reference = (*body.split(".", 1), "")[:2]
        if not re.fullmatch(r"\d{6,12}", prefix, re.ASCII) or not _CHARS.fullmatch(reference):
            return None
        return f"{CANONICAL}/{key}/{prefix}{_encode(reference)}"

    return convert


def _component(is_pattern: bool) -> Callable[[str], str | None]:
    def convert(body: str) -> str | None:
        prefix, _, rest = body.partition(".")
        part, _, serial = rest.rpartition(".")
        fits = re.fullmatch(r"\d{6,12}", prefix, re.ASCII) and _CHARS.fullmatch(part)
        if not fits or (serial != "*" if is_pattern else not re.fullmatch(r"\d{1,12}", serial, re.ASCII)):
            return None
        tail = "" if is_pattern else f"/8011/{serial}"
        return f"{CANONICAL}/8010/{_encode(prefix + part)}{tail}"

    return convert


_HANDLERS: dict[tuple[str, str], Callable[[str], str | None]] = {
    ("id", "sgtin"): _item("21"),
    ("id", "upui"): _item("235"),
    ("class", "lgtin"): _item("10"),
    ("idpat", "sgtin"): _item(None),
    ("idpat", "upui"): _item(None),
    ("id", "itip"): _trade_piece(True),
    ("idpat", "itip"): _trade_piece(False),
    ("id", "sscc"): _plain("00", 17, extension_first=True),
    ("id", "gsrn"): _plain("8018", 17),
    ("id", "gsrnp"): _plain("8017", 17),
    ("id", "gsin"): _plain("402", 16),
    ("id", "pgln"): _plain("417", 12),
    ("id", "sgln"): _location,
    ("id", "grai"): _with_serial("8003", "0"),
    ("idpat", "grai"): _with_serial("8003", "0", is_pattern=True),
    ("id", "gdti"): _with_serial("253"),
    ("idpat", "gdti"): _with_serial("253", is_pattern=True),
    ("id", "sgcn"): _with_serial("255"),
    ("idpat", "sgcn"): _with_serial("255", is_pattern=True),
    ("id", "giai"): _free("8004"),
    ("id", "ginc"): _free("401"),
    ("id", "cpi"): _component(False),
    ("idpat", "cpi"): _component(True),
}


def _from_link(path: str) -> str | None:
    """The canonical form of a Digital Link's path: primary key and its finest qualifier, everything else dropped."""
    steps = [_NAMES.get(step, step) for step in path.strip("/").split("/")]
    for place in range(len(steps) - 1):
        key, value = steps[place], steps[place + 1]
        if key not in _KEYS or len(value) < 4:
            continue
        form, allowed = _KEYS[key]
        if key == "01" and re.fullmatch(r"\d{8}|\d{12,13}", value, re.ASCII):
            value = value.zfill(14)
        rest = steps[place + 2 :]
        if not re.fullmatch(form, value, re.ASCII) or not _VALUE.fullmatch(value) or len(rest) % 2:
            return None
        qualifiers = dict(zip(rest[::2], rest[1::2], strict=True))
        for name in allowed:
            if name in qualifiers:
                text = qualifiers[name]
                return f"{CANONICAL}/{key}/{value}/{name}/{text}" if _VALUE.fullmatch(text) else None
        return f"{CANONICAL}/{key}/{value}"
    return None
