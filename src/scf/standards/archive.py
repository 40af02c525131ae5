"""Zip archives opened safely: bounded number of members, bounded size after unpacking, no encryption."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Callable, Iterator

from scf.standards.refusals import refusal

MAX_BYTES = 64 * 2**20
MAX_MEMBERS = 2_000
MAX_MEMBER_BYTES = 16 * 2**20
MAX_TOTAL_BYTES = 64 * 2**20


def members(raw: bytes, wanted: Callable[[str], bool]) -> Iterator[tuple[str, bytes]]:
    """Name and content of the members whose name is `wanted`, in archive order.

    Sizes are counted while unpacking, never believed from the directory. Raises Problem `document_too_large` or
    `archive_unreadable`.
    """
    if len(raw) > MAX_BYTES:
        raise refusal("document_too_large", "archive", limit_mib=MAX_BYTES // 2**20)
    left = MAX_TOTAL_BYTES
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            listed = archive.infolist()
            if len(listed) > MAX_MEMBERS:
                raise refusal("archive_unreadable", "archive", detail=f"> {MAX_MEMBERS} members")
            names = [item.filename for item in listed]
            if len(set(names)) != len(names):
                raise refusal("archive_unreadable", "archive", detail="a name twice")
            for item in listed:
                if item.is_dir() or not wanted(item.filename):
                    continue
                with archive.open(item) as member:
                    content = member.read(min(MAX_MEMBER_BYTES, left) + 1)
                if len(content) > min(MAX_MEMBER_BYTES, left):
                    raise refusal("document_too_large", item.filename, limit_mib=MAX_MEMBER_BYTES // 2**20)
                left -= len(content)
                yield item.filename, content
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, OSError, ValueError, EOFError) as error:
        raise refusal("archive_unreadable", "archive", detail=type(error).__name__) from error
