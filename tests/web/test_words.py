"""Both languages are complete, and nothing that ships comes from elsewhere unlisted."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import scf.web
from scf.kernel.sentences import catalogue as refusals
from scf.web import words
from scf.web.i18n import LOCALES, catalogue, translate
from scf.web.messages import extracted, missing
from scf.web.words import ACTS

ROOT = Path(__file__).resolve().parents[2]
WEB = Path(scf.web.__file__).parent


def test_no_sentence_of_the_pages_lacks_its_translation() -> None:
    for language in LOCALES:
        assert missing(language) == []
    assert len([message for message in extracted() if message.id]) > 300


def test_translations_keep_their_placeholders_and_are_chinese() -> None:
    for message in catalogue("zh-CN"):
        if not message.id:
            continue
        source, target = str(message.id), str(message.string)
        assert sorted(re.findall(r"%\(\w+\)s", source)) == sorted(re.findall(r"%\(\w+\)s", target)), source
        assert "%" not in re.sub(r"%\(\w+\)s", "", target), source
        assert re.search(r"[\u4e00-\u9fff]", target), source
        assert "fuzzy" not in message.flags


def test_every_code_has_its_word() -> None:
    from scf.api import acts
    from scf.receivables.models import NoteState, ReceivableState
    from scf.reconciliation.exceptions import HANDLING

    assert {*NoteState, *ReceivableState} <= words.STATES.keys()
    assert {*acts.SIGNED, *acts.PLAIN} <= ACTS.keys() and {*acts.SIGNED, *acts.PLAIN} <= words.DONE.keys()
    assert {handling.severity for handling in HANDLING.values()} <= words.SEVERITIES.keys()
    assert {handling.owner for handling in HANDLING.values()} <= words.OWNERS.keys()
    assert translate("zh-CN", words.STATES["overdue"]) == "逾期"


def test_refusals_of_the_faces_are_in_both_languages() -> None:
    for code in ("sign_in_needed", "not_your_act", "confirmed_too_fast", "unexpected_error"):
        entry = refusals()[code]
        assert entry.en and re.search(r"[\u4e00-\u9fff]", entry.zh_cn)


def test_vendored_files_are_the_listed_ones() -> None:
    listed = {row["path"]: row for row in json.loads((ROOT / "VENDOR.json").read_text(encoding="utf-8"))["files"]}
    present = {path.relative_to(ROOT).as_posix() for path in (WEB / "static" / "vendor").rglob("*") if path.is_file()}
    assert present == listed.keys()
    for path, row in listed.items():
        assert hashlib.sha256((ROOT / path).read_bytes()).hexdigest() == row["sha256"]
        assert row["licence"] and row["version"]


def test_templates_and_styles_ask_no_other_host_and_carry_no_inline_code() -> None:
    for path in [
        *(WEB / "templates").glob("*.html"),
        *(WEB / "static").glob("*.css"),
        *(WEB / "static/js").glob("*.js"),
    ]:
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"(src|href|url)\s*[=(]\s*[\"']?(https?:)?//", text), path.name
        assert not re.search(r"\son\w+=|style=|<style|javascript:|\|safe", text), path.name
    assert (WEB / "static" / "app.css").stat().st_size < 30_000
