"""One installation: settings, keys, ledger, database, bank and the doors of all rooms, opened and closed together."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType

from sqlalchemy import Engine
from sqlmodel import Session

from scf.bank.calendar import announced
from scf.bank.payees import PayoutAccounts
from scf.desk.anchoring import anchor
from scf.desk.service import Desk, Done
from scf.documents.service import Documents
from scf.entrusted.books import HANDLERS as ENTRUSTED_HANDLERS
from scf.entrusted.proposing import Openings
from scf.entrusted.queries import refuse_taking_back
from scf.entrusted.service import EntrustedAccounts
from scf.entrusted.settling import Settling
from scf.financing.automatic import AutomaticQuotes
from scf.financing.maturity import Maturity
from scf.financing.policy import Policies
from scf.financing.registry import SimulatedRegistry
from scf.financing.service import FinancingDesk
from scf.holds.service import Holds
from scf.identity.service import People
from scf.installation import (
    OPERATOR_NAMES,
    InstallationFact,
    Settings,
    check_ledger_file,
    contracts_of,
    fact,
    not_set_up,
    relayer_key,
)
from scf.jobs.banks import exchange_all, gateways_from, repayment_accounts, simulated
from scf.jobs.notices import Notices, channels_from
from scf.jobs.service import Jobs
from scf.jobs.webhooks import Webhooks, hosts_from
from scf.kernel.clock import Clock, SystemClock
from scf.kernel.private import private_folder
from scf.ledger.contracts import Contracts, Event
from scf.ledger.hashing import keccak
from scf.ledger.journal import Entry
from scf.ledger.open import open_ledger
from scf.ledger.protocol import Ledger
from scf.ledger.relayer import Relayer
from scf.ledger.signing import sign_digest
from scf.parties.approvals import Approvals
from scf.parties.books import HANDLERS as PARTY_HANDLERS
from scf.parties.changes import Changes
from scf.parties.delegating import delegation_change
from scf.parties.inviting import SupplierInvitations
from scf.parties.keys import KeyRing, demo_key, own_secret
from scf.parties.limits import Limits
from scf.parties.onboarding import Onboarding
from scf.parties.service import Parties
from scf.parties.two_people import TwoPeople
from scf.receivables.books import HANDLERS as RECEIVABLE_HANDLERS
from scf.receivables.invitations import Invitations
from scf.receivables.judging import ActJudge
from scf.receivables.mass import MassPasses
from scf.receivables.programme_changes import programme_changes
from scf.receivables.programmes import Programmes
from scf.receivables.service import Receivables
from scf.risk.guarantees import Guarantees
from scf.risk.lists import Lists
from scf.rulebook.decisions import Decisions
from scf.rulebook.service import Rulebook
from scf.store.compare import Difference, compare
from scf.store.engine import open_engine
from scf.store.projection import Projection
from scf.store.relay_journal import SqlJournal
from scf.store.session import create_schema, reading, transaction


class App:
    """The doors of one installation. Open it with `open_app`; it is a context manager."""

    def __init__(self, settings: Settings, clock: Clock, engine: Engine, ledger: Ledger, contracts: Contracts) -> None:
        self.settings = settings
        self.clock = clock
        self.engine = engine
        self.ledger = ledger
        self.contracts = contracts
        self.keys = KeyRing(settings.data / "keys", settings.passphrase)
        self.relayer = Relayer(ledger, relayer_key(settings).private, SqlJournal(engine, Entry, keccak))
        self.projection: Projection[Event] = projection(ledger.chain_id)
        self.desk = Desk(
            engine=engine,
            ledger=ledger,
            contracts=contracts,
            relayer=self.relayer,
            projection=self.projection,
            clock=clock,
        )
        self.rulebook = Rulebook.load(settings.rules)
        self.decisions = Decisions(self.rulebook, clock, ruleset=settings.ruleset)
        self.parties = Parties(self.desk)
        self.approvals = Approvals(self.desk, self.parties)
        self.changes = Changes(self.desk, self.parties)
        self.two_people = TwoPeople(self.desk, self.parties, amounts=settings.two_people)
        self.desk.require_people = self.two_people.require
        self.onboarding = Onboarding(self.desk, self.parties)
        self.supplier_invitations = SupplierInvitations(self.desk)
        self.people = People(clock)
        self.limits = Limits(self.desk, self.parties)
        self.payout_accounts = PayoutAccounts(self.desk, self.parties, tell=self._tell)
        self.programmes = Programmes(self.desk, self.parties)
        judge = ActJudge(self.rulebook, self.parties, clock, ruleset=settings.ruleset)
        judge.checks.append(self.programmes.check)
        judge.reservations.append(self.programmes.reserve)
        self.receivables = Receivables(self.desk, self.parties, judge, own_secret(settings.data, "consortium"))
        self.receivables.wording = self.programmes.wording
        self.invitations = Invitations(self.desk, self.parties, self.receivables)
        calendar = announced(settings.data)
        self.entrusted = EntrustedAccounts(self.desk, self.parties, self.decisions, calendar=calendar)
        self.settling = Settling(self.desk, self.parties, self.entrusted)
        self.openings = Openings(self.desk, self.parties, self.entrusted, tell=self._tell)
        self.financing = FinancingDesk(
            self.desk, self.parties, self.rulebook, SimulatedRegistry(clock), ruleset=settings.ruleset
        )
        self.financing.funding.calendar = calendar
        self.financing.checks.append(self.programmes.check)
        self.financing.reservations.append(self.programmes.reserve)
        self.financing.funding.agreed = self.programmes.funding_days
        self.programmes.funding_rule = self.financing.funding.rule
        self.financing.into_locked = self.entrusted.rules.require_proceeds
        self.policies = Policies(self.desk, self.parties)
        self.quotes = AutomaticQuotes(
            self.desk, self.parties, self.financing, self.policies, self.programmes, self._quote_signer
        )
        self.maturity = Maturity(self.desk, self.parties, self.receivables, self.decisions, calendar=calendar)
        judge.due_day = self.maturity.due_day
        self.notices = Notices(engine, clock, channels_from(os.environ, clock))
        self.webhooks = Webhooks(
            engine, clock, settings.data, hosts_from(os.environ, demo=settings.demo), self.parties.organisation_id
        )
        self.notices.listeners.append(self.webhooks.tell_all)
        self.lists = Lists(self.desk, self.parties)
        self.guarantees = Guarantees(self.parties, clock)
        self.holds = Holds(self.desk, self.parties, self.entrusted, self.lists, self.settling.check, tell=self._tell)
        self.mass = MassPasses(self.desk, self.parties, judge, self.receivables, self.notices.tell_all)
        for kind in (
            self.payout_accounts.kind(),
            self.two_people.kind(),
            delegation_change(self.approvals, self.parties),
            *programme_changes(self.programmes, self.parties, self.limits),
            *self.policies.kinds(),
            *self.guarantees.kinds(),
            self.holds.kind(),
        ):
            self.changes.offer(kind)
        self.documents = Documents(self.desk)
        self.gateways = gateways_from(settings.banks)
        simulated_bic = self.fact("demo:bank") if settings.demo else None
        if simulated_bic is not None:
            self.gateways.append(simulated(settings.data, simulated_bic, clock))
        self.jobs = Jobs(
            self.desk,
            self.parties,
            self.receivables,
            self.maturity,
            self.notices,
            exchange=self._exchange,
            anchor=self._anchor,
            repayment_accounts=repayment_accounts,
            answer_asks=self.quotes.answer_open,
            remind_holds=self.holds.remind,
            funding=self.financing.funding,
            end_registrations=self.financing.end_registrations,
        )
        self.documents.rests.append(lambda session, rest: refuse_taking_back(session, rest.orders))

    def _tell(
        self, session: Session, key: str, who: str, kind: str, words: Mapping[str, str], evidence_id: str
    ) -> None:
        self.notices.tell(session, key, who, kind, words, evidence_id=evidence_id)

    def _exchange(self) -> int | None:
        """Speak with every bank and join what it says; returns how many lines are new, None where there is no bank."""
        if not self.gateways:
            return None
        return exchange_all(self.gateways, lambda gateway: len(self.documents.exchange(gateway).new_lines))

    def _anchor(self) -> Done | None:
        """Anchor the evidence log with the first operator's key, where it is kept here."""
        if self.settings.demo:
            key = demo_key(OPERATOR_NAMES[0])
        elif OPERATOR_NAMES[0] in self.keys.names():
            key = self.keys.get(OPERATOR_NAMES[0])
        else:
            return None
        return anchor(self.desk, key.address, lambda digest: sign_digest(key.private, digest))

    def _quote_signer(self, financier: str, digest: bytes) -> Sequence[bytes]:
        """A financier's signatures over an automatic quote, with keys it keeps here as `quotes-ADDRESS`; else none."""
        public = self.fact(f"demo:quotes:{financier}") if self.settings.demo else None
        if public is not None:
            return [sign_digest(demo_key(public).private, digest)]
        name = f"quotes-{financier.lower()}"
        mine = sorted(one for one in self.keys.names() if one == name or one.startswith(name + "-"))
        return [sign_digest(self.keys.get(one).private, digest) for one in mine]

    def fact(self, name: str) -> str | None:
        """A stored fact of this installation."""
        return fact(self.engine, name)

    def set_fact(self, name: str, value: str) -> None:
        """Store a fact; it replaces an earlier one of that name."""
        with transaction(self.engine) as session:
            session.merge(InstallationFact(name=name, value=value))

    def reading(self) -> Session:
        """A read-only session, as a context manager."""
        return reading(self.engine)  # type: ignore[return-value]

    def close(self) -> None:
        """Let go of files and connections."""
        self.ledger.close()
        self.engine.dispose()

    def __enter__(self) -> App:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def projection(chain_id: int) -> Projection[Event]:
    """The books of every room."""
    return Projection(chain_id, PARTY_HANDLERS, RECEIVABLE_HANDLERS, ENTRUSTED_HANDLERS)


def open_app(settings: Settings, clock: Clock | None = None, *, read_only: bool = False) -> App:
    """Open an installation, making it where there is none (demo) and going on where it stopped.

    With `read_only` it is opened beside a process that writes; nothing is made, sent or booked.

    Raises Problem `installation_missing` when nothing was set up here, and what ledger and database raise.
    """
    clock = clock or SystemClock()
    if (read_only or not settings.demo) and not settings.is_set_up:
        raise not_set_up(settings)
    private_folder(settings.data)
    engine = open_engine(settings.database_url)
    create_schema(engine)
    check_ledger_file(settings, engine)
    ledger = open_ledger(settings.ledger_setting, clock, chain_id=settings.chain_id, read_only=read_only)
    try:
        contracts = contracts_of(settings, engine, ledger)
        app = App(settings, clock, engine, ledger, contracts)
        if not read_only:
            app.desk.recover()
    except BaseException:
        ledger.close()
        engine.dispose()
        raise
    return app


def rebuild_books(app: App, *, check: bool) -> tuple[list[Difference], int]:
    """Read all events from genesis, and return how many there are.

    With `check`, build books beside the live ones and also return the first 100 differences; without, write the live
    books anew.
    """
    head = app.ledger.head()
    counted = 0

    def events() -> Iterator[Event]:
        nonlocal counted
        counted = 0
        for event in app.desk.events(0, head.number):
            counted += 1
            yield event

    if not check:
        app.projection.replace(app.engine, events, head)
        return [], counted
    beside = app.projection.rebuild(events(), head)
    try:
        return compare(app.engine, beside), counted
    finally:
        beside.dispose()
