"""The door to jobs: what runs by itself every day, in which order, and what it tells to whom."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from sqlmodel import Session, col, select

from scf.desk.service import Desk, Done
from scf.entrusted.models import EntrustedAccount
from scf.financing.funding import FundingTerms
from scf.financing.maturity import Maturity
from scf.jobs.locked_proof import prove_locked
from scf.jobs.models import LockedAlarm
from scf.jobs.notices import Notices
from scf.jobs.scheduler import Handler, Ran, Scheduler
from scf.jobs.telling import tell_failed_jobs, tell_failed_payments, tell_lines
from scf.kernel.dates import day_of
from scf.kernel.money import format_money
from scf.parties.service import Parties
from scf.receivables import queries
from scf.receivables.models import Financing, Note, NoteState
from scf.receivables.service import Receivables
from scf.store import evidence
from scf.store.commands import canonical_json
from scf.store.evidence import Trust

HOUR = 3600
DAY = 24 * HOUR
PERIODS: Mapping[str, int] = {
    "lapse": HOUR,
    "quotes": HOUR,
    "bank": DAY,
    "overdue": DAY,
    "reminders": DAY,
    "holds": DAY,
    "anchor": DAY,
    "notices": HOUR,
}
"""How often each job runs, in seconds."""
AT_ONCE = ("lapse", "quotes", "notices")
"""Jobs of which one run does all that is due: after a standstill they are not repeated for every hour missed."""


class Jobs:
    """Everything that happens without anybody asking. Due times and runs are rows, so a restart loses nothing.

    `exchange` speaks with the banks and says how many new lines came, or None where there is none; `anchor` anchors the
    evidence log. An installation without one of them skips it and says so.
    """

    def __init__(
        self,
        desk: Desk,
        parties: Parties,
        receivables: Receivables,
        maturity: Maturity,
        notices: Notices,
        *,
        exchange: Callable[[], int | None] | None = None,
        anchor: Callable[[], Done | None] | None = None,
        repayment_accounts: Sequence[str] | Callable[[Session], Sequence[str]] = (),
        answer_asks: Callable[[], int] | None = None,
        remind_holds: Callable[[], int] | None = None,
        extra: Mapping[str, Handler] | None = None,
        funding: FundingTerms | None = None,
        end_registrations: Callable[[Session], Sequence[str]] | None = None,
    ) -> None:
        self._desk = desk
        self._parties = parties
        self._receivables = receivables
        self._maturity = maturity
        self._notices = notices
        self._exchange = exchange
        self._anchor = anchor
        self._repayment_accounts = repayment_accounts
        self._answer_asks = answer_asks
        self._remind_holds = remind_holds
        self._funding = funding
        self._end_registrations = end_registrations
        handlers: dict[str, Handler] = {
            "lapse": self._lapse,
            "quotes": self._quotes,
            "bank": self._bank,
            "overdue": self._overdue,
            "reminders": self._reminders,
            "holds": self._holds,
            "anchor": self._anchor_log,
            "notices": self._deliver,
            **(extra or {}),
        }
        self.scheduler = Scheduler(desk.engine, desk.clock, handlers, PERIODS, at_once=AT_ONCE)

    def start(self, first_due_at: int | None = None) -> None:
        """Plan every repeating job that is not planned; after a restart nothing is planned twice."""
        self.scheduler.start_repeating(self._desk.clock.now() if first_due_at is None else first_due_at)

    def run_due(self) -> list[Ran]:
        """Carry out what is due now; operators are told of what did not succeed."""
        ran = self.scheduler.run_due()
        if not all(one.succeeded for one in ran):
            with self._desk.session() as session:
                tell_failed_jobs(session, self._notices, self._desk.clock, ran)
        return ran

    def exchange_now(self) -> str:
        """Do at once what the bank's job does on its day, and say what came of it."""
        return self._bank("")

    def alarms(self, session: Session, *, open_only: bool = True) -> Sequence[LockedAlarm]:
        """Differences between ledger and bank on locked accounts."""
        query = select(LockedAlarm).order_by(col(LockedAlarm.day), col(LockedAlarm.account_id))
        return session.exec(query.where(col(LockedAlarm.closed_at).is_(None)) if open_only else query).all()

    # Handlers --------------------------------------------------------------------------------------------------------

    def _lapse(self, argument: str) -> str:
        """Return what lapsed, free its registration, and tell of money that did not come on its day."""
        done = self._receivables.lapse_due()
        late = self._tell_late()
        with self._desk.session() as session:
            for one in done:
                for event in one.events:
                    if event.name == "Returned":
                        note = queries.note(session, f"0x{event.args['noteId']:064x}")
                        self._tell_lapsed(session, note, one)
            if self._end_registrations is not None:
                self._end_registrations(session)
        return f"{len(done)} offers and locks returned, {late} payments late"

    def _quotes(self, argument: str) -> str:
        """Answer open requests from the financiers' own policies."""
        if self._answer_asks is None:
            return "no policies here"
        return f"{self._answer_asks()} automatic quotes"

    def _tell_lapsed(self, session: Session, note: Note, done: Done) -> None:
        row = queries.receivable(session, note.receivable_id)
        amount = format_money(note.original_minor, row.currency)
        to = self._parties.name_of(session, note.holder)
        words = {
            "en": f"Your offer of {amount} to {to} was not accepted in time; the value is back with you.",
            "zh-CN": f"您向 {to} 提出的 {amount} 未按时签收，金额已退回。",
        }
        terms = session.get(Financing, note.id)
        if terms is not None:
            seller = self._parties.name_of(session, terms.seller)
            ended = {
                "en": f"The money for {amount} of {seller} did not come in time: the sale is over, the note is back "
                "with its seller, and a registration of it is taken out. Money sent after that comes back to you.",
                "zh-CN": f"购买 {seller} {amount} 的款项未按时到账：交易终止，凭证已退回转让方，登记已注销；"
                "此后支付的款项将退还给您。",
            }
            for who in (terms.financier, terms.paying_bank):
                key = f"lapsed:{note.id}:{who}"
                self._notices.tell(session, key, who, "lapsed", ended, transaction_hash=done.transaction_hash)
            words = {
                "en": f"The money of {to} for {amount} did not come in time; the note is back with you. "
                "Money that still comes is not yours to keep: send it back.",
                "zh-CN": f"{to} 购买 {amount} 的款项未按时到账，凭证已退回给您；此后到账的款项须退还。",
            }
        self._notices.tell(
            session, f"lapsed:{note.id}", note.giver, "lapsed", words, transaction_hash=done.transaction_hash
        )

    def _tell_late(self) -> int:
        """Tell seller, financier and bank, once, that the money of a sale did not come on its day and what follows."""
        if self._funding is None:
            return 0
        with self._desk.session() as session:
            late = self._funding.late(session)
            for one in late:
                terms, amount = one.terms, format_money(one.terms.net_minor, one.currency)
                bank, until = self._parties.name_of(session, terms.paying_bank), day_of(terms.lock_until).isoformat()
                facts = {"note": terms.note_id, "pay_by": one.pay_by.isoformat(), "lock_until": terms.lock_until}
                kept = self._keep(session, facts, "late payment")
                words = {
                    "en": f"{bank} was to pay {amount} by {one.pay_by}, and no line proves it yet. If it does not come "
                    f"before {until}, the note goes back to its seller by itself; nobody loses anything.",
                    "zh-CN": f"{bank} 应于 {one.pay_by} 前支付 {amount}，至今无银行流水证明；"
                    f"如 {until} 前仍未到账，凭证自动退回转让方，各方均无损失。",
                }
                for who in (terms.seller, terms.financier, terms.paying_bank):
                    self._notices.tell(
                        session, f"late:{terms.note_id}:{who}", who, "late_payment", words, evidence_id=kept
                    )
        return len(late)

    def _keep(self, session: Session, facts: Mapping[str, object], kind: str) -> str:
        return evidence.record(
            session,
            canonical_json(dict(facts)),
            kind=kind,
            source="scf",
            sender="scf",
            trust=Trust.T2,
            received_at=self._desk.clock.now(),
        ).evidence_id

    def _bank(self, argument: str) -> str:
        """Exchange files, say what came in on repayment accounts, prove every locked account."""
        came = None if self._exchange is None else self._exchange()
        spoken = "no bank configured (SCF_BANKS)" if came is None else f"{came} bank lines"
        with self._desk.session() as session:
            named = self._repayment_accounts
            numbers = named(session) if callable(named) else named
            lines = [line for one in numbers for line in self._maturity.take_lines(session, one)]
            tell_lines(session, self._notices, lines)
            failed = tell_failed_payments(session, self._notices)
            proved, alarms = prove_locked(session, now=self._desk.clock.now())
            for alarm in alarms:
                self._tell_alarm(session, alarm)
        troubles = f", {failed} notices of failed payments" if failed else ""
        return f"{spoken}, {len(lines)} on repayment accounts, {len(proved)} locked accounts proved, " + (
            f"{len(alarms)} ALARMS{troubles}" if alarms else f"no alarm{troubles}"
        )

    def _tell_alarm(self, session: Session, alarm: LockedAlarm) -> None:
        account = session.get(EntrustedAccount, alarm.account_id)
        if account is None:
            return
        difference = format_money(alarm.difference_minor or 0, account.currency)
        words = {
            "en": f"Locked account {alarm.account_id}: the bank's statement of {alarm.day} differs from the ledger by "
            f"{difference}. Nothing may be released before this is explained.",
            "zh-CN": f"受托支付账户 {alarm.account_id}：{alarm.day} 银行对账单与账本相差 {difference}，"
            "查明前不得释放。",
        }
        for who in (account.payer, account.beneficiary, account.bank):
            self._notices.tell(
                session,
                f"alarm:{alarm.account_id}:{alarm.day}:{who}",
                who,
                "alarm",
                words,
                evidence_id=alarm.statement_evidence,
            )

    def _overdue(self, argument: str) -> str:
        """Halt by fact, tell obligor and holders, ask assignors with recourse to buy back."""
        reported = self._maturity.halt_overdue()
        demands = 0
        with self._desk.session() as session:
            for done in reported:
                self._tell_overdue(session, int(done.event("Halted").args["receivableId"]), done)
            for row in self._maturity.overdue(session):
                for demand in self._maturity.recourse.demand_buy_backs(session, row.id):
                    demands += 1
                    amount = format_money(demand.amount_minor, row.currency)
                    buyer = self._parties.name_of(session, demand.financier)
                    self._notices.tell(
                        session,
                        f"buy-back:{demand.note_id}",
                        demand.assignor,
                        "buy_back",
                        {
                            "en": f"{buyer} asks you to buy back the note you sold with recourse: {amount}.",
                            "zh-CN": f"{buyer} 依追索权要求您回购所转让的凭证：{amount}。",
                        },
                        evidence_id=demand.evidence_id,
                    )
        return f"{len(reported)} newly overdue, {demands} buy-back demands"

    def _tell_overdue(self, session: Session, receivable_id: int, done: Done) -> None:
        row = queries.receivable(session, receivable_id)
        words = self._maturity.overdue_words(session, row)
        notes = queries.notes_of_receivable(session, receivable_id)
        holders = {note.holder for note in notes if note.state == NoteState.HELD and note.amount_minor}
        for who in sorted(holders | {row.obligor}):
            key = f"overdue:{receivable_id}:{who}"
            self._notices.tell(session, key, who, "overdue", words, transaction_hash=done.transaction_hash)

    def _reminders(self, argument: str) -> str:
        """Tell obligors what falls due; a day's reminder is told once."""
        told = 0
        with self._desk.session() as session:
            for one in self._maturity.reminders(session):
                facts = {"receivable": one.receivable_id, "due_on": one.due_on.isoformat(), "days": one.days_left}
                kept = self._keep(session, facts, "reminder")
                amount = format_money(one.outstanding_minor, one.currency)
                told += self._notices.tell(
                    session,
                    f"due:{one.receivable_id}:{one.step}",
                    one.obligor,
                    "reminder",
                    {
                        "en": f"Receivable {one.receivable_id}: {amount} falls due on {one.due_on}.",
                        "zh-CN": f"凭证 {one.receivable_id}：{amount} 将于 {one.due_on} 到期。",
                    },
                    evidence_id=kept,
                )
        return f"{told} reminders"

    def _holds(self, argument: str) -> str:
        """Tell the operators of holds and appeals nobody decided in time."""
        return "no holds here" if self._remind_holds is None else f"{self._remind_holds()} holds past their day"

    def _anchor_log(self, argument: str) -> str:
        if self._anchor is None:
            return "no operator key here; not anchored"
        done = self._anchor()
        return "nothing new to anchor" if done is None else f"anchored in block {done.block_number}"

    def _deliver(self, argument: str) -> str:
        return f"{self._notices.deliver()} notices sent outside"
