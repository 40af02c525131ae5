"""A signature that a document carries inside: found, kept, and checked where its method allows.

XML Signature (in UBL, CII, ISO 20022, EPCIS and China's e-invoices) is checked with the key it names: a document that
was changed after it was signed is refused. Whose key that is nobody here vouches for, so a signature that holds raises
no trust. The signed value of an OFD file and the `proof` of a JSON document are kept unchecked.
"""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Literal

from lxml import etree

from scf.kernel.problems import Problem
from scf.standards import archive, json_text, tree, xml
from scf.standards.records import Notice
from scf.standards.refusals import quote, refusal

if TYPE_CHECKING:
    from cryptography import x509
    from signxml.verifier import VerifyResult

_XMLDSIG = "http://www.w3.org/2000/09/xmldsig#"
_DS = f"{{{_XMLDSIG}}}"
_MARKS = tuple(_XMLDSIG.encode(encoding) for encoding in ("utf-8", "utf-16-le", "utf-16-be"))
_MOST = 16
"""So many signatures, references and certificates are looked at; a document needs two or three."""
_LARGEST = 32 * 2**20
_TRANSFORMS = frozenset(
    (
        _XMLDSIG + "enveloped-signature",
        "http://www.w3.org/TR/2001/REC-xml-c14n-20010315",
        "http://www.w3.org/2006/12/xml-c14n11",
        "http://www.w3.org/2001/10/xml-exc-c14n#",
    )
)
"""What may be done to the document before its digest is taken; what else a signature asks for leaves it unchecked."""


@dataclass(frozen=True, slots=True)
class Signature:
    """A signature inside a document: where, its bytes, and what the check said.

    `holds` over the whole document, `partial` over less than that, `broken`, or `unchecked` where method, key or form
    is not one that can be checked here. `signer` names the certificate, empty where there is none.
    """

    place: str
    raw: bytes
    state: Literal["holds", "partial", "broken", "unchecked"] = "unchecked"
    signer: str = ""


def found(raw: bytes) -> list[Signature]:
    """The signatures inside a document in its order, checked; none of one that cannot be read: its reader says why."""
    try:
        if raw.startswith(b"PK"):
            members = archive.members(raw, lambda name: name.rsplit("/", 1)[-1] == "SignedValue.dat")
            return [Signature(name, content) for name, content in members]
        if any(mark in raw for mark in _MARKS):
            elements = list(islice(xml.parse(raw).iter(f"{_DS}Signature"), _MOST + 1))
            return [_examined(raw, item, is_checked=len(elements) <= _MOST) for item in elements]
        if raw[:1] in (b"{", b"\xef") and b'"proof"' in raw:
            value = json_text.parse(raw)
            proof = value.get("proof") if isinstance(value, dict) else None
            return [Signature("proof", json.dumps(proof, sort_keys=True, default=str).encode())] if proof else []
    except Problem:
        return []
    return []


def embedded(raw: bytes) -> bytes | None:
    """The signatures inside a document as bytes (canonical XML, JSON or as they are), in its order; None without."""
    parts = [item.raw for item in found(raw)]
    return b"\n".join(parts) if parts else None


def notices(raw: bytes) -> tuple[Notice, ...]:
    """A notice for each signature inside: whether it holds, and whose certificate made it.

    Raises Problem `document_signature_broken` for a document that was changed after it was signed.
    """
    told = []
    for item in found(raw):
        if item.state == "broken":
            raise refusal("document_signature_broken", item.place, signer=item.signer or "KeyValue")
        code = f"document_signature_{item.state}"
        facts = () if item.state == "unchecked" else (("signer", quote(item.signer or "KeyValue")),)
        told.append(Notice(code, item.place, facts))
    return tuple(told)


def _examined(raw: bytes, element: etree._Element, *, is_checked: bool) -> Signature:
    place = tree.place(element)
    kept = Signature(place, etree.tostring(element, method="c14n", with_tail=False))
    references = element.findall(f"{_DS}SignedInfo/{_DS}Reference")
    asked = {item.get("Algorithm") for item in element.iterfind(f"{_DS}SignedInfo//{_DS}Transform")}
    if not is_checked or len(raw) > _LARGEST or not 0 < len(references) <= _MOST or asked - _TRANSFORMS:
        return kept
    state, signer = _judged(raw, element)
    return Signature(place, kept.raw, state, signer)


def _judged(raw: bytes, element: etree._Element) -> tuple[Literal["holds", "partial", "broken", "unchecked"], str]:
    """What the check says, and of whose certificate."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from signxml.exceptions import InvalidDigest, InvalidSignature, SignXMLException

    signer = ""
    try:
        state: Literal["holds", "partial", "broken", "unchecked"] = "unchecked"
        for certificate in _certificates(element) or [None]:
            signer = _name(certificate)
            try:
                results = _verified(raw, element, certificate)
            except InvalidDigest:
                return "broken", signer
            except InvalidSignature:
                state = "broken"
                continue
            return ("holds" if _covers_all(results, element) else "partial"), signer
        return state, signer
    except (SignXMLException, UnsupportedAlgorithm, etree.LxmlError, ValueError, LookupError, NotImplementedError):
        return "unchecked", signer
    except (AttributeError, TypeError):  # a part that the library takes for granted is missing
        return "unchecked", signer


def _verified(raw: bytes, element: etree._Element, certificate: x509.Certificate | None) -> list[VerifyResult]:
    from signxml.algorithms import CanonicalizationMethod
    from signxml.verifier import SignatureConfiguration, XMLVerifier

    parent = element.getparent()
    above = "." if parent is None else element.getroottree().getelementpath(parent)
    config = SignatureConfiguration(
        require_x509=certificate is not None,
        location="./" if above == "." else f"./{above}/",
        expect_references=True,
        verification_time=None if certificate is None else certificate.not_valid_before_utc,
        default_reference_c14n_method=CanonicalizationMethod.CANONICAL_XML_1_0,
    )
    if any(brother.tag == element.tag for brother in element.itersiblings(preceding=True)):
        raise NotImplementedError  # a brother before it would be taken for it
    results = XMLVerifier().verify(raw, x509_cert=certificate, expect_config=config)
    return results if isinstance(results, list) else [results]


def _covers_all(results: list[VerifyResult], element: etree._Element) -> bool:
    """Whether one of the signed parts is the document's root itself, told by its reference or by its id."""
    root = element.getroottree().getroot()
    ids = {value for name in ("Id", "ID") if (value := root.get(name))}
    uris = [item.get("URI") for item in element.iterfind(f"{_DS}SignedInfo/{_DS}Reference")]
    return bool(results) and any(uri == "" or (uri or "#").removeprefix("#") in ids for uri in uris)


def _certificates(element: etree._Element) -> list[x509.Certificate | None]:
    return list(islice(_loaded(element), _MOST))


def _loaded(element: etree._Element) -> Iterator[x509.Certificate]:
    from cryptography import x509 as certificates

    for item in element.iterfind(f"{_DS}KeyInfo/{_DS}X509Data/{_DS}X509Certificate"):
        yield certificates.load_der_x509_certificate(b64decode(item.text or ""))


def _name(certificate: x509.Certificate | None) -> str:
    """Common name or organisation of a certificate and the first digits of its SHA-256."""
    if certificate is None:
        return ""
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.x509.oid import NameOID

    named = [
        certificate.subject.get_attributes_for_oid(oid) for oid in (NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME)
    ]
    told = next((str(some[0].value) for some in named if some), "")
    return f"{told} ({certificate.fingerprint(SHA256()).hex()[:16]})".strip()
