"""Headers, transactions and receipts, block by block, with everything a header commits to recomputed.

EIP-2718 envelopes; header fields by position as in the yellow paper, later forks append to them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from . import rlp_codec as rlp
from .faults import Malformed
from .hashing import keccak
from .report import Report
from .tries import EMPTY_ROOT, ordered_root

EMPTY_UNCLES = keccak(b"\xc0")


@dataclass(frozen=True, slots=True)
class Header:
    """The fields of a block header that the checks use."""

    hash: bytes
    number: int
    parent_hash: bytes
    uncles_hash: bytes
    state_root: bytes
    transactions_root: bytes
    receipts_root: bytes
    bloom: int
    gas_used: int
    timestamp: int
    encoded: bytes


@dataclass(frozen=True, slots=True)
class Log:
    """One log of a receipt."""

    address: bytes
    topics: list[bytes]
    data: bytes


@dataclass(frozen=True, slots=True)
class Receipt:
    """A transaction's outcome as the receipts root commits to it."""

    kind: int
    succeeded: bool
    cumulative_gas: int
    bloom: int
    logs: list[Log]


@dataclass(frozen=True, slots=True)
class Block:
    """One block with raw transactions and decoded receipts, in order."""

    header: Header
    transactions: list[bytes]
    receipts: list[Receipt]


def read_header(encoded: bytes) -> Header:
    """A header from its RLP. Raises Malformed."""
    fields = rlp.decode_list(encoded)
    if not 15 <= len(fields) <= 24:
        raise Malformed("chain/headers.rlp", f"a header of {len(fields)} fields")
    return Header(
        hash=keccak(encoded),
        number=rlp.as_int(fields[8]),
        parent_hash=rlp.as_bytes(fields[0], 32),
        uncles_hash=rlp.as_bytes(fields[1], 32),
        state_root=rlp.as_bytes(fields[3], 32),
        transactions_root=rlp.as_bytes(fields[4], 32),
        receipts_root=rlp.as_bytes(fields[5], 32),
        bloom=int.from_bytes(rlp.as_bytes(fields[6], 256), "big"),
        gas_used=rlp.as_int(fields[10]),
        timestamp=rlp.as_int(fields[11]),
        encoded=encoded,
    )


def read_receipt(encoded: bytes) -> Receipt:
    """A receipt from its canonical encoding. Raises Malformed."""
    kind = encoded[0] if encoded[:1] and encoded[0] < 0x80 else 0
    fields = rlp.decode_list(encoded[1:] if kind else encoded)
    if len(fields) != 4:
        raise Malformed("chain/receipts.rlp", "a receipt has four fields")
    status = rlp.as_bytes(fields[0])
    if status not in (b"", b"\x01") or not isinstance(fields[3], list):
        raise Malformed("chain/receipts.rlp", "a receipt without status or logs")
    return Receipt(
        kind=kind,
        succeeded=status == b"\x01",
        cumulative_gas=rlp.as_int(fields[1]),
        bloom=int.from_bytes(rlp.as_bytes(fields[2], 256), "big"),
        logs=[_read_log(item) for item in fields[3]],
    )


def _read_log(item: rlp.Item) -> Log:
    if not isinstance(item, list) or len(item) != 3 or not isinstance(item[1], list) or len(item[1]) > 4:
        raise Malformed("chain/receipts.rlp", "a log is address, topics, data")
    topics = [rlp.as_bytes(topic, 32) for topic in item[1]]
    return Log(rlp.as_bytes(item[0], 20), topics, rlp.as_bytes(item[2]))


def read_string_list(encoded: bytes, place: str) -> list[bytes]:
    """A block's transactions or receipts: a list of byte strings. Raises Malformed."""
    items = rlp.decode_list(encoded)
    if any(isinstance(item, list) or not item for item in items):
        raise Malformed(place, "a block's entry is a list of byte strings")
    return [rlp.as_bytes(item) for item in items]


class BloomCache:
    """Bits of the 2048-bit filter that a value sets; addresses and topics repeat."""

    def __init__(self) -> None:
        self._bits: dict[bytes, int] = {}

    def of(self, value: bytes) -> int:
        """The filter with `value` alone."""
        bits = self._bits.get(value)
        if bits is None:
            digest = keccak(value)
            bits = 0
            for at in (0, 2, 4):
                bits |= 1 << (int.from_bytes(digest[at : at + 2], "big") & 2047)
            if len(self._bits) < 200_000:
                self._bits[value] = bits
        return bits


class ChainReader:
    """Reads the three chain files in step and checks every commitment of every header."""

    def __init__(self, headers: bytes, bodies: bytes, receipts: bytes, report: Report) -> None:
        self._headers = rlp.split(headers)
        self._bodies = rlp.split(bodies)
        self._receipts = rlp.split(receipts)
        self._report = report
        self._bloom = BloomCache()
        self.first: Header | None = None
        self.last: Header | None = None
        self.hashes: list[bytes] = []

    def blocks(self) -> Iterator[Block]:
        """Blocks in order; findings go to the report while they pass. Raises Malformed."""
        for encoded in self._headers:
            header = read_header(encoded)
            self._link(header)
            body = next(self._bodies, None)
            outcome = next(self._receipts, None)
            if body is None or outcome is None:
                missing = "chain/bodies.rlp" if body is None else "chain/receipts.rlp"
                self._report.check("roots").unprovable("block_missing", f"{missing} {header.number}")
                return
            raws = read_string_list(body, "chain/bodies.rlp")
            encodings = read_string_list(outcome, "chain/receipts.rlp")
            receipts = [read_receipt(item) for item in encodings]
            self._roots(header, raws, encodings, receipts)
            yield Block(header, raws, receipts)
        if next(self._bodies, None) is not None or next(self._receipts, None) is not None:
            self._report.check("roots").fail("blocks_left_over", "chain")

    def _link(self, header: Header) -> None:
        check, before = self._report.check("headers"), self.last
        check.count()
        if before is None:
            self.first = header
        else:
            if header.parent_hash != before.hash:
                check.fail("parent_hash", f"block {header.number}", before.hash, header.parent_hash)
            if header.number != before.number + 1:
                check.fail("block_number", f"block {header.number}", before.number + 1, header.number)
            if header.timestamp < before.timestamp:
                check.fail("block_time", f"block {header.number}", f">= {before.timestamp}", header.timestamp)
        if header.uncles_hash != EMPTY_UNCLES:
            check.fail("uncles", f"block {header.number}", EMPTY_UNCLES, header.uncles_hash)
        self.last = header
        self.hashes.append(header.hash)

    def _roots(self, header: Header, raws: list[bytes], encodings: list[bytes], receipts: list[Receipt]) -> None:
        check, record = self._report.check("roots"), f"block {header.number}"
        check.count()
        found = ordered_root(raws) if raws else EMPTY_ROOT
        if found != header.transactions_root:
            check.fail("transactions_root", record, header.transactions_root, found)
        found = ordered_root(encodings) if encodings else EMPTY_ROOT
        if found != header.receipts_root:
            check.fail("receipts_root", record, header.receipts_root, found)
        if len(raws) != len(receipts):
            check.fail("receipt_count", record, len(raws), len(receipts))
        bloom = gas = 0
        for index, receipt in enumerate(receipts):
            expected = 0
            for log in receipt.logs:
                expected |= self._bloom.of(log.address)
                for topic in log.topics:
                    expected |= self._bloom.of(topic)
            if expected != receipt.bloom:
                check.fail("bloom", f"{record} receipt {index}", hex(expected)[:20], hex(receipt.bloom)[:20])
            if receipt.cumulative_gas <= gas:
                check.fail("gas", f"{record} receipt {index}", f"> {gas}", receipt.cumulative_gas)
            if receipt.logs and not receipt.succeeded:
                check.fail("failed_with_logs", f"{record} receipt {index}")
            bloom, gas = bloom | expected, receipt.cumulative_gas
        if bloom != header.bloom:
            check.fail("bloom", record, hex(bloom)[:20], hex(header.bloom)[:20])
        if gas != header.gas_used:
            check.fail("gas", record, gas, header.gas_used)
