"""Two people's work, limits, the fairness meter and notices over the API."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from tests.api.conftest import As
from tests.api.installation import LOTUS, Installation
from tests.api.test_refusals import API

from scf.demo.cast import seat_key
from scf.kernel.clock import Clock
from scf.ledger.signing import sign_digest
from scf.parties.keys import demo_key


def post(client: Any, path: str, body: dict[str, Any], key: str = "") -> Any:
    return client.post(f"{API}/{path}", json=body, headers={"Idempotency-Key": key or path[:90]})


def ask_change(client: Any, change: str, **body: Any) -> str:
    answer = post(client, "changes", {"kind": change, "body": body}, key=f"ask {change} {body}"[:90])
    assert answer.status_code == 200, answer.text
    return str(answer.json()["id"])


def test_a_limit_is_asked_by_two_people_of_its_firm_and_signed_by_two_operators(demo: Installation, act_as: As) -> None:
    account, officer, other = act_as("harbour"), act_as("harbour", "credit-officer"), act_as("farhill")
    wanted = {"kind": "financier", "subject": demo.at("harbour"), "currency": "CNY", "limit_minor": 900_000_000_00}
    first = ask_change(account, "set_limit", **wanted)
    assert ask_change(account, "set_limit", **wanted) == first, "asked twice is asked once"
    shown = account.get(f"{API}/approvals/{first}").json()
    assert shown["state"] == "waiting" and not shown["may_decide"] and "900,000,000.00" in shown["summary"]["en"]
    assert officer.get(f"{API}/approvals/{first}").json()["may_decide"]
    assert other.get(f"{API}/approvals/{first}").status_code == 404
    assert first not in other.get(f"{API}/approvals").text
    alone = post(account, f"approvals/{first}/approve", {})
    assert (alone.status_code, alone.json()["code"]) == (403, "same_person")
    assert post(other, f"approvals/{first}/approve", {}).status_code == 404
    assert post(other, "changes", {"kind": "set_limit", "body": wanted}).json()["code"] == "not_of_firm"
    done = post(officer, f"approvals/{first}/approve", {})
    assert done.json()["state"] == "done", done.text
    asked = [one for one in account.get(f"{API}/limits/changes").json()["items"] if one["state"] == "open"]
    assert len(asked) == 1 and "Two operators" in asked[0]["turn"]["en"] and "typed_data" not in asked[0]
    assert other.get(f"{API}/limits/changes").json()["items"] == []
    place, operators = f"limits/changes/{asked[0]['id']}/sign", [act_as("operator", f"operator-{n}") for n in (1, 2)]
    assert post(account, place, {"demo": True}).status_code == 403
    assert post(operators[0], place, {"demo": True}, key="one").json()["state"] == "open"
    assert post(operators[0], place, {"demo": True}, key="again").json()["code"] == "same_operator"
    assert not [one for one in account.get(f"{API}/limits").json()["items"] if one["kind"] == "financier"]
    set_ = post(operators[1], place, {"demo": True}, key="two").json()
    assert (set_["state"], set_["transaction"][:2]) == ("done", "0x")
    assert post(operators[1], place, {"demo": True}, key="three").json()["code"] == "limit_act_over"
    view = next(one for one in account.get(f"{API}/limits").json()["items"] if one["kind"] == "financier")
    assert view["limit"]["text"] == "900000000.00"
    used, free = int(view["used"]["minor"]), int(view["free"]["minor"])
    assert used > 0 and used + free == 900_000_000_00


def test_a_change_of_what_was_changed_in_between_is_refused(demo: Installation, act_as: As) -> None:
    account, officer = act_as("harbour"), act_as("harbour", "credit-officer")
    mine = {"kind": "financier", "subject": demo.at("harbour"), "currency": "USD"}
    stale = ask_change(account, "set_limit", **mine, limit_minor=1_000_00)
    fresh = ask_change(account, "set_limit", **mine, limit_minor=2_000_00)
    assert post(officer, f"approvals/{fresh}/approve", {}).json()["state"] == "done"
    late = post(officer, f"approvals/{stale}/approve", {})
    assert (late.status_code, late.json()["code"]) == (409, "change_stale")
    silent = officer.post(f"{API}/approvals/{stale}/send-back", json={"reason": " "})
    assert silent.json()["code"] == "reason_missing"
    back = officer.post(f"{API}/approvals/{stale}/send-back", json={"reason": "above what the board allows"})
    assert (back.json()["state"], back.json()["reason"]) == ("rejected", "above what the board allows")
    assert post(officer, f"approvals/{stale}/approve", {}, key="again").json()["code"] == "pending_act_over"


def test_a_firm_that_wants_two_people_sends_nothing_by_one(demo: Installation, act_as: As) -> None:
    """A financier asks for two people on every quote: one signature is refused, two persons' work arrives."""
    account, officer = act_as("farhill"), act_as("harbour", "credit-officer")
    assert officer.get(f"{API}/me").json()["name"] != account.get(f"{API}/me").json()["name"]
    account, body = act_as("harbour"), {"ask": demo.ask, "financier": demo.at("harbour"), "rate_ppm": 48_000}
    body["paying_bank"] = demo.at("civic")
    two = ask_change(account, "set_two_people", account=demo.at("harbour"), act="quote", from_minor=0)
    later = {"kind": "set_two_people", "body": {"account": demo.at("harbour"), "act": "quote", "from_minor": 10**15}}
    assert post(account, "changes", later).json()["code"] == "two_people_amount"
    assert post(officer, f"approvals/{two}/approve", {}).json()["state"] == "done"
    until = _now(demo.app.clock) + 86_400 * 30
    given = ask_change(
        account,
        "delegate",
        person=demo.at("harbour", "credit-officer"),
        act="quote",
        limit_minor=10_000_000_00,
        valid_until=until,
    )
    assert post(officer, f"approvals/{given}/approve", {}).json()["state"] == "done"

    alone = post(account, "acts/quote/demo", body, key="quote alone")
    assert (alone.status_code, alone.json()["code"]) == (403, "second_person_needed"), alone.text
    prepared = account.post(f"{API}/acts/quote/prepare", json=body).json()
    signature = sign_digest(seat_key("harbour").private, bytes.fromhex(prepared["digest"][2:])).hex()
    proposal = {"act": "quote", "body": body, "message": prepared["message"], "signature": signature}
    dearer = {**proposal, "body": {**body, "rate_ppm": 49_000}}
    assert post(account, "approvals", dearer, key="dearer").json()["code"] == "proposal_differs"
    waiting = post(account, "approvals", proposal).json()
    assert waiting["id"] == prepared["digest"] and waiting["summary"] == prepared["summary"]
    assert post(account, f"approvals/{waiting['id']}/approve", {"demo": True}).json()["code"] == "same_person"
    done = post(officer, f"approvals/{waiting['id']}/approve", {"demo": True}, key="check quote")
    assert done.status_code == 200, done.text
    assert done.json()["state"] == "done" and done.json()["reply"]["quote"]
    again = post(officer, f"approvals/{waiting['id']}/approve", {"demo": True}, key="2").json()
    assert again["reply"] == done.json()["reply"]
    back = ask_change(account, "set_two_people", account=demo.at("harbour"), act="quote", from_minor=500_000_000)
    assert post(officer, f"approvals/{back}/approve", {}).json()["state"] == "done"


def test_the_fairness_meter_is_open_to_anyone(demo: Installation, act_as: As) -> None:
    items = act_as().get(f"{API}/fairness").json()["items"]
    meter = next(one for one in items if "Northbridge" in one["obligor"])
    assert meter["receivables"] >= 1 and meter["face"]["currency"] == "CNY"
    assert meter["apr_ppm_by_tier"] == {} and meter["withheld_tiers"], "one seller's own price is not said"
    assert meter["smallest_cell"] == 3 and meter["fees_by_payer"] == {}
    page = act_as().get("/fairness")
    assert page.status_code == 200 and "Northbridge" in page.text and "Lotus" not in page.text
    assert "Too few firms" in page.text and "fairness.csv" in page.text
    table = act_as().get("/fairness.csv").text
    assert f"refused,,{meter['refused']}" in table and "withheld" in table
    assert "Lotus" not in act_as().get(f"{API}/fairness").text, "no supplier is named"


def test_a_notice_has_its_proof_and_is_read_by_its_own_firm_alone(demo: Installation, act_as: As) -> None:
    lotus, pine = act_as(LOTUS), act_as("pine")
    with demo.app.desk.session() as session:
        words = {"en": "Due soon.", "zh-CN": "即将到期。"}
        demo.app.notices.tell(session, "due:9:1", demo.at(LOTUS), "reminder", words, evidence_id="ab" * 32)
    (item,) = [one for one in lotus.get(f"{API}/notices?unread=true").json()["items"] if one["key"] == "due:9:1"]
    assert item["proof"] == f"/proof/evidence/{'ab' * 32}" and item["read_at"] is None
    assert "due:9:1" not in pine.get(f"{API}/notices").text
    assert pine.post(f"{API}/notices/due:9:1/read").status_code == 404
    assert lotus.post(f"{API}/notices/due:9:1/read").status_code == 200
    assert "due:9:1" not in lotus.get(f"{API}/notices?unread=true").text


def test_the_slider_shows_what_gets_signed(demo: Installation, act_as: As) -> None:
    note = demo.notes[LOTUS]
    lotus, pine = act_as(LOTUS), act_as("pine")
    seen = lotus.get(f"{API}/notes/{note}/early?minor=5000000").json()
    assert [one["refusal"] for one in seen["items"]] == [None, None]
    assert seen["beside"]["wait"]["amount"]["minor"] == "5000000"
    assert seen["beside"]["by_law"]["rule"] == "CN-802-09-LARGE"
    assert pine.get(f"{API}/notes/{note}/early").status_code == 404
    body = {"amount": {"minor": "5000000", "currency": "CNY"}}
    assert post(pine, f"notes/{note}/early", body, key="not mine").status_code == 404
    firm = post(lotus, f"notes/{note}/early", body, key="early").json()
    assert [one["price"]["net"] for one in firm["items"]] == [one["price"]["net"] for one in seen["items"]]
    stood = lotus.get(f"{API}/asks/{firm['ask']}").json()
    assert stood["answered"] == 2 and not stood["opened"] and "net" not in lotus.get(f"{API}/asks").text
    assert post(act_as("harbour"), f"asks/{firm['ask']}/open", {}, key="open").json()["code"] == "not_the_asker"
    opened = post(lotus, f"asks/{firm['ask']}/open", {}, key="open").json()
    assert [one["quote"] for one in opened["items"]] == [one["quote"] for one in firm["items"]]
    others = act_as("farhill").get(f"{API}/asks/{firm['ask']}").json()
    assert len(others["own_quotes"]) == 1 and others["answered"] is None and len(others["invited"]) == 1


def test_another_day_of_payment_is_another_price_and_the_one_shown_is_signed(demo: Installation, act_as: As) -> None:
    note, lotus = demo.notes[LOTUS], act_as(LOTUS)
    first = lotus.get(f"{API}/notes/{note}/early?minor=4000000").json()["items"]
    later = (date.fromisoformat(first[0]["price"]["funded_on"]) + timedelta(days=1)).isoformat()
    shown = lotus.get(f"{API}/notes/{note}/early?minor=4000000&funded_on={later}").json()["items"]
    assert shown[0]["price"]["funded_on"] == later
    assert int(shown[0]["price"]["net"]["minor"]) > int(first[0]["price"]["net"]["minor"])
    body = {"amount": {"minor": "4000000", "currency": "CNY"}, "funded_on": later}
    firm = post(lotus, f"notes/{note}/early", body, key="later").json()
    assert [one["price"] for one in firm["items"]] == [one["price"] for one in shown]
    past = {**body, "funded_on": "2020-01-01"}
    refused = post(lotus, f"notes/{note}/early", past, key="past")
    assert (refused.status_code, refused.json()["code"]) == (422, "funding_day_not_offered")


def test_only_those_a_hold_concerns_appeal_and_only_operators_file_orders(demo: Installation, act_as: As) -> None:
    for one in act_as("pine").get(f"{API}/holds").json()["items"]:
        assert one["reason"]["en"] and one["owner"]["zh-CN"] and one["decide_by"] and one["may_appeal"]
    stranger = post(act_as(LOTUS), "holds/dispute:99:0/appeal", {"words": "mine"}, key="appeal")
    assert (stranger.status_code, stranger.json()["code"]) == (404, "unknown_hold")
    order = {"words": "Case 1", "authority": "Court", "binds_until": 1_900_000_000}
    assert post(act_as(LOTUS), "holds/orders", order, key="order").json()["code"] == "role_needed_to_hold"
    filed = post(act_as("operator", "operator-1"), "holds/orders", order, key="order").json()
    assert filed["reason"].startswith("0x") and filed["evidence"]


def test_only_operators_end_holds_and_only_those_concerned_read_of_it(demo: Installation, act_as: As) -> None:
    app, clock = demo.app, demo.app.clock
    with app.desk.session() as session:
        paper = app.holds.file_order(
            session, "Case L", authority="Court", binds_until=clock.now() + 9, by=act_as_address(demo)
        ).evidence_id
    body = {"words": "half each", "evidence": paper, "to_release": {"minor": "50", "currency": "CNY"}}
    first, second = (act_as("operator", f"operator-{n}") for n in (1, 2))
    refused = post(act_as("pine"), "holds/dispute:1:0/lift", body, key="lift 0")
    assert refused.status_code == 403, refused.text
    assert post(first, "holds/dispute:99:0/lift", body, key="lift 1").json()["code"] == "unknown_hold"
    assert post(first, "lifts/LFT0/sign", {"demo": True}, key="sign 1").json()["code"] == "unknown_lift"
    assert post(act_as("pine"), "lifts/LFT0/sign", {"demo": True}, key="sign 2").status_code == 403
    assert second.get(f"{API}/lifts").json()["items"] == []


def act_as_address(demo: Installation) -> str:
    return demo_key("operator-1").address


def _now(clock: Clock) -> int:
    return clock.now()
