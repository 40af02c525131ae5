"""What `scf import` finds at a path: files, folders and zip archives, none of them trusted."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from scf.commands.import_paths import documents_at
from scf.kernel.problems import Problem
from scf.parties.keys import own_secret
from scf.standards import archive


def zipped(*members: tuple[str, bytes]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members:
            file.writestr(name, content)
    return made.getvalue()


def found_at(path: Path) -> list[tuple[str, bytes]]:
    return [(found.label.removeprefix(str(path)), found.read()) for found in documents_at(path)]


def test_a_folder_stands_for_its_files_in_the_order_of_their_names(tmp_path: Path) -> None:
    for name in ("b.xml", "a/2.xml", "a/1.xml", ".hidden.xml", ".git/x.xml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(name.encode())
    (tmp_path / "more.zip").write_bytes(zipped(("c.xml", b"c"), ("d/e.xml", b"e"), ("__MACOSX/._c.xml", b"")))
    assert found_at(tmp_path) == [
        ("/a/1.xml", b"a/1.xml"),
        ("/a/2.xml", b"a/2.xml"),
        ("/b.xml", b"b.xml"),
        ("/more.zip/c.xml", b"c"),
        ("/more.zip/d/e.xml", b"e"),
    ]


def test_a_link_in_a_folder_leads_nowhere_else(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret.xml").write_bytes(b"s")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "own.xml").write_bytes(b"o")
    (tmp_path / "in" / "link.xml").symlink_to(tmp_path / "outside" / "secret.xml")
    (tmp_path / "in" / "folder").symlink_to(tmp_path / "outside")
    assert found_at(tmp_path / "in") == [("/own.xml", b"o")]


def test_the_keys_of_an_installation_in_the_folder_are_not_read(tmp_path: Path) -> None:
    own_secret(tmp_path / "data", "consortium")
    (tmp_path / "data" / "scf.db").write_bytes(b"SQLite")
    (tmp_path / "in.xml").write_bytes(b"i")
    assert found_at(tmp_path) == [("/in.xml", b"i")]


def test_an_ofd_file_and_an_office_file_are_documents_and_not_archives(tmp_path: Path) -> None:
    for name in ("OFD.xml", "[Content_Types].xml"):
        path = tmp_path / "one.bin"
        path.write_bytes(zipped((name, b"<a/>"), ("x.xml", b"<b/>")))
        assert [found.label for found in documents_at(path)] == [str(path)]


@pytest.mark.parametrize(
    "name", ["../up.xml", "a/../../up.xml", "/etc/passwd", "C:\\up.xml", "..\\up.xml", "\\\\host\\up.xml"]
)
def test_a_name_that_leads_out_of_the_archive_refuses_all_of_it(tmp_path: Path, name: str) -> None:
    path = tmp_path / "slip.zip"
    path.write_bytes(zipped(("good.xml", b"<a/>"), (name, b"x")))
    with pytest.raises(Problem) as caught:
        next(documents_at(path))
    assert caught.value.code == "archive_unreadable"


def test_an_archive_in_an_archive_is_refused_and_the_others_stand(tmp_path: Path) -> None:
    path = tmp_path / "nest.zip"
    path.write_bytes(
        zipped(("good.xml", b"<a/>"), ("in.zip", zipped(("x.xml", b"<b/>"))), ("i.ofd", zipped(("OFD.xml", b""))))
    )
    good, nested, ofd = documents_at(path)
    assert good.read() == b"<a/>"
    assert ofd.read().startswith(b"PK")
    with pytest.raises(Problem) as caught:
        nested.read()
    assert (caught.value.code, caught.value.facts["place"]) == ("archive_nested", "in.zip")


def test_a_bomb_a_cut_and_a_spoilt_archive_are_refused_before_anything_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "MANY", archive.Limits(packed=10_000, members=3, member=5_000, total=8_000))
    whole = zipped(("a.xml", b"<a/>" * 100), ("b.xml", b"<b/>" * 100))
    spoilt = bytearray(whole)
    spoilt[whole.index(b"b.xml") + 8] ^= 0xFF
    cases = {
        "one too large": (zipped(("a.xml", b"<a/>"), ("b.xml", b" " * 5_001)), "document_too_large"),
        "all too large": (zipped(("a.xml", b" " * 4_100), ("b.xml", b" " * 4_100)), "document_too_large"),
        "too many": (zipped(*((f"{i}.xml", b"x") for i in range(4))), "archive_unreadable"),
        "cut": (whole[:-30], "archive_unreadable"),
        "spoilt": (bytes(spoilt), "archive_unreadable"),
    }
    for about, (raw, code) in cases.items():
        path = tmp_path / "bad.zip"
        path.write_bytes(raw)
        with pytest.raises(Problem) as caught:
            next(documents_at(path))
        assert caught.value.code == code, about


def test_where_there_is_nothing_to_import_it_says_so(tmp_path: Path) -> None:
    (tmp_path / "only.zip").write_bytes(zipped((".hidden", b"x")))
    (tmp_path / "empty").mkdir()
    for path in (tmp_path / "only.zip", tmp_path / "empty"):
        with pytest.raises(Problem) as caught:
            next(documents_at(path))
        assert caught.value.code == "import_nothing_found"
