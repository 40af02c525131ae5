"""Every hold there is now, read from the books: frozen notes, disputed parts, halted obligors, open exceptions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from sqlmodel import Session, col, select

from scf.entrusted.models import EntrustedAccount, Stage, StatedWords
from scf.entrusted.queries import last_dispute
from scf.entrusted.settling import late_urgent
from scf.holds.models import HoldLift, HoldOrder
from scf.kernel.dates import next_day, to_unix
from scf.kernel.money import format_money
from scf.parties.models import Member
from scf.parties.service import Parties
from scf.receivables.models import Dossier, Note, NoteHold, Receivable
from scf.reconciliation import service as reconciliation
from scf.reconciliation.facts import date_of
from scf.risk.models import ListEntry

REVIEW_FROZEN_SECONDS = 30 * 86_400
"""A freeze whose order names no end is looked at again after this long."""
SETTLE_DISPUTE_SECONDS = 15 * 86_400
"""Both sides of a dispute have this long; then the operators decide."""
CURE_SECONDS = 5 * 86_400
"""Once everything is paid, operators lift a halt within this long."""


@dataclass(frozen=True, slots=True)
class Hold:
    """One hold: why, who decides, by when (unix seconds), and whom it concerns. Texts in en and zh-CN."""

    id: str
    kind: str
    reason: dict[str, str]
    owner: dict[str, str]
    since: int
    decide_by: int
    parties: frozenset[str]
    amount_minor: int = 0
    currency: str = "CNY"
    evidence_id: str | None = None


_OWNERS = {"operator": "运营方", "finance": "财务", "purchasing": "采购", "logistics": "物流", "supplier": "供应商"}
_OPERATORS = {"en": "two operators", "zh-CN": "两名运营人员"}


def holds(session: Session, parties: Parties, now: int) -> list[Hold]:
    """All holds, the one to be decided first first."""
    found = [
        *_frozen(session),
        *_disputed(session),
        *_halted(session, parties, now),
        *_exceptions(session),
        *_urgent(session, now),
        *_listed(session),
    ]
    return sorted(found, key=lambda one: (one.decide_by, one.id))


def concerned_by(session: Session, evidence_id: str) -> set[str]:
    """Addresses of everybody a hold concerns that rests on a document, or whose end under way rests on it."""
    found = {
        who
        for one in (*_frozen(session), *_disputed(session), *_listed(session))
        if one.evidence_id == evidence_id
        for who in one.parties
    }
    for lift in session.exec(select(HoldLift).where(HoldLift.evidence_id == evidence_id)):
        found |= set(lift.parties.split(",")) - {""}
    return found


def _frozen(session: Session) -> Iterator[Hold]:
    notes = session.exec(select(Note).where(col(Note.frozen).is_(True)).order_by(col(Note.id))).all()
    for note in notes:
        order = session.exec(
            select(NoteHold)
            .where(NoteHold.note_id == note.id, NoteHold.kind == "frozen")
            .order_by(col(NoteHold.ordered_at).desc(), col(NoteHold.id).desc())
        ).first()
        row = session.get(Receivable, note.receivable_id)
        if order is None or row is None:
            continue
        filed = session.get(HoldOrder, order.reason)
        authority = filed.authority if filed else None
        yield Hold(
            id=f"frozen:{note.id}",
            kind="frozen",
            reason={
                "en": f"Frozen by order of {authority}: {filed.words}"
                if filed
                else f"Frozen by an order with the hash {order.reason[:12]}…; its words are not on file yet.",
                "zh-CN": f"依 {authority} 的指令冻结：{filed.words}"
                if filed
                else f"依指令冻结（指令哈希 {order.reason[:12]}…），指令原文尚未存档。",
            },
            owner=_OPERATORS,
            since=order.ordered_at,
            decide_by=filed.binds_until if filed else order.ordered_at + REVIEW_FROZEN_SECONDS,
            parties=frozenset({note.holder, note.giver, row.obligor}),
            amount_minor=note.amount_minor,
            currency=row.currency,
            evidence_id=filed.evidence_id if filed else None,
        )


def _disputed(session: Session) -> Iterator[Hold]:
    stages = session.exec(
        select(Stage).where(Stage.disputed_minor > 0).order_by(col(Stage.account_id), col(Stage.stage))
    )
    for stage in stages.all():
        account = session.get(EntrustedAccount, stage.account_id)
        last = last_dispute(session, stage.account_id, stage.stage)
        if account is None or last is None:
            continue
        said = session.get(StatedWords, last.reason)
        amount = format_money(stage.disputed_minor, account.currency)
        words = said.words if said else "—"
        reason = {
            "en": f"{amount} of stage {stage.stage + 1} is disputed: {words}",
            "zh-CN": f"第 {stage.stage + 1} 阶段的 {amount} 存在异议：{words}",
        }
        if last.is_return:
            reason = {
                "en": f"{amount} of stage {stage.stage + 1} was paid and came back from the payee's bank.",
                "zh-CN": f"第 {stage.stage + 1} 阶段的 {amount} 支付后被收款行退回。",
            }
        yield Hold(
            id=f"dispute:{stage.account_id}:{stage.stage}",
            kind="dispute",
            reason=reason,
            owner={
                "en": "payer and beneficiary together, then two operators",
                "zh-CN": "付款方与受益方共同决定，逾期由两名运营人员决定",
            },
            since=last.at,
            decide_by=last.at + SETTLE_DISPUTE_SECONDS,
            parties=frozenset({account.payer, account.beneficiary, stage.payee}),
            amount_minor=stage.disputed_minor,
            currency=account.currency,
            evidence_id=said.evidence_id if said else None,
        )


def _halted(session: Session, parties: Parties, now: int) -> Iterator[Hold]:
    for member in session.exec(select(Member).where(col(Member.halted).is_(True)).order_by(col(Member.address))).all():
        late = session.exec(
            select(Receivable)
            .where(
                Receivable.obligor == member.address,
                Receivable.outstanding_minor > 0,
                Receivable.state == "live",
                Receivable.maturity < now,
            )
            .order_by(col(Receivable.maturity))
        ).all()
        name = parties.name_of(session, member.address)
        since = late[0].maturity if late else now
        owed = format_money(sum(row.outstanding_minor for row in late), late[0].currency) if late else ""
        yield Hold(
            id=f"halt:{member.address}",
            kind="halt",
            reason={
                "en": f"{name} may not issue: {owed} is overdue."
                if late
                else f"{name} may not issue: all is paid, the halt waits to be lifted.",
                "zh-CN": f"{name} 暂停开立：逾期 {owed}。" if late else f"{name} 暂停开立：已付清，待解除。",
            },
            owner={"en": f"{name} pays; then two operators", "zh-CN": f"{name} 付清后由两名运营人员解除"},
            since=since,
            decide_by=now + CURE_SECONDS if not late else late[0].maturity + CURE_SECONDS,
            parties=frozenset({member.address}),
            amount_minor=sum(row.outstanding_minor for row in late),
            currency=late[0].currency if late else "CNY",
        )


def _exceptions(session: Session) -> Iterator[Hold]:
    after: tuple[int, int] | None = None
    while True:
        page = reconciliation.exceptions(session, after=after, limit=200)
        for row in page.rows:
            if row.severity != "stop":
                continue
            yield Hold(
                id=f"exception:{row.id}",
                kind="exception",
                reason={"en": row.sentence_en, "zh-CN": row.sentence_zh},
                owner={"en": row.owner, "zh-CN": _OWNERS.get(row.owner, row.owner)},
                since=0,
                decide_by=to_unix(next_day(date_of(row.deadline_day))),
                parties=_of_order(session, row.reference),
            )
        after = page.next
        if after is None:
            return


def _urgent(session: Session, now: int) -> Iterator[Hold]:
    """Accounts that stand still because an urgent release was not checked in time."""
    for one in late_urgent(session, now):
        account = session.get(EntrustedAccount, one.account_id)
        if account is None:
            continue
        amount = format_money(one.amount_minor, account.currency)
        yield Hold(
            id=f"urgent:{one.account_id}:{one.stage}",
            kind="urgent",
            reason={
                "en": f"{amount} went out urgently and no second organisation has vouched for it since.",
                "zh-CN": f"{amount} 已紧急支付，但至今未补充第二家机构的证据。",
            },
            owner={"en": "a second attestor of the account", "zh-CN": "账户的另一家见证机构"},
            since=one.check_by,
            decide_by=one.check_by + SETTLE_DISPUTE_SECONDS,
            parties=frozenset({account.payer, account.beneficiary}),
            amount_minor=one.amount_minor,
            currency=account.currency,
        )


def _listed(session: Session) -> Iterator[Hold]:
    """Firms on the blacklist; the entry's own words are its reason. Balances are never held."""
    query = select(ListEntry).where(ListEntry.state == "in_force").order_by(col(ListEntry.id))
    for row in session.exec(query):
        members = session.exec(select(Member.address).where(Member.organisation_id == row.organisation_id)).all()
        yield Hold(
            id=f"standing:{row.id}",
            kind="standing",
            reason={
                "en": f"On the blacklist by {row.authority}, no new acts: {row.reason}",
                "zh-CN": f"依 {row.authority} 列入黑名单，暂停新操作：{row.reason}",
            },
            owner=_OPERATORS,
            since=row.agreed_at or row.proposed_at,
            decide_by=to_unix(next_day(date.fromisoformat(row.until))),
            parties=frozenset(members),
            evidence_id=row.evidence_id,
        )


def _of_order(session: Session, reference: str) -> frozenset[str]:
    """Who gave or holds notes that stand on an order."""
    rows = session.exec(
        select(Note.giver, Note.holder)
        .join(Dossier, col(Dossier.document) == col(Note.evidence))
        .where(Dossier.order_reference == reference)
    )
    return frozenset(who for pair in rows for who in pair)
