"""Payments on the ledger against the bank's statements in `sources/`, and the sources against the evidence log."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from .canonical import parse
from .container import Container
from .evidence_log import LEAVES
from .faults import Malformed
from .hashing import sha256
from .merkle import leaf_hash
from .register import BankLine, Register
from .report import Check, Report, show
from .statements import NUMERIC, Line, is_statement, read_lines, reference_hash

INDEX = "sources/index.json"
FOLDER = "sources/"
_EXACT = ("locked", "released", "refunded", "returned")
_DEBIT = {"locked": False, "released": True, "refunded": True, "returned": False}


def check_bank_lines(container: Container, register: Register, report: Report) -> None:
    """Each payment of an entrusted account has exactly one line with its amount. Raises Malformed."""
    check = report.check("bank_lines")
    _check_sources(container, report)
    statements = 0
    found: dict[bytes, list[Line]] = defaultdict(list)
    for name in sorted(container.sizes):
        if not name.startswith(FOLDER) or name == INDEX:
            continue
        data = container.read(name)
        if is_statement(data):
            statements += 1
            for line in read_lines(data, name):
                if line.reference:
                    found[reference_hash(line.reference)].append(line)
    if not statements:
        check.unprovable("no_statements", FOLDER, demanded=False)
        return
    check.ran = True
    shared: dict[bytes, list[BankLine]] = defaultdict(list)
    for payment in register.bank_lines:
        if payment.kind in _EXACT:
            check.count()
            _exactly_one(payment, found.get(payment.reference, []), check)
        else:
            shared[payment.reference].append(payment)
    for reference, payments in shared.items():
        _covered(payments, found.get(reference, []), check)


def _distinct(lines: list[Line]) -> list[Line]:
    """A booking is told more than once: by notification and statement, each message kind counts for itself."""
    kinds: dict[str, list[Line]] = defaultdict(list)
    for line in lines:
        kinds[line.kind].append(line)
    return max(kinds.values(), key=len, default=[])


def _amount(amount: int, currency: int | str) -> str:
    return f"{NUMERIC.get(currency, currency) if isinstance(currency, int) else currency} {amount}"


def _exactly_one(payment: BankLine, lines: list[Line], check: Check) -> None:
    if not lines:
        check.unprovable("no_bank_line", payment.record, show(payment.reference), "none")
        return
    wanted = [line for line in lines if line.debit == _DEBIT[payment.kind]] or lines
    one = _distinct(wanted)
    if len(one) != 1:
        check.fail("bank_line_twice", payment.record, 1, f"{len(one)}: " + ", ".join(line.place for line in one))
    expected = _amount(payment.amount, payment.currency)
    for line in wanted:
        if expected != _amount(line.amount, line.currency):
            check.fail(
                "bank_line_amount", payment.record, expected, f"{_amount(line.amount, line.currency)} {line.place}"
            )
        if line.reversal and payment.kind != "returned":
            check.fail("bank_line_reversed", payment.record, "booked", line.place)
        if payment.payment_id is not None and line.end_to_end and reference_hash(line.end_to_end) != payment.payment_id:
            check.unprovable("payment_id", payment.record, payment.payment_id, line.end_to_end, demanded=False)


def _covered(payments: list[BankLine], lines: list[Line], check: Check) -> None:
    """A line may pay several debts at once; the ledger may not claim more than it says."""
    record = payments[0].record
    if not lines:
        check.unprovable("no_bank_line", record, show(payments[0].reference), "none", demanded=False)
        return
    check.count()
    claimed = sum(payment.amount for payment in payments)
    most = max(line.amount for line in lines)
    if claimed > most:
        check.fail("bank_line_amount", record, f"<= {most}", claimed)


def _check_sources(container: Container, report: Report) -> None:
    """Each source in the index is the evidence its leaf in the log stands for."""
    check = report.check("sources")
    if INDEX not in container.sizes:
        check.unprovable("no_sources", INDEX, demanded=False)
        return
    entries = parse(container.read(INDEX), INDEX)
    if not isinstance(entries, list):
        raise Malformed(INDEX, "a list was expected")
    leaves = container.read(LEAVES) if LEAVES in container.sizes else b""
    check.ran = True
    for entry in entries:
        if not isinstance(entry, dict) or not isinstance(entry.get("path"), str):
            raise Malformed(INDEX, "an entry names its path")
        check.count()
        _source(entry, container, leaves, check)


def _source(entry: dict[str, Any], container: Container, leaves: bytes, check: Check) -> None:
    path = entry["path"]
    if path not in container.sizes:
        check.unprovable("file_missing", path)
        return
    digest = sha256(container.read(path)).hex()
    leaf, text = entry.get("leaf"), entry.get("entry")
    if leaf is None or text is None:
        check.unprovable("source_without_leaf", path, demanded=False)
        return
    if not isinstance(leaf, int) or isinstance(leaf, bool) or leaf < 0 or not isinstance(text, str):
        raise Malformed(INDEX, "an entry's leaf is a number and its entry is text")
    named = parse(text.encode("utf-8", "surrogatepass"), INDEX)
    if not isinstance(named, dict):
        raise Malformed(INDEX, "the leaf's entry is not a JSON object")
    check.expect("source_hash", path, named.get("evidence_id"), digest)
    stored = leaves[32 * leaf : 32 * leaf + 32]
    if len(stored) != 32:
        check.unprovable("log_short", path, f"leaf {leaf}", f"{len(leaves) // 32} leaves")
    else:
        check.expect("source_leaf", f"{path} leaf {leaf}", leaf_hash(text.encode("utf-8", "surrogatepass")), stored)
