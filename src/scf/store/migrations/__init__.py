"""Steps from one version of the schema to the next, written with Alembic's operations.

Version 1 is what `create_schema` makes. To change a table of facts: raise `SCHEMA_VERSION`, add a module here with
`def upgrade(op: alembic.operations.Operations) -> None`, and list it in `STEPS` under the version it leads to. Books
need no step: they are dropped and replayed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import Connection

SCHEMA_VERSION = 1
"""Version this program reads and writes."""

Step = Callable[[Operations], None]
STEPS: Mapping[int, Step] = {}
"""Version -> the step that leads to it from the version before."""


def upgrade_from(
    connection: Connection, version: int, *, steps: Mapping[int, Step] = STEPS, to: int = SCHEMA_VERSION
) -> None:
    """Take every step from `version` to `to` in the caller's transaction. Raises LookupError when a step is missing."""
    operations = Operations(MigrationContext.configure(connection))
    for target in range(version + 1, to + 1):
        if target not in steps:
            raise LookupError(f"no migration leads to schema version {target}")
        steps[target](operations)
