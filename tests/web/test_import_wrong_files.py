"""Files that should never have been chosen, brought to the import page: one sentence each, and nothing imported."""

from __future__ import annotations

from typing import Any

import pytest
from tests.api.conftest import As
from tests.api.installation import PINE
from tests.cli.test_import_paths import zipped
from tests.web.test_import import bring, counts

WRONG: dict[str, tuple[str, bytes]] = {
    "a picture": ("scan.png", b"\x89PNG\r\n\x1a\n" + b"\x00" * 400),
    "an empty file": ("empty.xml", b""),
    "blanks": ("blank.csv", b" \r\n \r\n"),
    "a bomb": ("bomb.ofd", zipped(("OFD.xml", b"<a/>"), ("Doc_0/Attachs/original_invoice.xml", b" " * (17 * 2**20)))),
    "an archive of files": ("many.zip", zipped(("a.xml", b"<a/>"), ("b.xml", b"<b/>"))),
    "a spreadsheet": ("book.xlsx", zipped(("[Content_Types].xml", b"<a/>"), ("xl/workbook.xml", b"<b/>"))),
    "a web page": ("page.html", b"<html><body><p>x</body></html>"),
}


@pytest.mark.parametrize("language", ["zh-CN", "en"])
@pytest.mark.parametrize("kind", WRONG)
def test_a_wrong_file_is_refused_in_one_sentence_and_the_page_stays_usable(
    kind: str, language: str, act_as: As
) -> None:
    client: Any = act_as(PINE, language=language)
    before = client.get("/imports").text.count('href="/imports/')
    answer = bring(client, *WRONG[kind])
    assert answer.status_code in (413, 422), answer.status_code
    assert ("资金" in answer.text) if language == "zh-CN" else ("No money moved" in answer.text)
    assert 'name="file"' in answer.text, "another file can be chosen at once"
    assert client.get("/imports").text.count('href="/imports/') == before


def test_a_table_without_rows_has_nothing_to_apply(act_as: As) -> None:
    client: Any = act_as(PINE)
    answer = bring(client, "head.csv", b"number,supplier,value\n")
    if answer.url.path.startswith("/imports/"):
        applied = client.post(answer.url.path + "/apply")
        assert applied.status_code in (409, 422) or sum(counts(applied.text).values()) == 0
        client.post(answer.url.path + "/discard")
    else:
        assert answer.status_code == 422
