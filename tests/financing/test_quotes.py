"""Money early: a firm price from invited financiers, taken once, paid and registered, and to nobody else."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from tests.installation import Installation, signed_by

from scf.app import rebuild_books
from scf.demo.cast import CIVIC, FARHILL, HARBOUR, LOTUS, RIVER
from scf.desk.service import Prepared
from scf.financing.price import Fee, Price
from scf.kernel.problems import Problem
from scf.parties.keys import demo_key
from scf.receivables import queries

FACE = 100_000_00
AMOUNT = 60_000_00


@dataclass(slots=True)
class Scene:
    """A note of 100,000.00 and an ask of 60,000.00 to two financiers."""

    at: Installation
    number: int
    root: str
    ask: str

    @property
    def room(self):  # type: ignore[no-untyped-def]
        return self.at.app.financing

    def prepared(self, code: str = HARBOUR, rate: int = 46_000) -> tuple[Prepared, Price]:
        fees = (Fee("handling", "Harbour Bank", 5_000),)
        return self.room.prepare_quote(
            self.ask, self.at.who(code), rate_ppm=rate, paying_bank=self.at.who(CIVIC), fees=fees
        )

    def quoted(self, code: str = HARBOUR, rate: int = 46_000) -> str:
        prepared, figures = self.prepared(code, rate)
        return self.room.submit_quote(self.ask, prepared.message, self.at.sign(prepared)[0], figures).quote_hash

    def accepted(self, quote: str, key: str = "accept") -> str:
        prepared = self.room.prepare_accept_quote(quote)
        return str(self.room.accept_quote(prepared.message, self.at.sign(prepared)[0], key=key, caller="t")["note"])

    def registered(self, note: str) -> str:
        with self.at.app.desk.session() as session:
            return str(self.room.register(session, note))

    def completed(self, note: str, registration: str, line: str = "LINE-1") -> None:
        prepared = self.room.prepare_complete(note, registration, line)
        self.room.complete(prepared.message, self.at.sign(prepared)[0], key=f"complete-{line}", caller="t")


@pytest.fixture
def scene(installation: Installation) -> Scene:
    at = installation
    number, root = at.issued(at.trade("INV-1", FACE), FACE)
    with at.app.desk.session() as session:
        ask = at.app.financing.ask(session, root, AMOUNT, (at.who(HARBOUR), at.who(FARHILL))).id
    return Scene(at, number, root, ask)


def test_the_quote_is_the_price(scene: Scene) -> None:
    quotes = [scene.quoted(HARBOUR, 46_000), scene.quoted(FARHILL, 55_000)]
    with scene.at.app.reading() as session:
        shown = scene.room.quotes(session, scene.ask)
        assert [row.quote_hash for row in shown] == quotes, "most money first"
        net = shown[0].net_minor
    note = scene.accepted(quotes[0])
    registration = scene.registered(note)
    assert scene.registered(note) == registration
    scene.completed(note, registration)
    with scene.at.app.reading() as session:
        financing = scene.room.financing(session, note)
        assert (financing.net_minor, financing.registration, financing.recourse) == (net, registration, False)
        assert queries.note(session, note).holder == scene.at.who(HARBOUR)
        assert queries.conservation(session, scene.number) == (FACE, FACE)
    assert rebuild_books(scene.at.app, check=True)[0] == []


def test_a_note_is_financed_once(scene: Scene) -> None:
    first, second = scene.quoted(HARBOUR), scene.quoted(FARHILL)
    scene.accepted(first)
    with scene.at.nothing_written():
        assert scene.accepted(first)
    with scene.at.nothing_written(), pytest.raises(Problem) as caught:
        scene.accepted(second, "other")
    assert caught.value.money_moved == "no"
    with scene.at.nothing_written(), pytest.raises(Problem):
        scene.accepted(first, "again")


def test_what_cannot_be_asked(scene: Scene) -> None:
    at = scene.at
    two = (at.who(HARBOUR), at.who(FARHILL))

    def ask(note: str, amount: int, invited: tuple[str, ...], reason: str | None = None) -> None:
        with at.app.desk.session() as session:
            scene.room.ask(session, note, amount, invited, single_reason=reason)

    at.refused("amount_above_note", lambda: ask(scene.root, FACE + 1, two))
    at.refused("amount_above_note", lambda: ask(scene.root, 0, two))
    at.refused("unknown_note", lambda: ask("0x12", 1, two))
    at.refused("unknown_participant", lambda: ask(scene.root, 1_00, (at.who(HARBOUR), demo_key("nobody").address)))
    at.refused("CN-77-12-CHOICE", lambda: ask(scene.root, 1_00, two[:1]))
    at.refused("CN-77-12-CHOICE", lambda: ask(scene.root, 1_00, two[:1] * 2))
    with at.nothing_written():
        ask(scene.root, AMOUNT, two)


def test_who_cannot_quote(scene: Scene) -> None:
    scene.at.refused("not_invited", lambda: scene.prepared(RIVER))
    scene.at.refused("unknown_ask", lambda: scene.room.prepare_quote("A", "", rate_ppm=1, paying_bank=""))


def test_a_quote_in_a_financiers_name_by_somebody_else(scene: Scene) -> None:
    """The asker would see an offer that nobody made."""
    prepared, figures = scene.prepared()
    forged = [signed_by(prepared, demo_key("river-account").private)]
    scene.at.refused(
        "signature_not_of_signer", lambda: scene.room.submit_quote(scene.ask, prepared.message, forged, figures)
    )
    for nonsense in (b"", b"\x01", b"\x00" * 65):
        scene.at.refused(
            "signature_not_of_signer",
            lambda part=nonsense: scene.room.submit_quote(scene.ask, prepared.message, [part], figures),  # type: ignore[misc]
        )


def test_figures_that_are_not_those_signed(scene: Scene) -> None:
    prepared, figures = scene.prepared()
    changed = {**prepared.message, "net": figures.net_minor - 1}
    parts = scene.at.sign(prepared)[0]
    scene.at.refused("quote_not_consistent", lambda: scene.room.submit_quote(scene.ask, changed, parts, figures))


def test_a_quote_taken_by_somebody_who_does_not_hold_the_note(scene: Scene) -> None:
    prepared = scene.room.prepare_accept_quote(scene.quoted())
    wrong = [signed_by(prepared, demo_key("river-account").private)]
    scene.at.refused(
        "ledger_not_authorised", lambda: scene.room.accept_quote(prepared.message, wrong, key="k", caller="t")
    )


def test_a_quote_that_ran_out(scene: Scene) -> None:
    quote = scene.quoted()
    scene.at.clock.advance(days=3)
    with scene.at.app.reading() as session:
        assert scene.room.quotes(session, scene.ask) == []
    scene.at.refused("ledger_receivables_quote_expired", lambda: scene.accepted(quote))


def test_no_completion_without_registration_or_by_another_bank(scene: Scene) -> None:
    note = scene.accepted(scene.quoted())
    scene.at.refused("CN-77-13-REGISTER", lambda: scene.completed(note, ""))
    prepared = scene.room.prepare_complete(note, scene.registered(note), "LINE-1")
    wrong = [signed_by(prepared, demo_key("harbour-account").private)]
    scene.at.refused("ledger_not_authorised", lambda: scene.room.complete(prepared.message, wrong, key="k", caller="t"))
    scene.at.refused("unknown_financing", lambda: scene.room.prepare_complete(scene.root, "1", "L"))


def test_a_lock_that_nobody_paid_for_gives_the_value_back(scene: Scene) -> None:
    note = scene.accepted(scene.quoted())
    with scene.at.app.reading() as session:
        until = scene.room.financing(session, note).lock_until
    scene.at.clock.move_to(until - 1)
    assert scene.at.app.receivables.lapse_due() == []
    scene.at.clock.move_to(until)
    scene.at.app.receivables.lapse_due()
    with scene.at.app.reading() as session:
        assert queries.note(session, scene.root).amount_minor == FACE
        assert queries.note(session, note).amount_minor == 0
        assert queries.note(session, scene.root).holder == scene.at.who(LOTUS)
    assert scene.at.app.receivables.lapse_due() == []
