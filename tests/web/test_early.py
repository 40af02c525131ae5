"""Money early on the pages: any amount, firm figures, and what is shown is what is signed."""

from __future__ import annotations

import html
import json
import re
from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import select
from tests.api.conftest import As
from tests.api.installation import LOTUS, PINE, STONE, Installation

from scf.financing.models import QuoteOffer
from scf.kernel.clock import today
from scf.kernel.money import format_money, parse_minor
from scf.receivables.models import Financing


def fields(form: str) -> dict[str, str]:
    """Hidden fields of the first form that takes a price."""
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', form))


def offers(page: str) -> list[dict[str, str]]:
    """The forms with which a price is taken, best first."""
    forms = re.findall(r'<form method="post" action="/early">(.*?)</form>', page, re.S)
    return [fields(form) for form in forms]


def confirm(client: Any, page: str) -> Any:
    sealed = re.search(r'name="sealed" value="([^"]+)"', page)
    assert sealed, page[:2000]
    return client.post("/confirm", data={"sealed": sealed.group(1), **{f"clause_{n}": "yes" for n in range(3)}})


@pytest.mark.parametrize("text", ["1,234.56", "20000", "7777.77"])
def test_the_figure_shown_is_the_figure_signed_and_charged(text: str, demo: Installation, act_as: As) -> None:
    """From home in three presses, without a script: see the price, take it, confirm it."""
    lotus = act_as(LOTUS)
    home = lotus.get("/").text
    assert f"/early?note={demo.notes[LOTUS]}" in home
    page = lotus.get("/early", params={"note": demo.notes[LOTUS], "amount": text}).text
    shown = offers(page)
    assert len(shown) == 2
    nets = [int(one["net"]) for one in shown]
    assert nets == sorted(nets, reverse=True)
    assert format_money(nets[0], "CNY") in page.replace("\u00a0", " ")
    confirming = lotus.post("/early", data=shown[0])
    assert confirming.url.path == "/act/accept_quote"
    assert format_money(nets[0], "CNY") in confirming.text.replace("\u00a0", " ")
    done = confirm(lotus, confirming.text)
    note = done.url.path.removeprefix("/notes/")
    with demo.app.reading() as session:
        charged = session.get(Financing, note)
        assert charged is not None
        offer = session.exec(select(QuoteOffer).where(QuoteOffer.quote_hash == charged.quote_hash)).one()
    assert charged.net_minor == nets[0] == json.loads(offer.price)["net_minor"]
    assert charged.amount_minor == parse_minor(text, "CNY")
    assert charged.discount_minor + charged.fees_minor + charged.net_minor == charged.amount_minor


def test_later_money_costs_less_and_is_signed_for_its_day(demo: Installation, act_as: As) -> None:
    lotus = act_as(LOTUS)
    now = today(demo.app.clock)
    asked = {"note": demo.notes[LOTUS], "amount": "50000"}
    page = lotus.get("/early", params=asked).text
    assert f'name="on" value="{now + timedelta(days=1)}"' in page
    later = lotus.get("/early", params={**asked, "on": (now + timedelta(days=2)).isoformat()}).text
    first, last = offers(page)[0], offers(later)[0]
    assert int(last["net"]) > int(first["net"])
    taken = lotus.post("/early", data=last)
    quote = str(taken.url.params["quote"])
    with demo.app.reading() as session:
        offer = session.get(QuoteOffer, quote)
        assert offer is not None
    assert json.loads(offer.price)["funded_on"] == (now + timedelta(days=2)).isoformat()
    for day in ((now + timedelta(days=3)).isoformat(), (now - timedelta(days=1)).isoformat(), "soon"):
        refused = lotus.get("/early", params={**asked, "on": day})
        assert refused.status_code == 422 and "No money moved" in refused.text
        assert 'action="/early"' in refused.text and not offers(refused.text)


def test_a_price_that_is_not_the_shown_one_is_not_taken(demo: Installation, act_as: As) -> None:
    lotus = act_as(LOTUS)
    best = offers(lotus.get("/early", params={"note": demo.notes[LOTUS], "amount": "30000"}).text)[0]
    for change in ({"net": str(int(best["net"]) + 1)}, {"amount": "30000.01"}, {"financier": demo.at("civic")}):
        answer = lotus.post("/early", data={**best, **change})
        assert answer.status_code == 409 and "not the one you were shown" in answer.text
        assert offers(answer.text), "the prices of now stand below"


@pytest.mark.parametrize("amount", ["0", "99999999", "-5", "1.234", "ten"])
def test_an_amount_the_note_does_not_carry_is_a_sentence_beside_the_field(
    amount: str, demo: Installation, act_as: As
) -> None:
    answer = act_as(LOTUS).get("/early", params={"note": demo.notes[LOTUS], "amount": amount})
    assert answer.status_code == 422 and "No money moved" in answer.text and f'value="{amount}"' in answer.text


def test_what_no_policy_takes_is_asked_by_hand_and_waiting_and_law_stand_beside(demo: Installation, act_as: As) -> None:
    page = act_as(LOTUS).get("/early", params={"note": demo.notes[LOTUS], "amount": "10"}).text
    assert not offers(page) and "this amount is too small for it" in page
    assert 'action="/act/ask"' in page and "Wait until maturity" in page and "Cash under the payment-term law" in page


def test_nobody_prices_the_note_of_another(demo: Installation, act_as: As) -> None:
    stone = act_as(STONE)
    assert stone.get("/early", params={"note": demo.notes[LOTUS]}).status_code in (403, 404, 409, 422)
    best = offers(act_as(LOTUS).get("/early", params={"note": demo.notes[LOTUS]}).text)[0]
    answer = stone.post("/early", data=best)
    assert answer.status_code >= 400 and "No money moved" in answer.text


def test_every_record_says_whose_turn_it_is_and_since_when(demo: Installation, act_as: As) -> None:
    day = r"20\d\d-\d\d-\d\d"
    for code, path in ((LOTUS, f"/receivables/{demo.receivable}"), (STONE, f"/notes/{demo.offered}"), (PINE, "/")):
        for language, words in (("en", "since|offered on|accepted on"), ("zh-CN", "自|起|已签收")):
            page = act_as(code, language=language).get(path).text
            turns = re.findall(r'<p class="turn">(.*?)</p>|<p>([^<]*(?:has to pay|应于)[^<]*)</p>', page)
            said = [" ".join(turn) for turn in turns]
            assert any(re.search(day, one) and re.search(words, one) for one in said), (path, language)


def test_a_request_whose_prices_ran_out_can_be_made_again(demo: Installation) -> None:
    from scf.financing import sealing

    app, lotus = demo.app, demo.at(LOTUS)
    invited = (demo.at("harbour"), demo.at("farhill"))
    with app.desk.session() as session:
        first = app.financing.ask(session, demo.notes[LOTUS], 44_00, invited).id
        again = app.financing.ask(session, demo.notes[LOTUS], 44_00, invited).id
    assert first == again
    prepared, figures = app.financing.prepare_quote(first, invited[0], rate_ppm=50_000, paying_bank=demo.at("civic"))
    app.financing.submit_quote(first, prepared.message, demo.story.play.sign(prepared)[0], figures)
    with app.desk.session() as session:
        sealing.open_quotes(session, first, lotus, app.clock.now())
        assert app.financing.ask(session, demo.notes[LOTUS], 44_00, invited).id == first, "a price still stands"
        offer = session.get(QuoteOffer, "0x" + prepared_hash(app, prepared))
        assert offer is not None
        offer.expires_at = app.clock.now()
        session.add(offer)
        session.flush()
        assert app.financing.ask(session, demo.notes[LOTUS], 44_00, invited).id != first


def prepared_hash(app: Any, prepared: Any) -> str:
    """Under which a signed quote is kept."""
    from scf.ledger.intents import struct_hash

    return struct_hash("Receivables", "Quote", prepared.message).hex()


def test_before_a_price_is_taken_the_page_says_what_follows_if_the_payer_fails(demo: Installation, act_as: As) -> None:
    """On the page that is confirmed, on the note and in the API: the same sentences, of this very price."""
    lotus, note = act_as(LOTUS), demo.notes[LOTUS]
    confirming = lotus.post("/early", data=offers(lotus.get("/early", params={"note": note, "amount": "4321"}).text)[0])
    assert confirming.url.path == "/act/accept_quote"
    assert "If the payer fails" in confirming.text and "Worst case: you lose" in confirming.text
    quote = confirming.url.params["quote"]
    told = lotus.get(f"/api/v1/notes/{note}/if-obligor-fails", params={"quote": quote}).json()
    now = lotus.get(f"/api/v1/notes/{note}/if-obligor-fails").json()
    for step in told["steps"]:
        assert step["words"]["en"] in html.unescape(confirming.text)
    assert told["words"]["en"] in html.unescape(confirming.text)
    assert now["words"]["en"] in html.unescape(lotus.get(f"/notes/{note}").text)
    assert int(told["not_received"]["minor"]) == int(now["not_received"]["minor"]) - 432_100
    lotus.headers["Accept-Language"] = "zh-CN"
    assert now["words"]["zh-CN"] in html.unescape(lotus.get(f"/notes/{note}").text)
    assert act_as(PINE).get(f"/api/v1/notes/{note}/if-obligor-fails", params={"quote": quote}).status_code == 404
    other = lotus.get(f"/api/v1/notes/{note}/if-obligor-fails", params={"quote": "0x" + "12" * 32})
    assert other.json()["code"] == "unknown_quote"


def test_before_a_note_is_accepted_the_page_says_what_follows_if_the_payer_fails(
    demo: Installation, act_as: As
) -> None:
    stone = act_as(STONE)
    for path in (f"/act/accept?note={demo.offered}", f"/notes/{demo.offered}"):
        page = html.unescape(stone.get(path).text)
        assert "If the payer fails" in page and "no one else pays in its place" in page and "Worst case" in page
    assert "If the payer fails" not in act_as("core").get(f"/notes/{demo.notes[LOTUS]}").text
