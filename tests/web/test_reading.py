"""Reading before signing: every clause has its voice, what was read is signed, and nobody is hurried."""

from __future__ import annotations

import hashlib
import json
import re
from html import unescape
from typing import Any

import pytest
from sqlmodel import select
from tests.api.conftest import As
from tests.api.installation import LOTUS, PINE, STONE, Installation
from tests.api.test_refusals import trade

from scf.ledger.hashing import keccak
from scf.receivables.models import Financing
from scf.store import evidence
from scf.store.commands import canonical_json
from scf.store.evidence import Evidence
from scf.web.reading import clauses_of
from scf.web.voice import FOLDER, MANIFEST, spoken_texts, text_digest

MOST_BYTES, MOST_BYTES_TOGETHER = 25_000, 560_000


def test_every_clause_is_recorded_in_both_languages_in_exactly_its_words() -> None:
    listed = {(clip["language"], clip["text_sha256"]): clip for clip in json.loads(MANIFEST.read_text())["clips"]}
    wanted = {(language, text_digest(text)) for language, text in spoken_texts()}
    assert wanted == listed.keys(), "run: python scripts/record_voice.py"
    assert {path.name for path in FOLDER.glob("*.ogg")} == {clip["file"] for clip in listed.values()}
    for (_, digest), clip in listed.items():
        raw = (FOLDER / clip["file"]).read_bytes()
        assert raw.startswith(b"OggS") and b"OpusHead" in raw[:80]
        assert len(raw) == clip["bytes"] <= MOST_BYTES
        assert digest[:16] in clip["file"] and text_digest(clip["text"]) == digest
    assert sum(clip["bytes"] for clip in listed.values()) < MOST_BYTES_TOGETHER


def test_a_clause_whose_words_changed_is_silent_rather_than_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    from scf.web import reading

    monkeypatch.setitem(reading.CLAUSES, "accept", ("I take it, whatever it is.",))  # type: ignore[index]
    assert [clause.clip for clause in clauses_of("accept", "en")] == [None]


@pytest.mark.parametrize("language", ["zh-CN", "en"])
def test_the_voice_stands_beside_the_text_and_plays_only_when_asked(
    language: str, demo: Installation, act_as: As
) -> None:
    client = act_as(STONE, language=language)
    page = client.get(f"/act/accept?note={demo.offered}").text
    sounds = re.findall(r"<audio ([^>]+)>", page)
    assert len(sounds) == 3
    for sound in sounds:
        assert "controls" in sound and "autoplay" not in sound and 'preload="none"' in sound
        source = re.search(r'src="([^"]+)"', sound)
        assert source
        answer = client.get(source.group(1))
        assert answer.status_code == 200 and answer.headers["content-type"].startswith("audio/ogg")
    assert "media-src 'self'" in client.get("/").headers["content-security-policy"]


def _asked_and_quoted(demo: Installation, amount_minor: int) -> str:
    harbour = demo.at("harbour")
    with demo.app.desk.session() as session:
        ask = demo.app.financing.ask(session, demo.notes[LOTUS], amount_minor, (harbour, demo.at("farhill"))).id
    prepared, figures = demo.app.financing.prepare_quote(ask, harbour, rate_ppm=50_000, paying_bank=demo.at("civic"))
    parts = demo.story.play.sign(prepared)[0]
    return demo.app.financing.submit_quote(ask, prepared.message, parts, figures).quote_hash


def _sealed(html: str) -> str:
    found = re.search(r'name="sealed" value="([^"]+)"', html)
    assert found
    return found.group(1)


def test_text_language_times_and_sound_are_signed_with_the_acceptance(demo: Installation, act_as: As) -> None:
    """The field `reading` on the ledger is the hash of the record that stands in the evidence log."""
    quote = _asked_and_quoted(demo, 21_00)
    lotus = act_as(LOTUS, language="zh-CN")
    page = lotus.get(f"/act/accept_quote?quote={quote}").text
    form: dict[str, Any] = {
        "sealed": _sealed(page),
        "heard_figures": "yes",
        "heard_0": "yes",
        "heard_1": "no",
        "after_0": "4100",
    }
    form |= {f"clause_{place}": "yes" for place in range(3)}
    done = lotus.post("/confirm", data=form)
    assert done.status_code == 200 and "/notes/" in str(done.url)
    again = lotus.post("/confirm", data=form)
    assert again.url.path == done.url.path
    with demo.app.reading() as session:
        signed = session.exec(select(Financing).where(Financing.quote_hash == quote)).one().reading
        files = session.exec(select(Evidence).where(Evidence.kind == "reading")).all()
        records = [json.loads(evidence.raw_bytes(session, row.evidence_id)) for row in files]
    mine = [one for one in records if one["reading_signed"] == signed]
    assert len(mine) == 1
    record = mine[0]["reading"]
    assert signed == "0x" + keccak(canonical_json(record)).hex()
    assert record["language"] == "zh-CN" and record["sound_played"] is True
    assert record["text_sha256"] == hashlib.sha256("\n".join(record["text"]).encode()).hexdigest()
    assert [one["sound"] for one in record["clauses"]] == ["played", "not played", "unknown"]
    assert record["clauses"][0]["ticked_after_ms"] == 4100
    said = record["figures"]
    assert said["sound"] == "played" and said["text"].startswith("您实收 ") and said["text"].endswith(" 无追索权")
    assert said["text_sha256"] == text_digest(said["text"])
    assert record["shown_at"] <= record["confirmed_at"]
    assert all(line in page for line in record["text"][1:])


def test_what_was_ticked_stays_ticked_when_something_is_missing(demo: Installation, act_as: As) -> None:
    stone = act_as(STONE)
    page = stone.get(f"/act/accept?note={demo.offered}").text
    answer = stone.post("/confirm", data={"sealed": _sealed(page), "clause_1": "yes"})
    assert answer.status_code == 422
    boxes = re.findall(r'<input type="checkbox" name="clause_(\d)"[^>]*>', answer.text)
    ticked = re.findall(r'<input type="checkbox" name="clause_(\d)"[^>]* checked>', answer.text)
    assert boxes == ["0", "1", "2"] and ticked == ["1"]


def test_who_is_signed_out_half_way_loses_nothing(demo: Installation, act_as: As) -> None:
    client = act_as(STONE)
    path = f"/act/accept?note={demo.offered}"
    sealed = re.search(r'name="sealed" value="([^"]+)"', client.get(path).text)
    assert sealed
    client.cookies.clear()
    form = {"sealed": sealed.group(1), "clause_0": "yes", "clause_1": "yes", "code": "123456"}
    kept = client.post("/confirm", data=form)
    assert kept.status_code == 401 and "what you filled in is kept" in kept.text
    fields = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', kept.text))
    assert fields == {name: value for name, value in form.items() if name != "code"}
    client.post("/sign-in", data={"address": demo.at(STONE)})
    back = client.post("/confirm", data=fields)  # one box was never ticked: nothing is signed, the two ticks stand
    assert back.status_code == 422 and back.text.count(" checked") == 2
    assert client.get(path).status_code == 200


def test_another_language_half_way_shows_the_same_act_with_what_was_filled_in(demo: Installation, act_as: As) -> None:
    client = act_as(LOTUS)
    answers = {"note": demo.notes[LOTUS], "to": demo.at(PINE), "amount": "12.34", "order_reference": "PO-9",
               "delivered_on": demo.story.day(4).isoformat(), "evidence": trade(demo)["evidence"][0]}  # fmt: skip
    page = client.post("/act/pass", data=answers).text
    assert "12.34" in page and "clause_0" in page
    link = re.search(r'href="(/language\?to=zh-CN&amp;back=[^"]+)"', page)
    assert link
    other = client.get(unescape(link.group(1)))
    assert other.status_code == 200 and '<html lang="zh-CN"' in other.text
    assert 'value="12.34"' in other.text and 'value="PO-9"' in other.text
    assert f'value="{demo.at(PINE)}" selected' in other.text and "clause_0" not in other.text
    wrong = client.post("/confirm", data={"sealed": re.findall(r'name="sealed" value="([^"]+)"', page)[0]})
    assert wrong.status_code == 422
    link = re.search(r'href="(/language\?to=en&amp;back=[^"]+)"', wrong.text)
    assert link and 'value="12.34"' in client.get(unescape(link.group(1))).text
