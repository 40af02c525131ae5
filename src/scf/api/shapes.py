"""Bodies of requests: amounts are minor units as text with their currency, dates are ISO 8601."""

from __future__ import annotations

from datetime import date
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from scf.kernel.money import format_plain, parse_minor
from scf.kernel.problems import Problem

MINOR = r"^\d{1,19}$"
ADDRESS = "0x1111111111111111111111111111111111111111"
NOTE = "0x" + "0" * 15 + "1" + "a1b2c3d4" * 6
DIGEST = "5d1c6f0e2b4a98377f6e5d4c3b2a19080716253443526170f0e1d2c3b4a59687"


class Shape(BaseModel):
    """A body with no fields beyond those it names."""

    model_config = ConfigDict(extra="forbid")


class Amount(Shape):
    """An amount of money: `minor` is what counts, `text` is the same for people. Requests may give either one."""

    minor: str | None = Field(default=None, pattern=MINOR, description="Whole minor units (fen, cent) as text")
    text: str | None = Field(default=None, max_length=40, description="Decimal text, e.g. 1,234.50")
    currency: str = Field(min_length=3, max_length=3, description="ISO 4217 code")

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"minor": "100000000", "currency": "CNY"}]}
    )

    def read(self) -> int:
        """Minor units. Raises Problem `unreadable_amount` when neither or two different values are given."""
        by_text = parse_minor(self.text, self.currency) if self.text is not None else None
        by_minor = int(self.minor) if self.minor is not None else None
        if by_text is not None and by_minor is not None and by_text != by_minor:
            raise Problem("unreadable_amount", text=f"{self.minor} / {self.text}")
        value = by_minor if by_minor is not None else by_text
        if value is None or value < 0:
            raise Problem("unreadable_amount", text=self.text or "")
        return value

    def read_in(self, currency: str) -> int:
        """Minor units of an amount that must be in `currency`. Raises Problem `unreadable_amount`."""
        if self.currency.upper() != currency:
            raise Problem("unreadable_amount", text=f"{self.currency} ≠ {currency}")
        return self.read()


def amount(minor: int, currency: str) -> dict[str, str]:
    """An amount as every answer shows it."""
    return {"minor": str(minor), "currency": currency, "text": format_plain(minor, currency)}


_TERMS = {
    "order_reference",
    "invoice_number",
    "delivered_on",
    "payment_due_on",
    "accepted_on",
    "inspection_days",
    "term_agreed",
    "prepayment",
    "term_review",
}


class Trade(Shape):
    """What stands behind an issue or a pass: filed documents and the facts they show."""

    evidence: list[str] = Field(min_length=1, max_length=50, description="Evidence ids (SHA-256, hex) on file")
    invoice_number: str | None = Field(default=None, max_length=140)
    invoice_issued_on: date | None = None
    invoice_seller: str | None = Field(default=None, max_length=200)
    invoice_amount: Amount | None = None
    order_reference: str | None = Field(default=None, max_length=140)
    delivered_on: date | None = None
    payment_due_on: date | None = Field(default=None, description="Due day of the contract, where no invoice says it")
    accepted_on: date | None = Field(default=None, description="Day the goods were accepted")
    inspection_days: int | None = Field(default=None, ge=0, le=365)
    term_agreed: bool | None = None
    prepayment: bool | None = None
    term_review: str | None = Field(default=None, max_length=200, description="The bank's review of a longer term")

    def terms(self) -> dict[str, Any]:
        """What is filed beside the documents; nothing that was not said."""
        said = self.model_dump(include=_TERMS, exclude_none=True)
        return {name: value.isoformat() if isinstance(value, date) else value for name, value in said.items()}


class IssueBody(Trade):
    """An obligor promises an amount to a creditor on a date."""

    obligor: str
    creditor: str
    amount: Amount
    maturity: date
    max_tier: int = Field(default=8, ge=1, le=255)
    min_amount: Amount | None = None


class NoteBody(Shape):
    """One note."""

    note: str = Field(pattern=r"^0x[0-9a-fA-F]{64}$")


class RefuseBody(NoteBody):
    """Refuse an offered note."""

    reason: str = Field(min_length=1, max_length=500)


class PassBody(Trade, NoteBody):
    """Pass a part of a note on."""

    to: str
    amount: Amount


class MassPassBody(Trade, NoteBody):
    """Pass parts of a note to everybody on a list."""

    list: str = Field(
        min_length=1,
        max_length=16_000_000,
        description="CSV with the columns `recipient` (address, credit code or registered name) and `amount`; "
        "up to 131,072 rows, each recipient once",
    )


class ClaimBody(NoteBody):
    """Take a share of a mass pass; `to` is the address on the list, the caller's own where it is left out."""

    to: str | None = None


class PaymentBody(Shape):
    """The paying bank attests what arrived."""

    receivable: int = Field(ge=0)
    principal: Amount
    interest: Amount | None = None
    bank_reference: str = Field(min_length=1, max_length=140)


class ReceivableBody(Shape):
    """One receivable."""

    receivable: int = Field(ge=0)


class NothingBody(Shape):
    """No parameters."""


class AskBody(NoteBody):
    """Ask financiers for a price."""

    amount: Amount
    invited: list[str] = Field(min_length=1, max_length=20)
    single_reason: str | None = Field(default=None, max_length=500)


class FeeBody(Shape):
    """One fee of a quote."""

    code: str = Field(max_length=40)
    payee: str = Field(max_length=140)
    amount: Amount


class QuoteBody(Shape):
    """A financier's firm price for an ask."""

    ask: str
    financier: str
    rate_ppm: int = Field(ge=0, le=1_000_000, description="Yearly discount rate, parts per million: 5.50% = 55000")
    paying_bank: str
    fees: list[FeeBody] = Field(default_factory=list, max_length=10)
    recourse: bool = False
    entrusted_account: int = Field(default=0, ge=0)


class AcceptQuoteBody(Shape):
    """Take one quote."""

    quote: str = Field(pattern=r"^0x[0-9a-fA-F]{64}$")


class CompleteBody(NoteBody):
    """The paying bank attests that the net amount went out."""

    registration: str = Field(min_length=1, max_length=32)
    bank_reference: str = Field(min_length=1, max_length=140)


class StageBody(Shape):
    """One stage of an entrusted account as agreed."""

    payee: str
    payee_account: str = Field(max_length=64)
    amount: Amount
    title_en: str = Field(max_length=140)
    title_zh: str = Field(max_length=140)
    needs: list[str] = Field(default_factory=list, max_length=10)
    deadline: int = Field(description="Unix seconds after which what was not released goes back")
    order_reference: str | None = Field(default=None, max_length=140)


class OpenBody(Shape):
    """Payer and beneficiary agree on a locked account."""

    payer: str
    beneficiary: str
    bank: str
    currency: str
    account: str = Field(max_length=64)
    purpose: str = Field(max_length=500)
    funds: Literal["loan", "sale_proceeds"] = Field(
        default="loan", description="Whose money: a loan of the payer, or what the beneficiary sold a claim for"
    )
    consent: str = Field(max_length=2000)
    separate_consent: str = Field(
        default="", max_length=2000, description="The beneficiary's own text; needed to lock proceeds of a sale"
    )
    contract: str = Field(default="", max_length=140, description="Contract it serves, where no stage names its order")
    amount: Amount | None = Field(default=None, description="What the stages have to add up to, where it is said")
    stages: list[StageBody] = Field(min_length=1, max_length=32)
    attestors: list[str] = Field(min_length=2, max_length=16)
    approvers: list[str] = Field(min_length=2, max_length=16)


class AccountBody(Shape):
    """One entrusted account."""

    account: int = Field(ge=0)


class ConfirmLockedBody(AccountBody):
    """The bank confirms that the whole amount is locked."""

    bank_reference: str = Field(min_length=1, max_length=140)


class StageActBody(AccountBody):
    """One stage (numbered from 0) of one account."""

    stage: int = Field(ge=0, le=255)


class AttestBody(StageActBody):
    """An attestor vouches for filed evidence."""

    up_to: Amount
    evidence: str = Field(pattern=r"^[0-9a-fA-F]{64}$")
    attestor: str | None = None


class ApproveBody(StageActBody):
    """An approver agrees to a release."""

    up_to: Amount
    decision: str = Field(min_length=1, max_length=2000)
    approver: str | None = None


class BankMovedBody(StageActBody):
    """The bank confirms one executed movement."""

    amount: Amount
    payment_id: str = Field(min_length=1, max_length=35)
    bank_reference: str = Field(min_length=1, max_length=140)


class DisputeBody(StageActBody):
    """A party holds a part of a stage."""

    amount: Amount
    reason: str = Field(min_length=1, max_length=2000)
    by: str | None = None


class ResolveBody(StageActBody):
    """Payer and beneficiary end the hold of a disputed part: so much is released, so much goes back."""

    to_release: Amount
    to_refund: Amount
    reason: str = Field(min_length=1, max_length=2000)


class UrgentBody(StageActBody):
    """The payer sets a part of a stage aside for an urgent release, with the bank's risk note."""

    amount: Amount
    why: str = Field(min_length=1, max_length=900)
    risk_note: str = Field(min_length=1, max_length=900)


class SubmitBody(Shape):
    """A signed act: the message as it was handed out, and the signature parts of each signer in order.

    One signer: a plain list (several parts when maker and checker sign for one account). More: a list for each.
    `context` is what `prepare` handed out under that name, unchanged.
    """

    message: dict[str, Any]
    signatures: list[str | list[str]] = Field(min_length=1, max_length=20)
    context: dict[str, Any] = Field(default_factory=dict)

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"message": {"noteId": "1234", "deadline": 1790000000}, "signatures": ["0x1b2c…"]}]
        },
    )
