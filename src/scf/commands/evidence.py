"""`scf evidence head|included|grown`: heads and proofs of the evidence log as JSON, for anyone to check by RFC 6962."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Heads and proofs of the evidence log (RFC 6962), as JSON.")
Data = Annotated[Path, typer.Option("--data", help="The data folder.", envvar="SCF_DATA")]
At = Annotated[int | None, typer.Option("--size", min=0, help="In the log as it was at this size; now unless said.")]


@app.command()
def head(size: At = None, data: Data = Path("data")) -> None:
    """Size and root of the log, now or at an earlier size."""
    from scf.app import open_app
    from scf.installation import Settings
    from scf.store import evidence

    with open_app(Settings.from_environment(data), read_only=True) as installation, installation.reading() as session:
        found = evidence.head(session, size)
    _print(size=found.size, root=found.root.hex())


@app.command()
def included(
    evidence_id: Annotated[str, typer.Argument(help="Evidence id: the SHA-256 of a file's bytes.")],
    size: At = None,
    data: Data = Path("data"),
) -> None:
    """Proofs that every record of these bytes is in the log: the entry hashed, its place and its audit path."""
    from scf.app import open_app
    from scf.installation import Settings
    from scf.kernel.problems import Problem
    from scf.store import evidence

    with open_app(Settings.from_environment(data), read_only=True) as installation, installation.reading() as session:
        log = evidence.head(session, size)
        rows = evidence.records_of(session, evidence_id)
        if not rows:
            raise Problem("evidence_unknown", evidence=evidence_id[:64])
        for row in rows:
            _print(
                entry=evidence.entry_bytes(row).decode(),
                leaf_index=row.leaf_index,
                path=_hex(evidence.inclusion_proof(session, row.leaf_index, log.size)),
                size=log.size,
                root=log.root.hex(),
            )


@app.command()
def grown(
    old_size: Annotated[int, typer.Argument(min=1, help="The size of a head held from before.")],
    size: At = None,
    data: Data = Path("data"),
) -> None:
    """Proof that the log only grew since `old_size`: nothing in it was changed or taken out."""
    from scf.app import open_app
    from scf.installation import Settings
    from scf.store import evidence

    with open_app(Settings.from_environment(data), read_only=True) as installation, installation.reading() as session:
        new = evidence.head(session, size)
        path = evidence.consistency_proof(session, old_size, new.size)
        old = evidence.head(session, old_size)
    _print(old_size=old.size, old_root=old.root.hex(), path=_hex(path), size=new.size, root=new.root.hex())


def _hex(path: Sequence[bytes]) -> list[str]:
    return [step.hex() for step in path]


def _print(**found: object) -> None:
    typer.echo(json.dumps(found, ensure_ascii=False))
