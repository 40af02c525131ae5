"""Take the pictures under docs/screens from a demonstration that has just been told.

    python scripts/screens.py [--data DIR]

Needs Chromium and a font for Chinese. Pictures are WebP, small enough to live beside the text that shows them.
"""

from __future__ import annotations

import argparse
import io
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from demo_browser import chromium, demo_server, sign_in
from PIL import Image

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "screens"
DESK, PHONE = (1200, 800), (360, 740)


@dataclass(frozen=True, slots=True)
class Shot:
    """One picture: who looks, at what, in which language, on which screen. `link` is pressed on the page first."""

    name: str
    firm: str
    path: str
    language: str = "en"
    phone: bool = False
    seat: int = 0
    link: str = ""
    dark: bool = False


SHOTS = (
    Shot("supplier-phone", "Pine Creek", "/", phone=True),
    Shot("supplier-phone-zh", "松溪机加工", "/", "zh-CN", phone=True),
    Shot("early-phone-zh", "莲塘铸造", "/", "zh-CN", phone=True, link=".purse .button.main"),
    Shot("core", "Northbridge", "/"),
    Shot("to-accept", "Northbridge", "/to-accept", "zh-CN", seat=3),
    Shot("chain", "Northbridge", "/chain"),
    Shot("receivable", "Northbridge", "/receivables/1"),
    Shot("deal", "Far Hill", "/deals", link="td a"),
    Shot("case-dark", "Platform Operator", "/exceptions", "zh-CN", link=".hero a.button", dark=True),
    Shot("entrusted", "Civic Bank", "/entrusted/1"),
    Shot("verify", "Audit", "/records/1"),
)


def take(address: str, shot: Shot, browser: object) -> bytes:
    """One picture as WebP."""
    width, height = PHONE if shot.phone else DESK
    context = browser.new_context(  # type: ignore[attr-defined]
        viewport={"width": width, "height": height},
        locale=shot.language,
        device_scale_factor=2 if shot.phone else 1,
        color_scheme="dark" if shot.dark else "light",
    )
    sign_in(context, address, shot.firm, shot.seat)
    page = context.new_page()
    page.goto(address + shot.path)
    if shot.link:
        with page.expect_navigation():
            page.locator(shot.link).first.click()
    picture = Image.open(io.BytesIO(page.screenshot(full_page=not shot.phone))).convert("RGB")
    most = int(picture.width * (2.1 if shot.phone else 0.8))
    picture = picture.crop((0, 0, picture.width, min(picture.height, most)))
    context.close()
    out = io.BytesIO()
    picture.save(out, "WEBP", quality=72, method=6)
    return out.getvalue()


def main() -> int:
    """Take them all. Exit 0; says each name and size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="a folder in which the demonstration was told already")
    given = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as fresh,
        demo_server(given.data or Path(fresh) / "data") as address,
        chromium() as browser,
    ):
        for shot in SHOTS:
            picture = take(address, shot, browser)
            (FOLDER / f"{shot.name}.webp").write_bytes(picture)
            print(f"{shot.name}.webp  {len(picture) / 1024:.0f} kB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
