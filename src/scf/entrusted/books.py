"""How ledger events become rows of the books of entrusted accounts."""

from __future__ import annotations

from typing import Any

from scf.entrusted.models import Approval, Attestation, Dispute, Duty, EntrustedAccount, Movement, Stage
from scf.kernel.money import currency
from scf.ledger.contracts import Event
from scf.receivables.books import hex32
from scf.store.books import Batch, Book
from scf.store.projection import Handler


def _put(books: Batch, model: type[Book], *key: Any, **values: Any) -> None:
    """Insert, or overwrite what an earlier event of the same key said."""
    if books.get(model, *key) is not None:
        books.delete(model, *key)
    books.insert(model, **values)


def _opened(books: Batch, event: Event) -> None:
    args = event.args
    books.insert(
        EntrustedAccount,
        id=args["accountId"],
        payer=args["payer"],
        beneficiary=args["beneficiary"],
        bank=args["bank"],
        currency=currency(args["currency"]).code,
        amount_minor=args["amount"],
        account=hex32(args["account"]),
        purpose=hex32(args["purpose"]),
        consent=hex32(args["consent"]),
        opened_at=event.timestamp,
    )


def _stage_set(books: Batch, event: Event) -> None:
    args = event.args
    books.insert(
        Stage,
        account_id=args["accountId"],
        stage=args["stage"],
        payee=args["payee"],
        payee_account=hex32(args["payeeAccount"]),
        amount_minor=args["amount"],
        rule=hex32(args["rule"]),
        deadline=args["deadline"],
    )


def _duty_given(books: Batch, event: Event) -> None:
    args = event.args
    key = (args["accountId"], args["who"])
    _put(books, Duty, *key, account_id=key[0], who=key[1], duty=args["duty"])


def _funds_locked(books: Batch, event: Event) -> None:
    args = event.args
    books.update(
        EntrustedAccount,
        args["accountId"],
        locked_minor=args["amount"],
        bank_reference=hex32(args["bankReference"]),
        locked_at=event.timestamp,
    )


def _evidence_attested(books: Batch, event: Event) -> None:
    args = event.args
    key = (args["accountId"], args["stage"], args["attestor"])
    _put(
        books,
        Attestation,
        *key,
        account_id=key[0],
        stage=key[1],
        attestor=key[2],
        up_to_minor=args["upTo"],
        evidence=hex32(args["evidence"]),
        attested_at=event.timestamp,
    )


def _release_approved(books: Batch, event: Event) -> None:
    args = event.args
    key = (args["accountId"], args["stage"], args["approver"])
    _put(
        books,
        Approval,
        *key,
        account_id=key[0],
        stage=key[1],
        approver=key[2],
        up_to_minor=args["upTo"],
        decision=hex32(args["decision"]),
        approved_at=event.timestamp,
    )


def _moved(books: Batch, event: Event, kind: str) -> None:
    args = event.args
    account = books.require(EntrustedAccount, args["accountId"])
    stage = books.require(Stage, args["accountId"], args["stage"])
    column = "released_minor" if kind == "release" else "refunded_minor"
    books.update(EntrustedAccount, account["id"], **{column: account[column] + args["amount"]})
    books.update(Stage, account["id"], stage["stage"], **{column: stage[column] + args["amount"]})
    books.insert(
        Movement,
        payment_id=hex32(args["paymentId"]),
        account_id=account["id"],
        stage=stage["stage"],
        kind=kind,
        amount_minor=args["amount"],
        bank_reference=hex32(args["bankReference"]),
        executed_at=event.timestamp,
    )


def _release_executed(books: Batch, event: Event) -> None:
    _moved(books, event, "release")


def _refund_executed(books: Batch, event: Event) -> None:
    _moved(books, event, "refund")


def _returned(books: Batch, event: Event) -> None:
    """A payment came back: a release's money is held, a refund's is owed back again."""
    args = event.args
    paid = books.require(Movement, hex32(args["paymentId"]))
    account = books.require(EntrustedAccount, args["accountId"])
    stage = books.require(Stage, args["accountId"], args["stage"])
    column = "released_minor" if paid["kind"] == "release" else "refunded_minor"
    back = {column: stage[column] - args["amount"]}
    if paid["kind"] == "release":
        back["disputed_minor"] = stage["disputed_minor"] + args["amount"]
        books.insert(
            Dispute,
            id=f"{event.block_number}:{event.log_index}",
            account_id=account["id"],
            stage=stage["stage"],
            raised_by=account["bank"],
            amount_minor=args["amount"],
            reason=hex32(args["bankReference"]),
            is_return=True,
            at=event.timestamp,
        )
    books.update(EntrustedAccount, account["id"], **{column: account[column] - args["amount"]})
    books.update(Stage, account["id"], stage["stage"], **back)
    books.insert(
        Movement,
        payment_id=f"returned:{event.block_number}:{event.log_index}",
        account_id=account["id"],
        stage=stage["stage"],
        kind="returned",
        returns=hex32(args["paymentId"]),
        amount_minor=-args["amount"],
        bank_reference=hex32(args["bankReference"]),
        executed_at=event.timestamp,
    )


def _disputed(books: Batch, event: Event) -> None:
    args = event.args
    key = (args["accountId"], args["stage"])
    stage = books.require(Stage, *key)
    books.update(Stage, *key, disputed_minor=stage["disputed_minor"] + args["amount"])
    books.insert(
        Dispute,
        id=f"{event.block_number}:{event.log_index}",
        account_id=key[0],
        stage=key[1],
        raised_by=args["by"],
        amount_minor=args["amount"],
        reason=hex32(args["reason"]),
        at=event.timestamp,
    )


def _dispute_resolved(books: Batch, event: Event) -> None:
    args = event.args
    key = (args["accountId"], args["stage"])
    stage = books.require(Stage, *key)
    ended_minor = args["toRelease"] + args["toRefund"]
    books.update(Stage, *key, disputed_minor=stage["disputed_minor"] - ended_minor)
    books.insert(
        Dispute,
        id=f"{event.block_number}:{event.log_index}",
        account_id=key[0],
        stage=key[1],
        amount_minor=ended_minor,
        to_release_minor=args["toRelease"],
        to_refund_minor=args["toRefund"],
        reason=hex32(args["reason"]),
        at=event.timestamp,
    )


HANDLERS: dict[str, Handler[Event]] = {
    "EntrustedAccounts.Opened": _opened,
    "EntrustedAccounts.StageSet": _stage_set,
    "EntrustedAccounts.DutyGiven": _duty_given,
    "EntrustedAccounts.FundsLocked": _funds_locked,
    "EntrustedAccounts.EvidenceAttested": _evidence_attested,
    "EntrustedAccounts.ReleaseApproved": _release_approved,
    "EntrustedAccounts.ReleaseExecuted": _release_executed,
    "EntrustedAccounts.RefundExecuted": _refund_executed,
    "EntrustedAccounts.PaymentReturned": _returned,
    "EntrustedAccounts.Disputed": _disputed,
    "EntrustedAccounts.DisputeResolved": _dispute_resolved,
}
