"""What each act asks a person for, and how the answers become the request the API takes too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from starlette.datastructures import FormData, UploadFile

from scf.api.access import Caller
from scf.kernel.problems import Problem
from scf.receivables.mass_list import MOST_BYTES
from scf.standards.csvlist import utf8_text
from scf.web.i18n import N_


@dataclass(frozen=True, slots=True)
class Field:
    """One question. Kinds: text, words, money, date, rate, number, yes, file, who:ROLE, several:ROLE, papers, paper."""

    name: str
    label: str
    kind: str
    help: str = ""
    required: bool = True


_EVIDENCE = Field("evidence", N_("Documents behind it"), "papers", N_("Import the invoice and the delivery first."))
_BANK_REFERENCE = Field("bank_reference", N_("Reference of the statement line"), "text")
_TRADE_DATES = (
    Field("delivered_on", N_("Delivered on"), "date", N_("Without it nobody can tell a trade from a prepayment.")),
    Field(
        "payment_due_on", N_("Due by the contract on"), "date", N_("Where the invoice does not say it."), required=False
    ),
)

FORMS: Mapping[str, tuple[Field, ...]] = {
    "issue": (
        Field("creditor", N_("Who is owed"), "who:supplier"),
        Field("amount", N_("Amount"), "money"),
        Field("maturity", N_("To be paid on"), "date", N_("At most six calendar months from today.")),
        _EVIDENCE,
        Field("invoice_number", N_("Invoice number"), "text"),
        Field("invoice_issued_on", N_("Invoice date"), "date"),
        Field("invoice_amount", N_("Invoice amount"), "money"),
        Field("order_reference", N_("Order number"), "text", required=False),
        *_TRADE_DATES,
    ),
    "accept": (),
    "refuse": (Field("reason", N_("Why you refuse"), "words", N_("The giver can read it.")),),
    "withdraw": (),
    "pass": (
        Field("to", N_("Who gets it"), "who:supplier"),
        Field("amount", N_("Amount"), "money"),
        _EVIDENCE,
        Field("order_reference", N_("Order number"), "text", required=False),
        Field("invoice_number", N_("Invoice number"), "text", required=False),
        *_TRADE_DATES,
    ),
    "mass_pass": (
        Field(
            "list",
            N_("List of recipients (CSV)"),
            "file",
            N_("A row each with recipient and amount. A recipient is an address, a credit code or a registered name."),
        ),
        _EVIDENCE,
        Field("order_reference", N_("Order number"), "text", required=False),
        Field("invoice_number", N_("Invoice number"), "text", required=False),
        *_TRADE_DATES,
    ),
    "claim": (),
    "reclaim": (),
    "ask": (
        Field("amount", N_("Amount"), "money"),
        Field("invited", N_("Whom to ask"), "several:financier", N_("At least two, so that prices compete.")),
        Field("single_reason", N_("Why only one"), "text", N_("Only when you ask a single one."), required=False),
    ),
    "payment": (
        Field("principal", N_("Principal that arrived"), "money"),
        Field("interest", N_("Late interest that arrived besides"), "money", required=False),
        _BANK_REFERENCE,
    ),
    "quote": (
        Field("rate_ppm", N_("Discount a year, in percent"), "rate", N_("For example 5.50")),
        Field("fee", N_("Fee"), "money", N_("Leave empty for none."), required=False),
        Field("paying_bank", N_("Bank that pays out"), "who:bank"),
        Field("recourse", N_("With recourse to the holder"), "yes", required=False),
        Field("entrusted_account", N_("Into entrusted account number"), "number", required=False),
    ),
    "accept_quote": (),
    "register": (),
    "settle": (),
    "complete_financing": (Field("registration", N_("Registration number"), "text"), _BANK_REFERENCE),
    "confirm_locked": (_BANK_REFERENCE,),
    "attest": (
        Field("evidence", N_("Document you vouch for"), "paper"),
        Field("up_to", N_("Amount it supports, in total"), "money"),
    ),
    "approve": (
        Field("up_to", N_("Amount to release, in total"), "money"),
        Field("decision", N_("Your reason"), "words"),
    ),
    "confirm_released": (
        Field("amount", N_("Amount"), "money"),
        Field("payment_id", N_("Payment order"), "text"),
        _BANK_REFERENCE,
    ),
    "confirm_refunded": (
        Field("amount", N_("Amount"), "money"),
        Field("payment_id", N_("Payment order"), "text"),
        _BANK_REFERENCE,
    ),
    "confirm_returned": (
        Field("amount", N_("Amount that came back"), "money"),
        Field("payment_id", N_("Payment order that came back"), "text"),
        _BANK_REFERENCE,
    ),
    "dispute": (Field("amount", N_("Amount to hold"), "money"), Field("reason", N_("Why"), "words")),
    "resolve": (
        Field("to_release", N_("Of the held part, to release"), "money", N_("0 if nothing.")),
        Field("to_refund", N_("Of the held part, to pay back"), "money", N_("0 if nothing.")),
        Field("reason", N_("What both sides agreed on"), "words"),
    ),
    "urgent": (
        Field("amount", N_("Amount that cannot wait"), "money"),
        Field("why", N_("Why it cannot wait"), "words"),
        Field("risk_note", N_("Risk note of the bank"), "words"),
    ),
}
"""Questions by act. What the link already says (note, account, stage …) travels in hidden fields."""

HIDDEN = ("note", "receivable", "ask", "quote", "account", "stage", "currency")
CLAUSES: Mapping[str, tuple[str, ...]] = {
    "issue": (
        N_("We owe this amount for goods or services we received; the documents chosen show it."),
        N_("We pay it on the date shown, in full, to whoever holds the notes then."),
        N_("If we are late, our new issues are halted until it is cured, and late interest runs."),
    ),
    "accept": (
        N_("This claim takes the place of the cash the giver owes me for the same amount."),
        N_("It is paid on the date shown, by the payer shown, to whoever holds it then."),
        N_("Once accepted this cannot be undone. I may refuse instead, and what I am owed stays owed."),
    ),
    "refuse": (N_("The value goes back to the giver; what they owe me stays owed in cash."),),
    "pass": (
        N_("The recipient gets this amount only by accepting; until then I can take the offer back."),
        N_("The documents chosen show a real trade with the recipient, none of it a prepayment."),
        N_("Once accepted, the amount passed on is no longer mine."),
    ),
    "mass_pass": (
        N_("Each recipient on the list gets its amount only by taking it; what nobody took comes back to me."),
        N_("The documents chosen show a real trade with every recipient, none of it a prepayment."),
        N_("What a recipient has taken is no longer mine."),
    ),
    "claim": (
        N_("This claim takes the place of the cash the giver owes me for the same amount."),
        N_("It is paid on the date shown, by the payer shown, to whoever holds it then."),
        N_("Once taken this cannot be undone. If I do nothing it goes back, and what I am owed stays owed."),
    ),
    "quote": (
        N_("This price is firm until it expires: if it is accepted, I pay it."),
        N_("Everything the holder pays is in it; nothing else will be charged."),
    ),
    "accept_quote": (
        N_("I saw the amount I receive, every fee, and the yearly rate with all costs."),
        N_("I sell the amount shown; once the money has arrived, it is no longer mine and this cannot be undone."),
        N_("If the money does not arrive before the lock ends, the note comes back to me."),
    ),
    "propose_batch": (
        N_("We owe these amounts for goods or services received; order, delivery and invoice of each are on file."),
        N_("Nothing is signed for the firm yet: a second person checks each one, and only then do we owe it."),
    ),
    "approve_batch": (
        N_("I compared each amount with its invoice, its delivery and what is free of the limit."),
        N_("With my signature the firm promises to pay these amounts on the days shown; this cannot be undone alone."),
    ),
    "open_payer": (
        N_("This money is locked for the use shown and goes only to the payees and accounts shown, stage by stage."),
        N_("It is paid on evidence of two organisations and two approvals; nobody of the payees is among them."),
        N_("What is not released by a stage's last day comes back to us; a part in dispute stays until it is decided."),
    ),
    "open_beneficiary": (
        N_("This money is locked: we cannot use it for anything but the payees, amounts and use shown."),
        N_("A stage is paid only on evidence of two organisations and two approvals by its last day."),
        N_("We may hold a part in dispute; what is not released goes back to the payer."),
    ),
    "open_proceeds": (
        N_("What we sell our claim for is locked in this account instead of being paid to us freely."),
        N_("We agree to that separately from the sale, in the words shown; nobody made it a condition of being paid."),
        N_("A stage is paid only on evidence of two organisations and two approvals by its last day."),
        N_("We may refuse: our claim then stays ours, and is paid at maturity."),
    ),
    "attest": (
        N_("The document is as I received it from its source; I changed nothing."),
        N_("It supports the amount shown, and I have no interest in the payee."),
    ),
    "approve": (
        N_("I looked at the evidence of this stage and it fits what was agreed."),
        N_("I know that a second person has to approve as well, and that the bank pays on it."),
    ),
    "payment": (N_("The money is on our books, on the statement line named."),),
    "confirm_released": (N_("The payment was executed, on the statement line named."),),
    "confirm_refunded": (N_("The refund was executed, on the statement line named."),),
    "confirm_returned": (N_("The money came back to the locked account, on the statement line named."),),
    "confirm_locked": (N_("The whole amount is in the locked account, on the statement line named."),),
    "complete_financing": (N_("The net amount went out in full, and the claim is registered."),),
}
GENERAL_CLAUSE = N_("I read the sentence above, and it is what I want to sign.")


def body_of(act: str, form: FormData, caller: Caller, gettext: Any) -> dict[str, Any]:
    """The request behind a filled form. Raises Problem `form_field_missing` or `unreadable_amount`."""
    currency = str(form.get("currency") or "CNY")
    body: dict[str, Any] = {name: str(form[name]) for name in HIDDEN if form.get(name) and name != "currency"}
    for field in FORMS[act]:
        value = _answer(field, form, currency)
        if value is None or value == []:
            if field.required:
                raise Problem("form_field_missing", field=gettext(field.label))
            continue
        body[field.name] = value
    return _finish(act, body, caller)


def _answer(field: Field, form: FormData, currency: str) -> Any:
    if field.kind == "papers" or field.kind.startswith("several:"):
        return [str(value) for value in form.getlist(field.name)]
    if field.kind == "file":
        return _text_of(form.get(field.name))
    plain = str(form.get(field.name) or "").strip()
    if field.kind == "yes":
        return bool(plain)
    if not plain:
        return None
    if field.kind == "money":
        return {"text": plain, "currency": currency}
    if field.kind == "rate":
        return _ppm(plain)
    return plain


def _text_of(file: object) -> str | None:
    """The text of an uploaded list, without a byte order mark. Raises Problem `mass_list_unreadable`."""
    if not isinstance(file, UploadFile) or not file.filename:
        return None
    return utf8_text(file.file.read(MOST_BYTES + 1), most_bytes=MOST_BYTES, code="mass_list_unreadable")


def _ppm(percent: str) -> int:
    """Parts per million of a percentage. Raises Problem `unreadable_amount`."""
    try:
        scaled = Decimal(percent.replace("%", "").strip()).scaleb(4)
    except InvalidOperation as error:
        raise Problem("unreadable_amount", text=percent[:40]) from error
    if scaled != scaled.to_integral_value() or not 0 <= scaled <= 1_000_000:
        raise Problem("unreadable_amount", text=percent[:40])
    return int(scaled)


def _finish(act: str, body: dict[str, Any], caller: Caller) -> dict[str, Any]:
    if act == "issue":
        body["obligor"] = caller.address
    if act == "quote":
        body["financier"] = caller.address
        fee = body.pop("fee", None)
        body["fees"] = [{"code": "handling", "payee": caller.name, "amount": fee}] if fee else []
    return body
