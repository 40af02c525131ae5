"""What goes wrong where software runs: each is one clear sentence, nothing is lost, nobody sees a stack trace."""

from __future__ import annotations

import dataclasses
import json
import multiprocessing
import os
import pwd
import random
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.installation import CNY, START, Installation
from tests.ledger.nodes import free_port

from scf.app import App, open_app, rebuild_books
from scf.demo import run
from scf.demo.play import Silence
from scf.demo.run import demo_settings
from scf.installation import Settings
from scf.kernel.clock import VirtualClock
from scf.kernel.problems import Problem
from scf.ledger.artifacts import artifact
from scf.ledger.contracts import CONTRACTS
from scf.ledger.embedded.engine import EmbeddedLedger
from scf.ledger.rpc.engine import RpcLedger
from scf.ledger.signing import address_of
from scf.ledger.verify import verify_file
from scf.receivables import queries


@pytest.fixture
def folder(enrolled: Path, tmp_path: Path) -> Path:
    """A data folder of one test's own, closed."""
    return Path(shutil.copytree(enrolled, tmp_path / "data"))


def files_of(folder: Path) -> dict[str, bytes]:
    """Content of the files that hold an installation's memory."""
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*.db"))}


def opened(folder: Path, **changes: object) -> App:
    settings = dataclasses.replace(demo_settings(folder), **changes)
    return open_app(settings, VirtualClock(START))


def refused(code: str, act: Callable[[], object]) -> Problem:
    """`act` is refused with `code` in one readable sentence of each language."""
    with pytest.raises(Problem) as caught:
        act()
    problem = caught.value
    assert problem.code == code, str(problem)
    for language in ("en", "zh-CN"):
        sentence = problem.sentence(language)
        assert sentence != code
        assert "{" not in sentence
        assert "Traceback" not in sentence
    assert problem.money_moved == "no"
    return problem


def still_whole(folder: Path) -> int:
    """The installation opens and its books equal the ledger; returns the number of events."""
    with opened(folder) as app:
        differences, events = rebuild_books(app, check=True)
    assert differences == []
    return events


def test_a_ledger_of_another_chain_id(folder: Path):
    before = files_of(folder)
    problem = refused("ledger_wrong_chain", lambda: opened(folder, chain_id=1))
    assert (problem.facts["found"], problem.facts["expected"]) == (20260, 1)
    assert files_of(folder).keys() == before.keys()
    assert still_whole(folder) > 0


def test_a_fresh_chain_in_the_place_of_the_ledger(folder: Path, tmp_path: Path):
    """Another chain with the same chain id and, contracts being made in the same order, with the same addresses."""
    with Installation(tmp_path / "other") as other:
        other.clock.advance(days=1)
    shutil.move(folder / "ledger.db", tmp_path / "kept.db")
    with EmbeddedLedger(folder / "ledger.db", VirtualClock(START + 5), chain_id=20_260) as made:
        genesis = made.header(0).hash.hex()
    database = (folder / "scf.db").read_bytes()
    problem = refused("ledger_other_genesis", lambda: opened(folder))
    assert problem.facts["found"] == genesis
    assert (folder / "scf.db").read_bytes() == database
    shutil.move(tmp_path / "kept.db", folder / "ledger.db")
    assert still_whole(folder) > 0


def test_the_ledger_file_is_gone(folder: Path, tmp_path: Path):
    shutil.move(folder / "ledger.db", tmp_path / "kept.db")
    refused("installation_ledger_missing", lambda: opened(folder))
    assert not (folder / "ledger.db").exists()
    shutil.move(tmp_path / "kept.db", folder / "ledger.db")
    assert still_whole(folder) > 0


def test_the_database_is_gone(folder: Path, tmp_path: Path):
    ledger = (folder / "ledger.db").read_bytes()
    shutil.move(folder / "scf.db", tmp_path / "kept.db")
    refused("installation_database_missing", lambda: opened(folder))
    assert (folder / "ledger.db").read_bytes() == ledger
    shutil.move(tmp_path / "kept.db", folder / "scf.db")
    assert still_whole(folder) > 0


def test_contracts_of_another_version(folder: Path, monkeypatch: pytest.MonkeyPatch):
    original = artifact("Receivables")
    code = bytes((original.deployed_bytecode[0] ^ 1,)) + original.deployed_bytecode[1:]
    other = dataclasses.replace(original, deployed_bytecode=code)
    with monkeypatch.context() as patched:
        patched.setattr(
            "scf.ledger.contracts.artifact", lambda name: other if name == "Receivables" else artifact(name)
        )
        refused("ledger_contracts_other_version", lambda: opened(folder))
    assert still_whole(folder) > 0


def test_contracts_that_are_not_there(folder: Path):
    elsewhere = json.dumps({name: address_of(bytes([7] * 31 + [at])) for at, name in enumerate(CONTRACTS, 1)})
    with sqlite3.connect(folder / "scf.db") as sql:
        sql.execute("UPDATE installation_fact SET value = ? WHERE name = 'contracts'", (elsewhere,))
    refused("ledger_contracts_missing", lambda: opened(folder))


@pytest.mark.parametrize("name", ["ledger.db", "scf.db"])
def test_a_file_of_noise(folder: Path, name: str):
    (folder / name).write_bytes(random.Random(4).randbytes(9_000))
    before = files_of(folder)
    refused("ledger_file_corrupt" if name == "ledger.db" else "database_damaged", lambda: opened(folder))
    assert files_of(folder) == before


def test_flipped_bytes_are_refused_or_named(folder: Path, tmp_path: Path):
    """Never a silent half: a damaged ledger is refused when it is opened, or its first bad block is named."""
    original = (folder / "ledger.db").read_bytes()
    dice = random.Random(11)
    for _ in range(4):
        copy = Path(shutil.copytree(folder, tmp_path / "copy"))
        damaged = bytearray(original)
        for _ in range(300):
            damaged[dice.randrange(100, len(original))] ^= 0x55
        (copy / "ledger.db").write_bytes(damaged)
        try:
            opened(copy).close()
        except Problem as problem:
            assert problem.code in ("ledger_file_corrupt", "ledger_other_genesis", "books_reorganised"), str(problem)
        try:
            assert verify_file(copy / "ledger.db").first_bad is not None
        except Problem as problem:
            assert problem.code in ("ledger_file_corrupt", "ledger_file_unreadable")
        shutil.rmtree(copy)
    assert still_whole(folder) > 0


def test_a_second_process_on_the_same_folder(folder: Path):
    with opened(folder) as first:
        problem = refused("ledger_in_use", lambda: opened(folder))
        assert problem.facts["process"] == str(os.getpid())
        assert first.ledger.head().number > 0
    assert still_whole(folder) > 0


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of a few megabytes; skips where mounting is not allowed."""
    place = tmp_path / "small"
    place.mkdir()
    mount = shutil.which("mount")
    if mount is None or os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    if subprocess.run([mount, "-t", "tmpfs", "-o", "size=12m", "none", str(place)], capture_output=True).returncode:
        pytest.skip("mounting a small file system is not allowed here")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=False)


def test_a_full_disk(enrolled: Path, small_disk: Path, tmp_path: Path):
    """What was answered stays, what was refused left no trace, and with room again the same act succeeds."""
    folder = Path(shutil.copytree(enrolled, small_disk / "data"))
    with Installation(folder) as one:
        trade = one.trade("INV-FULL-1", 500_000_00)
        prepared = one.app.receivables.prepare_issue(one.request(trade, 500_000_00))
        room = shutil.disk_usage(small_disk).free
        filler = small_disk / "filler"
        filler.write_bytes(b"x" * room)
        problem = None
        try:
            for number in range(2_000):  # the write-ahead logs still have room of their own
                one.trade(f"INV-FULL-{number + 2}", 1_000_00)
        except Problem as caught:
            problem = caught
        assert problem is not None
        assert problem.code in ("database_full", "ledger_disk_full"), str(problem)
        try:
            one.submit(prepared, key="issue-when-full")
        except Problem as caught:
            assert caught.code in ("database_full", "ledger_disk_full"), str(caught)
        filler.unlink()
        reply = one.submit(prepared, key="issue-when-full")
        assert one.submit(prepared, key="issue-when-full") == reply
    kept = Path(shutil.copytree(folder, tmp_path / "kept"))
    still_whole(kept)
    with opened(kept) as app, app.desk.session() as session:
        assert queries.totals(session)[CNY].face_minor == 500_000_00


def _try_as_nobody(folder: Path, answer: multiprocessing.Queue[str]) -> None:
    os.setgroups([])
    user = pwd.getpwnam("nobody")
    os.setgid(user.pw_gid)
    os.setuid(user.pw_uid)
    try:
        open_app(Settings(folder, demo=True), VirtualClock(START)).close()
        answer.put("opened")
    except Problem as problem:
        answer.put(f"{problem.code}: {problem.sentence('en')}")
    except OSError as error:  # the command line says these in one sentence too
        answer.put(f"file_unreadable: {error.strerror}")
    except BaseException as error:
        answer.put(f"{type(error).__name__}: {error}")


@pytest.mark.parametrize("mode", [0o000, 0o555])
def test_a_folder_without_rights(enrolled: Path, mode: int):
    if os.geteuid() != 0:
        pytest.skip("changing to another user needs root")
    opened(enrolled_copy := Path(shutil.copytree(enrolled, Path("/tmp") / f"scf-rights-{os.getpid()}-{mode}"))).close()
    try:
        for path in (*enrolled_copy.rglob("*"), enrolled_copy):
            path.chmod(mode)
        context = multiprocessing.get_context("fork")
        answer: multiprocessing.Queue[str] = context.Queue()
        child = context.Process(target=_try_as_nobody, args=(enrolled_copy, answer))
        child.start()
        said = answer.get(timeout=60)
        child.join()
    finally:
        enrolled_copy.chmod(0o700)
        shutil.rmtree(enrolled_copy)
    known = ("database_unreachable", "database_read_only", "ledger_file_unreadable", "file_unreadable", "installation_")
    assert said.startswith(known), said


def test_no_node_answers(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(RpcLedger.__init__.__kwdefaults__, "patience_s", 0.2)
    refused("ledger_unreachable", lambda: opened(folder, ledger=f"rpc:http://127.0.0.1:{free_port()}"))
    assert still_whole(folder) > 0


def test_the_demonstration_on_a_network_with_real_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SCF_LEDGER", "rpc:http://127.0.0.1:1")
    refused("demo_ledger_has_own_clock", lambda: run.story(tmp_path / "data", Silence()))


def test_postgresql_without_its_driver(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    refused("database_driver_missing", lambda: opened(folder, database="postgresql://scf@127.0.0.1:1/scf"))


def test_a_database_that_does_not_answer(folder: Path):
    pytest.importorskip("psycopg")
    place = f"postgresql://scf@127.0.0.1:{free_port()}/scf"
    refused("database_unreachable", lambda: opened(folder, database=place))
