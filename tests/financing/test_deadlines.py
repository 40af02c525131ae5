"""Each deadline of a sale missed, one by one: the way back, who is told, and that the note can be sold again."""

from __future__ import annotations

from typing import Any

import pytest
from sqlmodel import Session, select
from tests.financing.scene import FACE, Scene
from tests.installation import Installation

from scf.bank import service as bank
from scf.demo.bankside import CNY
from scf.demo.cast import CIVIC, FARHILL, HARBOUR, LOTUS, firm
from scf.financing import sealing
from scf.financing.declining import decline, refusals_of
from scf.financing.models import QuoteOffer, Registration, RegistrationEnd
from scf.financing.registry import registration_of
from scf.jobs.models import Notice
from scf.kernel.clock import today
from scf.kernel.problems import Problem
from scf.receivables import queries


@pytest.fixture
def scene(installation: Installation) -> Scene:
    return Scene(installation)


def asked(scene: Scene, note: str) -> str:
    with scene.app.desk.session() as session:
        return scene.app.financing.ask(session, note, FACE, [scene.at.who(HARBOUR), scene.at.who(FARHILL)]).id


def quoted(scene: Scene, ask: str, financier: str = HARBOUR) -> str:
    app, at = scene.app, scene.at
    quote, figures = app.financing.prepare_quote(ask, at.who(financier), rate_ppm=60_000, paying_bank=at.who(CIVIC))
    return app.financing.submit_quote(ask, quote.message, at.sign(quote)[0], figures).quote_hash


def taken(scene: Scene, quote: str) -> str:
    accept = scene.app.financing.prepare_accept_quote(quote)
    signed = scene.at.sign(accept)[0]
    return str(scene.app.financing.accept_quote(accept.message, signed, key=quote, caller="t")["note"])


def registered(scene: Scene, note: str) -> str:
    with scene.app.desk.session() as session:
        return scene.app.financing.register(session, note)


def completed(scene: Scene, note: str, number: str) -> None:
    done = scene.app.financing.prepare_complete(note, number, f"LINE {number}")
    scene.app.financing.complete(done.message, scene.at.sign(done)[0], key=f"done {note}", caller="t")


def told(scene: Scene, code: str, kind: str) -> list[Notice]:
    with scene.app.reading() as session:
        return [one for one in scene.app.notices.of(session, scene.at.who(code)) if one.kind == kind]


def lock_ends(scene: Scene, note: str) -> None:
    with scene.app.reading() as session:
        until = scene.app.financing.financing(session, note).lock_until
    scene.at.clock.move_to(until)
    scene.app.jobs._lapse("")


def back_with_its_holder(scene: Scene, note: str, sold: str) -> None:
    """The whole value is the seller's again, all three are told once, and another financier can buy it."""
    with scene.app.reading() as session:
        assert queries.note(session, note).amount_minor == FACE
        assert (queries.note(session, sold).amount_minor, queries.note(session, sold).state) == (0, "returned")
    for code in (LOTUS, HARBOUR, CIVIC):
        (notice,) = told(scene, code, "lapsed")
        assert notice.transaction_hash and notice.en != notice.zh
    again = taken(scene, quoted(scene, asked(scene, note), FARHILL))
    number = registered(scene, again)
    completed(scene, again, number)
    with scene.app.reading() as session:
        assert queries.note(session, again).holder == scene.at.who(FARHILL)
        assert registration_of(session, again) == number
        live = set(session.exec(select(Registration.number))) - set(session.exec(select(RegistrationEnd.number)))
    assert live == {number}, "one live entry a claim"
    assert scene.conserved(1)


def test_nobody_quotes_and_the_holder_asks_anew(scene: Scene) -> None:
    _, note = scene.issued()
    ask = asked(scene, note)
    assert asked(scene, note) == ask
    scene.at.clock.advance(seconds=sealing.ASK_OPEN_SECONDS + 1)
    scene.at.refused("ask_over", lambda: quoted(scene, ask))
    assert asked(scene, note) != ask


def test_a_quote_runs_out_and_the_note_was_never_locked(scene: Scene) -> None:
    _, note = scene.issued()
    quote = quoted(scene, asked(scene, note))
    with scene.app.reading() as session:
        ends = session.get_one(QuoteOffer, quote).expires_at
    scene.at.clock.move_to(ends + 1)
    scene.at.refused("ledger_receivables_quote_expired", lambda: taken(scene, quote))
    with scene.app.reading() as session:
        assert queries.note(session, note).amount_minor == FACE
    taken(scene, quoted(scene, asked(scene, note)))


def test_a_financier_that_says_no_is_out_and_one_that_quoted_is_bound(scene: Scene) -> None:
    at = scene.at
    _, note = scene.issued()
    ask = asked(scene, note)
    with scene.app.desk.session() as session:
        decline(session, ask, at.who(FARHILL), at.who(FARHILL), "limit is used", clock=at.clock)
    quote = quoted(scene, ask)

    def withdraw() -> None:
        with scene.app.desk.session() as session:
            decline(session, ask, at.who(HARBOUR), at.who(HARBOUR), "second thoughts", clock=at.clock)

    at.refused("decline_after_quote", withdraw)
    with scene.app.reading() as session:
        assert [one.reason for one in refusals_of(session, ask)] == ["limit is used"]
    assert taken(scene, quote), "a firm price stays firm until it runs out"


def test_a_registry_that_does_not_answer_moves_no_money_and_its_entry_is_made_later(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, note = scene.issued()
    sold = taken(scene, quoted(scene, asked(scene, note)))
    registry = scene.app.financing._registry

    def silent(session: Session, **facts: Any) -> str:
        raise TimeoutError

    with monkeypatch.context() as patched:
        patched.setattr(registry, "register", silent)
        scene.at.refused("registry_silent", lambda: registered(scene, sold))
        scene.at.refused("CN-77-13-REGISTER", lambda: completed(scene, sold, ""))
    number = registered(scene, sold)
    completed(scene, sold, number)
    assert scene.conserved(1)


@pytest.mark.parametrize("was_registered", [False, True], ids=["registry silent", "bank silent"])
def test_what_stays_silent_to_the_end_of_the_lock_gives_the_note_back_and_frees_its_registration(
    scene: Scene, was_registered: bool
) -> None:
    _, note = scene.issued()
    sold = taken(scene, quoted(scene, asked(scene, note)))
    number = registered(scene, sold) if was_registered else ""
    lock_ends(scene, sold)
    with scene.app.reading() as session:
        assert registration_of(session, sold) is None
        ended = session.exec(select(RegistrationEnd)).all()
    assert [one.number for one in ended] == ([number] if was_registered else [])
    scene.app.jobs._lapse("")  # again changes nothing
    with pytest.raises(Problem) as late:
        completed(scene, sold, number or "1" * 20)
    assert late.value.code.startswith("ledger_") and late.value.money_moved == "no"
    back_with_its_holder(scene, note, sold)


def pay(scene: Scene, sold: str, name: str, creditor: str, agent: str | None = None, short: int = 0) -> None:
    with scene.app.desk.session() as session:
        net = scene.app.financing.financing(session, sold).net_minor
        bank.instruct_payment(
            session, end_to_end_id=name, debtor_account=firm(HARBOUR).account, creditor_account=creditor,
            creditor=firm(LOTUS).name, creditor_agent=agent, amount_minor=net + short, currency=CNY,
            execute_on=today(scene.at.clock), now=scene.at.clock.now(),
        )  # fmt: skip
    scene.app.jobs._bank("")


def state(scene: Scene, name: str) -> str:
    with scene.app.reading() as session:
        return str(bank.payment(session, name).state)


def again(scene: Scene, name: str) -> str:
    with scene.app.desk.session() as session:
        made = bank.pay_again(session, name, execute_on=today(scene.at.clock), now=scene.at.clock.now()).end_to_end_id
    scene.app.jobs._bank("")
    return made


def test_a_payment_the_bank_refuses_is_told_and_without_another_the_note_goes_back(scene: Scene) -> None:
    _, note = scene.issued()
    sold = taken(scene, quoted(scene, asked(scene, note)))
    registered(scene, sold)
    pay(scene, sold, "NET1", firm(LOTUS).account, short=10**13)
    assert state(scene, "NET1") == "rejected"
    for code in (HARBOUR, LOTUS):
        (notice,) = told(scene, code, "payment_failed")
        assert "AM04" in notice.en and notice.evidence_id
    with scene.app.reading() as session:
        assert queries.note(session, sold).state == "locked", "the note waits until its lock ends"
    lock_ends(scene, sold)
    with scene.app.reading() as session:
        assert registration_of(session, sold) is None
    back_with_its_holder(scene, note, sold)


def test_a_payment_that_comes_back_is_told_and_made_anew(scene: Scene) -> None:
    _, note = scene.issued()
    sold = taken(scene, quoted(scene, asked(scene, note)))
    registered(scene, sold)
    elsewhere = "9558801234567890"
    pay(scene, sold, "NET2", elsewhere, "OTHRCNBJXXX")
    assert state(scene, "NET2") == "executed"
    with scene.app.reading() as session:
        line = bank.line_of(session, "NET2")
    assert line is not None and line.bank_reference is not None
    scene.bank.simulator.return_payment(line.bank_reference)
    scene.app.jobs._bank("")
    assert state(scene, "NET2") == "returned"
    (notice,) = told(scene, HARBOUR, "payment_failed")
    assert "AC04" in notice.en and "AC04" in notice.zh
    made = again(scene, "NET2")
    assert (made, state(scene, made)) == ("NET2.R2", "executed")
    assert again(scene, "NET2") == made, "once each time it failed"
