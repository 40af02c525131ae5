"""Rows that change what was imported before, several files at once, and how long an import can be taken back."""

from __future__ import annotations

import re
from typing import Any

from tests.api.conftest import As
from tests.api.installation import PINE, Installation
from tests.web.test_import import COLUMNS, TABLE, bring, counts

CLEAN = "".join(TABLE.splitlines(keepends=True)[:3])
CHANGED = CLEAN.replace("1.234,50", "2.000,00")


def looked_at(client: Any, name: str, text: str) -> str:
    """The path of a table's import with its columns named."""
    path: str = bring(client, name, text.encode()).url.path
    assert client.post(path + "/columns", data=COLUMNS).status_code == 200
    return path


def orders(client: Any) -> list[str]:
    """What a look at the first values says, in a file of other bytes: `duplicate` rows are those that stand."""
    path = looked_at(client, "probe.csv", CLEAN.replace("\n", "\r\n"))
    found = counts(client.get(path).text)
    client.post(path + "/discard")
    return [name for name, count in found.items() for _ in range(count)]


def test_changed_rows_are_shown_applied_taken_back_and_stay_after_a_day(demo: Installation, act_as: As) -> None:
    pine: Any = act_as(PINE)
    first = looked_at(pine, "first.csv", CLEAN)
    assert pine.post(first + "/apply").status_code == 200
    assert orders(pine) == ["duplicate", "duplicate"]

    path = looked_at(pine, "changed.csv", CHANGED)
    assert counts(pine.get(path).text) == {"new": 0, "changed": 1, "duplicate": 1, "rejected": 0, "noted": 0}
    shown = re.sub(r"<[^>]+>", " ", pine.get(path + "?standing=changed").text)
    assert "PO-T-1" in shown and "1,234.50" in shown and "2,000.00" in shown and "PO-T-2" not in shown
    assert pine.post(path + "/apply").status_code == 200
    assert sorted(orders(pine)) == ["changed", "duplicate"], "the new values stand"
    demo.clock.advance(seconds=86_400 - 60)
    pine = act_as(PINE)
    assert "taken back" in pine.post(path + "/undo").text
    assert orders(pine) == ["duplicate", "duplicate"], "the first values stand again"

    again = looked_at(pine, "changed-again.csv", CHANGED.replace("2.000,00", "3.000,00"))
    assert pine.post(again + "/apply").status_code == 200
    demo.clock.advance(seconds=86_400 + 1)
    pine = act_as(PINE)
    late = pine.post(again + "/undo")
    assert late.status_code == 409 and "No money moved" in late.text and "24" in late.text
    assert "Take the import back" not in pine.get(again).text
    assert sorted(orders(pine)) == ["changed", "duplicate"], "what was imported stays"


def test_of_several_files_each_has_its_own_report(act_as: As) -> None:
    pine: Any = act_as(PINE, language="en")
    files = [
        ("good.csv", CLEAN.replace("PO-T", "PO-V")),
        ("bad.xml", "<broken"),
        ("other.csv", TABLE.replace("PO-T", "PO-W")),
    ]
    page = pine.post("/imports", files=[("file", (name, text.encode(), "text/plain")) for name, text in files])
    assert page.status_code == 200
    told = page.text[page.text.index("<h1>") : page.text.index('<form method="post" action="/imports"')]
    assert re.search(r"<strong>bad.xml</strong>: [^<]+", told) and told.count('href="/imports/') == 2
    for name in ("good.csv", "other.csv"):
        path = re.search(rf'href="(/imports/\d+)"><strong>{name}', told)
        assert path is not None
        assert pine.get(path.group(1)).status_code == 200
        assert pine.post(path.group(1) + "/discard").status_code == 200
