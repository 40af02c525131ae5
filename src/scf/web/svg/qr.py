"""A link as a QR code."""

from __future__ import annotations

import segno


def qr_of(link: str) -> str:
    """The link as an SVG for the page, for a phone to scan."""
    return str(segno.make_qr(link, error="m").svg_inline(scale=8, border=2, omitsize=True, svgclass="code"))
