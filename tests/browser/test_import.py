"""A bank's table on a phone: looked at, its rejected row told, applied without it, taken back for a day."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from tests.api.installation import PINE
from tests.browser.conftest import Visit

pytestmark = pytest.mark.browser
NARROW = (360, 740)


@pytest.mark.parametrize("javascript", [True, False], ids=["script", "plain"])
@pytest.mark.parametrize("language", ["zh-CN", "en"])
def test_a_statement_of_a_bank_in_china(visit: Callable[..., Visit], language: str, javascript: bool) -> None:
    one = visit(PINE, size=NARROW, language=language, javascript=javascript)
    name = f"{language}-{javascript}"
    table = (
        "中国工商银行交易明细\r\n交易日期,借方发生额,贷方发生额,币种,对方户名,摘要,交易流水号\r\n"
        f'2026/3/5,,"￥1,234.50",人民币,甲公司 {name},货款,="001-{name}"\r\n'
        f"2026/3/6,50.00,,人民币,乙公司 {name},手续费,002-{name}\r\n"
        f"2026/3/7,1.00,1.00,人民币,丙公司 {name},两列,003-{name}\r\n"
    )
    one.open("/imports")
    assert one.sideways() == 0
    one.page.set_input_files("#file", {"name": "bad.bin", "mimeType": "x/y", "buffer": b"\x01\x02\x03 no document"})
    one.page.locator("form[action='/imports'] button").first.click()
    assert ("资金未变动" if language == "zh-CN" else "No money moved") in one.page.content()
    one.page.set_input_files("#file", {"name": "明细.csv", "mimeType": "text/csv", "buffer": table.encode("gb18030")})
    one.page.locator("form[action='/imports'] button").first.click()
    assert re.search(r"/imports/\d+$", one.page.url)
    told = one.page.content()
    assert ("支出与收入两列应恰有一列填写金额" if language == "zh-CN" else "must have an amount") in told
    assert "row 5" in told
    assert one.sideways() == 0
    one.page.locator("input[name=leave_rejected]").check()
    one.page.locator("form[action$='/apply'] button").click()
    one.page.locator("form[action$='/undo'] button").click()
    assert one.page.locator("form[action$='/undo']").count() == 0
    assert ("已撤" if language == "zh-CN" else "taken back") in one.page.content()
    assert one.sideways() == 0
    assert one.foreign == []
    assert [text for text in one.complaints if "422" not in text] == []
