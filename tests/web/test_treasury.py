"""The treasurer's page: what is due as a payment order for the bank, in both languages, refused in words."""

from __future__ import annotations

import html
import re

from tests.api.conftest import As
from tests.api.installation import CORE, LOTUS, Installation

from scf.standards import pain


def test_a_treasurer_takes_the_payment_order_to_the_bank(demo: Installation, act_as: As) -> None:
    core = act_as(CORE)
    page = core.get("/payables").text
    assert "Payment order for our bank (pain.001)" in page and 'href="/payables.csv"' in page
    until = demo.story.day(200).isoformat()
    answer = core.get(f"/payables.xml?until={until}")
    assert answer.headers["content-type"].startswith("application/xml")
    order = pain.read_001(answer.content)
    assert f'filename="pain.001-{order.message_id}.xml"' in answer.headers["content-disposition"]
    listed = re.findall(r"DUE\d+", html.unescape(page))
    assert [one.end_to_end_id for one in order.instructions] == listed
    assert core.get(f"/payables.xml?until={until}").content == answer.content


def test_a_file_nobody_can_use_is_refused_in_words(demo: Installation, act_as: As) -> None:
    chinese = act_as(CORE, language="zh-CN").get("/payables.xml")
    assert chinese.status_code == 422 and "无到期应付款" in chinese.text and "资金未变动" in chinese.text
    wrong = act_as(CORE).get(f"/payables.xml?until={demo.story.day(200)}&account=1")
    assert wrong.status_code == 422 and "No account of yours is known under 1" in wrong.text
    assert act_as(LOTUS).get("/payables.xml").status_code == 403
