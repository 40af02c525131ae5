"""Opening an entrusted account on pages: both houses read and sign on their own, wrong inputs are refused in words."""

from __future__ import annotations

import re
from typing import Any

import pytest
from tests.api.conftest import As
from tests.api.installation import CORE, HARBOUR, PINE, Installation

from scf.demo.cast import CIVIC, FAIRWAY, LOTUS, MEASURE, STEEL, firm
from scf.entrusted import queries
from scf.kernel.clock import today
from scf.kernel.dates import next_day


def filled(demo: Installation, **change: Any) -> dict[str, Any]:
    """A complete form: proceeds of a sale, locked for two stages of steel."""
    now = today(demo.clock)
    form: dict[str, Any] = {
        "count": "2", "currency": "CNY", "funds": "sale_proceeds", "payer": demo.at(HARBOUR),
        "beneficiary": demo.at(PINE), "amount": "100000.00", "bank": demo.at(CIVIC), "account": "6200000000000000042",
        "purpose": "100 tonnes of steel", "contract": "HT-2026-9", "consent": "We agree to the stages.",
        "separate_consent": "What we sell the note for may be locked for our steel supplier.",
        "attestors": [demo.at(FAIRWAY), demo.at(MEASURE)],
        "approvers": [demo.at(HARBOUR, "credit-officer"), demo.at(CORE, "approver")],
    }  # fmt: skip
    for place, (amount, days) in enumerate((("40000.00", 20), ("60,000.00", 40))):
        form |= {
            f"s{place}_title": "40 吨到货", f"s{place}_payee": demo.at(STEEL), f"s{place}_account": firm(STEEL).account,
            f"s{place}_amount": amount, f"s{place}_needs": ["despatch", "arrival"],
            f"s{place}_until": next_day(now, days).isoformat(),
        }  # fmt: skip
    return form | change


def sealed(page: str) -> dict[str, str]:
    found = re.search(r'name="sealed" value="([^"]+)"', page)
    assert found, page[:2000]
    boxes = re.findall(r'name="(clause_\d+)"', page)
    return {"sealed": found.group(1), **dict.fromkeys(boxes, "yes")}


@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_two_houses_open_an_account_each_by_reading_and_signing(demo: Installation, act_as: As, language: str) -> None:
    lender, seller, stranger = (act_as(code, language=language) for code in (HARBOUR, PINE, LOTUS))
    with demo.app.reading() as session:
        before = len(queries.accounts(session))
    assert lender.get("/entrusted/open").status_code == 200
    page = lender.post("/entrusted/open", data=filled(demo)).text
    for shown in ("CNY 100,000.00", "CNY 40,000.00", "CNY 60,000.00", "6200000000000000042", "HT-2026-9"):
        assert shown in page
    assert "What we sell the note for may be locked" in page, "the consent is read word for word"
    assert "despatch and arrival" in page or "发货且到货" in page
    unread = lender.post("/entrusted/open/sign", data={"sealed": sealed(page)["sealed"]})
    assert unread.status_code == 422, "what was not read is not signed"
    made = lender.post("/entrusted/open/sign", data=sealed(page))
    path = made.url.path
    assert path.startswith("/entrusted/openings/0x")
    with demo.app.reading() as session:
        assert len(queries.accounts(session)) == before, "one side's signature opens nothing"
    assert stranger.get(path).status_code == 404 and path not in stranger.get("/entrusted").text
    assert 'name="clause_0"' not in lender.get(path).text, "its own side signed already"
    (text,) = set(re.findall(r'href="(/evidence/[0-9a-f]{64})"', seller.get(path).text))
    assert seller.get(text).status_code == 200 and stranger.get(text).status_code == 404
    assert path in seller.get("/").text and path in seller.get("/entrusted").text
    mine = seller.get(path).text
    assert len(re.findall(r'name="clause_\d+"', mine)) == 4, "the separate consent is read clause by clause"
    done = seller.post(path, data=sealed(mine))
    assert re.fullmatch(r"/entrusted/\d+", done.url.path)
    with demo.app.reading() as session:
        rows = queries.accounts(session)
        assert len(rows) == before + 1
        row = rows[-1]
        assert demo.app.entrusted.rules.funds_of(session, row.id) == "sale_proceeds"
        assert [one.amount_minor for one in queries.stages(session, row.id)] == [40_000_00, 60_000_00]
    again = seller.post(path, data=sealed(mine))
    assert again.url.path == done.url.path, "pressing twice opens one account"
    with demo.app.reading() as session:
        assert len(queries.accounts(session)) == before + 1


def test_the_other_side_says_no_and_the_first_reads_why(demo: Installation, act_as: As) -> None:
    lender, seller = act_as(HARBOUR), act_as(PINE)
    page = seller.post("/entrusted/open", data=filled(demo)).text
    path = seller.post("/entrusted/open/sign", data=sealed(page)).url.path
    assert lender.post(path, data={"do": "refuse", "reason": " "}).status_code == 422
    ended = lender.post(path, data={"do": "refuse", "reason": "the second stage is too long"}).text
    assert "too long" in ended and 'name="clause_0"' not in ended
    assert "too long" in seller.get(path).text and "too long" in seller.get("/notices").text
    assert lender.post(path, data=sealed(page)).status_code != 200


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"s1_amount": "59999.99"}, "CNY 0.01 apart"),
        ({"s0_payee": "payer"}, "counterparty"),
        ({"separate_consent": ""}, "separate consent"),
        ({"attestors": ["measure"]}, "two who vouch"),
        ({"attestors": ["measure", "measure"]}, "chosen twice"),
        ({"approvers": ["pine", "core"]}, "belongs to the beneficiary"),
        ({"beneficiary": "harbour"}, "cannot lock money for itself"),
        ({"s0_until": "2025-01-01"}, "over already"),
        ({"s0_until": "soon"}, "soon"),
        ({"s0_amount": "lots"}, "lots"),
        ({"s0_needs": []}, "Evidence needed"),
        ({"s0_needs": ["gossip"]}, "gossip"),
        ({"purpose": ""}, "Agreed use"),
        ({"payer": "lotus"}, "neither side"),
    ],
)
def test_what_does_not_hold_is_refused_before_anybody_signs(
    demo: Installation, act_as: As, change: dict[str, Any], said: str
) -> None:
    """The form comes back as it was filled in, with what is wrong."""
    names = {
        "payer": demo.at(HARBOUR), "harbour": demo.at(HARBOUR), "measure": demo.at(MEASURE), "pine": demo.at(PINE),
        "core": demo.at(CORE, "approver"), "lotus": demo.at(LOTUS),
    }  # fmt: skip
    told = {
        name: [names.get(one, one) for one in value] if isinstance(value, list) else names.get(value, value)
        for name, value in change.items()
    }
    answer = act_as(HARBOUR).post("/entrusted/open", data=filled(demo, **told))
    assert answer.status_code in (403, 409, 422), answer.text[:500]
    assert said in answer.text
    assert "100 tonnes of steel" in answer.text or "purpose" in change
    assert 'name="sealed"' not in answer.text


def test_evidence_of_one_house_is_refused(demo: Installation, act_as: As) -> None:
    """Two seats of one organisation are one source."""
    seats = [demo.at(HARBOUR, "credit-officer"), demo.at(HARBOUR)]
    answer = act_as(HARBOUR).post("/entrusted/open", data=filled(demo, attestors=seats, approvers=[
        demo.at(CORE, "approver"), demo.at(FAIRWAY)]))  # fmt: skip
    assert answer.status_code == 422 and "two organisations" in answer.text


def test_a_payee_the_order_does_not_name_is_refused_by_its_rule(demo: Installation, act_as: As) -> None:
    """The papers of the order say who sells; another payee is not the contract's counterparty."""
    from scf.demo.steps import STEEL_ORDER

    change = {"s0_order": STEEL_ORDER, "s0_payee": demo.at(LOTUS), "contract": ""}
    answer = act_as(HARBOUR).post("/entrusted/open", data=filled(demo, **change))
    assert answer.status_code == 422 and "CN-LOAN-PAYEE" in answer.text


def test_stages_come_and_go_without_scripts_and_keep_what_was_filled_in(demo: Installation, act_as: As) -> None:
    more = act_as(HARBOUR).post("/entrusted/open", data=filled(demo, do="more")).text
    assert 'id="stage-3"' in more and "100 tonnes of steel" in more and 'value="40000.00"' in more
    less = act_as(HARBOUR).post("/entrusted/open", data=filled(demo, do="less")).text
    assert 'id="stage-2"' not in less and 'id="stage-1"' in less
    assert act_as(MEASURE).get("/entrusted/open").status_code == 403


def test_both_houses_open_an_account_over_the_api(demo: Installation, act_as: As) -> None:
    """Prepare, propose with one's own signature, read the other side's text, sign; one account, wrong hands refused."""
    lender, seller, stranger = (act_as(code) for code in (HARBOUR, PINE, LOTUS))
    stage = {
        "payee": demo.at(STEEL), "payee_account": firm(STEEL).account, "title_en": "Arrived", "title_zh": "到货",
        "needs": ["despatch", "arrival"], "deadline": demo.clock.now() + 20 * 86_400,
        "amount": {"minor": "500000", "currency": "CNY"},
    }  # fmt: skip
    body = {
        "payer": demo.at(HARBOUR), "beneficiary": demo.at(PINE), "bank": demo.at(CIVIC), "currency": "CNY",
        "account": "6200000000000000043", "purpose": "steel", "contract": "HT-1", "consent": "agreed",
        "amount": {"minor": "500001", "currency": "CNY"}, "stages": [stage],
        "attestors": [demo.at(FAIRWAY), demo.at(MEASURE)],
        "approvers": [demo.at(HARBOUR, "credit-officer"), demo.at(CORE, "approver")],
    }  # fmt: skip
    wrong = lender.post("/api/v1/acts/open/prepare", json=body).json()
    assert wrong["code"] == "stages_do_not_add_up" and wrong["money_moved"] == "no"
    body["amount"] = {"minor": "500000", "currency": "CNY"}
    message = lender.post("/api/v1/acts/open/prepare", json=body).json()["message"]
    key = {"Idempotency-Key": "open by api"}
    assert stranger.post("/api/v1/openings", json={"message": message, "demo": True}, headers=key).status_code == 403
    made = lender.post("/api/v1/openings", json={"message": message, "demo": True}, headers=key).json()
    path = f"/api/v1/openings/{made['id']}"
    assert made["state"] == "waiting" and [one["address"] for one in made["unsigned"]] == [demo.at(PINE)]
    assert stranger.get(path).status_code == stranger.post(f"{path}/sign", json={}, headers=key).status_code == 404
    assert "CNY 5,000.00" in " ".join(seller.get(path).json()["text"]["en"])
    forged = seller.post(f"{path}/sign", json={"signature": "0x" + "11" * 65}, headers=key)
    assert forged.status_code in (403, 422) and forged.json()["money_moved"] == "no"
    twice = [seller.post(f"{path}/sign", json={"demo": True}, headers=key).json() for _ in range(2)]
    assert twice[0]["state"] == "opened" and twice[0]["account"] == twice[1]["account"]
    late = lender.post(f"{path}/refuse", json={"reason": "changed our mind"}, headers=key)
    assert late.status_code == 409 and late.json()["code"] == "opening_over"
