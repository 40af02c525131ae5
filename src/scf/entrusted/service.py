"""Entrusted-payment accounts: opened by payer and beneficiary, locked at the bank, released stage by stage on evidence.

The only door to this room. The ledger decides what may be released; this room hands out the typed data, refuses early
and in words, and writes the one payment order of each release.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlmodel import Session

from scf.bank.calendar import BankCalendar
from scf.bank.service import attempt_name
from scf.desk.service import Desk, Done, Prepared
from scf.entrusted import opening, queries
from scf.entrusted.acts import ACTS
from scf.entrusted.agreement import ask, require
from scf.entrusted.kinds import kinds_of
from scf.entrusted.models import PayeeAccount, Stage, StageRule, StatedWords
from scf.entrusted.ruling import EntrustedRules
from scf.entrusted.shapes import OpenRequest, StagePlan, StageView
from scf.entrusted.stating import state_words, text_hash
from scf.entrusted.turns import missing_words, turn_words
from scf.kernel.money import currency as currency_of
from scf.kernel.money import format_money
from scf.kernel.problems import Problem
from scf.parties.service import Parties
from scf.receivables.judging import hex_text
from scf.receivables.service import plain, reference_hash
from scf.reconciliation.four_way import Answer
from scf.rulebook.decisions import Decisions
from scf.store import evidence as evidence_log
from scf.store.evidence import Trust

SIGNATURE_VALID_SECONDS = 3 * 86_400
ATTESTOR, APPROVER = 1, 2

__all__ = ["APPROVER", "ATTESTOR", "EntrustedAccounts", "OpenRequest", "StagePlan", "StageView"]


class EntrustedAccounts:
    """The only door to entrusted accounts."""

    def __init__(
        self, desk: Desk, parties: Parties, decisions: Decisions, *, calendar: BankCalendar | None = None
    ) -> None:
        self._desk = desk
        self._parties = parties
        self.rules = EntrustedRules(decisions, parties, desk.clock, calendar=calendar)
        self.holds_back: Callable[[Session, int], None] | None = None
        self._kinds: dict[str, frozenset[str]] = {}  # of evidence, which never changes

    # Prepare ---------------------------------------------------------------------------------------------------------

    def prepare_open(self, request: OpenRequest) -> Prepared:
        """Typed data of an opening, for payer and beneficiary; files the rules and accounts behind its commitments.

        Raises Problem as `opening.check`, of the rule that refuses payee, use or consent, or as `check_houses`.
        """
        purpose, kind, consent, separate = opening.texts_of(request)
        with self._desk.session() as session:
            for who in (request.payer, request.beneficiary, request.bank, *request.attestors, *request.approvers):
                self._parties.member(session, who)
            opening.check(session, self._parties, request, self._desk.clock.now())
            message = {
                "payer": request.payer,
                "beneficiary": request.beneficiary,
                "bank": request.bank,
                "currency": currency_of(request.currency).numeric,
                "account": opening.commit_account(session, request.payer, "locked account", request.account),
                "purpose": self.state_words(session, purpose, "purpose", request.payer),
                "consent": self.state_words(session, consent, kind, request.beneficiary),
                "stages": [opening.stage_message(session, self._parties, stage) for stage in request.stages],
                "attestors": list(request.attestors),
                "approvers": list(request.approvers),
                "salt": "0x" + secrets.token_hex(32),
                "deadline": self._deadline(),
            }
            decision = self.rules.opening(session, message, funds=request.funds, separate=separate)
            opening.check_houses(session, self._parties, request)
            self.rules.keep(session, decision, f"opening {message['salt']}")
            payer, beneficiary = (self._parties.name_of(session, who) for who in (request.payer, request.beneficiary))
        total = format_money(sum(stage.amount_minor for stage in request.stages), request.currency)
        words = opening.opening_summary(payer, beneficiary, total, len(request.stages))
        return self._prepared("open", message, (request.payer, request.beneficiary), en=words["en"], zh=words["zh-CN"])

    def prepare_confirm_locked(self, account_id: int, bank_reference: str) -> Prepared:
        """Typed data with which the bank confirms that the whole amount is in the locked account."""
        with self._desk.session() as session:
            row = queries.account(session, account_id)
        return self._prepared(
            "confirm_locked",
            {
                "accountId": account_id,
                "amount": row.amount_minor,
                "bankReference": reference_hash(bank_reference),
                "deadline": self._deadline(),
            },
            (row.bank,),
            en=f"You confirm that {format_money(row.amount_minor, row.currency)} is locked in account {account_id}.",
            zh=f"您确认账户 {account_id} 已锁定 {format_money(row.amount_minor, row.currency)}。",
        )

    def prepare_attest(
        self, account_id: int, number: int, attestor: str, up_to_minor: int, evidence_id: str
    ) -> Prepared:
        """Typed data with which an attestor vouches for evidence that is on file and independent of the applicant.

        Raises Problem `evidence_not_filed` or `evidence_not_independent`.
        """
        with self._desk.session() as session:
            row = queries.account(session, account_id)
            queries.stage(session, account_id, number)
            self._independent(session, evidence_id)
        amount = format_money(up_to_minor, row.currency)
        return self._prepared(
            "attest",
            {
                "accountId": account_id,
                "stage": number,
                "attestor": attestor,
                "upTo": up_to_minor,
                "evidence": "0x" + evidence_id,
                "deadline": self._deadline(),
            },
            (attestor,),
            en=f"You vouch that document {evidence_id[:12]}… supports {amount} of stage {number + 1}.",
            zh=f"您证明文件 {evidence_id[:12]}… 支持第 {number + 1} 阶段的 {amount}。",
        )

    def prepare_approve(self, account_id: int, number: int, approver: str, up_to_minor: int, decision: str) -> Prepared:
        """Typed data with which an approver agrees to a release; `decision` is the reason in words.

        Raises Problem `goods_and_money_disagree` unless goods, invoice, contract and money agree for the stage's order,
        by sources the applicant cannot write.
        """
        with self._desk.session() as session:
            row = queries.account(session, account_id)
            stage = queries.stage(session, account_id, number)
            self._agreed(session, account_id, number, up_to_minor)
            payee = self._parties.name_of(session, stage.payee)
        amount = format_money(up_to_minor, row.currency)
        return self._prepared(
            "approve",
            {
                "accountId": account_id,
                "stage": number,
                "approver": approver,
                "upTo": up_to_minor,
                "decision": text_hash(decision),
                "deadline": self._deadline(),
            },
            (approver,),
            en=f"You approve that up to {amount} of stage {number + 1} is paid to {payee}.",
            zh=f"您批准第 {number + 1} 阶段向 {payee} 支付至多 {amount}。",
        )

    def prepare_confirm_released(
        self, account_id: int, number: int, amount_minor: int, payment_id: str, bank_reference: str
    ) -> Prepared:
        """Typed data with which the bank confirms one executed release: one payment order, one statement line."""
        return self._bank_moved("confirm_released", account_id, number, amount_minor, payment_id, bank_reference)

    def prepare_confirm_refunded(
        self, account_id: int, number: int, amount_minor: int, payment_id: str, bank_reference: str
    ) -> Prepared:
        """Typed data with which the bank confirms one executed refund to the payer."""
        return self._bank_moved("confirm_refunded", account_id, number, amount_minor, payment_id, bank_reference)

    def prepare_confirm_returned(
        self, account_id: int, number: int, amount_minor: int, payment_id: str, bank_reference: str
    ) -> Prepared:
        """Typed data with which the bank confirms that a payment it had confirmed came back.

        A release's money is held from then on, until payer and beneficiary (or two operators) say where it goes; a
        refund's is owed to the payer again. Raises Problem `payment_not_out` for more than is out under this name.
        """
        with self._desk.session() as session:
            row = queries.account(session, account_id)
            paid = queries.out_under(session, account_id, number, reference_hash(payment_id))
            left, code = (paid[1] if paid else 0), row.currency
            if not 0 < amount_minor <= left:
                raise Problem(
                    "payment_not_out",
                    payment=payment_id[:40],
                    stage=number + 1,
                    left=format_money(left, code),
                )
        return self._bank_moved("confirm_returned", account_id, number, amount_minor, payment_id, bank_reference)

    def prepare_dispute(self, account_id: int, number: int, by: str, amount_minor: int, reason: str) -> Prepared:
        """Typed data with which payer, beneficiary or payee holds a part of a stage; the rest goes on.

        Raises Problem `dispute_without_words`, or of the rule that more may not be held than is in dispute.
        """
        with self._desk.session() as session:
            row = queries.account(session, account_id)
            decision = self.rules.disputing(session, queries.stage(session, account_id, number), amount_minor)
            self.rules.keep(session, decision, f"account {account_id} stage {number}")
            stated = self.state_words(session, reason, "dispute", by)
        amount = format_money(amount_minor, row.currency)
        return self._prepared(
            "dispute",
            {
                "accountId": account_id,
                "stage": number,
                "by": by,
                "amount": amount_minor,
                "reason": stated,
                "deadline": self._deadline(),
            },
            (by,),
            en=f"You hold {amount} of stage {number + 1}; the undisputed rest goes on.",
            zh=f"您对第 {number + 1} 阶段的 {amount} 提出异议，其余部分照常进行。",
        )

    # Submit ----------------------------------------------------------------------------------------------------------

    def submit(
        self,
        act: str,
        message: Mapping[str, Any],
        signatures: Sequence[Sequence[bytes]],
        *,
        key: str,
        caller: str,
    ) -> Mapping[str, Any]:
        """Relay a signed act once. `signatures` holds, for each signer in order, the parts of its signature.

        Evidence and agreement are asked for again: a message may have been signed without being prepared here.
        """
        if act not in ACTS:
            raise Problem("unknown_act", act=act)
        kind = ACTS[act]

        def build() -> Any:
            with self._desk.session() as session:
                if act == "open":
                    self.rules.opening(session, message)
                if act == "attest":
                    self._independent(session, hex_text(message["evidence"]).removeprefix("0x"))
                if act in ("dispute", "resolve") and session.get(StatedWords, hex_text(message["reason"])) is None:
                    raise Problem("dispute_without_words")
                if act == "approve":
                    self._agreed(session, int(message["accountId"]), int(message["stage"]), int(message["upTo"]))
                if act.startswith("confirm_"):
                    row = queries.account(session, int(message["accountId"]))
                    typed = ("EntrustedAccounts", kind.primary_type, message)
                    self._desk.require_people(act, row.bank, int(message["amount"]), row.currency, typed, signatures[0])
            joined = [
                self._desk.join_signatures("EntrustedAccounts", kind.primary_type, message, parts)
                for parts in signatures
            ]
            return kind.call(self._desk.contracts, message, joined)

        body = {"message": plain(message), "signatures": [[part.hex() for part in parts] for parts in signatures]}
        return self._desk.once(key, caller, act, body, build, _reply)

    # Questions -------------------------------------------------------------------------------------------------------

    def stage_view(self, session: Session, account_id: int, number: int) -> StageView:
        """Where a stage stands; `releasable` and `refundable` are the contract's own answers."""
        stage = queries.stage(session, account_id, number)
        read = self._desk.contracts.entrusted.read
        releasable = int(read(self._desk.ledger, "releasable", account_id, number))
        refundable = int(read(self._desk.ledger, "refundable", account_id, number))
        vouched = queries.attestations(session, account_id, number)
        attested = tuple(row.attestor for row in vouched)
        wanting = self._wanting(session, stage, [row.evidence.removeprefix("0x") for row in vouched])
        if wanting:  # only what both sides or the operators decided goes out without it
            granted, _ = read(self._desk.ledger, "grantedOf", account_id, number)
            releasable = min(releasable, int(granted))
        approved = tuple(row.approver for row in queries.approvals(session, account_id, number))
        return StageView(
            account_id=account_id,
            stage=number,
            payee=stage.payee,
            amount_minor=stage.amount_minor,
            released_minor=stage.released_minor,
            refunded_minor=stage.refunded_minor,
            disputed_minor=stage.disputed_minor,
            releasable_minor=releasable,
            refundable_minor=refundable,
            attested_by=attested,
            approved_by=approved,
            missing=missing_words(session, self._parties, attested, approved, wanting),
        )

    def payment_order(self, session: Session, account_id: int, number: int) -> tuple[int, str, PayeeAccount]:
        """What the bank is to be told for a release now: amount, payment id, payee's account.

        The payment id follows from account, stage and what was released before, so that a retry writes the same order;
        where the bank refused that one, the next attempt has an id of its own.
        Raises Problem `stage_not_releasable`, or of the rule on payee, use or the undisputed part that refuses it.
        """
        if self.holds_back is not None:
            self.holds_back(session, account_id)
        view = self.stage_view(session, account_id, number)
        if view.releasable_minor == 0:
            raise Problem(
                "stage_not_releasable",
                account=account_id,
                stage=number + 1,
                missing=view.missing or {"en": "nothing is left to release", "zh-CN": "没有可释放的款项"},
            )
        stage = queries.stage(session, account_id, number)
        payee = session.get(PayeeAccount, stage.payee_account)
        if payee is None:
            raise Problem("unknown_stage", account=account_id, stage=number + 1)
        up_to = stage.released_minor + view.releasable_minor
        answer = self.agreement(session, account_id, number, up_to)
        decision = self.rules.releasing(session, stage, view.releasable_minor, answer, held_minor=stage.disputed_minor)
        self.rules.keep(session, decision, f"account {account_id} stage {number} released {stage.released_minor}")
        name = self._unused(session, account_id, f"EA{account_id}S{number}R{view.released_minor}")
        return view.releasable_minor, name, payee

    def refund_order(self, session: Session, account_id: int, number: int) -> tuple[int, str]:
        """What the bank is to pay back to the payer now: amount, payment id. Raises Problem `stage_not_refundable`."""
        view = self.stage_view(session, account_id, number)
        if view.refundable_minor == 0:
            raise Problem("stage_not_refundable", account=account_id, stage=number + 1)
        base = f"EA{account_id}S{number}B{view.refunded_minor}"
        return view.refundable_minor, self._unused(session, account_id, base)

    def rule_of(self, session: Session, rule: str) -> StageRule | None:
        """The words behind a stage's rule hash."""
        return session.get(StageRule, rule)

    def turn(self, session: Session, account_id: int) -> dict[str, str]:
        """One sentence a language: whose turn it is on the first stage that is not finished."""
        return turn_words(session, self._parties, account_id, lambda stage: self.stage_view(session, account_id, stage))

    # Inside ----------------------------------------------------------------------------------------------------------

    def agreement(self, session: Session, account_id: int, number: int, up_to_minor: int) -> Answer | None:
        """The four-way question for a release of up to `up_to_minor` in all; None when the stage names no order."""
        stage = queries.stage(session, account_id, number)
        names = self._parties.known_as(session, queries.account(session, account_id).beneficiary)
        return ask(session, stage, up_to_minor, applicants=names, clock=self._desk.clock)

    def _agreed(self, session: Session, account_id: int, number: int, up_to_minor: int) -> None:
        rule = session.get(StageRule, queries.stage(session, account_id, number).rule)
        require(self.agreement(session, account_id, number, up_to_minor), rule.order_reference if rule else None)

    def state_words(self, session: Session, words: str, kind: str, by: str) -> str:
        """File words and return the hash that is signed; see `stating.state_words`."""
        return state_words(session, words, kind, by, now=self._desk.clock.now())

    def _independent(self, session: Session, evidence_id: str) -> None:
        entries = evidence_log.records_of(session, evidence_id)
        if not entries:
            raise Problem("evidence_not_filed", evidence=evidence_id[:12] + "…")
        if max(entry.trust for entry in entries) < Trust.T2:
            raise Problem("evidence_not_independent", evidence=evidence_id[:12] + "…", source=entries[0].source)

    def _bank_moved(
        self, act: str, account_id: int, number: int, amount_minor: int, payment_id: str, bank_reference: str
    ) -> Prepared:
        with self._desk.session() as session:
            row = queries.account(session, account_id)
        amount = format_money(amount_minor, row.currency)
        done = _MOVED[act]
        return self._prepared(
            act,
            {
                "accountId": account_id,
                "stage": number,
                "amount": amount_minor,
                "paymentId": reference_hash(payment_id),
                "bankReference": reference_hash(bank_reference),
                "deadline": self._deadline(),
            },
            (row.bank,),
            en=f"You confirm that {amount} of stage {number + 1} {done[0]}: "
            f"order {payment_id}, statement line {bank_reference}.",
            zh=f"您确认第 {number + 1} 阶段 {amount} {done[1]}：指令 {payment_id}，流水 {bank_reference}。",
        )

    def _wanting(self, session: Session, stage: Stage, vouched: Sequence[str]) -> list[str]:
        """Kinds of evidence a stage asks for that nothing vouched for shows."""
        rule = session.get(StageRule, stage.rule)
        asked = [need for need in (rule.needs if rule else "").split(",") if need]
        shown: set[str] = set()
        for evidence_id in vouched if asked else ():
            if evidence_id not in self._kinds:
                self._kinds[evidence_id] = kinds_of(evidence_log.raw_bytes(session, evidence_id))
            shown |= self._kinds[evidence_id]
        return [need for need in asked if need not in shown]

    def _unused(self, session: Session, account_id: int, base: str) -> str:
        """The name of a payment the bank did not refuse and the ledger does not know; one that came back is known."""
        bank, attempt, name = queries.account(session, account_id).bank, 1, attempt_name(session, base)
        while self._desk.contracts.entrusted.read(self._desk.ledger, "isPaymentUsed", bank, reference_hash(name)):
            attempt += 1
            name = attempt_name(session, f"{base}.R{attempt}")
        return name

    def _prepared(self, act: str, message: dict[str, Any], signers: tuple[str, ...], *, en: str, zh: str) -> Prepared:
        kind = ACTS[act]
        summary = {"en": en, "zh-CN": zh}
        return self._desk.prepare(
            act, "EntrustedAccounts", kind.primary_type, message, signers=signers, summary=summary
        )

    def _deadline(self) -> int:
        return self._desk.clock.now() + SIGNATURE_VALID_SECONDS


_MOVED = {
    "confirm_released": ("was paid out", "已支付"),
    "confirm_refunded": ("was paid back", "已退回付款方"),
    "confirm_returned": ("came back to the locked account", "已退回锁定账户"),
}


def _reply(done: Done) -> Mapping[str, Any]:
    answer: dict[str, Any] = {"transaction": done.transaction_hash, "block": done.block_number}
    for event in done.events:
        if "accountId" in event.args:
            answer["account"] = event.args["accountId"]
    return answer
