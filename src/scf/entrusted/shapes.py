"""What the entrusted room is asked with and answers with. Amounts in minor units, times in unix seconds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StagePlan:
    """One stage as it is agreed: who is paid how much, on which evidence, until when (unix seconds)."""

    payee: str
    payee_account: str
    amount_minor: int
    title_en: str
    title_zh: str
    needs: tuple[str, ...]
    deadline: int
    order_reference: str | None = None


@dataclass(frozen=True, slots=True)
class OpenRequest:
    """What payer and beneficiary agree on before money is locked. `account` is the locked bank account's number.

    `funds` says whose money it is: a `loan`, or `sale_proceeds`, which the beneficiary has to agree to lock in a text
    of its own (`separate_consent`). `contract` names what the purpose serves, where no stage names its order.
    `amount_minor` is what the stages have to add up to, where it was said.
    """

    payer: str
    beneficiary: str
    bank: str
    currency: str
    account: str
    purpose: str
    consent: str
    stages: tuple[StagePlan, ...]
    attestors: tuple[str, ...]
    approvers: tuple[str, ...]
    funds: str = "loan"
    separate_consent: str = ""
    contract: str = ""
    amount_minor: int | None = None


@dataclass(frozen=True, slots=True)
class StageView:
    """Where one stage stands, with what is missing for its release. Amounts in minor units."""

    account_id: int
    stage: int
    payee: str
    amount_minor: int
    released_minor: int
    refunded_minor: int
    disputed_minor: int
    releasable_minor: int
    refundable_minor: int
    attested_by: tuple[str, ...]
    approved_by: tuple[str, ...]
    missing: dict[str, str]
