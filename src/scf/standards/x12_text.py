"""ASC X12 interchanges cut into segments: separators taken from the ISA header, envelopes and counts checked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from re import escape, fullmatch, search

from scf.standards.refusals import refusal

MAX_BYTES = 256 * 2**20
MAX_SEGMENTS = 1_000_000


@dataclass(frozen=True, slots=True)
class Segment:
    """One segment: its tag, its elements from position 1, and its number in the interchange."""

    tag: str
    elements: tuple[str, ...]
    number: int

    @property
    def place(self) -> str:
        """Where it stands."""
        return f"segment {self.number} {self.tag}"

    def get(self, position: int) -> str | None:
        """The element at `position` (1 is the first), None where absent or empty."""
        if position > len(self.elements):
            return None
        return self.elements[position - 1].strip() or None

    def need(self, position: int) -> str:
        """An element that must be there. Raises Problem `document_element_missing`."""
        found = self.get(position)
        if found is None:
            raise refusal("document_element_missing", self.place, element=f"{self.tag}{position:02d}")
        return found

    def number_at(self, position: int) -> Decimal | None:
        """An exact number, None where absent. Raises Problem `document_number_wrong`."""
        text = self.get(position)
        if text is None:
            return None
        if not fullmatch(r"[+-]?(\d{1,20}\.?\d{0,10}|\.\d{1,10})", text, 256):
            raise refusal("document_number_wrong", f"{self.place}{position:02d}", text=text)
        try:
            return Decimal(text)
        except InvalidOperation as error:  # pragma: no cover - the pattern leaves nothing to fail
            raise refusal("document_number_wrong", f"{self.place}{position:02d}", text=text) from error

    def day_at(self, position: int) -> date | None:
        """A date CCYYMMDD or YYMMDD, None where absent. Raises Problem `document_date_wrong`."""
        text = self.get(position)
        if text is None:
            return None
        try:
            if not fullmatch(r"\d{6}|\d{8}", text, 256):
                raise ValueError(text)
            return datetime.strptime(text, "%Y%m%d" if len(text) == 8 else "%y%m%d").date()
        except ValueError as error:
            raise refusal("document_date_wrong", f"{self.place}{position:02d}", text=text) from error


@dataclass(frozen=True, slots=True)
class TransactionSet:
    """One ST…SE: set code (`850`), its segments between, and the interchange's sender and receiver (qualifier, id)."""

    code: str
    control: str
    segments: tuple[Segment, ...]
    sender: tuple[str, str]
    receiver: tuple[str, str]


def read_sets(raw: bytes) -> list[TransactionSet]:
    """The transaction sets of a file: of one interchange, or of several one after another, each with its separators.

    Raises Problem `document_empty`, `document_too_large`, `document_encoding_unreadable`, `x12_header_wrong`,
    `x12_envelope_wrong`, `x12_count_differs`.
    """
    found: list[TransactionSet] = []
    before = 0
    for text in _interchanges(raw):
        segments = list(_segments(text, before))
        before += len(segments)
        _interchange(segments, found)
    return found


def _interchange(segments: list[Segment], found: list[TransactionSet]) -> None:
    """One ISA…IEA: its transaction sets are added to `found`."""
    header = segments[0]
    sender, receiver = (header.get(5) or "", header.get(6) or ""), (header.get(7) or "", header.get(8) or "")
    at = 1
    groups = 0
    while at < len(segments) and segments[at].tag == "GS":
        groups += 1
        at = _group(segments, at, sender, receiver, found)
    if at != len(segments) - 1 or segments[at].tag != "IEA":
        where = segments[min(at, len(segments) - 1)]
        raise refusal("x12_envelope_wrong", where.place, expected="GS, IEA", found=where.tag)
    _same(segments[at], 1, str(groups), is_count=True)
    _same(segments[at], 2, header.get(13) or "")


def _interchanges(raw: bytes) -> Iterator[str]:
    """The interchanges of a file, each as its text."""
    if len(raw) > MAX_BYTES:
        raise refusal("document_too_large", "document", limit_mib=MAX_BYTES // 2**20)
    try:
        text = raw.decode("utf-8-sig").lstrip()
    except UnicodeDecodeError:
        text = raw.decode("latin-1").lstrip()
    if not text:
        raise refusal("document_empty", "document")
    while text:
        separator, terminator = _separators(text)
        end = search(
            rf"{escape(terminator)}\s*IEA{escape(separator)}[^{escape(terminator)}]*{escape(terminator)}", text
        )
        following = "" if end is None else text[end.end() :].lstrip()
        if end is None or not following.startswith("ISA"):
            yield text
            return
        yield text[: end.end()]
        text = following


def _separators(text: str) -> tuple[str, str]:
    """Element separator and segment terminator, as the header gives them. Raises Problem `x12_header_wrong`."""
    separator = text[3:4]
    header = text[:200].split(separator, 16) if separator and not separator.isalnum() else []
    if not text.startswith("ISA") or len(header) < 17 or len(header[16]) < 2:
        raise refusal("x12_header_wrong", "segment 1 ISA")
    terminator = header[16][1]
    if terminator.isalnum() or terminator in (separator, " "):
        raise refusal("x12_header_wrong", "segment 1 ISA")
    return separator, terminator


def _segments(text: str, before: int) -> Iterator[Segment]:
    """Segments of one interchange, numbered on from those `before` it."""
    separator, terminator = _separators(text)
    parts = text.split(terminator)
    if len(parts) > MAX_SEGMENTS:
        raise refusal("document_too_large", "document", limit_mib=MAX_BYTES // 2**20)
    number_of_interchange = text[:200].split(separator, 16)[13].strip()
    last = parts[-1].strip().split(separator)
    # An editor takes the last line end away; a whole trailer with the number of the header shows that nothing is cut.
    is_whole = len(last) == 3 and last[0] == "IEA" and last[1].isdecimal() and last[2] == number_of_interchange
    if parts[-1].strip() and not is_whole:
        raise refusal(
            "x12_envelope_wrong", f"segment {before + len(parts)}", expected="terminator", found=parts[-1][:20]
        )
    for number, part in enumerate((part for part in parts if part.strip()), start=before + 1):
        tag, *elements = part.strip("\r\n").lstrip().split(separator)
        if not fullmatch(r"[A-Z][A-Z0-9]{1,2}", tag):
            raise refusal("x12_envelope_wrong", f"segment {number}", expected="segment", found=tag)
        yield Segment(tag, tuple(elements), number)


def _group(
    segments: list[Segment], at: int, sender: tuple[str, str], receiver: tuple[str, str], found: list[TransactionSet]
) -> int:
    """One GS…GE; returns the position after it."""
    header, sets = segments[at], 0
    at += 1
    while at < len(segments) and segments[at].tag == "ST":
        start, sets = at, sets + 1
        while at < len(segments) and segments[at].tag != "SE":
            if segments[at].tag in ("GE", "IEA", "GS", "ISA") or (at > start and segments[at].tag == "ST"):
                raise refusal("x12_envelope_wrong", segments[at].place, expected="SE", found=segments[at].tag)
            at += 1
        if at == len(segments):
            raise refusal("x12_envelope_wrong", segments[-1].place, expected="SE", found=segments[-1].tag)
        _same(segments[at], 1, str(at - start + 1), is_count=True)
        _same(segments[at], 2, segments[start].get(2) or "")
        code, control = segments[start].need(1), segments[start].need(2)
        found.append(TransactionSet(code, control, tuple(segments[start + 1 : at]), sender, receiver))
        at += 1
    if at >= len(segments) or segments[at].tag != "GE":
        where = segments[min(at, len(segments) - 1)]
        raise refusal("x12_envelope_wrong", where.place, expected="ST, GE", found=where.tag)
    _same(segments[at], 1, str(sets), is_count=True)
    _same(segments[at], 2, header.get(6) or "")
    return at + 1


def _same(segment: Segment, position: int, expected: str, *, is_count: bool = False) -> None:
    """A trailer must repeat what it closes: a count, or a control number."""
    stated = segment.get(position) or ""
    if stated.lstrip("0") == expected.lstrip("0"):
        return
    where = f"{segment.place}{position:02d}"
    if is_count:
        raise refusal("x12_count_differs", where, stated=stated, found=expected)
    raise refusal("x12_envelope_wrong", where, expected=expected, found=stated)
