"""A signature that a document carries inside: found and kept, not judged.

XML Signature (in UBL, CII, ISO 20022, EPCIS and China's e-invoices), the signed value of an OFD file, and the `proof`
of a JSON document. Whether one holds depends on certificates that nobody here vouches for, so it raises no trust.
"""

from __future__ import annotations

import json

from lxml import etree

from scf.kernel.problems import Problem
from scf.standards import archive, json_text, tree, xml
from scf.standards.records import Notice

_XMLDSIG = "http://www.w3.org/2000/09/xmldsig#"
_MARKS = tuple(_XMLDSIG.encode(encoding) for encoding in ("utf-8", "utf-16-le", "utf-16-be"))


def embedded(raw: bytes) -> bytes | None:
    """The signatures inside a document as bytes (canonical XML, JSON or as they are), in its order; None without any.

    A document that cannot be read has none: its reader says why.
    """
    found = [signature for _, signature in _found(raw)]
    return b"\n".join(found) if found else None


def notices(raw: bytes) -> tuple[Notice, ...]:
    """A notice for each signature inside: it is kept, and nobody has checked it."""
    return tuple(Notice("document_signature_unchecked", place) for place, _ in _found(raw))


def _found(raw: bytes) -> list[tuple[str, bytes]]:
    try:
        if raw.startswith(b"PK"):
            return list(archive.members(raw, lambda name: name.rsplit("/", 1)[-1] == "SignedValue.dat"))
        if any(mark in raw for mark in _MARKS):
            elements = xml.parse(raw).iter(f"{{{_XMLDSIG}}}Signature")
            return [(tree.place(item), etree.tostring(item, method="c14n", with_tail=False)) for item in elements]
        if raw[:1] in (b"{", b"\xef") and b'"proof"' in raw:
            value = json_text.parse(raw)
            proof = value.get("proof") if isinstance(value, dict) else None
            return [("proof", json.dumps(proof, sort_keys=True, default=str).encode())] if proof else []
    except Problem:
        return []
    return []
