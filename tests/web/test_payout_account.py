"""A firm says where its money goes: on its own page, in its own name, and nobody changes it behind its back."""

from __future__ import annotations

import html
from types import SimpleNamespace
from typing import cast

import pytest
from sqlmodel import select
from starlette.testclient import TestClient
from tests.api.conftest import As
from tests.api.installation import CORE, HARBOUR, LOTUS, PINE, RIVER, STONE, Installation
from tests.web.test_join import ANSWERS, VILLAGE, invite

from scf.bank import orders
from scf.bank import service as bank
from scf.bank.gateway import Gateway
from scf.bank.models import BankAccount
from scf.bank.payees import WAIT_SECONDS, bank_of, check_bank, check_number, paid_on
from scf.kernel.clock import today
from scf.kernel.problems import Problem
from scf.standards import pain

PATH, API = "/payout-account", "/api/v1/payout-account"
FIRST, SECOND = "6222 0211 0000 1234 5678", "6222 0211 0000 8765 4321"
CNAPS, BIC = "102290002345", "BUKBGB22"


@pytest.fixture(scope="module")
def village(demo: Installation, act_as: As) -> TestClient:
    """A firm on its phone that joined just now: no bank ever said anything of it."""
    phone = act_as(language="zh-CN")
    page = phone.post(invite(demo, act_as(LOTUS), "90.00"), data={"uscc": VILLAGE, **ANSWERS})
    assert page.url.path == "/act/accept", page.text
    return phone


def test_a_new_firm_says_where_its_money_goes_and_changes_it_only_after_two_days(
    demo: Installation, village: TestClient
) -> None:
    page = village.get(PATH).text
    assert "尚未登记收款账户" in page and f'value="{ANSWERS["name"]}"' in page and "<script>" not in page
    said = {"holder": ANSWERS["name"], "number": FIRST, "bank": CNAPS}
    kept = village.post(PATH, data=said).text
    assert "今后款项付至该账户" in kept and "62220211000012345678" in kept
    me = village.get("/api/v1/me").json()["address"]

    def pays() -> str:
        with demo.app.reading() as session:
            found = paid_on(session, demo.app.parties, me, "CNY", demo.clock.now())
            assert found is not None and bank_of(session, found.number) == CNAPS and found.bic is None
            return found.number[-4:]

    assert pays() == "5678"
    assert "两天后" in village.post(PATH, data={**said, "number": SECOND}).text
    assert pays() == "5678" and "待生效" in village.get(PATH).text
    assert "…4321" in village.get("/notices").text
    waiting = village.get(API).json()["waiting"]
    assert "仍付至原账户" in village.post(f"{PATH}/{waiting['id']}/stop").text
    demo.clock.advance(seconds=WAIT_SECONDS + 1)
    assert pays() == "5678"
    village.post(PATH, data={**said, "number": SECOND})
    assert pays() == "5678"
    demo.clock.advance(seconds=WAIT_SECONDS + 1)
    assert pays() == "4321"
    late = village.post(f"{API}/{waiting['id']}/stop")
    assert late.status_code == 409 and late.json()["code"] == "payout_not_waiting"


def test_an_order_to_a_stated_account_names_its_bank(demo: Installation, act_as: As) -> None:
    stone = act_as(STONE)
    said = {"holder": stone.get("/api/v1/me").json()["name"], "number": "6222021100003333", "bank": CNAPS}
    assert stone.post(API, json=said).status_code == 200
    files: list[bytes] = []
    with demo.app.desk.session() as session:
        payer = session.exec(select(BankAccount).where(BankAccount.purpose == "repayment")).one()
        bank.instruct_payment(
            session,
            end_to_end_id="TOSTONE1",
            debtor_account=payer.number,
            creditor_account=said["number"],
            creditor=said["holder"],
            amount_minor=100,
            currency="CNY",
            execute_on=today(demo.clock),
            now=demo.clock.now(),
        )
        house = payer.bank
    gateway = SimpleNamespace(bank=house, instruct=lambda name, raw: files.append(raw))
    orders.send(demo.app.engine, cast("Gateway", gateway), demo.clock)
    sent = [one for raw in files for one in pain.read_001(raw).instructions if one.end_to_end_id == "TOSTONE1"]
    assert [one.creditor_agent for one in sent] == [CNAPS]


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("number", "12", "is not an account number"),
        ("number", "GB34 BUKB 2020 1555 5555 55", "check digits"),
        ("number", "GB33 BUKB 2020 1555 5555 55", "goes with the BIC"),
        ("bank", "1022900", "neither a BIC"),
        ("holder", "Somebody Else Ltd", "must be held by"),
    ],
)
def test_what_is_wrong_is_said_beside_the_form_and_changes_nothing(
    act_as: As, field: str, value: str, said: str
) -> None:
    river = act_as(RIVER)
    name = river.get("/api/v1/me").json()["name"]
    before = river.get(API).json()
    page = river.post(PATH, data={"holder": name, "number": FIRST, "bank": CNAPS, field: value})
    assert page.status_code == 422 and said in html.unescape(page.text)
    assert html.escape(value) in page.text, "what was typed stays"
    assert river.get(API).json() == before


def test_nobody_is_paid_on_the_account_of_another(demo: Installation, act_as: As) -> None:
    """Neither the repayment account, nor one a bank names somebody else on, nor one another firm stated."""
    pine, other = act_as(PINE), act_as(LOTUS).get(API).json()["account"]
    name = pine.get("/api/v1/me").json()["name"]
    taken = pine.post(API, json={"holder": name, "number": other["number"], "bank": BIC})
    assert taken.status_code == 409 and taken.json()["code"] == "payout_account_taken"


def test_a_firm_of_several_people_states_it_by_two(demo: Installation, act_as: As) -> None:
    maker, checker = act_as(CORE, "maker"), act_as(CORE, "checker")
    name, before = maker.get("/api/v1/me").json()["name"], maker.get(API).json()
    assert before["two_people"]
    page = maker.post(PATH, data={"holder": name, "number": "6222 0211 0000 1111 2222", "bank": CNAPS}).text
    assert "It holds once a second person" in page and "62220211000011112222" in page
    assert maker.get(API).json() == before, "proposed, not stated"
    change = checker.get("/api/v1/approvals?waiting=true").json()["items"][0]
    own = maker.post(f"/api/v1/approvals/{change['id']}/approve", json={}, headers={"Idempotency-Key": "own-word"})
    assert own.json()["code"] == "same_person" and maker.get(API).json() == before
    assert "62220211000011112222" in checker.get("/to-approve").text
    agreed = checker.post("/to-approve/change", data={"change": change["id"], "decision": "approve"})
    assert agreed.status_code == 200, agreed.text
    after = maker.get(API).json()
    assert "62220211000011112222" in ((after["waiting"] or after["account"])["number"],)


def test_the_bank_of_a_sale_reads_where_to_pay_and_strangers_do_not(demo: Installation, act_as: As) -> None:
    path = f"/api/v1/notes/{demo.financed}/payee"
    assert act_as(HARBOUR).get(path).json()["account"] == act_as(PINE).get(API).json()["account"]
    assert act_as(RIVER).get(path).status_code == 404


def test_numbers_as_people_write_them() -> None:
    assert check_number("６２２２ 0211-0000 1234") == "6222021100001234"
    assert check_number("gb33 bukb 2020 1555 5555 55") == "GB33BUKB20201555555555"
    assert check_bank(" bukbgb22 ", "GB33BUKB20201555555555") == "BUKBGB22"
    with pytest.raises(Problem, match="is not an account number"):
        check_number("=HYPERLINK(1)")
