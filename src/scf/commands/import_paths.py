"""What `scf import` finds at a path: a file, the files of a folder, or the members of a zip archive.

An archive is looked through to its end before anything of it is imported: one that is cut off, locked, too large once
unpacked, or that holds a name leading out of it, is refused whole. Nothing is ever unpacked onto the disk.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from scf.kernel.problems import Problem
from scf.standards import archive
from scf.standards.refusals import refusal

CONSORTIUM_KEY = "keys/consortium.key"
"""What tells an installation's data folder from others."""
_ZIP = b"PK\x03\x04"


@dataclass(frozen=True, slots=True)
class Found:
    """A document: how people find it again, its own name, and its bytes when they are wanted."""

    label: str
    name: str
    read: Callable[[], bytes]


def documents_at(path: Path) -> Iterator[Found]:
    """The documents at `path`; a folder's in the order of their names, with those of its folders.

    Hidden files and links are left out, and an installation's data folder, whose keys nobody may read in.
    Raises Problem `import_nothing_found` or of `archive.members`, and OSError.
    """
    if not path.is_dir():
        yield from _documents_in(path)
        return
    installations = [key.parents[1] for key in path.rglob(CONSORTIUM_KEY)]
    files = [item for item in sorted(path.rglob("*")) if _is_own(item) and not _is_hidden(item.relative_to(path))]
    files = [item for item in files if not any(item.is_relative_to(folder) for folder in installations)]
    if not files:
        raise Problem("import_nothing_found", name=str(path))
    for item in files:
        yield from _documents_in(item)


def _is_own(item: Path) -> bool:
    return item.is_file() and not item.is_symlink()


def _is_hidden(inside: Path) -> bool:
    return any(part.startswith(".") or part == "__MACOSX" for part in inside.parts)


def _documents_in(path: Path) -> Iterator[Found]:
    with path.open("rb") as file:
        head = file.read(4)
    if head != _ZIP or archive.is_document(raw := path.read_bytes()):
        yield Found(str(path), path.name, path.read_bytes)
        return
    found = sum(1 for _ in archive.members(raw, _is_wanted, archive.MANY))
    if not found:
        raise Problem("import_nothing_found", name=str(path))
    for name, content in archive.members(raw, _is_wanted, archive.MANY):
        yield Found(f"{path}/{name}", name.rsplit("/", 1)[-1], partial(_member, name, content))


def _is_wanted(name: str) -> bool:
    return not _is_hidden(Path(name))


def _member(name: str, content: bytes) -> bytes:
    """A member's bytes. An archive in an archive is refused unless it is a document of its own kind."""
    if content.startswith(_ZIP) and not archive.is_document(content):
        raise refusal("archive_nested", name)
    return content
