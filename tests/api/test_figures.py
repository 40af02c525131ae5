"""Figures as a reader of API and page gets them: the agreed prices to the cent, and the meter against plain SQL."""

from __future__ import annotations

import sqlite3
from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.api.test_refusals import API
from tests.financing.test_fairness import counted
from tests.installation import Installation

from scf.demo.cast import CIVIC, CORE, FARHILL, HARBOUR, LOTUS, PINE, RIVER
from scf.receivables.models import Financing
from scf.web.server import create_server

VECTORS = [
    (1_000_000_00, 55_000, 60, 0, "9166.67", "990833.33", "5.6280%", "5.7620%"),
    (1_000_000_00, 55_000, 60, 1_000_00, "9166.67", "989833.33", "6.2482%", "6.4137%"),
    (1_000_000_00, 60_000, 180, 0, "30000.00", "970000.00", "6.2715%", "6.3712%"),
    (100_000_00, 38_500, 181, 50_00, "1935.69", "98014.31", "4.0854%", "4.1275%"),
]


class Firms:
    """Signed-in clients of one installation; `post` sends under a key of its own."""

    def __init__(self, at: Installation) -> None:
        self.at, self._server, self._sent = at, create_server(at.app, reading_speed=1e9), 0
        self._clients: dict[str, TestClient] = {}

    def of(self, code: str) -> TestClient:
        if code not in self._clients:
            client = TestClient(self._server, headers={"Accept-Language": "en"})
            assert client.post(f"{API}/session", json={"address": self.at.who(code)}).status_code == 200
            self._clients[code] = client
        return self._clients[code]

    def post(self, code: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
        self._sent += 1
        key = f"{code} {self._sent}"
        answer = self.of(code).post(f"{API}/{path}", json=body, headers={"Idempotency-Key": key})
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def sold(self, seller: str, note: str, minor: int, rate: int, fee: int = 0) -> tuple[str, str]:
        """Ask, quote, open, take, register, complete, all over the API; returns (request, the financier's note)."""
        who = [self.at.who(HARBOUR), self.at.who(FARHILL)]
        asked = {"note": note, "amount": {"minor": str(minor), "currency": "CNY"}, "invited": who}
        ask = self.post(seller, "acts/ask", asked)["ask"]
        fees = [{"code": "handling", "payee": "Harbour", "amount": {"minor": str(fee), "currency": "CNY"}}]
        body = {"ask": ask, "financier": who[0], "rate_ppm": rate, "paying_bank": self.at.who(CIVIC)}
        self.post(HARBOUR, "acts/quote/demo", {**body, "fees": fees if fee else []})
        (firm_price,) = self.post(seller, f"asks/{ask}/open", {})["items"]
        sold = self.post(seller, "acts/accept_quote/demo", {"quote": firm_price["quote"]})["note"]
        number = self.post(HARBOUR, "acts/register", {"note": sold})["registration"]
        done = {"note": sold, "registration": number, "bank_reference": f"LINE {sold[-9:]}"}
        self.post(CIVIC, "acts/complete_financing/demo", done)
        return ask, sold


@pytest.fixture
def firms(installation: Installation) -> Firms:
    return Firms(installation)


def issued(at: Installation, number: str, face: int, days: int = 55, seller: str = LOTUS) -> str:
    trade = at.trade(number, face, seller=seller, due_days=days)
    request = at.request(trade, face, creditor=seller, days=days)
    note = str(at.submit(at.app.receivables.prepare_issue(request))["note"])
    at.submit(at.app.receivables.prepare_accept(note))
    return note


def test_the_agreed_prices_over_the_api_are_what_is_shown_and_charged(firms: Firms) -> None:
    at = firms.at
    for place, (face, rate, days, fee, discount, net, apr, effective) in enumerate(VECTORS):
        note = issued(at, f"INV-{place}", face, days + 1)  # paid on the next business day
        ask, sold = firms.sold(LOTUS, note, face, rate, fee)
        (mine,) = firms.of(HARBOUR).get(f"{API}/asks/{ask}").json()["own_quotes"]
        price = mine["price"]
        assert (price["days"], price["discount"]["text"], price["net"]["text"]) == (days, discount, net)
        assert (f"{price['apr_ppm'] / 10_000:.4f}%", f"{price['effective_ppm'] / 10_000:.4f}%") == (apr, effective)
        page = firms.of(HARBOUR).get(f"/notes/{sold}").text.replace("\u00a0", " ")
        assert apr in page and f"{int(net.split('.')[0]):,}.{net.split('.')[1]}" in page
        with at.app.reading() as session:
            charged = session.get_one(Financing, sold)
            assert (charged.net_minor, charged.apr_ppm) == (int(net.replace(".", "")), price["apr_ppm"])
            assert charged.discount_minor + charged.fees_minor + charged.net_minor == face == charged.amount_minor


def test_a_tier_of_three_firms_is_published_as_plain_sql_counts_it(firms: Firms) -> None:
    at = firms.at
    for place, (seller, rate) in enumerate(((LOTUS, 40_000), (PINE, 55_000), (RIVER, 71_000))):
        note = issued(at, f"INV-F{place}", 100_000_00, seller=seller)
        firms.sold(seller, note, 30_000_00 + place * 7_777_01, rate, 1_00 * (place + 1))
    path = str(at.app.engine.url.database)
    own = counted(path, at.who(CORE))
    base = sqlite3.connect(path)
    (financed,) = base.execute("SELECT sum(amount_minor) FROM book_financing WHERE completed_at IS NOT NULL").fetchone()
    base.close()
    stranger = TestClient(create_server(at.app, reading_speed=1e9), headers={"Accept-Language": "en"})
    (meter,) = stranger.get(f"{API}/fairness").json()["items"]
    assert list(own["apr"]) == [1], own  # type: ignore[call-overload]
    assert meter["apr_ppm_by_tier"] == {"1": own["apr"][1]} and meter["withheld_tiers"] == []  # type: ignore[index]
    assert int(meter["financed_by_tier"]["1"]["minor"]) == financed
    fees = sum(own["fees"].values())  # type: ignore[attr-defined]
    assert {size: int(sum_["minor"]) for size, sum_ in meter["fees_by_payer"].items()} == {"other": fees}
    assert (meter["offers"], meter["refused"]) == (own["offers"], own["refused"])
    table = stranger.get("/fairness.csv").text
    assert f"apr_ppm,1,{own['apr'][1]}" in table  # type: ignore[index]
    assert f"{own['apr'][1] / 10_000:.4f}" in stranger.get("/fairness").text  # type: ignore[index]
