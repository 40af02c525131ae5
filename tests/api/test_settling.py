"""Ending a hold by agreement, and the urgent path, over the API: who may, who may not, and what stays in balance."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.api.test_refusals import API
from tests.entrusted.test_release import FIRST, Scene, opened
from tests.installation import Installation

from scf.demo.cast import CIVIC, CORE, FAIRWAY, HARBOUR, LOTUS, MEASURE, PINE, STEEL
from scf.entrusted import queries
from scf.web.server import create_server

HELD = 15_000_00
Acting = Callable[..., Any]


@pytest.fixture
def scene(installation: Installation) -> Scene:
    return opened(installation)


@pytest.fixture
def act(scene: Scene) -> Acting:
    """Do something as the account seat of a firm; answers with the response."""
    keys = count()
    server = create_server(scene.at.app, reading_speed=1e9)

    def send(code: str, path: str, **body: Any) -> Any:
        client = TestClient(server, raise_server_exceptions=False, headers={"Accept-Language": "en"})
        assert client.post(f"{API}/session", json={"address": scene.at.who(code)}).status_code == 200
        given = {"account": scene.account, "stage": 0, **body}
        if "message" in body:
            given = body
        return client.post(f"{API}/acts/{path}", json=given, headers={"Idempotency-Key": f"settling-{next(keys)}"})

    return send


def cny(minor: int) -> dict[str, str]:
    return {"minor": str(minor), "currency": "CNY"}


def agreed(out: int, back: int) -> dict[str, Any]:
    return {"to_release": cny(out), "to_refund": cny(back), "reason": "four plates were straightened"}


def urgent(amount: int = HELD, note: str = "Despatch is proven.") -> dict[str, Any]:
    return {"amount": cny(amount), "why": "The line stops on Monday.", "risk_note": note}


def test_payer_and_beneficiary_end_a_hold_together_and_nobody_else_does(scene: Scene, act: Acting) -> None:
    assert act(PINE, "dispute/demo", amount=cny(HELD), reason="six plates are bent").status_code == 200
    for stranger in (LOTUS, CIVIC, STEEL, FAIRWAY):
        answer = act(stranger, "resolve/prepare", **agreed(HELD, 0))
        assert (answer.status_code, answer.json()["code"]) == (403, "not_your_act"), stranger
    too_much = act(PINE, "resolve/prepare", **agreed(HELD, 1))
    assert too_much.json()["code"] == "nothing_disputed"
    prepared = scene.at.app.settling.prepare_resolve(scene.account, 0, 10_000_00, 5_000_00, "straightened")
    signed = [[part.hex() for part in parts] for parts in scene.at.sign(prepared)]
    message = prepared.typed_data["message"]
    assert act(LOTUS, "resolve", message=message, signatures=signed).json()["code"] == "not_your_act"
    alone = act(PINE, "resolve", message=message, signatures=signed[1:])
    assert alone.json()["code"] == "signatures_missing", "one side alone ends nothing"
    twice = act(PINE, "resolve", message=message, signatures=[signed[1], signed[1]])
    assert twice.json()["code"] == "ledger_refused", "nor by signing for the other side"
    with scene.at.app.desk.session() as session:
        assert queries.stage(session, scene.account, 0).disputed_minor == HELD
    done = act(PINE, "resolve", message=message, signatures=signed)
    assert done.status_code == 200, done.text
    assert scene.order()[0] == 10_000_00
    with scene.at.app.desk.session() as session:
        assert queries.stage(session, scene.account, 0).disputed_minor == 0
        assert scene.room.refund_order(session, scene.account, 0)[0] == 5_000_00


def test_the_urgent_path_over_the_api_and_its_check_afterwards(scene: Scene, act: Acting) -> None:
    for other in (PINE, LOTUS, CIVIC, CORE):
        answer = act(other, "urgent/prepare", **urgent())
        assert (answer.status_code, answer.json()["code"]) == (403, "not_your_act"), other
    assert act(HARBOUR, "urgent/prepare", **urgent(note=" ")).json()["code"] == "urgent_without_note"
    assert act(HARBOUR, "urgent/prepare", **urgent(500_000_01)).json()["code"] == "urgent_above_cap"
    assert act(HARBOUR, "urgent/prepare", **urgent()).json()["code"] == "urgent_not_supported"
    scene.attest(FAIRWAY, scene.carrier)
    scene.approve(HARBOUR, "credit-officer")
    scene.approve(CORE, "approver")
    aside = act(HARBOUR, "urgent/demo", **urgent())
    assert aside.status_code == 200, aside.text
    assert act(PINE, "resolve/demo", **agreed(HELD, 0)).status_code == 200
    amount, payment = scene.order()
    assert amount == HELD, "what both sides agreed on goes out, and no more"
    scene.confirm(amount, payment, "LINE-U")
    assert act(HARBOUR, "urgent/prepare", **urgent(1_00)).json()["code"] == "urgent_unchecked"
    scene.at.clock.advance(days=11)
    scene.at.refused("urgent_unchecked", lambda: scene.order(1))
    checked = act(MEASURE, "attest/demo", up_to=cny(FIRST), evidence=scene.inspector)
    assert checked.status_code == 200, checked.text
    assert scene.order()[0] == FIRST - HELD, "the second organisation vouched: the rest goes on"


def test_pages_offer_the_agreement_to_both_sides_and_show_it_before_signing(scene: Scene, act: Acting) -> None:
    assert act(PINE, "dispute/demo", amount=cny(HELD), reason="six plates are bent").status_code == 200
    server, link = create_server(scene.at.app, reading_speed=1e9), f"/act/resolve?account={scene.account}&stage=0"

    def page(code: str, language: str = "en") -> TestClient:
        client = TestClient(server, headers={"Accept-Language": language, "Origin": "http://testserver"})
        client.post(f"{API}/session", json={"address": scene.at.who(code)})
        return client

    for code, offered in ((PINE, True), (HARBOUR, True), (STEEL, False), (CIVIC, False)):
        shown = page(code).get(f"/entrusted/{scene.account}").text
        assert (link.replace("&", "&amp;") in shown) is offered, code
    assert "双方约定的内容" in page(PINE, "zh-CN").get(link).text
    answers = {"account": str(scene.account), "stage": "0", "to_release": "10000", "reason": "straightened"}
    confirm = page(PINE).post("/act/resolve", data={**answers, "to_refund": "5,000.00"})
    assert confirm.status_code == 200 and "10,000.00" in confirm.text and "5,000.00 goes back" in confirm.text
    beyond = page(PINE).post("/act/resolve", data={**answers, "to_refund": "5,000.01"})
    assert beyond.status_code >= 400 and "straightened" in beyond.text, "what was typed stays in the form"


def test_the_page_of_the_urgent_path_is_the_payers(scene: Scene) -> None:
    server, link = create_server(scene.at.app, reading_speed=1e9), f"/act/urgent?account={scene.account}&amp;stage=0"
    scene.attest(FAIRWAY, scene.carrier)
    scene.approve(HARBOUR, "credit-officer")
    scene.approve(CORE, "approver")
    for code, offered in ((HARBOUR, True), (PINE, False)):
        client = TestClient(server, headers={"Accept-Language": "en", "Origin": "http://testserver"})
        client.post(f"{API}/session", json={"address": scene.at.who(code)})
        assert (link in client.get(f"/entrusted/{scene.account}").text) is offered
        answers = {
            "account": str(scene.account),
            "stage": "0",
            "amount": "15000",
            "why": "Monday",
            "risk_note": "Proven",
        }
        assert (client.post("/act/urgent", data=answers).status_code == 200) is offered
