"""An honest bundle is proved; it says what it is, and the same content gives the same bytes."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sqlmodel import Session
from tests.audit.story import Story, enrol, statement, tell
from tests.audit.world import RELAYER, World

import scf.audit.verifier as verifier_room
from scf.audit import service
from scf.audit.bundle import write
from scf.audit.verifier import canonical, interface, verify
from scf.audit.verifier.__main__ import main
from scf.audit.verifier.faults import Malformed
from scf.audit.verifier.transactions import read_transaction
from scf.kernel.problems import Problem
from scf.ledger.artifacts import artifact
from scf.store.engine import open_engine
from scf.store.evidence import Trust, head, record
from scf.store.schema import create_schema


def test_an_honest_bundle_is_proved_without_a_socket(bundle: Path, monkeypatch: pytest.MonkeyPatch):
    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("the verifier opened a socket")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    report = verify(bundle, {"nonce": "challenge-7", "chain_id": 20_260})
    assert report.exit_code == 0, report.summary()
    assert report.level == "L0"
    for id_ in ("signatures", "lineage", "conservation", "settlement", "entrusted", "bank_lines", "storage", "totals"):
        assert report.checks[id_].result == "pass", id_
    assert report.summary("en").splitlines()[0].startswith("Assurance level L0")
    assert report.summary("zh-CN").splitlines()[0].startswith("保证级别 L0")


def test_the_story_covers_every_act_and_event_of_the_interface(story: Story):
    world = story.world
    names = {bytes.fromhex(handle[2:].lower()): name for name, handle in world.contracts.addresses.items()}
    acts, events = set(), set()
    for number in range(world.ledger.head().number + 1):
        block = world.ledger.block(number)
        for raw in block.transactions:
            transaction = read_transaction(raw)
            if transaction.to in names:
                acts.add((names[transaction.to], transaction.data[:4]))
    for log in world.ledger.logs(0, world.ledger.head().number):
        event = world.contracts.decode(log)
        assert event is not None
        events.add((event.contract, event.name))
    missing = {act.name for key, act in interface.ACTS.items() if key not in acts}
    assert not missing
    assert {(event.contract, event.name) for event in interface.EVENTS.values()} == events


def test_the_pinned_interface_is_the_compiled_one():
    for contract in interface.CONTRACTS:
        compiled = artifact(contract)
        pinned = {event.topic for event in interface.EVENTS.values() if event.contract == contract}
        extra = {codec.name for topic, codec in compiled.events.items() if topic not in pinned}
        assert pinned <= set(compiled.events)
        assert extra <= {"EIP712DomainChanged"}
        writing = {
            part["name"]
            for part in compiled.abi
            if part["type"] == "function" and part["stateMutability"] == "nonpayable"
        }
        silent = {"sync", "setMember", "flagOverdue", "count"}  # no events of their own, or from contract to contract
        assert writing - silent == {act.name for act in interface.ACTS.values() if act.contract == contract}


def test_re_execution_reaches_the_highest_level(bundle: Path):
    report = verify(bundle, require="L3")
    assert (report.exit_code, report.level) == (0, "L3"), report.summary()


def test_the_same_content_gives_the_same_bytes(story: Story, tmp_path: Path):
    world = story.world
    digests, archives = set(), []
    for name in ("one.zip", "two.zip"):
        written = write(world.ledger, world.contracts, tmp_path / name, evidence=lambda: iter(story.leaves))
        digests.add(written.digest)
        archives.append((tmp_path / name).read_bytes())
    assert len(digests) == 1
    assert archives[0] == archives[1]
    assert verify(tmp_path / "one.zip").exit_code == 0
    assert verify(tmp_path / "one.zip").to_json() == verify(tmp_path / "two.zip").to_json()


def test_a_bundle_never_overwrites(story: Story, tmp_path: Path):
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "file").write_text("mine")
    with pytest.raises(Problem) as caught:
        write(story.world.ledger, story.world.contracts, tmp_path / "there")
    assert caught.value.code == "audit_target_exists"
    assert [path.name for path in tmp_path.iterdir()] == ["there"]


def test_progress_is_told(story: Story, tmp_path: Path):
    seen: list[tuple[int, int]] = []
    write(story.world.ledger, story.world.contracts, tmp_path / "b", progress=lambda at, of: seen.append((at, of)))
    assert seen[-1] == (story.world.ledger.head().number + 1,) * 2


def test_an_installation_without_business_is_proved_too(tmp_path: Path):
    world = World.start()
    write(world.ledger, world.contracts, tmp_path / "empty")
    report = verify(tmp_path / "empty")
    assert report.exit_code == 0, report.summary()


def test_the_door_takes_leaves_and_documents_from_the_store(tmp_path: Path):
    world = World.start()
    engine = open_engine(f"sqlite:///{tmp_path / 'store.db'}")
    create_schema(engine)
    with Session(engine) as session:
        for number in range(5):
            record(
                session,
                f"doc {number}".encode(),
                kind="epcis",
                source="carrier",
                sender="c",
                trust=Trust.T3,
                received_at=1,
            )
        record(
            session,
            statement(),
            kind="camt.053",
            source="bank",
            sender="b",
            trust=Trust.T3,
            received_at=2,
            name="对账单.xml",
        )
        session.commit()
        now = head(session)
    world.anchor(now.size, now.root, 0)
    service.export(world.ledger, world.contracts, tmp_path / "out", engine=engine, sources={"camt.053"})
    report = service.verify(tmp_path / "out")
    assert report.exit_code == 0, report.summary()
    assert report.checks["sources"].result == "pass"
    assert report.scope["log"]["size"] == 6
    names = [path.name for path in (tmp_path / "out" / "sources").iterdir()]
    assert len(names) == 2
    assert all(name.isascii() for name in names)
    service.export(world.ledger, world.contracts, tmp_path / "bare")
    assert service.verify(tmp_path / "bare").exit_code == 2  # heads were anchored, the leaves are not there


def test_secrets_stay_out(bundle: Path):
    for path in bundle.rglob("*"):
        if path.is_file():
            raw = path.read_bytes()
            assert RELAYER not in raw
            assert RELAYER.hex().encode() not in raw


def test_the_verifier_runs_alone_from_a_copied_folder(bundle: Path, tmp_path: Path):
    shutil.copytree(Path(verifier_room.__file__).parent, tmp_path / "verifier")
    code = (
        "import sys\n"
        "class Wall:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'scf' or name.startswith(('scf.', 'web3', 'sqlalchemy', 'eth_account', 'eth.')):\n"
        "            raise ImportError(name)\n"
        "sys.meta_path.insert(0, Wall())\n"
        "from verifier.__main__ import main\n"
        "raise SystemExit(main(sys.argv[1:]))\n"
    )
    command = [sys.executable, "-c", code, str(bundle), "--report", str(tmp_path / "report.json"), "--lang", "zh-CN"]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "PYTHONUTF8": "1"}
    result = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.startswith("保证级别 L0")
    assert json.loads((tmp_path / "report.json").read_text())["exit"] == 0


def test_wrong_usage_is_its_own_exit_code(bundle: Path, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as caught:
        main(["--require", "L9", str(bundle)])
    assert caught.value.code == 64
    assert main([str(bundle)]) == 0
    assert main([str(bundle / "nowhere")]) == 3
    capsys.readouterr()


@pytest.mark.parametrize(
    "text", ['{"b":1,"a":2}', '{"a": 1}', '{"a":1,"a":1}', '{"a":1.0}', '{"a":9007199254740993}', "[", '"\\u0061"']
)
def test_only_canonical_json_is_read(text: str):
    with pytest.raises(Malformed):
        canonical.decode(text.encode(), "test")


def test_canonical_json_orders_by_utf_16():
    assert canonical.encode({"\ufb33": 1, "\U0001f600": 2, "a": [True, None]}) == (
        '{"a":[true,null],"\U0001f600":2,"\ufb33":1}'.encode()
    )


@pytest.mark.slow
def test_thousands_of_transactions_take_seconds(tmp_path: Path):
    world = World.start()
    enrol(world)
    root = world.issue("core", "s0", 10_000_000, "INV-SPEED")
    world.accept(root, "s0")
    world.send(*[world.pass_call(root, at, "s0", "s1", 100 + at) for at in range(2_000)])
    write(world.ledger, world.contracts, tmp_path / "b")
    started = time.perf_counter()
    report = verify(tmp_path / "b")
    rate = report.checks["transactions"].records / (time.perf_counter() - started)
    assert report.exit_code == 0, report.summary()
    assert rate > 400  # 3,000 a second on an idle core; the machine of the test may be busy


@pytest.mark.slow
def test_a_second_telling_is_proved(tmp_path: Path):
    story = tell()
    write(story.world.ledger, story.world.contracts, tmp_path / "b", evidence=story.leaves, sources=story.sources)
    assert verify(tmp_path / "b", require="L3").exit_code == 0
