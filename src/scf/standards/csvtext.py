"""The text of a CSV file: encoding, delimiter and line ending detected, rows parsed strictly."""

from __future__ import annotations

import csv
import io
import itertools
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from charset_normalizer import from_bytes

from scf.standards.csvmapping import TableMapping
from scf.standards.refusals import refusal

MAX_BYTES = 256 * 2**20
_DELIMITERS = (",", ";", "\t", "|")
_OTHERS = ["gb18030", "big5", "cp1252", "cp1250", "cp1251", "shift_jis", "euc_kr", "latin_1"]
_ALLOWED = frozenset(
    (
        "utf-8",
        "utf-8-sig",
        "utf-16",
        "utf-16-le",
        "utf-16-be",
        "gbk",
        "gb2312",
        *_OTHERS,
        "iso-8859-1",
        "iso-8859-15",
        "ascii",
    )
)


NumberedRows = Iterator[tuple[int, list[str]]]


@dataclass(frozen=True, slots=True)
class Dialect:
    """How the file is written."""

    encoding: str
    delimiter: str
    line_ending: str


def sniff(raw: bytes, mapping: TableMapping | None = None) -> Dialect:
    """Encoding, delimiter and line ending of `raw`; what the mapping fixes is taken from it.

    Raises Problem `document_empty`, `document_too_large`, `document_encoding_unreadable` or `table_unreadable`.
    """
    if len(raw) > MAX_BYTES:
        raise refusal("document_too_large", "document", limit_mib=MAX_BYTES // 2**20)
    if not raw.strip(b" \t\r\n\xef\xbb\xbf"):
        raise refusal("document_empty", "document")
    encoding = _encoding(raw, mapping.encoding if mapping else None)
    text = _decode(raw[:65_536], encoding, is_whole=len(raw) <= 65_536)
    if "\x00" in text:
        raise refusal("table_unreadable", "document", detail="NUL")
    endings = {"\r\n": text.count("\r\n"), "\n": text.count("\n"), "\r": text.count("\r")}
    endings["\n"] -= endings["\r\n"]
    endings["\r"] -= endings["\r\n"]
    ending = max(endings, key=lambda item: endings[item])
    delimiter = mapping.delimiter if mapping and mapping.delimiter else _delimiter(text, mapping)
    if len(delimiter) != 1:
        raise refusal("table_unreadable", "document", detail=f"delimiter {delimiter}")
    return Dialect(encoding, delimiter, ending)


def _encoding(raw: bytes, fixed: str | None) -> str:
    if raw.startswith(b"\xef\xbb\xbf"):
        return "utf-8-sig"
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    without_mark = utf16(raw)
    if without_mark is not None:
        return without_mark
    if fixed is not None:
        if fixed.lower() not in _ALLOWED:
            raise refusal("document_encoding_unreadable", "document", encoding=fixed)
        return fixed
    try:
        raw.decode("utf-8")
        return "utf-8"
    except UnicodeDecodeError:
        best = from_bytes(raw[:65_536], cp_isolation=_OTHERS).best()
    if best is None:
        raise refusal("document_encoding_unreadable", "document", encoding="?")
    return best.encoding


def utf16(raw: bytes) -> str | None:
    """The form of UTF-16 a text without byte order mark is written in: the one in which it has lines and cells."""
    sample = raw[:4096]
    if b"\x00" not in sample:
        return None
    sample = sample[: len(sample) // 2 * 2]
    found: dict[str, int] = {}
    for encoding in ("utf-16-le", "utf-16-be"):
        text = sample.decode(encoding, "ignore")
        if not any(char < " " and char not in "\t\r\n" for char in text):
            found[encoding] = sum(text.count(char) for char in ",;\t|\r\n")
    best = max(found, key=lambda encoding: found[encoding], default=None)
    return best if best is not None and found[best] > 1 else None


def _decode(raw: bytes, encoding: str, *, is_whole: bool = True) -> str:
    try:
        return raw.decode(encoding, "strict" if is_whole else "ignore")
    except (UnicodeError, LookupError) as error:
        raise refusal("document_encoding_unreadable", "document", encoding=encoding) from error


def _delimiter(text: str, mapping: TableMapping | None) -> str:
    """The delimiter under which the mapping's columns are found, else the one that cuts rows most evenly."""
    wanted = {item.source for item in mapping.columns} if mapping else set()

    def score(delimiter: str) -> tuple[int, int, int]:
        skip = mapping.header_row - 1 if mapping else 0
        try:
            reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
            rows = list(itertools.islice(reader, skip, skip + 20))
        except csv.Error:
            return (0, 0, 0)
        if not rows:
            return (0, 0, 0)
        width, even = next(iter(Counter(len(row) for row in rows if len(row) > 1).most_common(1)), (len(rows[0]), 0))
        return (len(wanted & {cell.strip() for cell in rows[0]}), even, width)

    return max(_DELIMITERS, key=score)


def parse_rows(
    raw: bytes, dialect: Dialect, header_row: int
) -> tuple[tuple[str, ...], Iterator[tuple[int, list[str]]]]:
    """The header and the numbered rows below it (row numbers as a spreadsheet shows them).

    Raises Problem `document_encoding_unreadable` or `table_unreadable`, also while rows are taken.
    """
    numbered = _numbered(raw, dialect)
    header: list[str] = []
    for number, cells in numbered:
        if number == header_row:
            header = cells
            break
    if not any(header):
        raise refusal("table_unreadable", f"row {header_row}", detail="no header")
    return tuple(re.sub(r"\s+", " ", cell).strip() for cell in header), numbered


def _numbered(raw: bytes, dialect: Dialect) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(_lines(raw, dialect.encoding), delimiter=dialect.delimiter, strict=True)
    number = 0
    while True:
        number += 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise refusal("table_unreadable", f"row {number}", detail=str(error)) from error
        except UnicodeError as error:
            raise refusal("document_encoding_unreadable", f"row {number}", encoding=dialect.encoding) from error
        yield number, cells


def _lines(raw: bytes, encoding: str) -> Iterator[str]:
    """The text line by line, so that a large table is never held as text."""
    for line in io.TextIOWrapper(io.BytesIO(raw), encoding, newline=""):
        if "\x00" in line:
            raise refusal("table_unreadable", "document", detail="NUL")
        yield line
