"""The bundle as a set of named byte strings, from a folder or a zip. Nothing is unpacked; names cannot lead outside."""

from __future__ import annotations

import re
import zipfile
import zlib
from pathlib import Path
from typing import Protocol

from .faults import Absent, Malformed

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)*")
MAX_FILE_BYTES = 4 * 2**30
MAX_FILES = 1_000_000


class Container(Protocol):
    """Named files, with their sizes before they are read."""

    @property
    def sizes(self) -> dict[str, int]:
        """Size in bytes of every file, by name."""
        ...

    def read(self, name: str) -> bytes:
        """Content of a file. Raises Absent or Malformed."""
        ...

    def close(self) -> None:
        """Let go of open files."""
        ...


def _checked(name: str, size: int) -> str:
    if not _NAME.fullmatch(name) or len(name) > 200:
        raise Malformed("bundle", f"file name {name[:80]!r} is not allowed")
    if size > MAX_FILE_BYTES:
        raise Malformed(name, "file too large")
    return name


class Folder:
    """A bundle in a folder."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.sizes: dict[str, int] = {}
        for entry in sorted(path.rglob("*")):
            if entry.is_symlink():
                raise Malformed("bundle", f"{entry.name} is a link")
            if entry.is_file():
                size = entry.stat().st_size
                self.sizes[_checked(entry.relative_to(path).as_posix(), size)] = size
            if len(self.sizes) > MAX_FILES:
                raise Malformed("bundle", "too many files")

    def read(self, name: str) -> bytes:
        """Content of a file. Raises Absent."""
        if name not in self.sizes:
            raise Absent(name)
        return (self._path / name).read_bytes()

    def close(self) -> None:
        """Nothing is held open."""


class Archive:
    """A bundle in a zip file."""

    def __init__(self, path: Path) -> None:
        try:
            self._zip = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, OSError, ValueError) as error:
            raise Malformed("bundle", f"not a readable zip: {error}") from None
        self.sizes: dict[str, int] = {}
        for info in self._zip.infolist():
            if info.is_dir():
                continue
            name = _checked(info.filename, info.file_size)
            if name in self.sizes:
                raise Malformed("bundle", f"{name} is there twice")
            self.sizes[name] = info.file_size
        if len(self.sizes) > MAX_FILES:
            raise Malformed("bundle", "too many files")

    def read(self, name: str) -> bytes:
        """Content of a file, never more than the size it announces. Raises Absent or Malformed."""
        if name not in self.sizes:
            raise Absent(name)
        try:
            with self._zip.open(name) as stream:
                data = stream.read(self.sizes[name] + 1)
        except (zipfile.BadZipFile, zlib.error, OSError, RuntimeError, NotImplementedError, EOFError) as error:
            raise Malformed(name, f"cannot be unpacked: {error}") from None
        if len(data) != self.sizes[name]:
            raise Malformed(name, "announces another size")
        return data

    def close(self) -> None:
        """Close the zip file."""
        self._zip.close()


def open_container(path: Path, max_bytes: int | None = None) -> Container:
    """The bundle at `path`. Raises Malformed when there is none, or when it unpacks to more than `max_bytes`."""
    if not path.is_dir() and not path.is_file():
        raise Malformed("bundle", "no such file or folder")
    container: Container = Folder(path) if path.is_dir() else Archive(path)
    total = sum(container.sizes.values())
    if max_bytes is not None and total > max_bytes:
        container.close()
        raise Malformed("bundle", f"{total} bytes unpacked, {max_bytes} allowed")
    return container
