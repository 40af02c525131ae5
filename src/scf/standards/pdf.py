"""The invoice inside a Factur-X or ZUGFeRD PDF: its attached XML is the invoice, the page only shows it."""

from __future__ import annotations

import io
import logging

from scf.standards.refusals import refusal

logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # what is odd in a PDF is nobody's news but the reader's
MAX_BYTES = 64 * 2**20
_LARGEST = 16 * 2**20
_NAMES = frozenset(("factur-x.xml", "zugferd-invoice.xml", "xrechnung.xml"))
"""Names the standards give the attachment (Factur-X 1.0 section 6, ZUGFeRD 1 and 2)."""


def is_pdf(raw: bytes) -> bool:
    """Whether a file is a PDF by its first bytes."""
    return raw[:1024].lstrip(b"\xef\xbb\xbf \t\r\n\x00").startswith(b"%PDF-")


def unwrapped(raw: bytes) -> bytes:
    """The XML attached to a PDF; any other file as it is.

    That is the attachment named as the standards name it, or the only XML. Raises Problem `document_too_large`,
    `pdf_unreadable`, `pdf_without_invoice`, or `pdf_several_invoices` where two differ.
    """
    if not is_pdf(raw):
        return raw
    if len(raw) > MAX_BYTES:
        raise refusal("document_too_large", "PDF", limit_mib=MAX_BYTES // 2**20)
    attached = _attached(raw)
    named = {content for name, content in attached if name in _NAMES}
    found = named or {content for name, content in attached if name.endswith(".xml")}
    names = ", ".join(dict.fromkeys(name for name, _ in attached)) or "-"
    if len(found) > 1:
        raise refusal("pdf_several_invoices", "PDF", found=names)
    if not found:
        raise refusal("pdf_without_invoice", "PDF", found=names)
    (content,) = found
    if len(content) > _LARGEST:
        raise refusal("document_too_large", "PDF", limit_mib=_LARGEST // 2**20)
    return content


def _attached(raw: bytes) -> list[tuple[str, bytes]]:
    """Lower-case names and contents of the attachments."""
    from pypdf import PdfReader

    try:
        reader = PdfReader(io.BytesIO(raw))
        is_open = not reader.is_encrypted or bool(reader.decrypt(""))
        attached = reader.attachments.items() if is_open else ()
        listed = [(name.rsplit("/", 1)[-1].lower(), content) for name, some in attached for content in some]
    except Exception as error:  # pypdf meets broken files with errors of many kinds
        raise refusal("pdf_unreadable", "PDF", detail=type(error).__name__) from error
    if not is_open:
        raise refusal("pdf_unreadable", "PDF", detail="password")
    return listed
