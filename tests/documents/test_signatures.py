"""A signature inside a document stays in the evidence log, says that nobody checked it, and raises no trust."""

from __future__ import annotations

import pytest
from sqlmodel import Session, select
from tests.documents.test_imports import Desk
from tests.standards import test_cn_einvoice, test_epcis, test_ubl
from tests.standards.test_camt import ntry, stmt

from scf.documents.service import Documents
from scf.standards import epcis, signatures, ubl
from scf.store import evidence
from scf.store.evidence import Evidence, Trust

SIGNATURE = (
    '<ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:SignedInfo/>'
    "<ds:SignatureValue>c2lnbmVk</ds:SignatureValue></ds:Signature>"
)
EXTENSION = (
    '<ext:UBLExtensions xmlns:ext="urn:oasis:names:specification:ubl:schema:xsd:CommonExtensionComponents-2">'
    f"<ext:UBLExtension><ext:ExtensionContent>{SIGNATURE}</ext:ExtensionContent></ext:UBLExtension></ext:UBLExtensions>"
)


def signed_invoice() -> bytes:
    plain = ubl.write_invoice(test_ubl.invoice()).decode()
    start = plain.index(">", plain.index("<Invoice")) + 1
    return (plain[:start] + EXTENSION + plain[start:]).encode()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_the_signature_of_an_invoice_is_a_part_of_its_record(encoding: str) -> None:
    desk = Desk()
    raw = signed_invoice().decode().replace("utf-8", encoding).replace("UTF-8", encoding).encode(encoding)
    report = Documents(desk).import_file(raw, "i.xml", source="Lotus", sender="Mei", trust=Trust.T1)  # type: ignore[arg-type]
    assert any("was not checked" in notice["en"] and "未作验证" in notice["zh-CN"] for notice in report.notices)
    with Session(desk.engine) as session:
        (entry,) = session.exec(select(Evidence)).all()
        assert entry.signature is not None and b"<ds:SignatureValue>c2lnbmVk</ds:SignatureValue>" in entry.signature
        assert (entry.sender, entry.trust) == ("Mei", Trust.T1)
        assert evidence.raw_bytes(session, entry.evidence_id) == raw
        assert entry.signature.hex().encode() in evidence.entry_bytes(entry), "the leaf of the log covers it"


def test_a_document_without_signature_has_none() -> None:
    desk = Desk()
    raw = ubl.write_invoice(test_ubl.invoice())
    report = Documents(desk).import_file(raw, "i.xml", source="Lotus", sender="Mei", trust=Trust.T1)  # type: ignore[arg-type]
    assert report.notices == ()
    with Session(desk.engine) as session:
        assert [entry.signature for entry in session.exec(select(Evidence))] == [None]


def test_signatures_are_found_where_each_standard_keeps_them() -> None:
    ofd = test_cn_einvoice.ofd(("Doc_0/Signs/Sign_0/SignedValue.dat", "signed"))
    assert signatures.embedded(ofd) == b"signed"
    event = epcis.write([test_epcis.shipping()], test_epcis.NOW)
    assert signatures.embedded(event) is None
    proof = event.replace(b'"type": "EPCISDocument"', b'"proof": {"proofValue": "z5Q"}, "type": "EPCISDocument"', 1)
    assert signatures.embedded(proof) == b'{"proofValue": "z5Q"}'
    statement = stmt(ntry("1.00") + f"<SplmtryData><Envlp>{SIGNATURE}</Envlp></SplmtryData>")
    assert b"c2lnbmVk" in (signatures.embedded(statement) or b"")
    for unreadable in (b"", b"PK\x03\x04 no archive", b"<a http://www.w3.org/2000/09/xmldsig#", b'{"proof"'):
        assert signatures.embedded(unreadable) is None
