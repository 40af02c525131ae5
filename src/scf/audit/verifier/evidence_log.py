"""The evidence log: leaves → tree head, and every head anchored on the ledger is a head of these leaves (RFC 6962)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .container import Container
from .faults import Malformed
from .manifest import Manifest, hex_bytes
from .merkle import roots_at
from .register import Register
from .report import Report

LEAVES = "log/leaves.bin"


def _leaves(data: bytes) -> Iterator[bytes]:
    for at in range(0, len(data), 32):
        yield data[at : at + 32]


def check_log(
    manifest: Manifest, container: Container, register: Register, also: Sequence[int], report: Report
) -> dict[int, bytes]:
    """Compare leaves, manifest and anchors; returns the roots at all sizes that were asked for. Raises Malformed."""
    check = report.check("evidence_log")
    anchored = register.heads
    if LEAVES not in container.sizes:
        if anchored:
            check.unprovable("log_missing", LEAVES, f"{anchored[-1][0]} leaves", "none")
        else:
            check.unprovable("log_absent", LEAVES, demanded=False)
        return {}
    data = container.read(LEAVES)
    if len(data) % 32:
        raise Malformed(LEAVES, "not a row of 32-byte hashes")
    size = len(data) // 32
    roots = dict(roots_at(_leaves(data), [*(head[0] for head in anchored), size, *also]))
    if manifest.log is None:
        check.fail("log_claim", "manifest.json", f"size {size}", "none")
    else:
        check.expect("log_size", "manifest.json", size, manifest.log.get("size"))
        check.expect("log_root", "manifest.json", roots[size], hex_bytes(manifest.log.get("root"), 32, "manifest.json"))
    for anchored_size, root, record in anchored:
        if anchored_size > size:
            check.unprovable("log_short", record, f"{anchored_size} leaves", f"{size}")
        else:
            check.expect("anchored_root", record, root, roots[anchored_size])
    last = anchored[-1][0] if anchored else 0
    if size > last:
        check.unprovable("log_tail", f"leaves {last}–{size - 1}", "anchored", "not yet", demanded=False)
    return roots
