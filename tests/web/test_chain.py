"""The chain view: how far a core enterprise's promises reached, with names of its own suppliers only."""

from __future__ import annotations

import csv
import io
import warnings
from collections.abc import Callable, Iterator

import pytest
from tests.installation import Installation, enrolled_template

from scf.demo.cast import LOTUS, RIVER, STONE
from scf.parties.keys import demo_key
from scf.web.server import create_server

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from starlette.testclient import TestClient

Start = Callable[[str], TestClient]


@pytest.fixture(scope="module")
def at(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """An installation of its own."""
    with Installation(enrolled_template(tmp_path_factory.mktemp("chain") / "made")) as made:
        yield made


@pytest.fixture(scope="module")
def go(at: Installation) -> Start:
    server = create_server(at.app)

    def client(who: str) -> TestClient:
        made = TestClient(server, headers={"Accept-Language": "en"})
        address = demo_key(f"core-{who}").address if who in ("maker", "checker") else at.who(who)
        assert made.post("/sign-in", data={"address": address}).status_code == 200
        return made

    return client


def test_the_chain_shows_amounts_all_the_way_and_names_only_of_own_suppliers(at: Installation, go: Start) -> None:
    issued, root = at.issued(at.trade("INV-CHAIN-1", 11_300_00), 11_300_00)
    trade = at.trade("INV-RIVER-1", 5_000_00, seller=RIVER, buyer=LOTUS)
    child = at.passed(root, RIVER, 5_000_00, trade)
    at.passed(child, STONE, 2_000_00, at.trade("INV-STONE-1", 2_000_00, seller=STONE, buyer=RIVER))
    page = go("maker").get("/chain").text
    assert "tier 3" in page and "Lotus Pond" in page
    assert "River Bend" not in page and "Stone Bridge" not in page
    table = list(csv.DictReader(io.StringIO(go("maker").get("/chain.csv").text.lstrip("\ufeff"))))
    deep = [row for row in table if row["tier"] == "3"]
    assert [row["reached"] for row in deep] == ["2000.00"]
    assert f"/receivables/{issued}" in go("maker").get(f"/chain?creditor={at.who(LOTUS)}").text
