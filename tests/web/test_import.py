"""Importing on the pages: look first, correct the columns, apply, take back; all by plain forms."""

from __future__ import annotations

import re
from typing import Any

import pytest
from tests.api.conftest import As
from tests.api.installation import LOTUS, PINE, STONE, Installation

from scf.demo.papers import invoice

TABLE = (
    "Bestellung;Lieferant;Käufer;Wert;Datum\n"
    "PO-T-1;Pine;Lotus;1.234,50;05.01.2026\n"
    "PO-T-2;Pine;Lotus;99,00;06.01.2026\n"
    "PO-T-3;Pine;Lotus;oops;07.01.2026\n"
)
COLUMNS = {
    "record": "order",
    "col_number": "Bestellung",
    "col_seller": "Lieferant",
    "col_buyer": "Käufer",
    "col_value_minor": "Wert",
    "col_ordered_on": "Datum",
    "all_currency": "CNY",
    "day": "%d.%m.%Y",
    "number": "1.234,50",
}


def counts(html: str) -> dict[str, int]:
    """The five counts of an import's page."""
    found = re.findall(r'<li class="c-(\w+)">.*?<strong class="figure small">(\d+)</strong>', html)
    return {name: int(count) for name, count in found}


def bring(client: Any, name: str, raw: bytes) -> Any:
    return client.post("/imports", files={"file": (name, raw, "application/octet-stream")})


def test_an_invoice_is_looked_at_applied_once_and_taken_back(demo: Installation, act_as: As) -> None:
    pine = act_as(PINE)
    paper = invoice("INV-LOOK-1", PINE, LOTUS, "PO-LOOK", "Parts", 226_00, demo.story.day(1), demo.story.day(50))
    seen = bring(pine, paper.name, paper.raw)
    assert seen.status_code == 200 and seen.url.path.startswith("/imports/")
    assert counts(seen.text)["new"] == 1
    assert "INV-LOOK-1" not in pine.get("/month?of=2026-01").text, "a look imports nothing"
    path = seen.url.path
    done = pine.post(path + "/apply")
    again = pine.post(path + "/apply")
    assert done.url.path == again.url.path == path and "Take the import back" in done.text
    assert "INV-LOOK-1" in pine.get("/month?of=2026-01").text
    twice = bring(pine, "same.xml", paper.raw)
    assert counts(twice.text)["new"] == 0 and counts(twice.text)["duplicate"] == 1
    back = pine.post(path + "/undo")
    assert "taken back" in back.text and "Take the import back" not in back.text
    assert "INV-LOOK-1" not in pine.get("/month?of=2026-01").text


def test_columns_are_corrected_and_rejected_rows_are_left_out_only_when_said_so(act_as: As) -> None:
    pine = act_as(PINE)
    path = bring(pine, "orders.csv", TABLE.encode()).url.path
    other = pine.post(path + "/columns", data={"record": "invoice"})
    assert other.status_code == 200 and 'name="col_payable_minor"' in other.text, "first its own columns are asked for"
    page = pine.post(path + "/columns", data=COLUMNS)
    assert page.status_code == 200, page.text[-3000:]
    assert counts(page.text) == {"new": 2, "changed": 0, "duplicate": 0, "rejected": 1, "noted": 0}
    assert "1.234,50" not in page.text or "oops" in page.text
    rejected = pine.get(path + "?standing=rejected").text
    assert "oops" in rejected and "PO-T-2" not in rejected
    refused = pine.post(path + "/apply")
    assert refused.status_code == 409 and "Nothing was imported" in refused.text
    done = pine.post(path + "/apply", data={"leave_rejected": "yes"})
    assert done.status_code == 200 and "Take the import back" in done.text
    assert pine.post(path + "/undo").status_code == 200


def test_a_file_nobody_can_read_is_refused_with_place_and_reason(act_as: As) -> None:
    answer = bring(act_as(LOTUS), "bad.xml", b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>')
    assert answer.status_code in (400, 415, 422) and "No money moved" in answer.text
    assert 'name="file"' in answer.text


def test_an_import_of_another_firm_is_as_if_it_did_not_exist(act_as: As) -> None:
    path = bring(act_as(PINE), "theirs.csv", TABLE.replace("PO-T", "PO-U").encode()).url.path
    stone = act_as(STONE)
    assert stone.get(path).status_code == stone.get("/imports/999999").status_code == 404
    for act in ("apply", "undo", "discard", "columns"):
        assert stone.post(f"{path}/{act}", data=COLUMNS).status_code == 404, act
    assert act_as(PINE).post(path + "/discard").url.path == "/imports"


@pytest.mark.parametrize("language", ["zh-CN", "en"])
def test_the_page_says_what_to_do_in_both_languages(language: str, act_as: As) -> None:
    client = act_as(LOTUS, language=language)
    page = client.get("/imports").text
    assert ("先看到结果" if language == "zh-CN" else "before anything is imported") in page
    assert "style=" not in page and "<script>" not in page
