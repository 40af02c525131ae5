"""Keyset cursors: opaque text that says after which record the next page begins. A page never shifts under writes."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated

from fastapi import Query

from scf.kernel.problems import Problem

DEFAULT_LIMIT = 50
MOST = 200
Limit = Annotated[int, Query(ge=1, le=MOST)]
Cursor = Annotated[str | None, Query(max_length=80)]


def cursor_of(after: int) -> str:
    """The cursor of everything after record `after`."""
    return base64.urlsafe_b64encode(f"after:{after}".encode()).decode().rstrip("=")


def after_of(cursor: str | None) -> int:
    """The record a cursor stands behind; 0 for none. Raises Problem `cursor_not_valid`."""
    if not cursor:
        return 0
    try:
        word, _, number = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode().partition(":")
        if word == "after" and int(number) >= 0:
            return int(number)
    except (ValueError, binascii.Error):
        pass
    raise Problem("cursor_not_valid", cursor=cursor[:60])


def page(items: list[dict[str, object]], last: int | None, limit: int, seen: int) -> dict[str, object]:
    """One page: `next` is null when the list ended."""
    return {"items": items, "next": cursor_of(last) if last is not None and seen == limit else None}
