"""Signatures inside documents: one that holds is told, one over a part too, and a changed document is refused."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID
from lxml import etree
from signxml.algorithms import SignatureConstructionMethod
from signxml.signer import XMLSigner
from tests.standards.test_cii import invoice as cii_invoice
from tests.standards.test_cii import line
from tests.standards.test_ubl import invoice as ubl_invoice

from scf.kernel.problems import Problem
from scf.standards import signatures, ubl

Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


@cache
def key() -> Key:
    return ec.generate_private_key(ec.SECP256R1())


@cache
def certificate(name: str = "东方铸件有限公司") -> x509.Certificate:
    """A certificate that has long run out: whether one is in force is for the registry to say, not for a reader."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key().public_key())
        .serial_number(7)
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2021, 1, 1, tzinfo=UTC))
        .sign(key(), hashes.SHA256())
    )


def signed(raw: bytes, *, reference: str | None = None, with_certificate: bool = True) -> bytes:
    signer = XMLSigner(method=SignatureConstructionMethod.enveloped, signature_algorithm="ecdsa-sha256")
    tree = etree.fromstring(raw)
    done = signer.sign(
        tree,
        key=key(),
        cert=[certificate()] if with_certificate else None,
        reference_uri=reference,
        always_add_key_value=not with_certificate,
    )
    return etree.tostring(done, xml_declaration=True, encoding="UTF-8")


DOCUMENTS = {
    "UBL": lambda: ubl.write_invoice(ubl_invoice()),
    "CII": lambda: cii_invoice(line("1", "100.00")),
    "China": lambda: "<EInvoice><Header><EIid>1</EIid></Header><Total>壹佰圆整</Total></EInvoice>".encode(),
}


@pytest.mark.parametrize("kind", DOCUMENTS)
def test_a_signature_over_the_whole_document_holds_and_names_its_signer(kind: str) -> None:
    (notice,) = signatures.notices(signed(DOCUMENTS[kind]()))
    assert notice.code == "document_signature_holds"
    assert "东方铸件有限公司" in notice.sentence("zh-CN") and "raises no trust" in notice.sentence("en")


@pytest.mark.parametrize("kind", DOCUMENTS)
def test_a_document_changed_after_it_was_signed_is_refused(kind: str) -> None:
    text = signed(DOCUMENTS[kind]()).decode()
    old, new = {"UBL": ("124.31", "924.31"), "CII": ("120.00", "920.00"), "China": ("壹佰圆", "玖佰圆")}[kind]
    assert old in text
    with pytest.raises(Problem) as refused:
        signatures.notices(text.replace(old, new).encode())
    assert refused.value.code == "document_signature_broken"
    assert "东方铸件有限公司" in refused.value.sentence("zh-CN")


def test_a_damaged_signature_value_is_refused() -> None:
    raw = signed(DOCUMENTS["UBL"]())
    start = raw.index(b"SignatureValue>") + len(b"SignatureValue>")
    other = b"B" if raw[start : start + 1] == b"A" else b"A"
    with pytest.raises(Problem, match="changed after it was signed"):
        signatures.notices(raw[:start] + other + raw[start + 1 :])


def test_a_signature_by_a_bare_key_holds_too() -> None:
    raw = signed(DOCUMENTS["UBL"](), with_certificate=False)
    assert [notice.code for notice in signatures.notices(raw)] == ["document_signature_holds"]
    with pytest.raises(Problem, match="changed after it was signed"):
        signatures.notices(raw.replace(b"124.31", b"924.31"))


def test_a_signature_over_a_part_does_not_pass_for_one_over_the_whole() -> None:
    inner = "<Part Id='p1'><Sum>1</Sum></Part>"
    part = signed(f"<Bill>{inner}<Total>1</Total></Bill>".encode(), reference="#p1")
    assert [notice.code for notice in signatures.notices(part)] == ["document_signature_partial"]
    outside = part.replace(b"<Total>1<", b"<Total>9<")
    assert [notice.code for notice in signatures.notices(outside)] == ["document_signature_partial"]
    with pytest.raises(Problem, match="changed after it was signed"):
        signatures.notices(part.replace(b"<Sum>1<", b"<Sum>9<"))


def test_a_signed_part_moved_aside_does_not_sign_the_part_in_its_place() -> None:
    """Signature wrapping: the signed invoice is kept somewhere in a forged one."""
    forged = signed(b"<Bill Id='b1'><Total>1</Total></Bill>", reference="#b1").decode()
    body = forged[forged.index("<Bill") :]
    wrapped = f"<Bill Id='b2'><Total>9</Total><Extra>{body}</Extra></Bill>".encode()
    assert [notice.code for notice in signatures.notices(wrapped)] == ["document_signature_partial"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"2001/04/xmldsig-more#ecdsa-sha256", b"2007/05/xmldsig-more#unheard-of"),
        (b"http://www.w3.org/2000/09/xmldsig#enveloped-signature", b"http://www.w3.org/TR/1999/REC-xpath-19991116"),
        (b"X509Certificate>", b"X509SKI>"),
    ],
)
def test_a_method_that_cannot_be_checked_is_told_and_never_passes(old: bytes, new: bytes) -> None:
    raw = signed(DOCUMENTS["UBL"]())
    assert old in raw
    codes = {notice.code for notice in signatures.notices(raw.replace(old, new))}
    assert codes == {"document_signature_unchecked"}
