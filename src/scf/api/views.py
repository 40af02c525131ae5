"""Records as callers may see them: rows of the books under the policy, in the shape that answers and pages show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlmodel import Session

from scf.api import account_facts, reads
from scf.api.access import Caller
from scf.api.policy import Circle, NoteSight, Sight, may_open_evidence, note_sights, receivable_sight, stage_sights
from scf.api.shapes import amount
from scf.app import App
from scf.entrusted import queries as entrusted_queries
from scf.entrusted.models import EntrustedAccount
from scf.entrusted.service import APPROVER, ATTESTOR
from scf.kernel.dates import day_of, from_unix
from scf.kernel.problems import Problem
from scf.parties.models import Member
from scf.receivables import queries
from scf.receivables.models import Note, NoteState, Receivable
from scf.store import evidence

Json = dict[str, Any]


def moment(seconds: int | None) -> str | None:
    """Unix seconds as ISO 8601 in UTC."""
    return None if seconds is None else from_unix(seconds).strftime("%Y-%m-%dT%H:%M:%SZ")


class Views:
    """Views of one caller on one installation within one read session; names are read once."""

    def __init__(self, app: App, session: Session, caller: Caller) -> None:
        self.app = app
        self.session = session
        self.caller = caller
        self.names: Mapping[str, str] = app.parties.names(session)

    def name(self, address: str) -> str:
        """The organisation behind an address, or the address shortened."""
        return self.names.get(address, f"{address[:8]}…{address[-4:]}")

    def who(self, address: str, shown: bool = True) -> Json | None:
        """A participant as answers name it; None where the policy hides it."""
        return {"address": address, "name": self.name(address)} if shown else None

    # Receivables ------------------------------------------------------------------------------------------------------

    def circle(self, row: Receivable, notes: Sequence[Note]) -> Circle:
        """Relations of a receivable outside its own row."""
        obligor = self.session.get(Member, row.obligor)
        return Circle(
            paying_bank=obligor.paying_bank if obligor else None,
            financings=reads.financings_of(self.session, row.id),
            invited=reads.invited_to(self.session, [note.id for note in notes]),
        )

    def receivable_row(self, receivable_id: int) -> tuple[Receivable, list[NoteSight], Sight]:
        """A receivable and its notes as the caller may see them. Raises Problem `unknown_receivable`."""
        row = queries.receivable(self.session, receivable_id)
        notes = queries.notes_of_receivable(self.session, receivable_id)
        circle = self.circle(row, notes)
        sight = receivable_sight(self.caller, row, notes, circle)
        if sight is Sight.NONE:
            raise Problem("unknown_receivable", receivable=receivable_id)
        return row, note_sights(self.caller, row, notes, circle), sight

    def receivable(self, receivable_id: int) -> Json:
        """One receivable."""
        row, sights, sight = self.receivable_row(receivable_id)
        return self.shape_receivable(row, sights, sight)

    def shape_receivable(self, row: Receivable, sights: Sequence[NoteSight], sight: Sight) -> Json:
        """Terms and state; sums over the chain only for who sees all amounts."""
        wide = sight >= Sight.SUM
        creditor = (
            wide
            or row.creditor in self.caller.addresses
            or any(item.holder and item.note.parent_id is None for item in sights)
        )
        shown: Json = {
            "id": row.id,
            "obligor": self.who(row.obligor),
            "creditor": self.who(row.creditor, creditor),
            "currency": row.currency,
            "maturity": day_of(row.maturity).isoformat(),
            "state": self.state_of(row),
            "issued_at": moment(row.issued_at),
            "state_since": moment(row.state_since),
            "turn": self.turn_of(row, creditor),
            "root_note": row.root_note_id,
            "document": row.document if wide or creditor else None,
            "face": amount(row.face_minor, row.currency) if wide or creditor else None,
            "outstanding": amount(row.outstanding_minor, row.currency) if wide else None,
            "paid": amount(row.paid_minor, row.currency) if wide else None,
            "sight": sight.name.lower(),
        }
        mine = sum(item.note.amount_minor for item in sights if item.mine and item.note.state == NoteState.HELD)
        shown["mine"] = amount(mine, row.currency)
        if wide:
            shown["chain"] = self._chain([item.note for item in sights], row.currency)
        return shown

    def state_of(self, row: Receivable) -> str:
        """The stored state, or `overdue`, which follows from time."""
        overdue = row.state == "live" and row.maturity < self.app.clock.now() and row.outstanding_minor > 0
        return "overdue" if overdue else str(row.state)

    def turn_of(self, row: Receivable, creditor_shown: bool) -> dict[str, str]:
        """Whose turn it is; without the creditor's name where the policy hides it."""
        if row.state == "offered" and not creditor_shown:
            return {"en": "The creditor has to accept or refuse.", "zh-CN": "等待债权人签收或拒收。"}
        return self.app.receivables.turn(self.session, row)

    def _chain(self, notes: Sequence[Note], code: str) -> list[Json]:
        tiers: dict[int, list[Note]] = {}
        for note in notes:
            if note.state != NoteState.RETURNED:
                tiers.setdefault(note.tier, []).append(note)
        return [
            {
                "tier": tier,
                "notes": len(rows),
                "carried": amount(sum(note.amount_minor for note in rows), code),
                "settled": amount(sum(note.settled_minor for note in rows), code),
            }
            for tier, rows in sorted(tiers.items())
        ]

    # Notes ------------------------------------------------------------------------------------------------------------

    def note_sight(self, note_id: str) -> tuple[Receivable, NoteSight]:
        """One note as the caller may see it. Raises Problem `unknown_note`."""
        note = queries.note(self.session, note_id.lower())
        try:
            row, sights, _ = self.receivable_row(note.receivable_id)
        except Problem as hidden:
            raise Problem("unknown_note", note=note_id) from hidden
        for item in sights:
            if item.note.id == note.id:
                return row, item
        raise Problem("unknown_note", note=note_id)

    def note(self, note_id: str) -> Json:
        """One note, with the way up to the root."""
        row, item = self.note_sight(note_id)
        shown = self.shape_note(row, item)
        lineage = queries.lineage(self.session, item.note.id)
        shown["lineage"] = [
            {"note": above.id, "child_index": above.child_index, "tier": above.tier, "evidence": above.evidence}
            for above in lineage
        ]
        return shown

    def shape_note(self, row: Receivable, item: NoteSight) -> Json:
        """One note; what the policy hides is null."""
        note, code = item.note, row.currency

        def money(minor: int) -> Json | None:
            return amount(minor, code) if item.amounts else None

        return {
            "id": note.id,
            "receivable": note.receivable_id,
            "parent": note.parent_id,
            "tier": note.tier,
            "state": str(note.state),
            "obligor": self.who(row.obligor),
            "giver": self.who(note.giver, item.giver),
            "holder": self.who(note.holder, item.holder),
            "amount": money(note.amount_minor),
            "original": money(note.original_minor),
            "settled": money(note.settled_minor),
            "interest": money(note.interest_minor),
            "maturity": day_of(row.maturity).isoformat(),
            "children": note.children,
            "frozen": note.frozen,
            "recourse": note.recourse,
            "financed": note.financed,
            "offer_until": moment(note.offer_until) if note.state in ("offered", "locked", "mass") else None,
            "made_at": moment(note.made_at),
            "state_since": moment(note.state_since),
            "mine": item.mine,
            "turn": self.note_turn(row, item),
        }

    def note_turn(self, row: Receivable, item: NoteSight) -> dict[str, str]:
        """Whose turn it is on a note, and since or until when."""
        note = item.note
        day, until = day_of(row.maturity).isoformat(), day_of(note.offer_until).isoformat()
        since, payer = day_of(note.state_since).isoformat(), self.name(row.obligor)
        holder = self.name(note.holder) if item.holder else None
        if note.frozen:
            return {
                "en": f"On hold by order since {since}; the balance stays.",
                "zh-CN": f"自 {since} 起依令冻结，余额不变。",
            }
        if note.state == NoteState.OFFERED and note.offer_until <= self.app.clock.now():
            return {
                "en": f"The offer ran out on {until}; the value goes back to its giver, and what is owed stays owed.",
                "zh-CN": f"该流转已于 {until} 过期，金额退回给付方；双方之间的欠款不受影响。",
            }
        if note.state == NoteState.OFFERED:
            return {
                "en": f"{holder or 'The recipient'} has to accept or refuse until {until}; offered on {since}.",
                "zh-CN": f"自 {since} 起等待 {holder or '接收方'} 签收或拒收，最迟 {until}。",
            }
        if note.state == NoteState.LOCKED:
            return {
                "en": f"The paying bank has to confirm the payment until {until}, or the note goes back; "
                f"locked on {since}.",
                "zh-CN": f"自 {since} 起等待付款银行确认付款，{until} 前未付则凭证退回。",
            }
        if note.state == NoteState.RETURNED:
            return {"en": f"Went back to its giver on {since}.", "zh-CN": f"已于 {since} 退回给付方。"}
        if note.state == NoteState.SETTLED:
            return {"en": f"Paid on {since}.", "zh-CN": f"已于 {since} 兑付。"}
        if row.outstanding_minor == 0:
            return {
                "en": f"{payer} has paid; the bank hands each holder its part.",
                "zh-CN": f"{payer} 已付款，付款银行正向各持有人兑付。",
            }
        if row.maturity < self.app.clock.now():
            return {"en": f"{payer} is overdue since {day}.", "zh-CN": f"{payer} 自 {day} 起逾期未付。"}
        return {
            "en": f"{payer} has to pay on {day}; held since {since}.",
            "zh-CN": f"{payer} 应于 {day} 付款；自 {since} 起持有。",
        }

    # Entrusted accounts -----------------------------------------------------------------------------------------------

    def account(self, account_id: int) -> Json:
        """One entrusted account with its stages. Raises Problem `unknown_entrusted_account`."""
        row = entrusted_queries.account(self.session, account_id)
        attestors = entrusted_queries.duties(self.session, account_id, ATTESTOR)
        approvers = entrusted_queries.duties(self.session, account_id, APPROVER)
        stages = stage_sights(
            self.caller,
            row,
            entrusted_queries.stages(self.session, account_id),
            {*attestors, *approvers},
            reads.financiers_of_account(self.session, account_id),
        )
        if not stages:
            raise Problem("unknown_entrusted_account", account=account_id)
        return self._shape_account(row, [stage.stage for stage in stages], attestors, approvers)

    def _shape_account(
        self, row: EntrustedAccount, numbers: Sequence[int], attestors: Sequence[str], approvers: Sequence[str]
    ) -> Json:
        whole = len(numbers) == len(entrusted_queries.stages(self.session, row.id))
        locked_minor = row.locked_minor if row.locked_at else 0
        return {
            "id": row.id,
            "payer": self.who(row.payer),
            "beneficiary": self.who(row.beneficiary),
            "bank": self.who(row.bank),
            "currency": row.currency,
            "amount": amount(row.amount_minor, row.currency) if whole else None,
            "locked": amount(locked_minor, row.currency) if whole else None,
            "released": amount(row.released_minor, row.currency) if whole else None,
            "refunded": amount(row.refunded_minor, row.currency) if whole else None,
            "opened_at": moment(row.opened_at),
            "locked_at": moment(row.locked_at),
            "turn": self.app.entrusted.turn(self.session, row.id),
            "agreed": account_facts.agreed_words(self.app, self.session, row) if whole else None,
            "urgent": account_facts.urgent_releases(self.app, self.session, row, numbers),
            "proof": account_facts.proof(self.session, row) if whole else None,
            "came_back": account_facts.came_back(self.session, row) if whole else [],
            "attestors": [self.who(who) for who in attestors],
            "approvers": [self.who(who) for who in approvers],
            "stages": [self.stage(row, number) for number in numbers],
        }

    def stage(self, row: EntrustedAccount, number: int) -> Json:
        """One stage: what was agreed, who vouched and approved, what is missing."""
        code = row.currency
        stage = entrusted_queries.stage(self.session, row.id, number)
        view = self.app.entrusted.stage_view(self.session, row.id, number)
        rule = self.app.entrusted.rule_of(self.session, stage.rule)
        finished = stage.released_minor + stage.refunded_minor >= stage.amount_minor
        return {
            "account": row.id,
            "stage": number,
            "title": {"en": rule.title_en, "zh-CN": rule.title_zh} if rule else {"en": "", "zh-CN": ""},
            "needs": [need for need in (rule.needs if rule else "").split(",") if need],
            "order_reference": rule.order_reference if rule else None,
            "payee": self.who(stage.payee),
            "amount": amount(stage.amount_minor, code),
            "released": amount(stage.released_minor, code),
            "refunded": amount(stage.refunded_minor, code),
            "disputed": amount(stage.disputed_minor, code),
            "releasable": amount(view.releasable_minor, code),
            "refundable": amount(view.refundable_minor, code),
            "deadline": moment(stage.deadline),
            "finished": finished,
            "attested_by": [
                {
                    **(self.who(item.attestor) or {}),
                    "up_to": amount(item.up_to_minor, code),
                    "evidence": item.evidence.removeprefix("0x"),
                    "at": moment(item.attested_at),
                }
                for item in entrusted_queries.attestations(self.session, row.id, number)
            ],
            "approved_by": [
                {
                    **(self.who(item.approver) or {}),
                    "up_to": amount(item.up_to_minor, code),
                    "at": moment(item.approved_at),
                }
                for item in entrusted_queries.approvals(self.session, row.id, number)
            ],
            "missing": {} if finished else view.missing,
        }

    # Evidence ---------------------------------------------------------------------------------------------------------

    def evidence(self, evidence_id: str) -> Json:
        """Metadata of a filed document the caller has a relation to. Raises Problem `evidence_unknown`."""
        rows = evidence.records_of(self.session, evidence_id.lower())
        parties = self.evidence_parties(evidence_id.lower()) if rows else set()
        own = [row for row in rows if may_open_evidence(self.caller, row.sender, parties)]
        if not own:
            raise Problem("evidence_unknown", evidence=evidence_id[:64])
        return {
            "id": evidence_id.lower(),
            "records": [
                {
                    "leaf_index": row.leaf_index,
                    "kind": row.kind,
                    "source": row.source,
                    "trust": f"T{row.trust}",
                    "name": row.name,
                    "received_at": moment(row.received_at),
                    "signed": row.signature is not None,
                }
                for row in own
            ],
            "raw": f"/api/v1/evidence/{evidence_id.lower()}/raw",
        }

    def evidence_parties(self, evidence_id: str) -> set[str]:
        """Addresses of both sides of every trade or hold that rests on a document, and of who vouched for it."""
        documents = {dossier.document for dossier in reads.dossiers_with(self.session, evidence_id)}
        found = self.app.openings.sides_of_text(self.session, evidence_id)
        found |= self.app.holds.concerned_by(self.session, evidence_id)
        for note in reads.notes_backed_by(self.session, documents):
            found |= {note.giver, note.holder}
        for account in reads.accounts_with_evidence(self.session, "0x" + evidence_id):
            duties = {
                *entrusted_queries.duties(self.session, account.id, ATTESTOR),
                *entrusted_queries.duties(self.session, account.id, APPROVER),
            }
            found |= {account.payer, account.beneficiary, account.bank, *duties}
        return found
