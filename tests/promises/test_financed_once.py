"""One claim is financed once: raced by a hundred acceptances, and again after a restart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from tests.installation import Installation

from scf.demo.cast import CIVIC, FARHILL, HARBOUR
from scf.kernel.problems import Problem

FACE = 100_000_00
RACERS = 100


@dataclass(frozen=True, slots=True)
class Taken:
    """A quote the holder accepted with its signature."""

    message: Mapping[str, Any]
    signature: Sequence[bytes]

    def send(self, at: Installation, key: str) -> str:
        """Send the acceptance; returns `done`, or the reason of the refusal."""
        try:
            at.app.financing.accept_quote(self.message, self.signature, key=key, caller="holder")
        except Problem as problem:
            assert problem.money_moved == "no", problem
            return str(problem.facts.get("reason", problem.code))
        return "done"


def accepted_quotes(at: Installation, note: str) -> list[Taken]:
    """Two firm quotes of two financiers for the whole note, each taken with a signature."""
    room = at.app.financing
    with at.app.desk.session() as session:
        ask = room.ask(session, note, FACE, [at.who(HARBOUR), at.who(FARHILL)]).id
    found = []
    for financier, rate in ((HARBOUR, 40_000), (FARHILL, 45_000)):
        quote, figures = room.prepare_quote(ask, at.who(financier), rate_ppm=rate, paying_bank=at.who(CIVIC))
        offer = room.submit_quote(ask, quote.message, at.sign(quote)[0], figures)
        accept = room.prepare_accept_quote(offer.quote_hash)
        found.append(Taken(accept.message, at.sign(accept)[0]))
    return found


def locked(at: Installation) -> list[int]:
    return [
        event.args["noteId"]
        for event in at.app.desk.events(0, at.app.ledger.head().number)
        if event.name == "FinancingLocked"
    ]


def test_a_hundred_acceptances_at_once_finance_a_claim_once(installation: Installation) -> None:
    at = installation
    _, root = at.issued(at.trade("INV-1", FACE), FACE)
    quotes = accepted_quotes(at, root)
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda place: quotes[place % 2].send(at, f"key {place}"), range(RACERS)))
    assert answers.count("done") == 1, sorted(set(answers))
    assert all(answer.startswith("ledger_") for answer in answers if answer != "done"), sorted(set(answers))
    assert len(locked(at)) == 1


def test_a_restart_does_not_finance_again(installation: Installation) -> None:
    at = installation
    _, root = at.issued(at.trade("INV-1", FACE), FACE)
    quotes = accepted_quotes(at, root)
    assert quotes[0].send(at, "first") == "done"
    at.close()
    with Installation(at.folder) as again:
        for place, quote in enumerate(quotes):
            with again.nothing_written():
                assert quote.send(again, f"again {place}").startswith("ledger_")
        assert quotes[0].send(again, "first") == "done", "the same request has the same answer"
        assert len(locked(again)) == 1
