"""A financier's own page of automatic prices: set by two people, tried on a sample, changed, ended; nobody else's."""

from __future__ import annotations

import re
from typing import Any

import pytest
from tests.api.conftest import As
from tests.api.installation import CORE, FARHILL, HARBOUR, LOTUS, Installation

from scf.demo.cast import CIVIC
from scf.kernel.clock import today
from scf.kernel.dates import day_of, next_day
from scf.receivables import queries


def filled(demo: Installation, **change: Any) -> dict[str, Any]:
    core = demo.at(CORE)
    form = {
        "bands": "3", "sizes": "1", "currency": "CNY", "least": "1000.00", "most": "2,000,000.00",
        "days0": "90", "rate0": "5.50", "days1": "180", "rate1": "6", "from0": "500000", "add0": "-0.10",
        "obligors": [core], f"limit_{core}": "3,000,000.00", f"plus_{core}": "0.25", "fee": "50", "fee_rate": "0.01",
        "paying_bank": demo.at(CIVIC), "until": next_day(today(demo.clock), 60).isoformat(), "sample_obligor": core,
    }  # fmt: skip
    return form | change


def test_a_policy_is_set_by_two_people_and_prices_what_the_sample_showed(demo: Installation, act_as: As) -> None:
    maker, checker, holder = act_as(HARBOUR), act_as(HARBOUR, "credit-officer"), act_as(LOTUS)
    note = demo.notes[LOTUS]
    with demo.app.reading() as session:
        due = day_of(queries.receivable(session, queries.note(session, note).receivable_id).maturity).isoformat()

    def in_force() -> list[str]:
        return re.findall(r'id="policy-(\d+)"', maker.get("/policies").text)

    before = in_force()
    sample = {"sample_amount": "100000.00", "sample_due": due}
    tried = maker.post("/policies", data=filled(demo, do="preview", **sample)).text.replace("\xa0", " ")
    shown = re.search(r"<dt>You receive</dt><dd>CNY ([\d,.]+)</dd>", tried)
    assert shown and "Nothing was set." in tried and 'value="5.50"' in tried
    assert in_force() == before, "a preview sets nothing"
    assert "second person of our firm" in maker.post("/policies", data=filled(demo, do="set")).text
    assert in_force() == before, "one person alone sets nothing"
    change = re.search(r'name="change" value="(CHG[^"]+)"', checker.get("/to-approve").text)
    assert change
    agreed = {"change": change.group(1), "decision": "approve"}
    assert maker.post("/to-approve/change", data=agreed).status_code != 200, "nobody agrees with themselves"
    assert checker.post("/to-approve/change", data=agreed).status_code == 200
    page = maker.get("/policies").text
    assert "in force" in page and "3,000,000.00" in page and "credit officer" in page
    figures = holder.get(f"/api/v1/notes/{note}/early?minor=10000000").json()["items"]
    mine = next(one for one in figures if one["financier"]["address"] == demo.at(HARBOUR))
    assert mine["price"]["net"]["text"] == shown.group(1).replace(",", ""), "the sample is the price, to the cent"

    (made,) = set(in_force()) - set(before)
    again = maker.get(f"/policies?policy={made}").text
    for kept in ('value="5.5"', 'value="2000000.00"', 'value="-0.1"', 'value="0.25"', "checked"):
        assert kept in again, kept
    assert "change_asked" not in again and act_as(FARHILL).get(f"/policies?policy={made}").status_code == 404
    assert act_as(FARHILL).post("/policies", data={"do": "end", "policy": made}).status_code == 404
    maker.post("/policies", data={"do": "end", "policy": made})
    change = re.search(r'name="change" value="(CHG[^"]+)"', checker.get("/to-approve").text)
    assert change
    checker.post("/to-approve/change", data={"change": change.group(1), "decision": "approve"})
    assert in_force() == before, "what it had taken the place of prices again"
    assert "Ended" in maker.get("/policies").text


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"rate0": "5.5x"}, "5.5x"),
        ({"days0": "", "days1": ""}, "Rate by days"),
        ({"days1": "30"}, "bands rise"),
        ({"least": "3000000.00"}, "smallest amount"),
        ({"obligors": []}, "Payers we buy"),
        ({"paying_bank": ""}, "Bank that pays out"),
        ({"until": "2020-01-01"}, "over already"),
        ({"until": "soon"}, "soon"),
        ({"fee": "1.005"}, "1.005"),
    ],
)
def test_terms_that_make_no_sense_come_back_with_what_is_wrong(
    demo: Installation, act_as: As, change: dict[str, Any], said: str
) -> None:
    answer = act_as(HARBOUR).post("/policies", data=filled(demo, do="set", **change))
    assert answer.status_code == 422 and said in answer.text
    with demo.app.reading() as session:
        waiting = demo.app.changes.of_firm(session, None, waiting=True)
    assert [row for row in waiting if row.kind == "set_quote_policy"] == []


@pytest.mark.parametrize(
    ("sample", "said"),
    [
        ({"sample_amount": "999.99"}, "smaller than our policy takes"),
        ({"sample_amount": "2000000.01"}, "larger than our policy takes"),
        ({"sample_amount": "1000", "sample_due": "2027-12-31"}, "longer than our policy goes"),
        ({"sample_amount": "1000", "sample_due": "2025-01-01"}, "due already"),
    ],
)
def test_a_sample_without_a_price_says_why(demo: Installation, act_as: As, sample: dict[str, str], said: str) -> None:
    assert said in act_as(HARBOUR).post("/policies", data=filled(demo, do="preview", **sample)).text


@pytest.mark.parametrize(("who", "status"), [(LOTUS, 403), (CORE, 403), ("civic", 403), ("audit", 200)])
def test_only_financiers_set_and_overseers_read(demo: Installation, act_as: As, who: str, status: int) -> None:
    client = act_as(who)
    assert client.get("/policies").status_code == status
    assert client.post("/policies", data=filled(demo, do="set")).status_code == 403
    assert 'name="do" value="set"' not in client.get("/policies").text


def test_rows_come_and_go_without_scripts(demo: Installation, act_as: As) -> None:
    more = act_as(HARBOUR).post("/policies", data=filled(demo, do="more_bands")).text
    assert 'name="days3"' in more and 'value="5.50"' in more
    assert 'name="days2"' not in act_as(HARBOUR).post("/policies", data=filled(demo, do="less_bands")).text


@pytest.mark.parametrize(
    ("face", "rate", "days", "fee", "discount", "net", "apr", "effective"),
    [
        ("1000000.00", "5.50", 60, "", "9,166.67", "990,833.33", "5.6280", "5.7620"),
        ("1000000.00", "5.50", 60, "1000", "9,166.67", "989,833.33", "6.2482", "6.4137"),
        ("1000000.00", "6", 180, "0", "30,000.00", "970,000.00", "6.2715", "6.3712"),
        ("100000.00", "3.85", 181, "50", "1,935.69", "98,014.31", "4.0854", "4.1275"),
    ],
)
def test_the_agreed_prices_stand_on_the_page_to_the_cent(
    demo: Installation, act_as: As, face: str, rate: str, days: int, fee: str, discount: str, net: str, apr: str,
    effective: str,
) -> None:  # fmt: skip
    """Discount, net, the yearly rate with all costs and the effective one, as a holder would read and sign them."""
    due = next_day(demo.app.financing.funding.usual_day(), days).isoformat()
    terms = {"days0": "200", "rate0": rate, "days1": "", "rate1": "", "from0": "", f"plus_{demo.at(CORE)}": ""}
    form = filled(demo, do="preview", **terms, fee=fee, fee_rate="", sample_amount=face, sample_due=due)
    page = act_as(HARBOUR).post("/policies", data=form).text.replace("\xa0", " ")
    shown = page[page.index('id="sample"') :]
    for said in (f"CNY {net}", f"CNY {discount}", f"{apr}%", f"{effective}%", f"{days} days"):
        assert said in shown, (said, shown[:1500])
