"""One receivable on its way to maturity, a simulated bank and the paying bank's key: what money tests start from."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from tests.installation import CNY, Installation, Trade

from scf.demo.bankside import BankSide
from scf.demo.cast import CIVIC, CORE, FARHILL, HARBOUR, firm
from scf.financing.models import CollectedLine
from scf.financing.price import Fee
from scf.installation import OPERATOR_NAMES
from scf.kernel.clock import today
from scf.kernel.dates import day_of, to_unix
from scf.ledger.intents import quorum_digest
from scf.parties.keys import demo_key
from scf.receivables import queries
from scf.receivables.models import Receivable

FACE = 1_000_000_00
BUYER_ACCOUNT = firm(CORE).account


class Scene:
    """An installation with a bank; short ways to let time pass, pay, attest and settle."""

    def __init__(self, at: Installation) -> None:
        self.at = at
        self.app = at.app
        self.bank = BankSide(at.play)
        self.bank.open_accounts()
        self.account = self.bank.repayment_account

    def issued(self, number: str = "INV-1", face: int = FACE) -> tuple[int, str]:
        return self.at.issued(self.at.trade(number, face), face)

    def issued_again(self, number: str) -> None:
        """Ask for another issue on documents already on file."""
        with self.app.desk.session() as session:
            document = queries.receivable(session, 1).document
        request = self.at.request(Trade(document, "0x" + "ee" * 32), 100_00)
        self.app.receivables.prepare_issue(request)

    def row(self, number: int) -> Receivable:
        with self.app.desk.session() as session:
            return queries.receivable(session, number)

    def due(self, number: int) -> date:
        return day_of(self.row(number).maturity)

    def move_to(self, day: date, hour: int = 10) -> None:
        self.at.clock.move_to(to_unix(day) + hour * 3600)

    def arrives(self, amount: int, tag: str, *, end_to_end: str | None = None, reference: str | None = None) -> str:
        """Money comes in from the buyer's account at another bank; returns the bank's reference."""
        return self.bank.simulator.deposit(
            self.account,
            amount,
            reference=tag,
            debtor=firm(CORE).name,
            debtor_account="6299900000000000001",
            end_to_end_id=end_to_end,
            structured_reference=reference,
        )

    def look(self) -> list[CollectedLine]:
        """Fetch what the bank says and say what the new lines mean."""
        self.app.documents.exchange(self.bank.gateway)
        with self.app.desk.session() as session:
            return self.app.maturity.take_lines(session, self.account)

    def attest(self, lines: Sequence[CollectedLine]) -> None:
        """The paying bank signs what the lines prove, and every holder is settled."""
        for line in lines:
            self.at.submit(self.app.maturity.prepare_attestation(line.line_id))
            assert line.receivable_id is not None
            self.app.receivables.settle(line.receivable_id)

    def sold(self, note: str, amount: int, *, recourse: bool, to: str = HARBOUR, fee: int = 50_000) -> str:
        """Ask, quote, accept, register, pay out: the note is its financier's."""
        app, at = self.app, self.at
        with app.desk.session() as session:
            invited = [at.who(HARBOUR), at.who(FARHILL)]
            ask = app.financing.ask(session, note, amount, invited).id
        fees = (Fee("handling", "financier", fee),) if fee else ()
        quote, figures = app.financing.prepare_quote(
            ask, at.who(to), rate_ppm=60_000, paying_bank=at.who(CIVIC), fees=fees, recourse=recourse
        )
        offer = app.financing.submit_quote(ask, quote.message, at.sign(quote)[0], figures)
        accept = app.financing.prepare_accept_quote(offer.quote_hash)
        reply = app.financing.accept_quote(accept.message, at.sign(accept)[0], key=f"take {note}{amount}", caller="t")
        sold = str(reply["note"])
        with app.desk.session() as session:
            registration = app.financing.register(session, sold)
        paid = self.bank._pay(
            f"NET{int(sold, 16) % 10**12}", firm(to).account, firm("lotus").account, figures.net_minor
        )
        done = app.financing.prepare_complete(sold, registration, paid.reference)
        app.financing.complete(done.message, at.sign(done)[0], key=f"complete {sold}", caller="t")
        return sold

    def cure(self, obligor: str, evidence_id: str) -> None:
        prepared = self.app.maturity.prepare_cure(obligor, evidence_id)
        keys = [demo_key(name).private for name in OPERATOR_NAMES[:2]]
        self.app.maturity.cure(prepared.message, quorum_digest(keys, prepared.digest), key="cure", caller="operators")

    def conserved(self, number: int) -> bool:
        with self.app.desk.session() as session:
            counted, face = queries.conservation(session, number)
        return counted == face

    def today(self) -> date:
        return today(self.at.clock)


__all__ = ["BUYER_ACCOUNT", "CNY", "FACE", "Scene"]
