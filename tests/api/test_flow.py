"""One receivable followed by hand through the API, each party signing with a wallet of its own."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from eth_account import Account
from eth_account.messages import encode_typed_data
from starlette.testclient import TestClient
from tests.api.conftest import As
from tests.api.installation import CORE, FARHILL, HARBOUR, LOTUS, PINE, RIVER, Installation
from tests.api.test_refusals import API, trade

from scf.kernel.dates import day_of
from scf.parties.keys import demo_key


def sign(prepared: dict[str, Any], *names: str) -> list[str]:
    """Signatures of a wallet that knows EIP-712 and nothing of this program."""
    message = encode_typed_data(full_message=prepared["typed_data"])
    return [Account.sign_message(message, demo_key(name).private).signature.hex() for name in names]


def carry(client: TestClient, act: str, body: dict[str, Any], key: str, *names: str) -> dict[str, Any]:
    """Prepare, sign outside, send."""
    prepared = client.post(f"{API}/acts/{act}/prepare", json=body)
    assert prepared.status_code == 200, prepared.text
    shown = prepared.json()
    request = {"message": shown["message"], "signatures": sign(shown, *names), "context": shown["context"]}
    answer = client.post(f"{API}/acts/{act}", json=request, headers={"Idempotency-Key": key})
    assert answer.status_code == 200, answer.text
    again = client.post(f"{API}/acts/{act}", json=request, headers={"Idempotency-Key": key})
    assert again.json() == answer.json()
    reply: dict[str, Any] = answer.json()
    return reply


def test_nobody_issues_alone_with_the_demo_keys(demo: Installation, act_as: As) -> None:
    """Maker, checker and the firm's own account: each by itself is refused, and nothing is issued."""
    today = day_of(demo.clock.now())
    body = trade(
        demo,
        obligor=demo.at(CORE),
        creditor=demo.at(LOTUS),
        amount={"minor": "100", "currency": "CNY"},
        maturity=(today + timedelta(days=40)).isoformat(),
        invoice_number="INV-ALONE-1",
        invoice_issued_on=today.isoformat(),
        invoice_amount={"text": "1.00", "currency": "CNY"},
        order_reference="PO-ALONE",
    )
    before = act_as(CORE).get(f"{API}/receivables").json()["items"]
    for seat, code in (("account", "demo_two_people"), ("maker", "second_person_needed"), ("checker", None)):
        client = act_as(CORE, seat)
        answer = client.post(f"{API}/acts/issue/demo", json=body, headers={"Idempotency-Key": f"alone {seat}"})
        assert answer.status_code in (403, 404, 409, 422), answer.text
        assert code is None or answer.json()["code"] == code, answer.text
        assert answer.json()["money_moved"] == "no"
    assert act_as(CORE).get(f"{API}/receivables").json()["items"] == before


def test_issue_accept_pass_and_finance_signed_outside(demo: Installation, act_as: As) -> None:
    core, lotus, pine = act_as(CORE), act_as(LOTUS), act_as(PINE)
    today = day_of(demo.clock.now())
    issued = carry(
        core,
        "issue",
        trade(
            demo,
            obligor=demo.at(CORE),
            creditor=demo.at(LOTUS),
            amount={"minor": "5000000", "currency": "CNY"},
            maturity=(today + timedelta(days=40)).isoformat(),
            invoice_number="INV-FLOW-1",
            invoice_issued_on=today.isoformat(),
            invoice_amount={"text": "50,000.00", "currency": "CNY"},
            order_reference="PO-FLOW",
        ),
        "flow-issue",
        "core-maker",
        "core-checker",
    )
    number, root = issued["receivable"], issued["note"]
    assert lotus.get(f"{API}/receivables/{number}").json()["state"] == "offered"
    assert [note["id"] for note in lotus.get(f"{API}/notes/offered").json()["items"]] == [root]

    carry(lotus, "accept", {"note": root}, "flow-accept", "lotus-account")
    assert lotus.get(f"{API}/notes/{root}").json()["state"] == "held"

    passed = carry(
        lotus,
        "pass",
        trade(demo, note=root, to=demo.at(PINE), amount={"text": "20000", "currency": "CNY"}),
        "flow-pass",
        "lotus-account",
    )["note"]
    carry(pine, "accept", {"note": passed}, "flow-accept-2", "pine-account")
    assert pine.get(f"{API}/notes/{passed}").json()["amount"] == {
        "minor": "2000000",
        "currency": "CNY",
        "text": "20000.00",
    }
    assert lotus.get(f"{API}/notes/{root}").json()["amount"]["text"] == "30000.00"

    sold = _finance(demo, act_as, passed)
    note = act_as(HARBOUR).get(f"{API}/notes/{sold}").json()
    assert (note["state"], note["financed"], note["amount"]["text"]) == ("held", True, "10000.00")
    assert demo.app.desk.head().number > 0


def _finance(demo: Installation, act_as: As, note: str) -> str:
    pine, bank = act_as(PINE), act_as("civic")
    asked = pine.post(
        f"{API}/acts/ask",
        json={
            "note": note,
            "amount": {"text": "10000.00", "currency": "CNY"},
            "invited": [demo.at(HARBOUR), demo.at(FARHILL)],
        },
        headers={"Idempotency-Key": "flow-ask"},
    ).json()
    body = {"ask": asked["ask"], "financier": demo.at(HARBOUR), "rate_ppm": 55_000, "paying_bank": demo.at("civic")}
    quote = carry(act_as(HARBOUR), "quote", body, "flow-quote", "harbour-account")["quote"]
    locked = carry(pine, "accept_quote", {"quote": quote}, "flow-take", "pine-account")["note"]
    registered = (
        act_as(HARBOUR)
        .post(f"{API}/acts/register", json={"note": locked}, headers={"Idempotency-Key": "flow-register"})
        .json()
    )
    carry(
        bank,
        "complete_financing",
        {"note": locked, "registration": registered["registration"], "bank_reference": "FLOW-LINE-1"},
        "flow-complete",
        "civic-account",
    )
    return str(locked)


def test_the_price_shown_is_the_price_signed(demo: Installation, act_as: As) -> None:
    body = {
        "ask": demo.ask,
        "financier": demo.at(FARHILL),
        "rate_ppm": 55_000,
        "paying_bank": demo.at("civic"),
        "fees": [{"code": "handling", "payee": "Far Hill", "amount": {"text": "50.00", "currency": "CNY"}}],
    }
    shown = act_as(FARHILL).post(f"{API}/acts/quote/prepare", json=body).json()
    price, signed = shown["price"], shown["typed_data"]["message"]
    assert int(price["net"]["minor"]) == int(signed["net"])
    assert int(price["face"]["minor"]) == sum(int(signed[name]) for name in ("net", "discount", "fees"))
    assert price["apr_ppm"] == signed["aprPpm"]


def test_a_key_is_needed_and_names_one_request(demo: Installation, act_as: As) -> None:
    client = act_as(LOTUS)
    body = {"note": demo.notes[LOTUS], "amount": {"text": "1000", "currency": "CNY"}}
    body["invited"] = [demo.at(HARBOUR), demo.at(FARHILL)]
    missing = client.post(f"{API}/acts/ask", json=body)
    assert (missing.status_code, missing.json()["code"]) == (400, "idempotency_key_missing")
    first = client.post(f"{API}/acts/ask", json=body, headers={"Idempotency-Key": "k1"})
    again = client.post(f"{API}/acts/ask", json=body, headers={"Idempotency-Key": "k1"})
    assert first.status_code == 200 and first.json() == again.json()
    other = client.post(
        f"{API}/acts/ask",
        json={**body, "amount": {"text": "2000", "currency": "CNY"}},
        headers={"Idempotency-Key": "k1"},
    )
    assert (other.status_code, other.json()["code"]) == (409, "idempotency_conflict")


def test_signing_with_demo_keys_takes_effect_once(demo: Installation, act_as: As) -> None:
    river, stone = act_as(RIVER), act_as("stone")
    offer = trade(demo, note=demo.notes[RIVER], to=demo.at("stone"), amount={"text": "7", "currency": "CNY"})
    first = river.post(f"{API}/acts/pass/demo", json=offer, headers={"Idempotency-Key": "demo-pass"})
    assert first.status_code == 200, first.text
    assert (
        river.post(f"{API}/acts/pass/demo", json=offer, headers={"Idempotency-Key": "demo-pass"}).json() == first.json()
    )
    note = first.json()["note"]
    refused = stone.post(
        f"{API}/acts/refuse/demo", json={"note": note, "reason": "not ours"}, headers={"Idempotency-Key": "demo-refuse"}
    )
    assert refused.status_code == 200, refused.text
    assert stone.get(f"{API}/notes/{note}").json()["state"] == "returned"


def test_every_answer_of_a_demo_says_so(act_as: As) -> None:
    assert "anyone can sign" in act_as().get(f"{API}/status").headers["x-demo"]
    assert act_as().get(f"{API}/status").json()["demo"] is True
