"""Names put into Chinese sentences leave no space between Chinese characters, and what people typed stays as typed."""

from __future__ import annotations

import pytest

from scf.web.i18n import closed_up
from scf.web.pages import _environment


@pytest.mark.parametrize(
    ("sentence", "shown"),
    [
        ("等待 运营方 处理，期限 2026-03-01。", "等待运营方处理，期限 2026-03-01。"),
        ("等待 Harbour Bank 确认资金已锁定。", "等待 Harbour Bank 确认资金已锁定。"),
        ("第 2 阶段：还需 1 人批准。", "第 2 阶段：还需 1 人批准。"),
        ("Northbridge 重工 需签收。", "Northbridge 重工需签收。"),
    ],
)
def test_only_the_space_between_chinese_characters_goes(sentence: str, shown: str) -> None:
    assert closed_up(sentence) == shown


def test_a_page_closes_its_sentences_up_and_escapes_names() -> None:
    spoken = _environment("zh-CN")
    template = "{% trans who=who, since=since %}{{ who }} has to accept, since {{ since }}.{% endtrans %}|{{ typed }}"
    shown = spoken.from_string(template).render(who="北桥 <b>", since="2026-01-02", typed="张 三")
    assert shown == "自 2026-01-02 起等待北桥 &lt;b&gt; 签收。|张 三"
    assert spoken.from_string("{{ one|text }}").render(one={"zh-CN": "等待 北桥 付款。"}) == "等待北桥付款。"
    assert _environment("en").from_string("{{ _('Holds') }}").render() == "Holds"
