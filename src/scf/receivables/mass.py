"""Mass pass: one act commits a note's value to thousands of recipients; each takes its share, the rest goes back.

The list is filed as evidence before anything is signed, and the signed commitment covers it, so everybody can see from
the documents alone who was meant to get how much. The ledger keeps one word of it; a share is taken with a proof.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, select

from scf.desk.service import Desk, Done, Prepared
from scf.desk.told import TellAll, Told
from scf.kernel.dates import BEIJING, ceil_hour, day_of, from_unix
from scf.kernel.money import format_money
from scf.kernel.problems import Problem
from scf.ledger.signing import canonical
from scf.ledger.sumtree import SumTree
from scf.parties.service import Parties
from scf.receivables import queries
from scf.receivables.judging import ActJudge
from scf.receivables.mass_list import check_list, list_bytes
from scf.receivables.models import MassPass, MassShare, Note, NoteState, Receivable
from scf.receivables.service import OFFER_VALID_SECONDS, SIGNATURE_VALID_SECONDS, Receivables, ledger_path
from scf.store import evidence
from scf.store.evidence import Trust

LIST_KIND = "mass_list"


@dataclass(frozen=True, slots=True)
class MassRequest:
    """Pass parts of a note to everybody on a list; `trade` are the facts filed with the documents behind it."""

    note_id: str
    list_csv: bytes
    evidence_ids: Sequence[str]
    sender: str
    trade: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Share:
    """One recipient's share of one mass pass. Amount in minor units, `until` in unix seconds; `note_id` once taken."""

    mass_id: str
    receivable_id: int
    leaf: int
    recipient: str
    giver: str
    amount_minor: int
    currency: str
    until: int
    note_id: str | None


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a mass pass has been taken up. Amounts in minor units."""

    mass_id: str
    recipients: int
    taken: int
    total_minor: int
    taken_minor: int
    left_minor: int
    currency: str
    until: int
    state: str


class MassPasses:
    """The door to mass passes: the giver's act, each recipient's share, and the giver's way to get the rest back."""

    def __init__(self, desk: Desk, parties: Parties, judge: ActJudge, receivables: Receivables, tell: TellAll) -> None:
        self._desk = desk
        self._parties = parties
        self._judge = judge
        self._receivables = receivables
        self._tell = tell
        self._trees: dict[str, SumTree] = {}
        receivables.after["mass_pass"] = self._passed
        receivables.more["claim"] = self._with_proof

    # The giver -------------------------------------------------------------------------------------------------------

    def prepare_pass(self, request: MassRequest) -> Prepared:
        """File the list and give what the holder signs: the whole sum for everybody on it.

        Raises Problem `mass_list_unreadable`, `mass_row_refused` with the line, and what the rulebook refuses.
        """
        now = self._desk.clock.now()
        with self._desk.session() as session:
            note = queries.note(session, request.note_id)
            receivable = queries.receivable(session, note.receivable_id)
            if note.tier >= receivable.max_tier:
                raise Problem("mass_too_deep", tier=note.tier + 1, maximum=receivable.max_tier)
            rows = check_list(session, request.list_csv, note, receivable)
            total_minor = sum(amount for _, amount in rows)
            if total_minor > note.amount_minor:
                raise Problem(
                    "amount_above_note",
                    carries=format_money(note.amount_minor, receivable.currency),
                    amount=format_money(total_minor, receivable.currency),
                )
            document = self._file(session, request, rows, now)
            tree = self._tree(session, document)
            until = min(ceil_hour(now + OFFER_VALID_SECONDS), receivable.maturity // 3600 * 3600)
            message = {
                "parentId": int(note.id, 16),
                "childIndex": note.children,
                "root": tree.root,
                "count": tree.count,
                "evidence": document,
                "offerUntil": until,
                "deadline": now + SIGNATURE_VALID_SECONDS,
            }
            self._judge.any(session, "mass_pass", message)
        amount = format_money(total_minor, receivable.currency)
        day = _hour(until)
        return self._desk.prepare(
            "mass_pass",
            "Receivables",
            "MassPass",
            message,
            signers=(note.holder,),
            summary={
                "en": f"You offer {amount} of this note to {tree.count} recipients on the filed list; each can take "
                f"its share until {day}, and what nobody took comes back to you.",
                "zh-CN": f"您将该凭证中的 {amount} 流转给清单上的 {tree.count} 个收款方；各方可在 {day} "
                "前领取自己的份额，未领取的部分退回给您。",
            },
        )

    def reclaim(self, mass_id: str, *, key: str, caller: str) -> Mapping[str, Any]:
        """Give what nobody took back to the giver, after the deadline. Anyone may do this; once.

        Raises Problem `mass_not_found`, `mass_still_open` or `mass_nothing_left`.
        """
        with self._desk.session() as session:
            note, row, receivable = self._mass(session, mass_id)
            if note.offer_until > self._desk.clock.now():
                raise Problem("mass_still_open", until=_hour(note.offer_until))
            if note.state == NoteState.MASS and note.amount_minor == 0:
                raise Problem("mass_nothing_left", recipients=row.recipients)
            call = self._desk.contracts.receivables.call("lapse", *ledger_path(note))
            left = note.amount_minor

        def reply(done: Done) -> Mapping[str, Any]:
            returned = int(done.event("Returned").args["amount"])
            return {
                "transaction": done.transaction_hash,
                "block": done.block_number,
                "note": mass_id,
                "returned_minor": returned,
                "currency": receivable.currency,
            }

        if left == 0:  # returned before, by this request or the hourly job
            return {"note": mass_id, "returned_minor": note.original_minor - self._taken(mass_id)[1],
                    "currency": receivable.currency}  # fmt: skip
        return self._desk.once(key, caller, "reclaim", {"note": mass_id}, lambda: call, reply)

    # The recipient ---------------------------------------------------------------------------------------------------

    def prepare_claim(self, mass_id: str, recipient: str) -> Prepared:
        """Typed data with which a recipient takes its share. Raises Problem `mass_no_share`, `mass_closed`."""
        with self._desk.session() as session:
            share = self.share_of(session, mass_id, recipient)
            receivable = queries.receivable(session, share.receivable_id)
            message = {
                "massId": int(mass_id, 16),
                "leaf": share.leaf,
                "to": share.recipient,
                "amount": share.amount_minor,
                "deadline": self._desk.clock.now() + SIGNATURE_VALID_SECONDS,
            }
            self._judge.any(session, "claim", message)
            payer, giver = (self._parties.name_of(session, who) for who in (receivable.obligor, share.giver))
        amount = format_money(share.amount_minor, share.currency)
        day = day_of(receivable.maturity).isoformat()
        return self._desk.prepare(
            "claim",
            "Receivables",
            "Materialise",
            message,
            signers=(share.recipient,),
            summary={
                "en": f"You take your share of {amount} from {giver}, payable by {payer} on {day}.",
                "zh-CN": f"您领取 {giver} 流转给您的 {amount}，由 {payer} 于 {day} 支付。",
            },
        )

    def share_of(self, session: Session, mass_id: str, recipient: str) -> Share:
        """The open share of one recipient. Raises Problem `mass_no_share`, `mass_share_taken` or `mass_closed`."""
        found = self._shares(session, [mass_id], [recipient])
        if not found:  # or there is no such mass pass: who has no share in it does not learn whether there is one
            raise Problem("mass_no_share")
        note = queries.note(session, mass_id)
        if found[0].note_id is not None:
            raise Problem("mass_share_taken", note=found[0].note_id)
        if note.frozen:
            raise Problem("note_not_movable", state=note.standing())
        if note.state != NoteState.MASS or note.offer_until <= self._desk.clock.now():
            raise Problem("mass_closed", until=_hour(note.offer_until))
        return found[0]

    def open_shares(self, session: Session, recipients: Sequence[str], *, limit: int = 50) -> list[Share]:
        """Shares these addresses can take now, soonest deadline first."""
        query = (
            select(Note.id)
            .join(MassShare, col(MassShare.document) == col(Note.evidence))
            .where(
                col(MassShare.recipient).in_(recipients),
                Note.state == NoteState.MASS,
                col(Note.frozen).is_(False),
                Note.offer_until > self._desk.clock.now(),
            )
            .order_by(col(Note.offer_until), col(Note.id))
            .distinct()
        )
        found = self._shares(session, list(session.exec(query)), recipients)
        return [one for one in sorted(found, key=lambda s: (s.until, s.mass_id)) if one.note_id is None][:limit]

    def proof(self, session: Session, mass_id: str, leaf: int) -> list[int]:
        """The words that prove a leaf, from the leaf up. Raises Problem `mass_not_found`."""
        note, _, _ = self._mass(session, mass_id)
        return self._tree(session, note.evidence).proof(leaf)

    # Questions -------------------------------------------------------------------------------------------------------

    def progress(self, session: Session, mass_id: str) -> Progress:
        """How much of a mass pass has been taken up. Raises Problem `mass_not_found`."""
        note, row, receivable = self._mass(session, mass_id)
        taken, taken_minor = self._taken(note.id, session)
        return Progress(
            mass_id=note.id,
            recipients=row.recipients,
            taken=taken,
            total_minor=note.original_minor,
            taken_minor=taken_minor,
            left_minor=note.amount_minor,
            currency=receivable.currency,
            until=note.offer_until,
            state=note.state,
        )

    def require_seen(self, session: Session, mass_id: str, addresses: Collection[str] | None) -> None:
        """Only its giver knows a mass pass as a whole; None is who oversees all. Raises Problem `mass_not_found`."""
        note, _, _ = self._mass(session, mass_id)
        if addresses is not None and note.giver not in addresses:
            raise Problem("mass_not_found", note=mass_id)

    def shares(self, session: Session, mass_id: str, *, after: int = -1, limit: int = 100) -> list[Share]:
        """Everybody on the list by place, with the note each took; `after` is the last place seen."""
        self._mass(session, mass_id)
        return self._shares(session, [mass_id], after=after, limit=limit)

    # Inside ----------------------------------------------------------------------------------------------------------

    def _file(self, session: Session, request: MassRequest, rows: Sequence[tuple[str, int]], now: int) -> str:
        recorded = evidence.record(
            session,
            list_bytes(rows),
            kind=LIST_KIND,
            source=request.sender,
            sender=request.sender,
            trust=Trust.T1,
            received_at=now,
            name=f"{len(rows)} recipients",
        )
        ids = [*request.evidence_ids, recorded.evidence_id]
        document = self._receivables.file(session, ids, **request.trade).document
        session.execute(
            sa.insert(MassShare),
            [
                {"document": document, "leaf": leaf, "recipient": to, "amount_minor": amount}
                for leaf, (to, amount) in enumerate(rows)
            ],
        )
        return document

    def _tree(self, session: Session, document: str) -> SumTree:
        """The tree of a filed list; the last few are kept, because every claim needs it."""
        if document not in self._trees:
            rows = session.exec(
                select(MassShare.recipient, MassShare.amount_minor)
                .where(MassShare.document == document)
                .order_by(col(MassShare.leaf))
            ).all()
            if not rows:
                raise Problem("mass_list_missing")
            while len(self._trees) >= 4:
                self._trees.pop(next(iter(self._trees)))
            self._trees[document] = SumTree([(canonical(to), amount) for to, amount in rows])
        return self._trees[document]

    def _mass(self, session: Session, mass_id: str) -> tuple[Note, MassPass, Receivable]:
        row = session.get(MassPass, mass_id)
        if row is None:
            raise Problem("mass_not_found", note=mass_id)
        return queries.note(session, mass_id), row, queries.receivable(session, row.receivable_id)

    def _taken(self, mass_id: str, session: Session | None = None) -> tuple[int, int]:
        """How many took their share of it, and how much together."""
        if session is None:
            with self._desk.session() as own:
                return self._taken(mass_id, own)
        query = select(sa.func.count(), sa.func.coalesce(sa.func.sum(Note.original_minor), 0))
        count, minor = session.exec(query.where(Note.parent_id == mass_id)).one()
        return int(count), int(minor)

    def _shares(
        self,
        session: Session,
        mass_ids: Sequence[str],
        recipients: Sequence[str] | None = None,
        *,
        after: int = -1,
        limit: int | None = None,
    ) -> list[Share]:
        taken = aliased(Note)
        query = (
            sa.select(Note, MassShare, col(taken.id), col(Receivable.currency))
            .join(MassShare, col(MassShare.document) == col(Note.evidence))
            .join(Receivable, col(Receivable.id) == col(Note.receivable_id))
            .outerjoin(
                taken, sa.and_(col(taken.parent_id) == col(Note.id), col(taken.child_index) == col(MassShare.leaf))
            )
            .where(col(Note.id).in_(mass_ids), col(MassShare.leaf) > after)
            .order_by(col(MassShare.leaf))
            .limit(limit)
        )
        if recipients is not None:
            query = query.where(col(MassShare.recipient).in_(recipients))
        return [
            Share(note.id, note.receivable_id, row.leaf, row.recipient, note.giver, row.amount_minor, code,
                  note.offer_until, note_id)
            for note, row, note_id, code in session.execute(query)
        ]  # fmt: skip

    def _with_proof(self, session: Session, message: Mapping[str, Any]) -> Mapping[str, Any]:
        """What the call of a claim needs beside what was signed."""
        mass_id = f"0x{int(message['massId']):064x}"
        leaf = int(message["leaf"])
        note, row, _ = self._mass(session, mass_id)
        if leaf >= row.recipients:
            raise Problem("mass_no_share")
        return {"proof": self._tree(session, note.evidence).proof(leaf)}

    def _passed(self, session: Session, done: Done) -> None:
        """Tell every recipient what it can take and until when; each once."""
        mass_id = f"0x{int(done.event('MassPassed').args['massId']):064x}"
        shares = self._shares(session, [mass_id])
        givers = {who: self._parties.name_of(session, who) for who in {share.giver for share in shares}}
        told = []
        for share in shares:
            giver = givers[share.giver]
            amount = format_money(share.amount_minor, share.currency)
            until = _hour(share.until)
            words = {
                "en": f"{giver} passed you {amount}. Take it until {until}; after that it goes back.",
                "zh-CN": f"{giver} 向您流转了 {amount}，请在 {until} 前领取；逾期将退回。",
            }
            key = f"mass:{mass_id}:{share.leaf}"
            told.append(Told(key, share.recipient, "share", words, transaction_hash=done.transaction_hash))
        self._tell(session, told)


def _hour(seconds: int) -> str:
    """A deadline as sentences in both languages say it, by the clock in Beijing; it is always a whole hour."""
    return from_unix(seconds).astimezone(BEIJING).strftime("%Y-%m-%d %H:%M (UTC+8)")
