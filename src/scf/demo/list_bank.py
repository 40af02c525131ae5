"""The bank of a run on a delivery list: payments in and out, each proved by a camt line."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from scf.app import App
from scf.bank import service as bank
from scf.bank.gateway import SimulatedGateway
from scf.bank.simulator import SimulatedBank, account_number_of
from scf.demo.list_cast import ListCast
from scf.demo.list_plan import Planned
from scf.kernel.clock import VirtualClock, today
from scf.kernel.dates import next_day, to_unix
from scf.kernel.problems import Problem
from scf.ledger.hashing import keccak
from scf.receivables import queries
from scf.store.engine import open_engine

BIC = "PRGBUS33XXX"
LONGEST_HOLIDAY_DAYS = 20


class ListBank:
    """One simulated bank with the programme's account, the repayment account and an account for every holder."""

    def __init__(self, app: App, clock: VirtualClock, cast: ListCast) -> None:
        self._app = app
        self._clock = clock
        self._cast = cast
        self._bank = SimulatedBank(open_engine(f"sqlite:///{app.settings.data / 'bank.db'}"), clock, bic=BIC)
        self._gateway = SimulatedGateway(self._bank)
        self._payer = account_number_of("programme")
        self._repayment = account_number_of("programme repayment")
        self._holders = {
            key.address: (account_number_of(f"holder: {key.address}"), name)
            for names, find in ((cast.vendors, cast.vendor), (cast.sites, cast.site))
            for name, key in ((name, find(name)) for name in names)
        }

    def open_accounts(self, currencies: Iterable[str], capital_minor: int) -> None:
        """Open everything and give the programme the means to pay. Again changes nothing."""
        codes = sorted(set(currencies))
        if len(codes) != 1:
            raise Problem("list_of_several_currencies", currencies=", ".join(codes) or "-")
        named = [(self._payer, "Programme"), (self._repayment, "Programme repayment"), *self._holders.values()]
        self._bank.open_accounts([(number, holder, codes[0]) for number, holder in named])
        with self._app.desk.session() as session:
            for number, holder in named:
                bank.open_account(
                    session, number=number, bank=BIC, currency=codes[0], holder=holder, now=self._clock.now()
                )
        self._bank.deposit(self._payer, capital_minor, reference=f"capital {capital_minor}")
        self._app.documents.exchange(self._gateway)

    def collect(self, due: Sequence[tuple[int, Planned]]) -> dict[int, str]:
        """The programme pays each receivable; returns the bank's reference of each credit by receivable number."""
        wanted = [(f"DUE{number}", self._payer, self._repayment, row.face_minor, row.currency) for number, row in due]
        found = self._pay(wanted)
        return {number: found[f"DUE{number}"] for number, _ in due}

    def pay_holders(self, settled: Sequence[tuple[int, str]], month: str) -> None:
        """Hand on what was settled, one payment a holder and month."""
        totals: dict[tuple[str, str], int] = {}
        with self._app.desk.session() as session:
            for number, code in settled:
                for row in queries.settlements_of(session, number):
                    key = (row.payee, code)
                    totals[key] = totals.get(key, 0) + row.principal_minor
        self._pay(
            [
                (
                    f"OUT{month}{keccak(who.encode()).hex()[:12].upper()}",
                    self._repayment,
                    self._holders[who][0],
                    sum_,
                    code,
                )
                for (who, code), sum_ in sorted(totals.items())
            ]
        )

    def _pay(self, wanted: Sequence[tuple[str, str, str, int, str]]) -> dict[str, str]:
        """Instruct all, exchange until every one is proved; the bank's references of the credits by end-to-end id."""
        with self._app.desk.session() as session:
            for end_to_end_id, debtor, creditor, amount_minor, code in wanted:
                bank.instruct_payment(
                    session,
                    end_to_end_id=end_to_end_id,
                    debtor_account=debtor,
                    creditor_account=creditor,
                    creditor=bank.account(session, creditor).holder,
                    amount_minor=amount_minor,
                    currency=code,
                    execute_on=today(self._clock),
                    now=self._clock.now(),
                )
        creditors = {end_to_end_id: creditor for end_to_end_id, _, creditor, _, _ in wanted}
        found: dict[str, str] = {}
        for _ in range(LONGEST_HOLIDAY_DAYS):
            self._app.documents.exchange(self._gateway)
            found = self._proved(creditors)
            if len(found) == len(creditors):
                return found
            self._clock.move_to(to_unix(next_day(today(self._clock))) + 10 * 3600)
        missing = next(name for name in creditors if name not in found)
        raise Problem("demo_payment_not_executed", payment=missing)

    def _proved(self, creditors: dict[str, str]) -> dict[str, str]:
        with self._app.desk.session() as session:
            return bank.credits_of(session, creditors)
