"""Receivables: issue, accept, pass, refuse, withdraw, lapse, pay, settle. The only door to this room.

Each act goes the same way: `prepare_…` gives the typed data and a sentence, the party signs, `submit` judges it by the
rulebook and relays it once. Bulk work takes the same calls from `call` and relays many at once.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlmodel import Session

from scf.desk.service import Desk, Done, Prepared
from scf.kernel.dates import ceil_hour, day_of, to_unix
from scf.kernel.money import currency as currency_of
from scf.kernel.money import format_money, pro_rata_cut
from scf.kernel.problems import Problem
from scf.ledger.hashing import keccak
from scf.ledger.types import Call
from scf.parties.service import Parties
from scf.receivables import queries
from scf.receivables.acts import ACTS
from scf.receivables.books import hex32
from scf.receivables.judging import ActJudge, record_decisions
from scf.receivables.models import Dossier, Note, NoteState, Receivable, TradeTerms
from scf.receivables.sizes import size_of
from scf.rulebook.service import Judgement

SIGNATURE_VALID_SECONDS = 3 * 86_400
OFFER_VALID_SECONDS = 7 * 86_400
SETTLE_BATCH = 100


@dataclass(frozen=True, slots=True)
class IssueRequest:
    """What an obligor promises: `face_minor` to the creditor on `maturity`, backed by filed documents."""

    obligor: str
    creditor: str
    face_minor: int
    currency: str
    maturity: date
    document: str
    fingerprint: str
    max_tier: int = 8
    min_minor: int = 1


@dataclass(frozen=True, slots=True)
class PassRequest:
    """Pass `amount_minor` of a note on to another member, backed by the documents of that trade."""

    note_id: str
    to: str
    amount_minor: int
    document: str


class Receivables:
    """The only door to receivables and notes."""

    def __init__(self, desk: Desk, parties: Parties, judge: ActJudge, consortium_key: bytes) -> None:
        self._desk = desk
        self._parties = parties
        self._judge = judge
        self._consortium_key = consortium_key
        self.more: dict[str, Callable[[Session, Mapping[str, Any]], Mapping[str, Any]]] = {}
        """By act: what its call needs beside the signed message."""
        self.after: dict[str, Callable[[Session, Done], None]] = {}
        """By act: what follows it, in the transaction that keeps its answer; safe to repeat."""
        self.wording: Callable[[Session, str, str, int], tuple[str, str]] = lambda *_: ("", "")
        """Wording of the programme (obligor, currency, moment of issue) in English and Chinese, read with the act."""

    # Documents -------------------------------------------------------------------------------------------------------

    def fingerprint(self, seller: str, invoice_number: str, issue_date: date) -> str:
        """Keyed tag of an invoice: equal for the same invoice, not guessable without the consortium's key."""
        canonical = "|".join((" ".join(seller.upper().split()), invoice_number.strip().upper(), issue_date.isoformat()))
        return "0x" + hmac.new(self._consortium_key, canonical.encode(), hashlib.sha256).hexdigest()

    def file(
        self, session: Session, evidence_ids: Sequence[str], *, salt: bytes | None = None, **facts: Any
    ) -> Dossier:
        """Commit to the documents behind an issue or a pass: keccak256(salt, ids in order).

        Facts as in `Dossier` and `TradeTerms`; dates in ISO text.
        """
        if not evidence_ids:
            raise Problem("no_trade_documents", document="-")
        salt = salt or secrets.token_bytes(32)
        document = "0x" + keccak(salt + b"".join(bytes.fromhex(item) for item in evidence_ids)).hex()
        found = session.get(Dossier, document)
        if found is None:
            terms = {name: facts.pop(name) for name in list(facts) if name in TradeTerms.model_fields}
            found = Dossier(
                document=document,
                salt="0x" + salt.hex(),
                evidence_ids=",".join(evidence_ids),
                made_at=self._desk.clock.now(),
                **facts,
            )
            session.add(found)
            if terms:
                session.add(TradeTerms(document=document, **terms))
            session.flush()
        return found

    # Prepare ---------------------------------------------------------------------------------------------------------

    def prepare_issue(self, request: IssueRequest) -> Prepared:
        """Typed data of an issue, judged by the rulebook first. Raises Problem of the rule or limit that refuses it."""
        now = self._desk.clock.now()
        message = {
            "obligor": request.obligor,
            "creditor": request.creditor,
            "face": request.face_minor,
            "currency": currency_of(request.currency).numeric,
            "maturity": to_unix(request.maturity),
            "maxTier": request.max_tier,
            "minAmount": request.min_minor,
            "fingerprint": request.fingerprint,
            "document": request.document,
            "offerUntil": ceil_hour(now + OFFER_VALID_SECONDS),
            "deadline": now + SIGNATURE_VALID_SECONDS,
        }
        with self._desk.session() as session:
            self._judge.issue(session, message)
            creditor = self._parties.name_of(session, request.creditor)
            wording = self.wording(session, request.obligor, request.currency, now)
        amount, day = format_money(request.face_minor, request.currency), request.maturity.isoformat()
        return self._prepared(
            "issue",
            message,
            (request.obligor,),
            en=f"You promise to pay {amount} to {creditor} on {day}." + wording[0],
            zh=f"您承诺于 {day} 向 {creditor} 支付 {amount}。" + wording[1],
        )

    def prepare_accept(self, note_id: str) -> Prepared:
        """Typed data with which the recipient of an offer accepts it."""
        with self._desk.session() as session:
            note = self._offered(session, note_id)
            receivable = queries.receivable(session, note.receivable_id)
            payer, giver = (self._parties.name_of(session, who) for who in (receivable.obligor, note.giver))
            wording = self.wording(session, receivable.obligor, receivable.currency, receivable.issued_at)
        amount = format_money(note.amount_minor, receivable.currency)
        day = day_of(receivable.maturity).isoformat()
        return self._prepared(
            "accept",
            {"noteId": int(note_id, 16), "deadline": self._deadline()},
            (note.holder,),
            en=f"You accept from {giver} a claim of {amount}, payable by {payer} on {day}." + wording[0],
            zh=f"您签收来自 {giver} 的 {amount} 债权，由 {payer} 于 {day} 支付。" + wording[1],
        )

    def prepare_pass(self, request: PassRequest) -> Prepared:
        """Typed data with which a holder offers a part of its note to another member."""
        with self._desk.session() as session:
            note = queries.note(session, request.note_id)
            receivable = queries.receivable(session, note.receivable_id)
            message = {
                "parentId": int(note.id, 16),
                "childIndex": note.children,
                "to": request.to,
                "amount": request.amount_minor,
                "evidence": request.document,
                "offerUntil": min(
                    ceil_hour(self._desk.clock.now() + OFFER_VALID_SECONDS), receivable.maturity // 3600 * 3600
                ),
                "deadline": self._deadline(),
            }
            self._judge.passing(session, message)
            to = self._parties.name_of(session, request.to)
        amount = format_money(request.amount_minor, receivable.currency)
        return self._prepared(
            "pass",
            message,
            (note.holder,),
            en=f"You offer {amount} of this note to {to}; it is theirs once they accept.",
            zh=f"您将该凭证中的 {amount} 流转给 {to}，对方签收后生效。",
        )

    def judge_pass(self, session: Session, note_id: str, amount_minor: int, document: str) -> None:
        """Say beforehand what would refuse a pass of this amount to a firm that is not a member yet.

        Raises Problem of the rule, amount or document that refuses it.
        """
        message = {"parentId": int(note_id, 16), "to": None, "amount": amount_minor, "evidence": document}
        self._judge.passing(session, message)

    def prepare_refuse(self, note_id: str, reason: str) -> Prepared:
        """Typed data with which the recipient of an offer refuses it; the value goes back and its cash claim stays."""
        return self._prepare_return("refuse", note_id, reason)

    def prepare_withdraw(self, note_id: str) -> Prepared:
        """Typed data with which the giver takes back an offer nobody accepted yet."""
        return self._prepare_return("withdraw", note_id, "")

    def prepare_payment(
        self, receivable_id: int, principal_minor: int, bank_reference: str, *, interest_minor: int = 0
    ) -> Prepared:
        """Typed data with which the paying bank attests what arrived; the cut makes every share computable."""
        with self._desk.session() as session:
            row = queries.receivable(session, receivable_id)
            if principal_minor > row.outstanding_minor:
                raise Problem(
                    "payment_above_debt",
                    amount=format_money(principal_minor, row.currency),
                    outstanding=format_money(row.outstanding_minor, row.currency),
                )
            weights = queries.weights_for_next_round(session, receivable_id)
            round_ = len(queries.payments_of(session, receivable_id))
            bank = self._parties.member(session, row.obligor).paying_bank
        principal, interest = (format_money(minor, row.currency) for minor in (principal_minor, interest_minor))
        return self._prepared(
            "payment",
            payment_message(
                receivable_id, round_, weights, principal_minor, interest_minor, bank_reference, self._deadline()
            ),
            (bank or "",),
            en=f"You attest that {principal} arrived for receivable {receivable_id}"
            + (f", and {interest} of late interest." if interest_minor else "."),
            zh=f"您证明应收账款凭证 {receivable_id} 的款项 {principal}"
            + (f"及逾期利息 {interest} 已到账。" if interest_minor else " 已到账。"),
        )

    # Submit ----------------------------------------------------------------------------------------------------------

    def call(self, act: str, message: Mapping[str, Any], signature: bytes) -> Call:
        """The ledger call of a signed act. Raises Problem `unknown_act`."""
        if act not in ACTS:
            raise Problem("unknown_act", act=act)
        with self._desk.session() as session:
            if act in ("refuse", "withdraw"):
                message = {**message, "path": ledger_path(queries.note(session, hex32(int(message["noteId"]))))}
            elif act in self.more:
                message = {**message, **self.more[act](session, message)}
        return ACTS[act].call(self._desk.contracts, message, signature)

    def submit(
        self, act: str, message: Mapping[str, Any], signatures: Sequence[bytes], *, key: str, caller: str
    ) -> Mapping[str, Any]:
        """Relay a signed act once. Raises Problem with the rule, limit or ledger reason that refuses it."""
        if act not in ACTS:
            raise Problem("unknown_act", act=act)
        kind = ACTS[act]
        judged: list[Judgement] = []

        def build() -> Call:
            with self._desk.session() as session:
                judged[:] = self._judge.any(session, act, message)
                sized = size_of(session, self._parties, act, message)
            if sized is not None:
                typed = (kind.contract, kind.primary_type, message)
                self._desk.require_people(act, *sized, typed, signatures)
            signature = self._desk.join_signatures(kind.contract, kind.primary_type, message, signatures)
            return self.call(act, message, signature)

        def reply(done: Done) -> Mapping[str, Any]:
            with self._desk.session() as session:
                decisions = judged or self._judge.again(session, act, message, done.timestamp)
                record_decisions(session, decisions, done)
                if act in self.after:
                    self.after[act](session, done)
            return _reply(done)

        body = {"message": plain(message), "signatures": [part.hex() for part in signatures]}
        return self._desk.once(
            key, caller, act, body, build, reply, reserve=lambda session: self._judge.reserve(session, act, message)
        )

    def lapse_due(self) -> list[Done]:
        """Return every offer and lock whose deadline has passed; anyone may do this."""
        now = self._desk.clock.now()
        with self._desk.session() as session:
            due = queries.lapsed(session, now)
            acts = [
                (f"lapse:{row.id}:{row.offer_until}", self._desk.contracts.receivables.call("lapse", *ledger_path(row)))
                for row in due
            ]
        return self._desk.relay(acts) if acts else []

    def settle(self, receivable_id: int) -> list[Done]:
        """Settle every note of the recorded payments, oldest round first; a frozen note waits and stops nobody."""
        acts = self.settle_calls(receivable_id)
        return self._desk.relay(acts) if acts else []

    def settle_calls(self, receivable_id: int) -> list[tuple[str, Call]]:
        """The calls of `settle`, each under its own reference."""
        contract = self._desk.contracts.receivables
        acts: list[tuple[str, Call]] = []
        now = self._desk.clock.now()
        with self._desk.session() as session:
            for payment in queries.payments_of(session, receivable_id):
                waiting = queries.unsettled_notes(session, payment)
                held = [row for row in waiting if row.state == NoteState.HELD and not row.frozen]
                stem = f"settle:{receivable_id}:{payment.round}"
                for start in range(0, len(held), SETTLE_BATCH):
                    batch = held[start : start + SETTLE_BATCH]
                    named = ",".join(f"{row.id}:{row.amount_minor}" for row in batch)
                    tag = hashlib.sha256(named.encode()).hexdigest()[:16]
                    ids = [int(row.id, 16) for row in batch]
                    acts.append((f"{stem}:{tag}", contract.call("settleMany", receivable_id, payment.round, ids)))
                for row in waiting:
                    keeps_its_time = row.state in (NoteState.LOCKED, NoteState.MASS) and row.offer_until > now
                    if row.state != NoteState.HELD and not row.frozen and not keeps_its_time:
                        path = ledger_path(row)
                        acts.append(
                            (f"{stem}:{row.id}", contract.call("settleOffered", path[0], payment.round, *path[1:]))
                        )
        return acts

    # Questions -------------------------------------------------------------------------------------------------------

    def turn(self, session: Session, row: Receivable) -> dict[str, str]:
        """One sentence a language: whose turn it is, and since when."""
        since = day_of(row.state_since).isoformat()
        obligor, creditor = (self._parties.name_of(session, who) for who in (row.obligor, row.creditor))
        day = day_of(row.maturity).isoformat()
        if row.state == "offered":
            return {
                "en": f"{creditor} has to accept or refuse, since {since}.",
                "zh-CN": f"自 {since} 起等待 {creditor} 签收或拒收。",
            }
        if row.state == "live" and row.maturity < self._desk.clock.now():
            return {"en": f"{obligor} is overdue since {day}.", "zh-CN": f"{obligor} 自 {day} 起逾期未付。"}
        if row.state == "live":
            return {
                "en": f"{obligor} has to pay on {day}; accepted on {since}.",
                "zh-CN": f"{obligor} 应于 {day} 付款；{since} 已签收。",
            }
        if row.state == "cancelled":
            return {
                "en": f"Cancelled on {since}; the cash claim stays.",
                "zh-CN": f"已于 {since} 撤销，原现金债权不受影响。",
            }
        return {"en": f"Paid and closed on {since}.", "zh-CN": f"已于 {since} 付清结案。"}

    def _offered(self, session: Session, note_id: str) -> Note:
        note = queries.note(session, note_id)
        if note.state != NoteState.OFFERED:
            raise Problem("note_not_movable", state=note.standing())
        return note

    def _prepare_return(self, act: str, note_id: str, reason: str) -> Prepared:
        with self._desk.session() as session:
            note = self._offered(session, note_id)
            receivable = queries.receivable(session, note.receivable_id)
            giver = self._parties.name_of(session, note.giver)
        amount = format_money(note.amount_minor, receivable.currency)
        message: dict[str, Any] = {
            "noteId": int(note_id, 16),
            "deadline": self._deadline(),
        }
        if act == "refuse":
            message["reason"] = "0x" + keccak(reason.encode()).hex()
            return self._prepared(
                act,
                message,
                (note.holder,),
                en=f"You refuse {amount} from {giver}; the value returns to {giver} and what they owe you stays owed.",
                zh=f"您拒收 {giver} 的 {amount}；金额退回 {giver}，对方欠您的款项仍须支付。",
            )
        return self._prepared(
            act,
            message,
            (note.giver,),
            en=f"You take back the offer of {amount}; nobody had accepted it.",
            zh=f"您撤回尚未签收的 {amount}。",
        )

    def _prepared(self, act: str, message: dict[str, Any], signers: tuple[str, ...], *, en: str, zh: str) -> Prepared:
        kind = ACTS[act]
        return self._desk.prepare(
            act, kind.contract, kind.primary_type, message, signers=signers, summary={"en": en, "zh-CN": zh}
        )

    def _deadline(self) -> int:
        return self._desk.clock.now() + SIGNATURE_VALID_SECONDS


def payment_message(
    receivable_id: int,
    round_: int,
    weights: Mapping[int, int],
    principal_minor: int,
    interest_minor: int,
    bank_reference: str,
    deadline: int,
) -> dict[str, Any]:
    """The signed fields of a payment, with the cuts of principal and interest over the notes' weights."""
    principal_cut, principal_note = pro_rata_cut(principal_minor, weights)
    interest_cut, interest_note = pro_rata_cut(interest_minor, weights)
    return {
        "receivableId": receivable_id,
        "round": round_,
        "principal": principal_minor,
        "interest": interest_minor,
        "principalCut": principal_cut,
        "principalCutNote": principal_note,
        "interestCut": interest_cut,
        "interestCutNote": interest_note,
        "bankReference": reference_hash(bank_reference),
        "deadline": deadline,
    }


def reference_hash(reference: str) -> str:
    """How a bank's reference or a payment id stands on the ledger: keccak256 of its UTF-8 text."""
    return "0x" + keccak(reference.encode()).hex()


def plain(value: Any) -> Any:
    """A message as JSON can carry it: bytes as 0x hex, whole numbers as they are."""
    if isinstance(value, bytes):
        return "0x" + value.hex()
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


def ledger_path(row: Note) -> tuple[int, int, int, str]:
    """How a note descends, as the calls that give value back take it: receivable, parent, index, evidence."""
    path = queries.path_of(row)
    return path["receivableId"], path["parentId"], path["childIndex"], hex32(path["evidence"])


def _reply(done: Done) -> Mapping[str, Any]:
    answer: dict[str, Any] = {"transaction": done.transaction_hash, "block": done.block_number}
    for event in done.events:
        args = event.args
        note_id = "massId" if event.name == "MassPassed" else "noteId"
        if note_id in args:
            answer["note"] = hex32(args[note_id])
        if "receivableId" in args:
            answer["receivable"] = args["receivableId"]
    return answer
