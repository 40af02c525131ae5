"""What an installation is before any room opens: settings, stored facts, first set-up, and whether its parts fit."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Field, SQLModel

from scf.kernel.clock import Clock, SystemClock
from scf.kernel.problems import Problem
from scf.ledger.contracts import Contracts
from scf.ledger.deploy import deploy
from scf.ledger.hashing import keccak
from scf.ledger.journal import Entry
from scf.ledger.open import open_ledger
from scf.ledger.protocol import Ledger
from scf.ledger.relayer import Relayer
from scf.parties.keys import KeyPair, KeyRing, demo_key
from scf.parties.two_people import amounts_of
from scf.store.engine import open_engine
from scf.store.relay_journal import SqlJournal
from scf.store.session import create_schema, reading, transaction

CHAIN_ID = 20260
OPERATOR_NAMES = ("operator-1", "operator-2", "operator-3")


class InstallationFact(SQLModel, table=True):
    """What this installation is: contract addresses, mode, start of its virtual time."""

    __tablename__ = "installation_fact"

    name: str = Field(primary_key=True)
    value: str


@dataclass(frozen=True, slots=True)
class Settings:
    """Where an installation lives and what it talks to. Empty `ledger` and `database` mean files in `data`."""

    data: Path
    ledger: str = ""
    database: str = ""
    chain_id: int = CHAIN_ID
    demo: bool = False
    ruleset: str = "CN"
    two_people: Mapping[str, int] = field(default_factory=dict)
    """From which amount on an act needs two people, in minor units, where it is not the amount of `TWO_PEOPLE_FROM`."""
    banks: str = ""
    """Banks spoken with, `BIC=FOLDER` separated by commas; see `scf.jobs.banks`."""
    passphrase: str = field(default="", repr=False)

    @classmethod
    def from_environment(cls, data: Path, *, demo: bool = False) -> Settings:
        """Settings of `SCF_LEDGER`, `SCF_DATABASE`, `SCF_RULESET`, `SCF_TWO_PEOPLE`, `SCF_PASSPHRASE`."""
        return cls(
            data=data,
            ledger=os.environ.get("SCF_LEDGER", ""),
            database=os.environ.get("SCF_DATABASE", ""),
            ruleset=os.environ.get("SCF_RULESET", "CN"),
            two_people=amounts_of(os.environ.get("SCF_TWO_PEOPLE", "")),
            banks=os.environ.get("SCF_BANKS", ""),
            passphrase=os.environ.get("SCF_PASSPHRASE", ""),
            demo=demo or (data / "demo").exists(),
        )

    @property
    def rules(self) -> Path | None:
        """The folder of this installation's own rules; None where there is none."""
        folder = self.data / "rules"
        return folder if folder.is_dir() else None

    @property
    def ledger_setting(self) -> str:
        """The engine setting in force."""
        return self.ledger or f"embedded:{self.data / 'ledger.db'}"

    @property
    def is_set_up(self) -> bool:
        """Whether the files this installation keeps in `data` are there."""
        files = [name for name, elsewhere in (("ledger.db", self.ledger), ("scf.db", self.database)) if not elsewhere]
        return all((self.data / name).is_file() for name in files)

    @property
    def ledger_file(self) -> Path | None:
        """The ledger's own file; None where it is a network."""
        engine, _, place = self.ledger_setting.partition(":")
        return Path(place) if engine in ("embedded", "sidecar") and place != ":memory:" else None

    @property
    def database_url(self) -> str:
        """The database URL in force."""
        return self.database or f"sqlite:///{self.data / 'scf.db'}"


def set_up(settings: Settings, clock: Clock | None = None) -> Contracts:
    """Make a real installation: keys of relayer and operators, ledger, contracts. A second call goes on from the first.

    Raises Problem `passphrase_missing`, `installation_is_demo`, and what ledger and database raise.
    """
    if settings.demo:
        raise Problem("installation_is_demo", folder=str(settings.data))
    if not settings.passphrase:
        raise Problem("passphrase_missing")
    ring = KeyRing(settings.data / "keys", settings.passphrase)
    for name in {"relayer", *OPERATOR_NAMES} - set(ring.names()):
        ring.make(name)
    engine = open_engine(settings.database_url)
    try:
        create_schema(engine)
        check_ledger_file(settings, engine)
        ledger = open_ledger(settings.ledger_setting, clock or SystemClock(), chain_id=settings.chain_id)
        try:
            if fact(engine, "contracts") is not None:
                return contracts_of(settings, engine, ledger)
            return initialise(settings, engine, ledger, [ring.get(name) for name in OPERATOR_NAMES])
        finally:
            ledger.close()
    finally:
        engine.dispose()


def initialise(settings: Settings, engine: Engine, ledger: Ledger, operators: Sequence[KeyPair]) -> Contracts:
    """Deploy the contracts with their operator quorum and remember where they are. Idempotent."""
    relayer = Relayer(ledger, relayer_key(settings).private, SqlJournal(engine, Entry, keccak))
    contracts = deploy(relayer, [key.private for key in operators], threshold=2)
    with transaction(engine) as session:
        session.merge(InstallationFact(name="contracts", value=json.dumps(contracts.addresses)))
        session.merge(InstallationFact(name="genesis", value=ledger.header(0).hash.hex()))
    return contracts


def contracts_of(settings: Settings, engine: Engine, ledger: Ledger) -> Contracts:
    """The contracts this installation began with, checked against the ledger; a demo's are deployed where none are.

    Raises Problem `installation_missing`, `installation_database_missing`, `ledger_other_genesis`.
    """
    stored = fact(engine, "contracts")
    if stored is not None:
        _check_genesis(engine, ledger)
        contracts = Contracts(ledger.chain_id, json.loads(stored))
        contracts.check(ledger)
        return contracts
    if not settings.demo:
        raise Problem("installation_missing", folder=str(settings.data))
    relayer = Relayer(ledger, relayer_key(settings).private, SqlJournal(engine, Entry, keccak))
    if settings.ledger_file and ledger.head().number and not relayer.knows("deploy:Members"):
        raise Problem("installation_database_missing", ledger=str(settings.ledger_file))
    return initialise(settings, engine, ledger, [demo_key(name) for name in OPERATOR_NAMES])


def check_ledger_file(settings: Settings, engine: Engine) -> None:
    """A ledger that was there and is gone is missed, not begun again."""
    path = settings.ledger_file
    if path is not None and not path.is_file() and fact(engine, "contracts") is not None:
        engine.dispose()
        raise Problem("installation_ledger_missing", ledger=str(path))


def _check_genesis(engine: Engine, ledger: Ledger) -> None:
    """The ledger is the one this installation began on: addresses alone do not tell two chains apart."""
    expected, found = fact(engine, "genesis"), ledger.header(0).hash.hex()
    if expected is not None and expected != found:
        raise Problem("ledger_other_genesis", found=found, expected=expected)


def not_set_up(settings: Settings) -> Problem:
    """What is missing: the ledger's file, the database, or everything."""
    path = settings.ledger_file
    if path is not None and not path.is_file() and expected_genesis(settings):
        return Problem("installation_ledger_missing", ledger=str(path))
    if path is not None and path.is_file():
        return Problem("installation_database_missing", ledger=str(path))
    return Problem("installation_missing", folder=str(settings.data))


def expected_genesis(settings: Settings) -> str | None:
    """Hash of block 0 as this installation's database has it; None where there is none or it cannot be read."""
    url = make_url(settings.database_url)
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").is_file():
        return None
    try:
        engine = open_engine(settings.database_url)
        try:
            return fact(engine, "genesis")
        finally:
            engine.dispose()
    except (Problem, SQLAlchemyError):
        return None  # the database has its own checks; this one is about the ledger


def fact(engine: Engine, name: str) -> str | None:
    """A stored fact of the installation; None where there is none of that name."""
    with reading(engine) as session:
        found = session.get(InstallationFact, name)
        return found.value if found else None


def relayer_key(settings: Settings) -> KeyPair:
    """The key that pays for and sends transactions; it signs no act of a party."""
    if settings.demo:
        return demo_key("relayer")
    return KeyRing(settings.data / "keys", settings.passphrase).get("relayer")
