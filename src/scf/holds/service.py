"""The door to holds: which there are, the orders behind them, appeals and their decision by two operators."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from sqlmodel import Session, col, select

from scf.desk.service import Desk, Prepared
from scf.entrusted.service import EntrustedAccounts
from scf.holds import finding, lifting
from scf.holds.finding import Hold, holds
from scf.holds.models import Appeal, HoldLift, HoldOrder
from scf.kernel.identifiers import reference_of
from scf.kernel.problems import Problem
from scf.ledger.hashing import keccak
from scf.parties.changes import Asked, ChangeKind, require_reason
from scf.parties.models import Member
from scf.parties.service import Parties, Role
from scf.risk.lists import Lists
from scf.store import evidence
from scf.store.commands import canonical_json
from scf.store.evidence import Trust

APPEAL_SECONDS = 10 * 86_400
"""An appeal is decided within this long."""
Tell = Callable[[Session, str, str, str, Mapping[str, str], str], object]
"""Tells a member: key, recipient, kind, words, evidence id of the proof."""


class Holds:
    """The only door to holds and appeals."""

    def __init__(
        self,
        desk: Desk,
        parties: Parties,
        entrusted: EntrustedAccounts,
        lists: Lists,
        check_urgent: Callable[[Session], int],
        *,
        tell: Tell | None = None,
    ) -> None:
        self._desk = desk
        self._parties = parties
        self._entrusted = entrusted
        self._lists = lists
        self._check_urgent = check_urgent
        self._tell = tell

    def all(self, session: Session) -> list[Hold]:
        """Every hold there is now, the one to be decided first first."""
        return holds(session, self._parties, self._desk.clock.now())

    def of(self, session: Session, addresses: Collection[str]) -> list[Hold]:
        """Holds that concern any of these addresses."""
        return [one for one in self.all(session) if one.parties & set(addresses)]

    def concerned_by(self, session: Session, evidence_id: str) -> set[str]:
        """Addresses of everybody concerned by a hold that rests on a document: they may read what it rests on."""
        return finding.concerned_by(session, evidence_id)

    def file_order(self, session: Session, words: str, *, authority: str, binds_until: int, by: str) -> HoldOrder:
        """File the words of an order before a note is frozen for it; `reason` is the hash the operators sign.

        Raises Problem `role_needed_to_hold` unless an operator files it, `reason_missing`.
        """
        self._require_operator(session, by)
        said = require_reason(words)
        reason = "0x" + keccak(said.encode()).hex()
        known = session.get(HoldOrder, reason)
        if known is not None:
            return known
        now = self._desk.clock.now()
        facts = {"order": said, "authority": authority, "binds_until": binds_until, "filed_by": by}
        row = HoldOrder(
            reason=reason,
            authority=authority[:140],
            words=said,
            binds_until=binds_until,
            filed_by=by,
            filed_at=now,
            evidence_id=self._keep(session, facts, "hold order", by, Trust.T2),
        )
        session.add(row)
        session.flush()
        return row

    def appeal(self, session: Session, hold_id: str, by: str, words: str) -> Appeal:
        """Somebody a hold concerns disagrees with it; its open appeal is given back when it asks again.

        Raises Problem `unknown_hold` where there is none that concerns it, `reason_missing`.
        """
        said = require_reason(words)
        hold = next((one for one in self.all(session) if one.id == hold_id and by in one.parties), None)
        if hold is None:
            raise Problem("unknown_hold", hold=hold_id[:80])
        known = session.exec(
            select(Appeal).where(Appeal.hold == hold_id, Appeal.appellant == by, Appeal.state == "open")
        ).first()
        if known is not None:
            return known
        now = self._desk.clock.now()
        seed = hashlib.sha256(f"{hold_id}|{by}|{now}|{said}".encode()).digest()
        facts = {"hold": hold_id, "reason": hold.reason, "appellant": by, "words": said, "at": now}
        row = Appeal(
            id=reference_of(seed, "APL"),
            hold=hold_id,
            kind=hold.kind,
            appellant=by,
            words=said,
            made_at=now,
            decide_by=now + APPEAL_SECONDS,
            evidence_id=self._keep(session, facts, "appeal", by, Trust.T1),
        )
        session.add(row)
        session.flush()
        for operator in self._operators(session):
            who = self._parties.name_of(session, by)
            self._say(
                session,
                f"appeal:{row.id}:{operator}",
                operator,
                "appeal",
                {"en": f"{who} appeals against a hold: {said}", "zh-CN": f"{who} 对冻结或暂停提出申诉：{said}"},
                row.evidence_id,
            )
        return row

    def appeals(
        self, session: Session, *, of: Collection[str] | None = None, hold: str | None = None
    ) -> Sequence[Appeal]:
        """Appeals, the one to be decided first first; `of` those of these appellants, `hold` those against one hold."""
        query = select(Appeal).order_by(col(Appeal.decide_by), col(Appeal.id))
        if of is not None:
            query = query.where(col(Appeal.appellant).in_(of))
        if hold is not None:
            query = query.where(Appeal.hold == hold)
        return session.exec(query).all()

    def open_lift(
        self,
        session: Session,
        hold_id: str,
        by: str,
        *,
        words: str,
        evidence_id: str,
        to_release_minor: int | None = None,
        to_refund_minor: int | None = None,
    ) -> HoldLift:
        """An operator prepares the end of a hold nobody decided in time, for two operators to sign.

        Raises Problem `operator_needed`, `unknown_hold`, and as `lifting.open_lift`.
        """
        lifting.require_operator(session, by)
        row = lifting.open_lift(
            session,
            self._desk,
            self._parties,
            self._entrusted,
            self._hold(session, hold_id),
            by=by,
            words=words,
            evidence_id=evidence_id,
            to_release_minor=to_release_minor,
            to_refund_minor=to_refund_minor,
        )
        self._tell_lift(session, row)
        return row

    def sign_lift(self, lift_id: str, by: str, signature: bytes) -> HoldLift:
        """One operator signs; with the second signature the hold ends on the ledger. Everybody it concerns is told.

        Raises Problem as `lifting.sign_lift`.
        """
        row = lifting.sign_lift(self._desk, self._parties, self._lists, lift_id, by, signature)
        with self._desk.session() as session:
            self._tell_lift(session, row)
        return row

    def lift(self, session: Session, lift_id: str) -> tuple[HoldLift, Prepared | None]:
        """One lift and, while it is open, the first act that is signed. Raises Problem `unknown_lift`."""
        acts = self.lift_acts(session, lift_id)
        return lifting.lift_of(session, lift_id), acts[0] if acts else None

    def lift_acts(self, session: Session, lift_id: str) -> list[Prepared]:
        """What is signed for a lift while it is open, in the order of the signatures. Raises Problem `unknown_lift`."""
        row = lifting.lift_of(session, lift_id)
        return lifting.typed(session, self._desk, self._parties, self._lists, row) if row.state == "open" else []

    def lifts(self, session: Session, *, hold: str | None = None) -> list[HoldLift]:
        """Lifts, those under way first."""
        return lifting.lifts(session, hold=hold)

    def turn(self, session: Session, row: HoldLift) -> dict[str, str]:
        """Whose turn a lift is."""
        return lifting.turn_of(session, self._parties, row)

    def kind(self) -> ChangeKind:
        """The change `decide_appeal`: body `appeal`, `outcome` (upheld or rejected), `words`; two operators decide."""
        return ChangeKind("decide_appeal", self._look, self._apply)

    def remind(self) -> int:
        """Tell the operators of every hold and appeal whose day is over; once a day each. Returns how many are late.

        Urgent releases that were checked since are ticked off first.
        """
        now = self._desk.clock.now()
        with self._desk.session() as session:
            self._check_urgent(session)
            under_way = [row.id for row in lifting.lifts(session) if row.state == "open"]
        for lift_id in under_way:
            lifting.finished(self._desk, self._lists, lift_id)
        with self._desk.session() as session:
            late = [(one.id, one.reason) for one in self.all(session) if one.decide_by <= now]
            late += [
                (row.id, {"en": row.words, "zh-CN": row.words})
                for row in self.appeals(session)
                if row.state == "open" and row.decide_by <= now
            ]
            for about, words in late:
                kept = self._keep(session, {"late": about, "day": now // 86_400}, "late hold", "scf", Trust.T2)
                for operator in self._operators(session):
                    self._say(
                        session,
                        f"late:{about}:{now // 86_400}:{operator}"[:160],
                        operator,
                        "hold",
                        {
                            "en": f"Its day is over, decide it: {words['en']}",
                            "zh-CN": f"已过期限，请尽快处理：{words['zh-CN']}",
                        },
                        kept,
                    )
        return len(late)

    # Inside ----------------------------------------------------------------------------------------------------------

    def _look(self, session: Session, body: Mapping[str, Any]) -> Asked:
        row = session.get(Appeal, str(body["appeal"]))
        if row is None or row.state != "open":
            raise Problem("unknown_appeal", appeal=str(body["appeal"])[:40])
        outcome, words = str(body["outcome"]), require_reason(str(body["words"]))
        if outcome not in ("upheld", "rejected"):
            raise Problem("appeal_outcome", outcome=outcome[:40])
        who = self._parties.name_of(session, row.appellant)
        said = {"upheld": "支持", "rejected": "驳回"}[outcome]
        operators = self._operators(session)
        return Asked(
            {
                "en": f"The appeal of {who} is {outcome}: {words}",
                "zh-CN": f"{said} {who} 的申诉：{words}",
            },
            operators[0] if operators else row.appellant,
            row.state,
        )

    def _apply(self, session: Session, body: Mapping[str, Any], maker: str, checker: str) -> None:
        row = session.get(Appeal, str(body["appeal"]))
        assert row is not None  # looked at before
        now = self._desk.clock.now()
        row.state, row.decision = str(body["outcome"]), require_reason(str(body["words"]))
        row.decided_by, row.agreed_by, row.decided_at = maker, checker, now
        facts = {"appeal": row.id, "outcome": row.state, "words": row.decision, "by": [maker, checker], "at": now}
        row.decision_evidence_id = self._keep(session, facts, "appeal decision", maker, Trust.T2)
        session.add(row)
        session.flush()
        said = {"upheld": ("upheld", "获得支持"), "rejected": ("rejected", "被驳回")}[row.state]
        self._say(
            session,
            f"appeal:{row.id}:decided",
            row.appellant,
            "appeal",
            {"en": f"Your appeal was {said[0]}: {row.decision}", "zh-CN": f"您的申诉{said[1]}：{row.decision}"},
            row.decision_evidence_id,
        )
        hold = next((one for one in self.all(session) if one.id == row.hold), None)
        if row.state == "upheld" and hold is not None and hold.kind in lifting.LIFTED_BY_QUORUM:
            lift = lifting.open_lift(
                session,
                self._desk,
                self._parties,
                self._entrusted,
                hold,
                by=maker,
                words=row.decision,
                evidence_id=row.decision_evidence_id,
                to_release_minor=_minor(body, "to_release_minor"),
                to_refund_minor=_minor(body, "to_refund_minor"),
                appeal=row.id,
                in_favour_of=row.appellant,
            )
            self._tell_lift(session, lift)

    def _hold(self, session: Session, hold_id: str) -> Hold:
        found = next((one for one in self.all(session) if one.id == hold_id), None)
        if found is None:
            raise Problem("unknown_hold", hold=hold_id[:80])
        return found

    def _tell_lift(self, session: Session, row: HoldLift) -> None:
        """Tell whom it concerns, and the operators while something is to be signed; each step once."""
        turn = lifting.turn_of(session, self._parties, row)
        told = {"en": f"A hold is being ended: {row.words}", "zh-CN": f"冻结或暂停事项正在解除：{row.words}"}
        if row.state == "done":
            told = {"en": f"A hold has ended: {row.words}", "zh-CN": f"冻结或暂停事项已解除：{row.words}"}
        step = f"{row.state}:{row.first_by or 'nobody'}"
        whom = [(who, told) for who in row.parties.split(",") if who]
        if row.state == "open":
            whom += [
                (who, {tongue: f"{turn[tongue]} {told[tongue]}" for tongue in told}) for who in self._operators(session)
            ]
        for who, words in whom:
            self._say(session, f"lift:{row.id}:{step}:{who}"[:160], who, "hold", words, row.evidence_id)

    def _operators(self, session: Session) -> list[str]:
        members = session.exec(select(Member).order_by(col(Member.address))).all()
        return [one.address for one in members if Role(one.roles) & Role.OPERATOR]

    def _require_operator(self, session: Session, who: str) -> None:
        if who not in self._operators(session):
            raise Problem("role_needed_to_hold", who=self._parties.name_of(session, who))

    def _say(self, session: Session, key: str, who: str, kind: str, words: Mapping[str, str], evidence_id: str) -> None:
        if self._tell is not None:
            self._tell(session, key, who, kind, words, evidence_id)

    def _keep(self, session: Session, facts: Mapping[str, Any], kind: str, sender: str, trust: Trust) -> str:
        return evidence.record(
            session,
            canonical_json(dict(facts)),
            kind=kind,
            source="scf",
            sender=sender,
            trust=trust,
            received_at=self._desk.clock.now(),
        ).evidence_id


def _minor(body: Mapping[str, Any], name: str) -> int | None:
    value = body.get(name)
    return None if value in (None, "") else int(str(value))
