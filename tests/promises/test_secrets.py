"""Secrets stay out of logs, errors, bundles and the database: canaries are planted and every byte is searched."""

from __future__ import annotations

import base64
import io
import logging
import secrets
import stat
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from datetime import date, time
from pathlib import Path

import pytest

from scf import terminal
from scf.api.access import issue_token
from scf.app import App, open_app
from scf.audit import service as audit
from scf.demo.cast import CORE, LOTUS
from scf.demo.papers import invoice, logistics_event
from scf.desk.service import Prepared
from scf.installation import Settings, initialise
from scf.kernel.clock import VirtualClock, today
from scf.kernel.dates import next_day, to_unix
from scf.kernel.problems import Problem
from scf.ledger.intents import quorum_digest
from scf.ledger.open import open_ledger
from scf.ledger.rpc.nodes import Nodes
from scf.ledger.rpc.transport import HttpTransport
from scf.ledger.signing import sign_digest
from scf.parties.keys import KeyPair, KeyRing, key_pair
from scf.parties.service import Enrolment, Role
from scf.receivables import queries
from scf.receivables.service import IssueRequest
from scf.store.engine import open_engine
from scf.store.evidence import Trust
from scf.store.session import create_schema
from scf.web.server import create_server

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from starlette.testclient import TestClient

START = to_unix(date(2026, 3, 2), time(9))
FACE = 10_000_00
DATABASE_PASSWORD = "canary-" + secrets.token_hex(12)
PASSPHRASE = "canary passphrase " + secrets.token_hex(12)


@dataclass(slots=True)
class Lived:
    """An installation that did a little of everything, with what it wrote and said."""

    folder: Path
    bundle: Path
    said: str
    canaries: dict[str, list[bytes]]
    problems: list[Problem]


def spellings(secret: bytes) -> list[bytes]:
    """A secret raw, in hexadecimal and in both alphabets of base64."""
    encoded = (base64.b64encode(secret), base64.urlsafe_b64encode(secret))
    whole = str(int.from_bytes(secret, "big")).encode()
    return [secret, secret.hex().encode(), secret.hex().upper().encode(), *(one.rstrip(b"=") for one in encoded), whole]


class Secret:
    """What must appear nowhere."""

    def __init__(self) -> None:
        self.keys: dict[str, KeyPair] = {
            name: key_pair(name, secrets.token_bytes(32))
            for name in ("relayer", "operator-1", "operator-2", "obligor", "supplier", "bank")
        }
        self.consortium = secrets.token_bytes(32)
        self.session = secrets.token_bytes(32)
        self.texts: dict[str, str] = {"passphrase": PASSPHRASE, "database password": DATABASE_PASSWORD}

    def canaries(self) -> dict[str, list[bytes]]:
        """Every spelling of every secret, by what it is."""
        raw = {f"key of {name}": pair.private for name, pair in self.keys.items()}
        raw |= {"consortium key": self.consortium, "session key": self.session}
        found = {name: spellings(value) for name, value in raw.items()}
        return found | {name: [text.encode(), *spellings(text.encode())[1:5]] for name, text in self.texts.items()}


def set_up(folder: Path, secret: Secret, clock: VirtualClock) -> Settings:
    """An installation that is no demo, with keys of its own."""
    settings = Settings(data=folder, passphrase=PASSPHRASE, two_people={"issue": 10**15})  # one key is enough here
    ring = KeyRing(folder / "keys", PASSPHRASE)
    ring.store("relayer", secret.keys["relayer"].private)
    for name, value in (("consortium", secret.consortium), ("session", secret.session)):
        (folder / "keys" / f"{name}.key").write_text(value.hex(), encoding="ascii")
        (folder / "keys" / f"{name}.key").chmod(0o600)
    engine = open_engine(settings.database_url)
    create_schema(engine)
    ledger = open_ledger(settings.ledger_setting, clock, chain_id=settings.chain_id)
    initialise(settings, engine, ledger, [secret.keys["operator-1"], secret.keys["operator-2"]])
    ledger.close()
    engine.dispose()
    return settings


def live(app: App, secret: Secret, clock: VirtualClock) -> list[Problem]:
    """Enrol, file, issue, accept, hand out a token, and be refused in several ways; returns the refusals."""
    enrol(app, secret)
    prepared = prepare_issue(app, secret)
    problems: list[Problem] = []
    for signer in ("supplier", "obligor"):
        signature = sign_digest(secret.keys[signer].private, prepared.digest)
        try:
            reply = app.receivables.submit("issue", prepared.message, [signature], key="k1", caller="obligor")
        except Problem as problem:
            problems.append(problem)
    accept = app.receivables.prepare_accept(str(reply["note"]))
    signature = sign_digest(secret.keys["supplier"].private, accept.digest)
    app.receivables.submit("accept", accept.message, [signature], key="k2", caller="supplier")
    secret.texts["token"] = issue_token(app, secret.keys["supplier"].address, "for the books")
    node = f"http://scf:{DATABASE_PASSWORD}@127.0.0.1:9/{PASSPHRASE}"
    for failing in (
        lambda: KeyRing(app.settings.data / "keys", PASSPHRASE + "?").get("relayer"),
        lambda: open_engine(f"oracle://scf:{DATABASE_PASSWORD}@127.0.0.1/scf"),
        lambda: Nodes([HttpTransport(node)], lambda _: None, patience_s=0).ask("eth_chainId"),
        lambda: open_ledger(f"rcp:http://scf:{DATABASE_PASSWORD}@127.0.0.1:9", clock),
    ):
        with pytest.raises(Problem) as caught:
            failing()
        problems.append(caught.value)
    return problems


def enrol(app: App, secret: Secret) -> None:
    roles = {"obligor": Role.OBLIGOR | Role.SUPPLIER, "supplier": Role.SUPPLIER, "bank": Role.BANK}
    bank = secret.keys["bank"].address
    enrolments = []
    with app.desk.session() as session:
        for number, (name, role) in enumerate(roles.items(), start=1):
            size = "large" if name == "obligor" else "small"
            app.parties.register(session, name, size=size, organisation_id=number)
            member = secret.keys[name].address
            app.parties.seat(session, member, number, "account")
            limit = {"limit_minor": 10**9, "paying_bank": bank} if name == "obligor" else {}
            enrolments.append(Enrolment(member, number, role, **limit))  # type: ignore[arg-type]
    act = app.parties.prepare_enrolment(enrolments)
    quorum = quorum_digest([secret.keys[f"operator-{n}"].private for n in (1, 2)], act.digest)
    app.parties.enrol("enrol", "operators", act.message, quorum)


def prepare_issue(app: App, secret: Secret) -> Prepared:
    day = today(app.clock)
    paper = invoice("INV-1", LOTUS, CORE, "PO-1", "Parts", FACE, day, next_day(day, 60))
    event = logistics_event("PO-1", "receiving", app.clock.now(), quantity=1, goods="parts", despatch="DN-1")
    ids = [
        app.documents.import_file(one.raw, one.name, source=name, sender=name, trust=trust).evidence_id
        for one, name, trust in ((paper, "supplier", Trust.T1), (event, "carrier", Trust.T3))
    ]
    with app.desk.session() as session:
        filed = app.receivables.file(session, ids, invoice_minor=FACE, delivered_on=day.isoformat()).document
    obligor, supplier = (secret.keys[name].address for name in ("obligor", "supplier"))
    tag = app.receivables.fingerprint("supplier", "INV-1", day)
    return app.receivables.prepare_issue(IssueRequest(obligor, supplier, FACE, "CNY", next_day(day, 50), filed, tag))


def serve(app: App, secret: Secret, monkeypatch: pytest.MonkeyPatch) -> str:
    """Pages and API with token and session, and an error nobody foresaw with a key among its local variables."""
    client = TestClient(create_server(app), raise_server_exceptions=False)
    bearer = {"Authorization": f"Bearer {secret.texts['token']}"}
    said = [client.get("/api/v1/receivables", headers=bearer).text]
    said.append(client.get("/api/v1/receivables", headers={"Authorization": f"Bearer {PASSPHRASE}"}).text)

    def burst(*_: object, **__: object) -> None:
        private = secret.keys["relayer"].private
        raise RuntimeError(f"something unforeseen about {app.settings!r} and {app.keys!r}, {len(private)} bytes")

    with app.reading() as session:
        note = queries.notes_of_receivable(session, 1)[0].id
    monkeypatch.setattr(type(app.receivables), "prepare_accept", burst)
    answer = client.post("/api/v1/acts/accept/prepare", json={"note": note}, headers=bearer)
    monkeypatch.undo()
    return "\n".join([*said, answer.text, *(str(one.headers) for one in (answer,))])


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lived]:
    folder = tmp_path_factory.mktemp("secrets")
    secret, clock, said = Secret(), VirtualClock(START), io.StringIO()
    handler = logging.StreamHandler(said)
    root = logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        with redirect_stdout(said), redirect_stderr(said), pytest.MonkeyPatch.context() as patched:
            settings = set_up(folder / "data", secret, clock)
            clock.advance(hours=1)
            with open_app(settings, clock) as app:
                problems = live(app, secret, clock)
                print(serve(app, secret, patched))
                print(repr(settings), settings, repr(secret.keys["relayer"]), repr(app.keys), vars(app))
                for problem in problems:
                    terminal.refuse(problem)
                    print(repr(problem), problem.sentence("zh-CN"), problem.facts)
                bundle = folder / "bundle.zip"
                audit.export(app.ledger, app.contracts, bundle, engine=app.engine, sources=True)
                assert audit.verify(bundle).exit_code == 0
                yield Lived(folder / "data", bundle, said.getvalue(), secret.canaries(), problems)
    finally:
        root.setLevel(before)
        root.removeHandler(handler)


def leaks(where: str, content: bytes, canaries: dict[str, list[bytes]]) -> list[str]:
    return [f"{name} in {where}" for name, spelled in canaries.items() if any(one in content for one in spelled)]


def test_no_file_outside_the_key_folder_holds_a_secret(lived: Lived) -> None:
    """Database, its write-ahead log, ledger: every file, byte for byte, while the installation is open."""
    files = [path for path in lived.folder.rglob("*") if path.is_file() and path.parent.name != "keys"]
    assert len(files) >= 2 and sum(path.stat().st_size for path in files) > 100_000
    assert [leak for path in files for leak in leaks(path.name, path.read_bytes(), lived.canaries)] == []


def test_keys_are_stored_encrypted_and_for_the_owner_alone(lived: Lived) -> None:
    keys = lived.folder / "keys"
    assert stat.S_IMODE(keys.stat().st_mode) == 0o700
    for path in keys.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path.name
    stored = (keys / "relayer.json").read_bytes()
    assert leaks("relayer.json", stored, lived.canaries) == []


def test_the_audit_bundle_holds_no_secret(lived: Lived) -> None:
    with zipfile.ZipFile(lived.bundle) as bundle:
        members = {name: bundle.read(name) for name in bundle.namelist()}
    assert any(name.startswith("sources/") for name in members)
    assert [leak for name, content in members.items() for leak in leaks(name, content, lived.canaries)] == []


def test_nothing_that_was_said_or_logged_holds_a_secret(lived: Lived) -> None:
    """Everything printed, answered and logged at the most talkative level, refusals in both languages among it."""
    assert len(lived.problems) == 5
    assert "unexpected error" in lived.said and "something unforeseen" in lived.said, "the log was listened to"
    assert leaks("what was said", lived.said.encode(), lived.canaries) == []
