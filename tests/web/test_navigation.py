"""The menu: four places at first, the rest under "More", which opens without scripts; nothing is lost."""

from __future__ import annotations

import pytest
from lxml import html
from tests.api.conftest import As
from tests.api.installation import CORE, LOTUS

from scf.web.navigation import MOST_AT_FIRST, PLACES

FIRST = {
    (CORE, "account"): ["/", "/to-accept", "/to-approve", "/payables"],
    (LOTUS, "account"): ["/", "/receivables", "/invitations", "/documents"],
    ("harbour", "account"): ["/", "/deals", "/book", "/to-approve"],
    ("audit", "account"): ["/", "/samples", "/confirmations", "/verify"],
    ("operator", "operator-1"): ["/", "/exceptions", "/applications", "/health"],
}


@pytest.mark.parametrize("who", FIRST)
def test_each_role_finds_its_daily_places_first_and_the_rest_one_step_further(who: tuple[str, str], act_as: As) -> None:
    client = act_as(*who)
    page = html.fromstring(client.get("/").text)
    assert page.xpath("//nav[@class='places']/div/a/@href") == FIRST[who]
    assert len(FIRST[who]) <= MOST_AT_FIRST
    more = page.xpath("//nav[@class='places']/details/div/a/@href")
    assert not set(more) & set(FIRST[who]) and set(more) <= {place.path for place in PLACES}
    for path in more:
        there = html.fromstring(client.get(path).text)
        assert there.xpath("//nav[@class='places']//a[@aria-current]/@href") == [path]
        assert there.xpath("string(//nav[@class='places']//summary[@class='is-here'])"), "it says where one is"


def test_nobody_has_no_menu(act_as: As) -> None:
    assert "places" not in act_as().get("/sign-in").text
