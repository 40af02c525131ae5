"""The month page as a PDF on A4.

Chinese is set in a TrueType font that is embedded: the one `SCF_PDF_FONT` names, or one this machine has. Where there
is none, the PDF names the font every reader brings for Chinese and embeds nothing.
"""

# mypy: disable-error-code="no-untyped-call"
# reportlab ships without types

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import structlog
from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfbase.ttfonts import TTFError, TTFont
from reportlab.platypus import Paragraph, SimpleDocTemplate, Table, TableStyle
from reportlab.platypus.flowables import Spacer

from scf.kernel.money import format_money
from scf.web.i18n import N_
from scf.web.month import ACCOUNTS, KINDS, Month, Sheet
from scf.web.month_files import SUM_WORDS

_READERS_OWN = "STSong-Light"
_USUAL = (
    "/usr/share/fonts/truetype/wqy/wqy-zenhei.ttc",
    "/usr/share/fonts/truetype/wqy/wqy-microhei.ttc",
    "/usr/share/fonts/truetype/droid/DroidSansFallbackFull.ttf",
    "/usr/share/fonts/truetype/arphic/uming.ttc",
)
_BODY: Any = ParagraphStyle("body", fontName=_READERS_OWN, fontSize=8.5, leading=11, wordWrap="CJK")
_RIGHT: Any = ParagraphStyle("right", parent=_BODY, alignment=2, wordWrap=None)
_TITLE: Any = ParagraphStyle("title", parent=_BODY, fontSize=16, leading=20)
_HEAD: Any = ParagraphStyle("head", parent=_BODY, fontSize=11, leading=14, spaceBefore=8, spaceAfter=3)
Say = Callable[[str], str]
_log = structlog.get_logger("scf.month")


def month_pdf(month: Month, say: Say) -> bytes:
    """The whole statement: totals, both accounts with opening and closing, invoices with their VAT."""
    font = _font()
    for style in (_BODY, _RIGHT, _TITLE, _HEAD):
        style.fontName = font
    title = f"{month.firm} · {month.name}"
    story: list[Any] = [Paragraph(escape(title), _TITLE), Paragraph(f"{month.first} – {month.last}", _BODY)]
    if not month.complete:
        story.append(Paragraph(escape(say(N_("The month is still running; numbers can grow."))), _BODY))
    story += [Spacer(1, 4 * mm), _totals(month, say)]
    for sheet in month.sheets:
        story.append(Paragraph(escape(f"{say(ACCOUNTS[sheet.account])} · {sheet.currency}"), _HEAD))
        story.append(_sheet(sheet, month, say))
    story.append(Paragraph(escape(say(N_("Invoices and VAT"))), _HEAD))
    if month.unread:
        left_out = N_("%(count)s invoice files of this month could not be read and are not in these sums.")
        story.append(Paragraph(escape(say(left_out) % {"count": month.unread}), _BODY))
    story.append(_taxes(month, say))
    out = io.BytesIO()
    document = SimpleDocTemplate(
        out,
        pagesize=A4,
        title=title,
        author="scf",
        invariant=1,
        leftMargin=15 * mm,
        rightMargin=15 * mm,
        topMargin=15 * mm,
        bottomMargin=15 * mm,
    )
    document.build(story, onFirstPage=_foot, onLaterPages=_foot)
    return out.getvalue()


def _font() -> str:
    """The name of the statement's font: one that is embedded where there is one, else the reader's own."""
    for path in (os.environ.get("SCF_PDF_FONT", ""), *_USUAL):
        if not path or not Path(path).is_file():
            continue
        name = f"statement-{hashlib.sha256(path.encode()).hexdigest()[:8]}"
        try:
            if name not in pdfmetrics.getRegisteredFontNames():
                pdfmetrics.registerFont(TTFont(name, path))
        except TTFError as error:  # an OpenType font with other outlines
            _log.warning("font not usable", path=path, why=str(error)[:120])
            continue
        return name
    if _READERS_OWN not in pdfmetrics.getRegisteredFontNames():
        pdfmetrics.registerFont(UnicodeCIDFont(_READERS_OWN))
    return _READERS_OWN


def _foot(canvas: Any, document: Any) -> None:
    canvas.setFont(_BODY.fontName, 7.5)
    canvas.drawRightString(A4[0] - 15 * mm, 8 * mm, str(document.page))


def _totals(month: Month, say: Say) -> Table:
    rows: list[Sequence[str]] = []
    for sums in month.sums:
        for name, word in SUM_WORDS.items():
            rows.append((say(word), format_money(int(getattr(sums, f"{name}_minor")), sums.currency)))
    return _table([], rows, (60, 120), numbers={1})


def _sheet(sheet: Sheet, month: Month, say: Say) -> Table:
    code = sheet.currency
    rows: list[Sequence[str]] = [
        (str(month.first), say(N_("Opening")), "", "", format_money(sheet.opening_minor, code))
    ]
    for line in sheet.lines:
        short = line.reference[-8:] if line.reference.startswith("0x") else line.reference
        shown = format_money(line.amount_minor, code)
        rows.append((str(line.on), say(KINDS[line.kind]), line.other, short, shown))
    rows.append((str(month.last), say(N_("Closing")), "", "", format_money(sheet.closing_minor, code)))
    heads = [say(N_("Day")), say(N_("What")), say(N_("With")), say(N_("Reference")), say(N_("Amount"))]
    return _table(heads, rows, (20, 45, 55, 22, 38), numbers={4})


def _taxes(month: Month, say: Say) -> Table:
    ways = {"in": say(N_("VAT in")), "out": say(N_("VAT out"))}
    rows = [
        (
            ways[row.direction],
            str(row.on),
            row.number,
            row.other,
            format_money(row.net_minor, row.currency),
            format_money(row.tax_minor, row.currency),
        )
        for row in month.taxes
    ]
    heads = [say(N_("VAT")), say(N_("Day")), say(N_("Invoice")), say(N_("With")), say(N_("Net")), say(N_("VAT"))]
    return _table(heads, rows, (18, 20, 32, 46, 33, 31), numbers={4, 5})


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]], widths: Sequence[float], *, numbers: set[int]) -> Table:
    body = [
        [Paragraph(escape(cell), _RIGHT if place in numbers else _BODY) for place, cell in enumerate(row)]
        for row in ([heads] if heads else []) + list(rows)
    ]
    style = [
        ("LINEBELOW", (0, 0), (-1, -1), 0.25, colors.lightgrey),
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
        ("TOPPADDING", (0, 0), (-1, -1), 2),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 2),
    ]
    if heads:
        style.append(("BACKGROUND", (0, 0), (-1, 0), colors.whitesmoke))
    return Table(
        body or [[""]],
        colWidths=[width * mm for width in widths],
        style=TableStyle(style),
        repeatRows=1 if heads else 0,
    )
