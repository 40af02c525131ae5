"""The command line: every refusal is one clear line in the reader's language, never a stack trace."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest
from tests.installation import Installation

from scf import __version__, cli, terminal
from scf.demo.cast import CORE, LOTUS
from scf.demo.papers import invoice

DAY = date(2026, 3, 2)


@dataclass(frozen=True, slots=True)
class Ran:
    code: int
    out: str
    err: str

    @property
    def said(self) -> str:
        return self.out + self.err


Scf = Callable[..., Ran]


@pytest.fixture
def scf(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Scf:
    """Run the command line in this process."""
    for name in ("SCF_LANG", "LC_ALL", "LANG", "SCF_DATA", "SCF_PASSPHRASE", "SCF_LEDGER", "SCF_DATABASE"):
        monkeypatch.delenv(name, raising=False)

    def run(*arguments: object, language: str = "en") -> Ran:
        monkeypatch.setenv("LANG", {"en": "en_GB.UTF-8", "zh": "zh_CN.UTF-8"}[language])
        monkeypatch.setattr(sys, "argv", ["scf", *map(str, arguments)])
        capsys.readouterr()
        try:
            cli.main()
            code = 0
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else 1
        told = capsys.readouterr()
        assert "Traceback" not in told.out + told.err
        return Ran(code, told.out, told.err)

    return run


@pytest.fixture
def folder(enrolled: Path, tmp_path: Path) -> Path:
    shutil.copytree(enrolled, tmp_path / "data")
    return tmp_path / "data"


@pytest.fixture(scope="module")
def untouched(enrolled: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for all refusals: they leave nothing behind."""
    return Path(shutil.copytree(enrolled, tmp_path_factory.mktemp("untouched") / "data"))


@pytest.fixture
def paper(tmp_path: Path) -> Path:
    made = invoice("INV-1", LOTUS, CORE, "PO-1", "Parts", 113_00, DAY, DAY)
    path = tmp_path / made.name
    path.write_bytes(made.raw)
    return path


def stock_of(folder: Path) -> dict[str, list[str]]:
    """Every row of the store and of the ledger, without opening either."""
    found: dict[str, list[str]] = {}
    for name in ("scf.db", "ledger.db"):
        database = sqlite3.connect(folder / name)
        for (table,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            if table not in ("book_cursor", "schema_table"):  # they change when a face with tables of its own opens
                rows = sorted(map(repr, database.execute(f'SELECT * FROM "{table}"')))
                found |= {f"{name} {table}": rows} if rows else {}
        database.close()
    return found


def one_line(ran: Ran, *, code: str, chinese: bool) -> None:
    """A refusal: one line on stderr with sentence, money and code."""
    lines = [line for line in ran.err.splitlines() if line.strip()]
    assert len(lines) == 1, ran.err
    assert f"({code})" in lines[0]
    assert ("资金是否变动：否" if chinese else "Money moved: no.") in lines[0]
    assert any("\u4e00" <= letter <= "\u9fff" for letter in lines[0]) == chinese


def test_the_version(scf: Scf) -> None:
    ran = scf("--version")
    assert (ran.code, ran.out.strip()) == (0, f"scf {__version__}")


def test_without_a_command_the_help_is_shown(scf: Scf) -> None:
    assert "import" in scf().said
    assert scf("--help").code == 0


@pytest.mark.parametrize(
    "command",
    [
        ["status"], ["books", "rebuild", "--check"], ["books", "rebuild"], ["serve"], ["audit", "export", "b.zip"],
        ["import", __file__],
    ],
    ids=" ".join,
)  # fmt: skip
@pytest.mark.parametrize("language", ["en", "zh"])
def test_an_unknown_folder(scf: Scf, tmp_path: Path, command: list[str], language: str) -> None:
    ran = scf(*command, "--data", tmp_path / "typo", language=language)
    assert ran.code == 1
    one_line(ran, code="installation_missing", chinese=language == "zh")
    assert "typo" in ran.err
    assert not (tmp_path / "typo").exists(), "a mistyped folder is not made"


def test_an_empty_folder_stays_empty(scf: Scf, tmp_path: Path) -> None:
    ran = scf("status", "--data", tmp_path)
    assert ran.code == 1
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_a_file(scf: Scf, paper: Path) -> None:
    ran = scf("status", "--data", paper)
    assert ran.code == 1
    assert len(ran.err.strip().splitlines()) == 1


def test_a_database_that_is_none(scf: Scf, folder: Path) -> None:
    for name in ("scf.db", "scf.db-wal", "scf.db-shm"):
        (folder / name).unlink(missing_ok=True)
    (folder / "scf.db").write_bytes(b"this is no database" * 1000)
    ran = scf("status", "--data", folder)
    assert ran.code == 1
    assert len(ran.err.strip().splitlines()) == 1


def test_a_ledger_that_is_none(scf: Scf, folder: Path) -> None:
    (folder / "ledger.db").write_bytes(b"this is no ledger" * 1000)
    ran = scf("status", "--data", folder)
    assert ran.code == 1
    assert len(ran.err.strip().splitlines()) == 1


def test_an_installation_that_is_open_elsewhere(scf: Scf, folder: Path) -> None:
    with Installation(folder):
        ran = scf("import", __file__, "--data", folder)
    assert ran.code == 1
    one_line(ran, code="ledger_in_use", chinese=False)


# Import ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("language", "again"), [("en", "nothing changed"), ("zh", "未做改动")])
def test_a_good_file_and_the_same_again(scf: Scf, folder: Path, paper: Path, language: str, again: str) -> None:
    first = scf("import", paper, "--data", folder, language=language)
    assert first.code == 0 and "UBL" in first.out.upper() and again not in first.out
    before = stock_of(folder)
    second = scf("import", paper, "--data", folder, language=language)
    assert second.code == 0 and again in second.out
    assert stock_of(folder) == before


BROKEN = {
    "cut off": lambda raw: raw[: len(raw) // 2],
    "totals": lambda raw: raw.replace(b">113.00<", b">999.00<"),
    "no number": lambda raw: raw.replace(b"<cbc:ID>INV-1</cbc:ID>", b""),
    "a date that is none": lambda raw: raw.replace(b"2026-03-02", b"2026-02-30"),
    "a currency that is none": lambda raw: raw.replace(b'currencyID="CNY"', b'currencyID="XXY"'),
    "an entity": lambda raw: b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
    "binary": lambda raw: bytes(range(256)) * 20,
    "text": lambda raw: b"hello [/bold] there",
    "empty": lambda raw: b"",
}


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("fault", BROKEN)
def test_a_broken_file_is_refused_whole(scf: Scf, untouched: Path, paper: Path, fault: str, language: str) -> None:
    whole = paper.read_bytes()
    broken = BROKEN[fault](whole)
    assert broken != whole
    paper.write_bytes(broken)
    before = stock_of(untouched)
    ran = scf("import", paper, "--data", untouched, language=language)
    assert ran.code == 1 and not ran.out.strip()
    lines = ran.err.strip().splitlines()
    assert len(lines) == 1 and paper.name in lines[0]
    assert ("资金是否变动：否" if language == "zh" else "Money moved: no.") in lines[0]
    assert stock_of(untouched) == before


def test_a_broken_file_does_not_stop_the_good_ones(scf: Scf, folder: Path, paper: Path, tmp_path: Path) -> None:
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    (inbox / "broken.xml").write_bytes(paper.read_bytes()[:200])
    ran = scf("import", inbox / "broken.xml", tmp_path / "absent.xml", inbox, paper, "--data", folder)
    assert ran.code == 1
    assert "INV-1.xml" in ran.out
    assert len(ran.err.strip().splitlines()) == 3, ran.err
    assert "absent.xml" in ran.err and ran.err.count("file_unreadable") == 1


@pytest.mark.parametrize("name", ["[red].xml", "[/x].xml", "a b.xml", "发票.xml", "-.xml", "{x}.xml", "%s.xml"])
def test_names_are_shown_as_they_are(scf: Scf, untouched: Path, paper: Path, tmp_path: Path, name: str) -> None:
    good, bad = tmp_path / "good" / name, tmp_path / "bad" / name
    for path in (good, bad):
        path.parent.mkdir(parents=True)
        path.write_bytes(paper.read_bytes()[: None if path is good else 300])
    ran = scf("import", good, bad, "--data", untouched)
    assert ran.code == 1
    assert f"good/{name}" in ran.out and f"bad/{name}" in ran.err


def test_a_table_without_its_mapping(scf: Scf, untouched: Path, tmp_path: Path) -> None:
    table = tmp_path / "deliveries.csv"
    table.write_text("a,b\n1,2\n", encoding="utf-8")
    one = scf("import", table, "--data", untouched)
    assert one.code == 1 and "table_mapping_missing" in one.err and "scms" in one.err
    other = scf("import", table, "--data", untouched, "--mapping", "scms")
    assert other.code == 1 and len(other.err.strip().splitlines()) == 1


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_file_is_looked_at_applied_and_taken_back(scf: Scf, folder: Path, paper: Path, language: str) -> None:
    looked = scf("import", paper, "--preview", "--data", folder, language=language)
    assert looked.code == 0 and ("1 new" if language == "en" else "新增 1") in looked.out
    number = looked.out.strip().splitlines()[0].rsplit(" ", 1)[-1]
    applied = scf("import", "--apply", number, "--data", folder, language=language)
    assert applied.code == 0 and f"--undo {number}" in applied.out
    undone = scf("import", "--undo", number, "--data", folder, language=language)
    assert undone.code == 0 and ("No money moved." if language == "en" else "资金未变动") in undone.out
    assert scf("import", "--apply", number, "--data", folder, language=language).code == 1
    absent = scf("import", "--undo", "999", "--data", folder, language=language)
    assert absent.code == 1 and "import_unknown" in absent.err and len(absent.err.strip().splitlines()) == 1


def test_a_table_with_bad_rows_shows_each_with_its_place(scf: Scf, folder: Path, tmp_path: Path) -> None:
    table = tmp_path / "invoices.csv"
    rows = "number,seller,issue_date,payable,currency\nI-1,Lotus,2026-03-01,1.00,CNY\n=x(),Lotus,2026-03-01,1.00,CNY\n"
    table.write_text(rows, encoding="utf-8")
    looked = scf("import", table, "--preview", "--data", folder)
    assert looked.code == 1 and "1 new, 1 rejected" in looked.out and "row 3, column number" in looked.out
    number = looked.out.strip().splitlines()[0].rsplit(" ", 1)[-1]
    assert "import_has_rejected" in scf("import", "--apply", number, "--data", folder).err
    assert scf("import", "--apply", number, "--leave-rejected", "--data", folder).code == 0


def test_an_import_of_nothing_is_a_wrong_call(scf: Scf, untouched: Path) -> None:
    assert scf("import", "--data", untouched).code == 2


# Status, books, keys --------------------------------------------------------------------------------------------------


def test_the_status(scf: Scf, folder: Path) -> None:
    with Installation(folder) as at:
        at.issued(at.trade("INV-1", 100_000_00), 100_000_00)
    english, chinese = (scf("status", "--data", folder, language=tongue) for tongue in ("en", "zh"))
    assert english.code == chinese.code == 0
    for ran in (english, chinese):
        assert "CNY 100,000.00" in ran.out and "20260" in ran.out
    assert "evidence" in english.out
    assert any("\u4e00" <= letter <= "\u9fff" for letter in chinese.out)


def test_books_that_are_as_the_ledger_says(scf: Scf, untouched: Path) -> None:
    ran = scf("books", "rebuild", "--check", "--data", untouched)
    assert ran.code == 0 and "row for row" in ran.out
    assert "一致" in scf("books", "rebuild", "--check", "--data", untouched, language="zh").out


@pytest.mark.parametrize(
    ("sql", "named"),
    [
        ("UPDATE book_receivable SET face_minor = face_minor + 1", "book_receivable (1,)"),
        ("UPDATE book_note SET holder = 'nobody' WHERE parent_id IS NULL", "book_note ("),
        ("DELETE FROM book_note", "book_note ("),
        ("UPDATE book_member SET limit_minor = limit_minor * 2 WHERE limit_minor > 0", "book_member ("),
    ],
)
def test_books_somebody_changed(scf: Scf, folder: Path, sql: str, named: str) -> None:
    """The changed row is named, and rebuilding puts it right."""
    with Installation(folder) as at:
        at.issued(at.trade("INV-1", 100_000_00), 100_000_00)
    with sqlite3.connect(folder / "scf.db") as database:
        for (trigger,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            database.execute(f'DROP TRIGGER "{trigger}"')
        database.execute(sql)
    database.close()
    ran = scf("books", "rebuild", "--check", "--data", folder)
    assert ran.code == 1
    assert named in ran.err
    assert scf("books", "rebuild", "--data", folder).code == 0
    assert scf("books", "rebuild", "--check", "--data", folder).code == 0


def test_keys(scf: Scf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = tmp_path / "data"
    assert scf("keys", "list", "--data", data).out.strip() == "No keys are stored here."
    one_line(scf("keys", "make", "relayer", "--data", data), code="passphrase_missing", chinese=False)
    one_line(scf("keys", "make", "relayer", "--data", data, language="zh"), code="passphrase_missing", chinese=True)
    assert not data.exists()
    monkeypatch.setenv("SCF_PASSPHRASE", "correct horse battery staple")
    made = scf("keys", "make", "relayer", "--data", data)
    assert made.code == 0 and "0x" in made.out
    assert scf("keys", "list", "--data", data).out == made.out
    one_line(scf("keys", "make", "relayer", "--data", data), code="key_exists", chinese=False)
    stored = (data / "keys" / "relayer.json").read_text(encoding="utf-8")
    assert "horse" not in stored
    assert (data / "keys" / "relayer.json").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("name", ["../outside", "a/b", "", ".", "x" * 300])
def test_a_key_stays_in_its_folder(scf: Scf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("SCF_PASSPHRASE", "p")
    ran = scf("keys", "make", name, "--data", tmp_path / "data")
    assert ran.code != 0 and len(ran.err.strip().splitlines()) == 1
    assert not list(tmp_path.rglob("*.json"))


# Audit ----------------------------------------------------------------------------------------------------------------


def test_a_bundle_is_exported_and_verified(scf: Scf, untouched: Path, tmp_path: Path) -> None:
    bundle = tmp_path / "bundle.zip"
    assert scf("audit", "export", bundle, "--data", untouched).code == 0
    assert scf("audit", "verify", bundle).code == 0
    assert scf("audit", "verify", bundle, language="zh").code == 0
    again = scf("audit", "export", bundle, "--data", untouched)
    assert again.code == 1
    one_line(again, code="audit_target_exists", chinese=False)


def test_bundles_that_are_none(scf: Scf, tmp_path: Path) -> None:
    (tmp_path / "bundle.zip").write_bytes(b"no bundle")
    assert scf("audit", "verify", tmp_path / "bundle.zip").code == 3
    assert scf("audit", "verify", tmp_path / "absent.zip").code in (3, 64)


@pytest.mark.parametrize(
    ("environment", "tongue"),
    [
        ({"LANG": "zh_TW.UTF-8"}, "zh-CN"),
        ({"SCF_LANG": "zh-CN", "LANG": "C"}, "zh-CN"),
        ({"SCF_LANG": "en", "LANG": "zh_CN.UTF-8"}, "en"),
        ({"LC_ALL": "de_DE.UTF-8", "LANG": "zh_CN.UTF-8"}, "en"),
        ({}, "en"),
    ],
)
def test_the_language_of_the_terminal(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], tongue: str
) -> None:
    for name in ("SCF_LANG", "LC_ALL", "LANG"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert terminal.language() == tongue


# The process itself ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def process() -> Iterator[Callable[..., subprocess.CompletedProcess[str]]]:
    def run(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", "from scf.cli import main; main()", *map(str, arguments)],
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            check=False,
            env={name: value for name, value in os.environ.items() if not name.startswith(("LC_", "LANG", "SCF_"))}
            | environment,
        )

    yield run


@pytest.mark.parametrize(
    ("environment", "chinese"),
    [
        ({"LANG": "zh_CN.UTF-8"}, True),
        ({"LANG": "zh_CN.UTF-8", "PYTHONIOENCODING": "ascii"}, None),
    ],
)
def test_the_process_itself(process, tmp_path: Path, environment: dict[str, str], chinese: bool | None) -> None:  # type: ignore[no-untyped-def]
    ran = process("status", "--data", tmp_path / "typo", **environment)
    assert ran.returncode == 1
    assert "Traceback" not in ran.stderr and "(installation_missing)" in ran.stderr
    if chinese is not None:
        assert ("资金是否变动" in ran.stderr) == chinese


def test_help_comes_without_the_ledger(process) -> None:  # type: ignore[no-untyped-def]
    """`scf --version` does not wait for the machinery."""
    ran = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", "from scf.cli import main; main()", "--version"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ran.returncode == 0 and ran.stdout.strip() == f"scf {__version__}"
    assert not {"eth", "web3", "fastapi", "lxml"} & {
        line.rsplit("|", 1)[-1].strip() for line in ran.stderr.splitlines()
    }
