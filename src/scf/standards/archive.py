"""Zip archives opened safely: bounded number of members, bounded size after unpacking, no encryption."""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from scf.standards.refusals import refusal


@dataclass(frozen=True, slots=True)
class Limits:
    """What an archive may hold: bytes as it is, number of members, bytes of one and of all once unpacked."""

    packed: int
    members: int
    member: int
    total: int


ONE = Limits(packed=64 * 2**20, members=2_000, member=16 * 2**20, total=64 * 2**20)
"""A document that is an archive itself, as an OFD file is."""
MANY = Limits(packed=256 * 2**20, members=10_000, member=256 * 2**20, total=512 * 2**20)
"""Many documents sent in one archive."""


def is_document(raw: bytes) -> bool:
    """Whether a zip archive is one document, not many: an OFD file, or an office file, which is not read here."""
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            names = set(archive.namelist())
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError, UnicodeError):
        return False
    return not names.isdisjoint(("OFD.xml", "[Content_Types].xml", "mimetype"))


def members(raw: bytes, wanted: Callable[[str], bool], limits: Limits = ONE) -> Iterator[tuple[str, bytes]]:
    """Name and content of the members whose name is `wanted`, in archive order.

    Sizes are counted while unpacking, never believed from the directory. Raises Problem `document_too_large` or
    `archive_unreadable`, also for a name that leads out of the archive.
    """
    if len(raw) > limits.packed:
        raise refusal("document_too_large", "archive", limit_mib=limits.packed // 2**20)
    left = limits.total
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            listed = archive.infolist()
            if len(listed) > limits.members:
                raise refusal("archive_unreadable", "archive", detail=f"> {limits.members} members")
            names = [item.filename for item in listed]
            if len(set(names)) != len(names):
                raise refusal("archive_unreadable", "archive", detail="a name twice")
            for name in names:
                if name.startswith(("/", "\\")) or re.search(r"(^|[/\\])\.\.([/\\]|$)|^[A-Za-z]:|\x00", name):
                    raise refusal("archive_unreadable", "archive", detail=f"a name that leads out of it: {name[:40]}")
            for item in listed:
                if item.is_dir() or not wanted(item.filename):
                    continue
                with archive.open(item) as member:
                    content = member.read(min(limits.member, left) + 1)
                if len(content) > min(limits.member, left):
                    raise refusal("document_too_large", item.filename, limit_mib=min(limits.member, left) // 2**20)
                left -= len(content)
                yield item.filename, content
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, OSError, ValueError, EOFError) as error:
        raise refusal("archive_unreadable", "archive", detail=type(error).__name__) from error
