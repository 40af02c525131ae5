"""Acts on entrusted-payment accounts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pydantic import BaseModel
from sqlmodel import Session

from scf.api import shapes
from scf.api.access import Caller
from scf.api.act_kinds import MONEY_EXAMPLE, Message, Ready, Signatures, SignedAct, by_field
from scf.app import App
from scf.entrusted import queries as entrusted_queries
from scf.entrusted.acts import ACTS as ENTRUSTED_ACTS
from scf.entrusted.service import OpenRequest, StagePlan
from scf.kernel.problems import Problem


def _currency_of_account(app: App, account_id: int) -> str:
    with app.reading() as session:
        return entrusted_queries.account(session, account_id).currency


def _open(app: App, caller: Caller, body: shapes.OpenBody) -> Ready:
    stages = tuple(
        StagePlan(
            payee=stage.payee,
            payee_account=stage.payee_account,
            amount_minor=stage.amount.read_in(body.currency),
            title_en=stage.title_en,
            title_zh=stage.title_zh,
            needs=tuple(stage.needs),
            deadline=stage.deadline,
            order_reference=stage.order_reference,
        )
        for stage in body.stages
    )
    plain = body.model_dump(exclude={"stages", "attestors", "approvers", "amount"})
    request = OpenRequest(
        stages=stages,
        attestors=tuple(body.attestors),
        approvers=tuple(body.approvers),
        amount_minor=body.amount.read_in(body.currency) if body.amount else None,
        **plain,
    )
    return Ready(app.entrusted.prepare_open(request))


def _attest(app: App, caller: Caller, body: shapes.AttestBody) -> Ready:
    up_to = body.up_to.read_in(_currency_of_account(app, body.account))
    who = body.attestor or caller.address
    return Ready(app.entrusted.prepare_attest(body.account, body.stage, who, up_to, body.evidence.lower()))


def _approve(app: App, caller: Caller, body: shapes.ApproveBody) -> Ready:
    up_to = body.up_to.read_in(_currency_of_account(app, body.account))
    who = body.approver or caller.address
    return Ready(app.entrusted.prepare_approve(body.account, body.stage, who, up_to, body.decision))


def _confirm_released(app: App, caller: Caller, body: shapes.BankMovedBody) -> Ready:
    minor = body.amount.read_in(_currency_of_account(app, body.account))
    with app.reading() as session:
        view = app.entrusted.stage_view(session, body.account, body.stage)
    if minor > view.releasable_minor:
        raise Problem(
            "stage_not_releasable",
            account=body.account,
            stage=body.stage + 1,
            missing=view.missing.get("en", "less than this amount may be released"),
        )
    return Ready(
        app.entrusted.prepare_confirm_released(body.account, body.stage, minor, body.payment_id, body.bank_reference)
    )


def _confirm_refunded(app: App, caller: Caller, body: shapes.BankMovedBody) -> Ready:
    minor = body.amount.read_in(_currency_of_account(app, body.account))
    return Ready(
        app.entrusted.prepare_confirm_refunded(body.account, body.stage, minor, body.payment_id, body.bank_reference)
    )


def _confirm_returned(app: App, caller: Caller, body: shapes.BankMovedBody) -> Ready:
    minor = body.amount.read_in(_currency_of_account(app, body.account))
    return Ready(
        app.entrusted.prepare_confirm_returned(body.account, body.stage, minor, body.payment_id, body.bank_reference)
    )


def _dispute(app: App, caller: Caller, body: shapes.DisputeBody) -> Ready:
    minor = body.amount.read_in(_currency_of_account(app, body.account))
    by = body.by or caller.address
    return Ready(app.entrusted.prepare_dispute(body.account, body.stage, by, minor, body.reason))


def _resolve(app: App, caller: Caller, body: shapes.ResolveBody) -> Ready:
    currency = _currency_of_account(app, body.account)
    out, back = body.to_release.read_in(currency), body.to_refund.read_in(currency)
    return Ready(app.settling.prepare_resolve(body.account, body.stage, out, back, body.reason))


def _urgent(app: App, caller: Caller, body: shapes.UrgentBody) -> Ready:
    minor = body.amount.read_in(_currency_of_account(app, body.account))
    return Ready(app.settling.prepare_urgent(body.account, body.stage, minor, body.why, body.risk_note)[0])


def _by_both_sides(app: App, session: Session, message: Message) -> Sequence[str]:
    row = entrusted_queries.account(session, int(message["accountId"]))
    return (row.payer, row.beneficiary)


def _by_payer(app: App, session: Session, message: Message) -> Sequence[str]:
    return (entrusted_queries.account(session, int(message["accountId"])).payer,)


def _by_account_bank(app: App, session: Session, message: Message) -> Sequence[str]:
    return (entrusted_queries.account(session, int(message["accountId"])).bank,)


def _to_entrusted(name: str) -> Callable[..., Mapping[str, Any]]:
    def send(
        app: App, message: Message, signatures: Signatures, context: Message, key: str, caller: str
    ) -> Mapping[str, Any]:
        return app.entrusted.submit(name, message, signatures, key=key, caller=caller)

    return send


def _entrusted_act(
    name: str,
    title: str,
    body: type[BaseModel],
    prepare_: Callable[[App, Caller, Any], Ready],
    signers: Callable[[App, Session, Message], Sequence[str]],
    example: Mapping[str, Any],
    carried_as: str | None = None,
) -> SignedAct:
    carried = carried_as or name
    kind = ENTRUSTED_ACTS[carried]
    return SignedAct(
        name,
        title,
        "EntrustedAccounts",
        kind.primary_type,
        body,
        prepare_,
        signers,
        _to_entrusted(carried),
        example,
        signer_count=kind.signatures,
    )


_STAGE = {"account": 1, "stage": 0}
SIGNED = (
    _entrusted_act(
        "open",
        "Open an entrusted account (payer and beneficiary)",
        shapes.OpenBody,
        _open,
        lambda app, session, message: (str(message["payer"]), str(message["beneficiary"])),
        {
            "payer": shapes.ADDRESS,
            "beneficiary": shapes.ADDRESS,
            "bank": shapes.ADDRESS,
            "currency": "CNY",
            "account": "6200900000000000090",
            "purpose": "Steel for order PO-7781",
            "funds": "sale_proceeds",
            "consent": "I agree to the stages.",
            "separate_consent": "What I sell the note for may be locked for my steel supplier.",
            "stages": [
                {
                    "payee": shapes.ADDRESS,
                    "payee_account": "6200200000000000066",
                    "amount": MONEY_EXAMPLE,
                    "title_en": "On despatch",
                    "title_zh": "发货",
                    "needs": ["despatch"],
                    "deadline": 1790000000,
                }
            ],
            "attestors": [shapes.ADDRESS, shapes.ADDRESS],
            "approvers": [shapes.ADDRESS, shapes.ADDRESS],
        },
    ),
    _entrusted_act(
        "confirm_locked",
        "Confirm that the money is locked (bank)",
        shapes.ConfirmLockedBody,
        lambda app, caller, body: Ready(app.entrusted.prepare_confirm_locked(body.account, body.bank_reference)),
        _by_account_bank,
        {"account": 1, "bank_reference": "STMT-99/6"},
    ),
    _entrusted_act(
        "attest",
        "Vouch for evidence (attestor)",
        shapes.AttestBody,
        _attest,
        by_field("attestor"),
        {**_STAGE, "up_to": MONEY_EXAMPLE, "evidence": shapes.DIGEST},
    ),
    _entrusted_act(
        "approve",
        "Approve a release (approver)",
        shapes.ApproveBody,
        _approve,
        by_field("approver"),
        {**_STAGE, "up_to": MONEY_EXAMPLE, "decision": "Despatch and inspection agree"},
    ),
    _entrusted_act(
        "confirm_released",
        "Confirm an executed release (bank)",
        shapes.BankMovedBody,
        _confirm_released,
        _by_account_bank,
        {**_STAGE, "amount": MONEY_EXAMPLE, "payment_id": "EA1S0R0", "bank_reference": "STMT-99/7"},
    ),
    _entrusted_act(
        "confirm_refunded",
        "Confirm an executed refund (bank)",
        shapes.BankMovedBody,
        _confirm_refunded,
        _by_account_bank,
        {**_STAGE, "amount": MONEY_EXAMPLE, "payment_id": "EA1S0B0", "bank_reference": "STMT-99/8"},
    ),
    _entrusted_act(
        "confirm_returned",
        "Confirm that an executed payment came back (bank)",
        shapes.BankMovedBody,
        _confirm_returned,
        _by_account_bank,
        {**_STAGE, "amount": MONEY_EXAMPLE, "payment_id": "EA1S0R0", "bank_reference": "STMT-99/9"},
    ),
    _entrusted_act(
        "dispute",
        "Hold a part of a stage",
        shapes.DisputeBody,
        _dispute,
        by_field("by"),
        {**_STAGE, "amount": MONEY_EXAMPLE, "reason": "Three crates are damaged"},
    ),
    _entrusted_act(
        "resolve",
        "Agree on a held part (payer and beneficiary)",
        shapes.ResolveBody,
        _resolve,
        _by_both_sides,
        {
            **_STAGE,
            "to_release": MONEY_EXAMPLE,
            "to_refund": {"minor": "0", "currency": "CNY"},
            "reason": "Two of the crates were repaired",
        },
    ),
    _entrusted_act(
        "urgent",
        "Set a part aside for an urgent release (payer)",
        shapes.UrgentBody,
        _urgent,
        _by_payer,
        {
            **_STAGE,
            "amount": MONEY_EXAMPLE,
            "why": "The line stops on Monday without this steel",
            "risk_note": "Despatch is proven; the inspection follows within ten days",
        },
        carried_as="dispute",
    ),
)
