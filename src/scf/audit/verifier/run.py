"""The verification: the checks in their order, from the bundle alone and without a network."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from . import rlp_codec as rlp
from .abi_files import check_interface
from .bank_lines import check_bank_lines
from .chain import ChainReader, Header
from .container import Container, open_container
from .evidence_log import check_log
from .faults import Absent, Malformed
from .hashing import keccak
from .manifest import Manifest, check_files, read
from .note_book import check_sums
from .reexecute import Replayer
from .register import Register
from .report import Report
from .state_proofs import check_state
from .totals import check_totals, counts_of, totals_of
from .trust import (
    Head,
    Trust,
    check_heads,
    check_trust,
    check_witnesses,
    load_json,
    read_head,
    read_trust,
    witnessed_heads,
)
from .walker import Walker

LEVELS = ("L0", "L1", "L2", "L3")


def verify(
    bundle: Path | str,
    trust: Mapping[str, Any] | str | Path | None = None,
    since: Mapping[str, Any] | str | Path | None = None,
    *,
    require: str = "L0",
    re_execute: bool = False,
    max_bytes: int | None = None,
) -> Report:
    """Verify a bundle of format `scf-audit/1`.

    Args:
        bundle: folder or zip.
        trust: what the auditor knows from elsewhere, as a mapping or the path of a JSON file.
        since: head of the last audit (or that audit's report), which this bundle must extend.
        require: level that must be reached: `L0`, `L1`, `L2` (quorum seals of validators; no engine of ours has them
            yet, so this is never reached) or `L3`; otherwise the exit code is 2.
        re_execute: replay every transaction in a fresh EVM; demanded when `require` is `L3`.
        max_bytes: refuse a bundle that unpacks to more, for bundles that strangers hand in.

    Returns a report; its `exit_code` is 0 proved, 1 contradiction, 2 not provable, 3 malformed. Never raises for what
    is in the bundle. Raises ValueError for an unknown level.
    """
    if require not in LEVELS:
        raise ValueError(f"level {require} is not one of {', '.join(LEVELS)}")
    report = Report(required=require)
    container: Container | None = None
    try:
        known = read_trust(trust)
        last = None
        if since is not None:
            last = read_head(load_json(Path(since)) if isinstance(since, str | Path) else since, "since")
        container = open_container(Path(bundle), max_bytes)
        _verify(container, known, last, re_execute or require == "L3", report)
    except Malformed as fault:
        report.malformed = str(fault)
    except (ArithmeticError, LookupError, TypeError, ValueError, RecursionError) as fault:
        # a bundle may be anything; what the checks did not foresee is never proved
        report.malformed = f"bundle: {type(fault).__name__}: {fault}"
    except Absent as fault:
        report.check("files").unprovable("file_missing", fault.path)
    finally:
        if container is not None:
            container.close()
    _level(report)
    report.conclude()
    return report


def _verify(container: Container, trust: Trust, since: Head | None, re_execute: bool, report: Report) -> None:
    manifest = read(container)
    scope = manifest.scope
    report.scope = dict(manifest.raw["scope"]) | {"log": manifest.raw.get("log"), "nonce": manifest.nonce}
    check_files(manifest, container, report)
    check_trust(trust, manifest, report)
    check_interface(container, report)
    chain = ChainReader(
        container.read("chain/headers.rlp"),
        container.read("chain/bodies.rlp"),
        container.read("chain/receipts.rlp"),
        report,
    )
    register = Register(report, scope.contracts, scope.chain_id)
    walker = _walk(chain, register, manifest, re_execute, report)
    _scope(manifest, chain, report)
    if walker is not None:
        check_sums(register)
        report.totals = dict(totals_of(register))
        counts = counts_of(register, len(chain.hashes), walker.transactions)
        check_totals(manifest, report.totals, counts, report)
        check_bank_lines(container, register, report)
    if chain.last is not None:
        check_state(manifest, container, chain.last, register if walker else None, trust, report)
    heads = witnessed_heads(trust, container)
    sizes = [head.log_size for head in (*heads, *((since,) if since else ())) if head.log_size is not None]
    roots = check_log(manifest, container, register, sizes, report)
    check_heads(heads, chain, roots, "witnesses", report)
    if since is not None:
        check_heads([since], chain, roots, "since", report)
    highest = check_witnesses(trust, heads, scope.chain_id, report)
    if highest is not None and chain.last is not None and highest < chain.last.number:
        report.check("witnesses").unprovable(
            "witnessed_up_to", f"block {highest}", chain.last.number, highest, demanded=False
        )
    if highest is not None and chain.last is not None and highest == chain.last.number:
        report.level = "L1"


def _walk(
    chain: ChainReader, register: Register, manifest: Manifest, re_execute: bool, report: Report
) -> Walker | None:
    """All blocks once: commitments, acts and events, and the replay when it was asked for."""
    walker = Walker(register)
    replayer = Replayer(manifest, report) if re_execute else None
    gas_limit: rlp.Item | None = None
    for id_ in ("headers", "roots", "transactions", "contracts", "acts", "signatures", "members"):
        report.check(id_)  # these can never be left out
    for block in chain.blocks():
        if chain.first is not None and chain.first.number != 0:
            continue  # without the beginning the register cannot be rebuilt; headers and roots are still checked
        if manifest.engine["kind"] == "embedded":
            gas_limit = _embedded_header(block.header, gas_limit, report)
        walker.walk(block)
        if replayer is not None:
            replayer.replay(block)
    if chain.first is None or chain.first.number != 0:
        report.check("acts").unprovable(
            "not_from_genesis", "chain/headers.rlp", 0, chain.first.number if chain.first else "—"
        )
        return None
    walker.finish()
    if replayer is not None and replayer.proved:
        report.scope["re_executed"] = True
    return walker


def _embedded_header(header: Header, gas_limit: rlp.Item | None, report: Report) -> rlp.Item:
    """The embedded engine leaves no field free but the time; returns the gas limit, the same in every block."""
    fields = rlp.decode_list(header.encoded)
    randomness = keccak(header.parent_hash) if header.number else b"\0" * 32
    limit = fields[9] if gas_limit is None else gas_limit
    expected = [b"\0" * 20, b"", limit, b"", randomness, b"\0" * 8, b""]
    found = [fields[2], fields[7], fields[9], *fields[12:16]]
    if found != expected or len(fields) != 16:
        report.check("headers").fail(
            "embedded_header", f"block {header.number}", "fields as this engine sets them", "others"
        )
    return limit


def _scope(manifest: Manifest, chain: ChainReader, report: Report) -> None:
    check, scope = report.check("scope"), manifest.scope
    first, last = chain.first, chain.last
    if first is None or last is None:
        check.unprovable("no_blocks", "chain/headers.rlp")
        return
    check.expect("scope", "first block", scope.first_block, first.number)
    check.expect("scope", "last block", scope.last_block, last.number)
    check.expect("scope", "closing time", scope.last_timestamp, last.timestamp)
    check.expect("scope", "closing hash", scope.last_hash, last.hash)
    if first.number == 0:
        check.expect("scope", "genesis hash", scope.genesis_hash, first.hash)
        check.expect("scope", "parent of genesis", b"\0" * 32, first.parent_hash)


def _level(report: Report) -> None:
    reached = "L1" if report.level == "L1" else "L0"
    replayed = report.scope.pop("re_executed", False)
    if replayed and not report.required == reached == "L1":
        reached = "L3"
    check = report.check("level")
    check.count()
    order = {name: at for at, name in enumerate(LEVELS)}
    # Running everything again shows that the states follow, not who agreed to them: L3 stands for neither L1 nor L2.
    lacks_others = report.required in ("L1", "L2") and reached != report.required
    if order[reached] < order[report.required] or lacks_others:
        check.unprovable("level", report.required, report.required, reached)
    report.level = reached
