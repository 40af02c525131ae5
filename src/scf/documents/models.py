"""What was imported: each import from preview to undo, its rows, and the column mappings of tables."""

from __future__ import annotations

from enum import StrEnum

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from scf.store.engine import BIG


class ImportState(StrEnum):
    """Where an import stands."""

    NEEDS_MAPPING = "needs_mapping"
    """A table whose columns nobody has named yet; nothing can be applied."""
    PREVIEWED = "previewed"
    APPLIED = "applied"
    UNDONE = "undone"
    DISCARDED = "discarded"
    """Looked at and given up; its file is no longer here."""


class ImportedDocument(SQLModel, table=True):
    """One file that was taken, what it was, and how many facts came of it."""

    __tablename__ = "imported_document"

    evidence_id: str = Field(primary_key=True, max_length=64)
    source: str = Field(primary_key=True, max_length=128)
    kind: str = Field(max_length=40)
    name: str = Field(max_length=255)
    facts: int
    imported_at: int = Field(sa_type=BIG)


class ImportRun(SQLModel, table=True):
    """One import from its preview on. The file lies in `raw` until it is applied and is evidence then."""

    __tablename__ = "import_run"
    __table_args__ = (sa.Index("import_run_file", "source", "digest"), sa.Index("import_run_state", "source", "state"))

    id: int | None = Field(default=None, primary_key=True, sa_type=BIG)
    state: str = Field(max_length=16)
    source: str = Field(max_length=128)
    sender: str = Field(max_length=128)
    trust: int
    kind: str = Field(max_length=40)
    name: str = Field(max_length=255)
    digest: str = Field(max_length=64, description="SHA-256 of the file; its evidence id once applied")
    raw: bytes | None = Field(default=None, sa_type=sa.LargeBinary)
    mapping: str | None = Field(default=None, sa_type=sa.Text, description="The mapping in force, JSON")
    shape: str | None = Field(default=None, sa_type=sa.Text, description="Of a table: encoding, header and so on, JSON")
    notices: str = Field(default="[]", sa_type=sa.Text, description="Code, place and facts of each, JSON")
    plan: str = Field(default="", max_length=64, description="Digest of what the preview showed")
    records: int = 0
    new: int = 0
    changed: int = 0
    duplicate: int = 0
    rejected: int = 0
    noted: int = 0
    exceptions: int = 0
    previewed_at: int = Field(sa_type=BIG)
    applied_at: int | None = Field(default=None, sa_type=BIG)
    applied_by: str | None = Field(default=None, max_length=128)
    undone_at: int | None = Field(default=None, sa_type=BIG)
    undone_by: str | None = Field(default=None, max_length=128)
    bank_changes: str = Field(default="[]", sa_type=sa.Text, description="Bank rows before and after, JSON")


class ImportRow(SQLModel, table=True):
    """One row of an import as people see it: an entry, an event, a document, or a line of a table."""

    __tablename__ = "import_row"
    __table_args__ = (sa.Index("import_row_standing", "import_id", "standing", "place"),)

    import_id: int = Field(primary_key=True, sa_type=BIG, foreign_key="import_run.id")
    place: int = Field(primary_key=True, description="1, 2, … in the file's order")
    standing: str = Field(max_length=10)
    label: str = Field(max_length=200)
    content: str = Field(sa_type=sa.Text, description="Where it stands, what changes, why it is rejected; JSON")


class ImportFact(SQLModel, table=True):
    """A fact an import says. `brought` is true for the import whose undoing takes the fact back."""

    __tablename__ = "import_fact"
    __table_args__ = (sa.Index("import_fact_digest", "digest"),)

    import_id: int = Field(primary_key=True, sa_type=BIG, foreign_key="import_run.id")
    digest: str = Field(primary_key=True, max_length=64)
    brought: bool


class SavedMapping(SQLModel, table=True):
    """A column mapping somebody saved for the tables of one source."""

    __tablename__ = "saved_mapping"

    name: str = Field(primary_key=True, max_length=80)
    text: str = Field(sa_type=sa.Text, description="TOML or JSON, see scf.standards.csvmapping")
    saved_at: int = Field(sa_type=BIG)


class SourceMapping(SQLModel, table=True):
    """The mapping a source's tables of one header were last applied with; the next such table is read the same way."""

    __tablename__ = "source_mapping"

    source: str = Field(primary_key=True, max_length=128)
    header: str = Field(primary_key=True, max_length=64, description="SHA-256 of the column titles")
    text: str = Field(sa_type=sa.Text, description="JSON, see scf.standards.csvmapping")
    saved_at: int = Field(sa_type=BIG)


class TradePayment(SQLModel, table=True):
    """A payment of ours that pays for an order; other payments of ours (funding, holders) are no trade facts."""

    __tablename__ = "trade_payment"

    end_to_end_id: str = Field(primary_key=True, max_length=35)
    order_reference: str = Field(index=True, max_length=80)
    by_note: bool = Field(
        default=False, description="Discharges a receivable, so it goes to its holders' bank, not the seller"
    )
