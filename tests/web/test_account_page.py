"""An entrusted account's page and record: whose money it is, urgent releases with their check, the daily proof."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.api.test_refusals import API
from tests.entrusted.test_release import Scene, opened
from tests.installation import Installation
from tests.jobs.test_locked_proof import FIRST, SECOND, Locked

from scf.app import App
from scf.demo.cast import CIVIC, CORE, FAIRWAY, HARBOUR, LOTUS, MEASURE, PINE, STEEL
from scf.web.server import create_server

HELD = 15_000_00
Reading = Callable[..., Any]


def reader(app: App, at: Installation) -> Reading:
    """Read a path as a firm; pages in Chinese or English, records as JSON."""
    server = create_server(app, reading_speed=1e9)

    def read(code: str, path: str, language: str = "en") -> Any:
        client = TestClient(server, raise_server_exceptions=False, headers={"Accept-Language": language})
        assert client.post(f"{API}/session", json={"address": at.who(code)}).status_code == 200
        return client.get(path)

    return read


def urgent(scene: Scene) -> None:
    """15,000.00 of stage one go out on the carrier's evidence alone."""
    at, room = scene.at, scene.at.app.settling
    scene.attest(FAIRWAY, scene.carrier)
    scene.approve(HARBOUR, "credit-officer")
    scene.approve(CORE, "approver")
    aside, _ = room.prepare_urgent(scene.account, 0, HELD, "The line stops on Monday.", "Despatch is proven.")
    at.submit_entrusted(aside)
    at.submit_entrusted(room.prepare_resolve(scene.account, 0, HELD, 0, "It cannot wait"))
    amount, payment = scene.order()
    scene.confirm(amount, payment, "LINE-U")


def test_an_urgent_release_and_its_check_are_seen_by_every_party(installation: Installation) -> None:
    scene = opened(installation)
    at, read = scene.at, reader(scene.at.app, scene.at)
    path = f"/entrusted/{scene.account}"
    assert read(PINE, f"{API}{path}").json()["urgent"] == []
    urgent(scene)

    def record(code: str) -> dict[str, Any]:
        found = read(code, f"{API}{path}").json()["urgent"]
        assert len(found) == 1
        return dict(found[0])

    for code in (HARBOUR, PINE, CIVIC, FAIRWAY, STEEL):
        seen = record(code)
        assert (seen["state"], seen["amount"]["minor"], seen["stage"]) == ("waiting", str(HELD), 0), code
        assert "The line stops on Monday." in seen["words"] and "Despatch is proven." in seen["words"]
        assert seen["check_by"] and seen["checked_at"] is None
    assert read(LOTUS, f"{API}{path}").status_code == 404, "who has no part in it sees nothing"
    for language, words in (("en", ("Urgent release", "to be checked")), ("zh-CN", ("紧急支付", "待核查"))):
        page = read(PINE, path, language).text
        assert all(word in page for word in words)
    at.clock.advance(days=11)
    assert record(PINE)["state"] == "late"
    assert "nothing else of this account moves" in read(PINE, path).text
    scene.attest(MEASURE, scene.inspector)
    with at.app.desk.session() as session:
        assert at.app.settling.check(session) == 1
    assert record(STEEL)["state"] == "checked" and record(STEEL)["checked_at"]
    assert "已核查" in read(STEEL, path, "zh-CN").text


def test_a_bank_that_lies_by_one_cent_is_shown_with_the_next_statement(installation: Installation) -> None:
    locked = Locked(installation)
    read = reader(installation.app, installation)
    path = f"/entrusted/{locked.account}"
    locked.statement()
    proof = read(HARBOUR, f"{API}{path}").json()["proof"]
    assert proof["alarms"] == [] and proof["proved"]["held"]["minor"] == str(FIRST + SECOND)
    locked.bank.simulator.deposit(locked.bank.locked_account, 1, reference="a cent too much")
    locked.statement()
    for code in (HARBOUR, PINE, CIVIC):
        alarms = read(code, f"{API}{path}").json()["proof"]["alarms"]
        assert [one["difference"]["minor"] for one in alarms] == ["1"]
    page = read(PINE, path).text
    assert "statement differs" in page and "0.01" in page and "Nothing may be released" in page
    assert "银行对账单不一致" in read(PINE, path, "zh-CN").text


@pytest.mark.parametrize(("language", "words"), [("en", "A loan of the payer"), ("zh-CN", "付款方的贷款")])
def test_the_page_says_whose_money_is_locked_and_for_what(
    installation: Installation, language: str, words: str
) -> None:
    scene = opened(installation)
    page = reader(installation.app, installation)(PINE, f"/entrusted/{scene.account}", language).text
    assert words in page and "steel" in page and "HT-2026-9" in page


def test_a_partial_delivery_and_an_expiry_say_on_the_page_whose_turn_it_is(installation: Installation) -> None:
    scene = opened(installation)
    at, read, path = scene.at, reader(scene.at.app, scene.at), f"/entrusted/{scene.account}"

    def turn(english: str, chinese: str) -> None:
        for code in (HARBOUR, PINE, CIVIC):
            assert english in read(code, path).text.replace("\u00a0", " "), code
            assert chinese in read(code, path, "zh-CN").text.replace("\u00a0", " "), code

    turn("evidence of 2 more organisations", "还需 2 家机构的证据")
    scene.ready(HELD)
    turn("Stage 1: the bank has to execute the release", "等待银行执行放款")
    amount, payment = scene.order()
    assert amount == HELD, "what arrived goes out, the rest waits"
    scene.confirm(amount, payment, "LINE-P")
    turn("for the remaining CNY 25,000.00 are missing", "其余 CNY 25,000.00 尚缺证据与批准")
    at.clock.advance(days=40)
    turn("has to pay the remaining CNY 25,000.00 back to", "将余额 CNY 25,000.00 退回")
    for stage in (0, 1):
        with at.app.desk.session() as session:
            back, order = scene.room.refund_order(session, scene.account, stage)
        at.submit_entrusted(scene.room.prepare_confirm_refunded(scene.account, stage, back, order, f"BACK-{stage}"))
    turn("Everything was released or paid back", "款项已全部释放或退回")
