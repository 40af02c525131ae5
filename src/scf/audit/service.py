"""The door of the audit room: export a bundle, verify a bundle."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import Engine
from sqlmodel import Session, col, select

from scf.audit.bundle import Progress, Source, Written, write
from scf.audit.verifier import Report
from scf.audit.verifier import verify as _verify
from scf.ledger.contracts import Contracts
from scf.ledger.protocol import Ledger
from scf.store.evidence import Evidence, EvidenceBytes, entry_bytes

__all__ = ["Report", "Source", "Written", "export", "verify"]


def export(
    ledger: Ledger,
    contracts: Contracts,
    out: Path,
    *,
    engine: Engine | None = None,
    sources: bool | Collection[str] = False,
    nonce: str | None = None,
    progress: Progress | None = None,
) -> Written:
    """Write a bundle of everything up to the present head.

    Args:
        ledger: the chain.
        contracts: the installation's contracts.
        out: new folder or `.zip` file.
        engine: the store whose evidence log belongs to this ledger; None leaves the log out, and the bundle is then not
            provable where heads were anchored.
        sources: True for all documents of the evidence log, or the kinds to lay beside; they are confidential.
        nonce: the auditor's challenge.
        progress: called with (blocks written, blocks in all).

    Raises Problem `audit_target_exists`.
    """
    if engine is None:
        return write(ledger, contracts, out, nonce=nonce, progress=progress)
    with Session(engine) as session:
        wanted = _documents(session, sources) if sources else None
        return write(ledger, contracts, out, evidence=_leaves(session), sources=wanted, nonce=nonce, progress=progress)


def verify(
    bundle: Path,
    trust: Mapping[str, Any] | Path | None = None,
    since: Mapping[str, Any] | Path | None = None,
    *,
    require: str = "L0",
    re_execute: bool = False,
    max_bytes: int | None = None,
) -> Report:
    """Verify a bundle offline; `report.exit_code` is 0 proved, 1 contradiction, 2 not provable, 3 malformed.

    See `scf.audit.verifier.verify` for the arguments.
    """
    return _verify(bundle, trust, since, require=require, re_execute=re_execute, max_bytes=max_bytes)


def _leaves(session: Session) -> Iterator[bytes]:
    query = select(Evidence.leaf_hash).order_by(col(Evidence.leaf_index)).execution_options(yield_per=10_000)
    yield from session.exec(query)


def _documents(session: Session, kinds: bool | Collection[str]) -> Iterator[Source]:
    query = select(Evidence, EvidenceBytes.raw).join(EvidenceBytes).order_by(col(Evidence.leaf_index))
    if not isinstance(kinds, bool):
        query = query.where(col(Evidence.kind).in_(list(kinds)))
    for entry, raw in session.exec(query.execution_options(yield_per=200)):
        yield Source(entry.name or entry.kind, raw, entry.leaf_index, entry_bytes(entry))
