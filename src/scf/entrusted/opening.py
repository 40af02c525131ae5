"""What payer and beneficiary agree on before money is locked: checked in words, filed, and put together to be signed.

The ledger checks independence and value again; here the same is refused before anybody read or signed anything.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from sqlmodel import Session

from scf.entrusted.models import PayeeAccount, StageRule
from scf.entrusted.ruling import SALE_PROCEEDS
from scf.entrusted.shapes import OpenRequest, StagePlan
from scf.entrusted.stating import CONSENT_MARK, CONTRACT_MARK, words_behind
from scf.kernel.dates import day_of
from scf.kernel.money import currency as currency_of
from scf.kernel.money import format_money
from scf.kernel.problems import Problem
from scf.ledger.hashing import keccak
from scf.parties.service import Parties
from scf.receivables.judging import hex_text
from scf.store.commands import canonical_json

NEEDS: Mapping[str, Mapping[str, str]] = {
    "despatch": {"en": "despatch", "zh-CN": "发货"},
    "arrival": {"en": "arrival", "zh-CN": "到货"},
    "inspection": {"en": "inspection", "zh-CN": "检验"},
    "delivery": {"en": "delivery", "zh-CN": "送货"},
}
"""Kinds of evidence a stage can ask for, all of them together, and their words."""
MOST_STAGES = 16


def check(session: Session, parties: Parties, request: OpenRequest, now: int) -> None:
    """Refuse what nobody should read or sign, before the rules are asked.

    Raises Problem `stages_without_value`, `consent_missing`, `stages_do_not_add_up`, `stage_in_the_past`,
    `stage_needs_unknown`, `own_account`.
    """
    if not request.stages or any(stage.amount_minor <= 0 for stage in request.stages):
        raise Problem("stages_without_value")
    if not request.consent.strip() or not request.purpose.strip():
        raise Problem("consent_missing")
    total = sum(stage.amount_minor for stage in request.stages)
    if request.amount_minor is not None and request.amount_minor != total:
        raise Problem(
            "stages_do_not_add_up",
            amount=format_money(request.amount_minor, request.currency),
            stages=format_money(total, request.currency),
            difference=format_money(abs(request.amount_minor - total), request.currency),
        )
    for number, stage in enumerate(request.stages, start=1):
        if stage.deadline <= now:
            raise Problem("stage_in_the_past", stage=number, day=day_of(stage.deadline).isoformat())
        unknown = [need for need in stage.needs if need not in NEEDS]
        if unknown:
            raise Problem("stage_needs_unknown", stage=number, need=unknown[0][:40], known=", ".join(NEEDS))
    if parties.organisation_id(session, request.payer) == parties.organisation_id(session, request.beneficiary):
        raise Problem("own_account", who=parties.name_of(session, request.payer))


def check_houses(session: Session, parties: Parties, request: OpenRequest) -> None:
    """Who vouches and who approves stand apart from who is paid, and evidence comes from two houses.

    Asked after the rules: a payee who is not the contract's counterparty is the graver fault and is named first.
    Raises Problem `duty_missing`, `duty_twice`, `duty_not_independent` naming who is not, `evidence_of_one_house`.
    """
    house = {
        who: parties.organisation_id(session, who)
        for who in (request.beneficiary, request.bank, *request.attestors, *request.approvers)
    }
    for duty in (request.attestors, request.approvers):
        if len(duty) < 2:
            raise Problem("duty_missing", given=len(duty))
    everybody = [*request.attestors, *request.approvers]
    twice = [who for who in everybody if everybody.count(who) > 1]
    if twice:
        raise Problem("duty_twice", who=parties.name_of(session, twice[0]))
    paid = {parties.organisation_id(session, stage.payee) for stage in request.stages}
    paid.add(house[request.beneficiary])
    for who in everybody:
        if house[who] in paid:
            raise Problem("duty_not_independent", who=parties.name_of(session, who))
    if house[request.bank] == house[request.beneficiary]:
        raise Problem("duty_not_independent", who=parties.name_of(session, request.bank))
    if len({house[who] for who in request.attestors}) < 2:
        raise Problem("evidence_of_one_house", who=parties.name_of(session, request.attestors[0]))


def texts_of(request: OpenRequest) -> tuple[str, str, str, str]:
    """(purpose with its contract, kind of consent, the consent as it is signed, the separate consent or nothing)."""
    contract = request.contract.strip()
    purpose = request.purpose + (f"{CONTRACT_MARK}{contract}" if contract else "")
    separate = request.separate_consent.strip() if request.funds == SALE_PROCEEDS else ""
    if separate:
        return purpose, "separate consent", CONSENT_MARK + separate, separate
    return purpose, "consent", request.consent, ""


def opening_summary(payer: str, beneficiary: str, total: str, stages: int) -> dict[str, str]:
    """What both sides sign, in one sentence a language."""
    return {
        "en": f"{payer} locks {total} for {beneficiary}: {stages} stages, each paid only on evidence of two "
        "organisations and two approvals; the rest goes back at the deadline.",
        "zh-CN": f"{payer} 为 {beneficiary} 锁定 {total}，分 {stages} 个阶段；"
        "每阶段须有两家机构的证据和两人批准方可支付，到期未用部分退回。",
    }


def stage_message(session: Session, parties: Parties, stage: StagePlan) -> dict[str, Any]:
    """One stage as it is signed; its rule and the payee's account are filed behind their hashes."""
    parties.member(session, stage.payee)
    words: dict[str, Any] = {
        "title_en": stage.title_en,
        "title_zh": stage.title_zh,
        "needs": ",".join(stage.needs),
        "order_reference": stage.order_reference,
    }
    rule = "0x" + keccak(canonical_json(words)).hex()
    if session.get(StageRule, rule) is None:
        session.add(StageRule(rule=rule, **words))
    name = parties.name_of(session, stage.payee)
    return {
        "payee": stage.payee,
        "payeeAccount": commit_account(session, stage.payee, name, stage.payee_account),
        "amount": stage.amount_minor,
        "rule": rule,
        "deadline": stage.deadline,
    }


def commit_account(session: Session, owner: str, name: str, account: str) -> str:
    """File a bank account behind a salted commitment, which is what is signed."""
    salt = secrets.token_bytes(32)
    commitment = "0x" + keccak(salt + account.encode()).hex()
    session.add(PayeeAccount(commitment=commitment, owner=owner, name=name, account=account, salt="0x" + salt.hex()))
    return commitment


def agreed_text(session: Session, parties: Parties, message: Mapping[str, Any]) -> dict[str, list[str]]:
    """An opening read back from what is signed: each line as both sides read it, by language.

    Every figure and word comes from the message or from what is filed behind its hashes.
    """
    code = currency_of(int(message["currency"])).code
    stages: Sequence[Mapping[str, Any]] = message["stages"]
    names = {key: parties.name_of(session, str(message[key])) for key in ("payer", "beneficiary", "bank")}
    total = format_money(sum(int(stage["amount"]) for stage in stages), code)
    purpose = words_behind(session, hex_text(message["purpose"])) or "—"
    consent = words_behind(session, hex_text(message["consent"])) or "—"
    separate = consent.startswith(CONSENT_MARK)
    said = consent.removeprefix(CONSENT_MARK)
    account = session.get(PayeeAccount, hex_text(message["account"]))
    number = account.account if account else "—"
    english = [
        f"{names['payer']} locks {total} for {names['beneficiary']} at {names['bank']}, account {number}.",
        "It is what the beneficiary sells a claim for." if separate else "It is a loan of the payer.",
        f"Agreed use: {purpose}.",
    ]
    chinese = [
        f"{names['payer']} 为 {names['beneficiary']} 在 {names['bank']} 锁定 {total}，账号 {number}。",
        "该款项为受益方转让债权所得价款。" if separate else "该款项为付款方发放的贷款。",
        f"约定用途：{purpose}。",
    ]
    for place, stage in enumerate(stages, start=1):
        en, zh = _stage_lines(session, parties, place, stage, code)
        english.append(en)
        chinese.append(zh)
    duties = {
        duty: [parties.name_of(session, str(who)) for who in message[duty]] for duty in ("attestors", "approvers")
    }
    english += [
        f"Evidence by two of: {', '.join(duties['attestors'])}. Approval by two of: {', '.join(duties['approvers'])}.",
        f"{'Separate consent' if separate else 'Consent'} of {names['beneficiary']}: “{said}”",
    ]
    chinese += [
        f"证据须来自其中两家：{'、'.join(duties['attestors'])}。审批须其中两人：{'、'.join(duties['approvers'])}。",
        f"{names['beneficiary']} 的{'单独同意' if separate else '同意'}：“{said}”",
    ]
    return {"en": english, "zh-CN": chinese}


def _stage_lines(
    session: Session, parties: Parties, place: int, stage: Mapping[str, Any], code: str
) -> tuple[str, str]:
    rule = session.get(StageRule, hex_text(stage["rule"]))
    kept = session.get(PayeeAccount, hex_text(stage["payeeAccount"]))
    payee, number = parties.name_of(session, str(stage["payee"])), kept.account if kept else "—"
    amount, until = format_money(int(stage["amount"]), code), day_of(int(stage["deadline"])).isoformat()
    needs = [need for need in (rule.needs if rule else "").split(",") if need]
    order = rule.order_reference if rule else None
    en = " and ".join(NEEDS[need]["en"] if need in NEEDS else need for need in needs) or "evidence"
    zh = "且".join(NEEDS[need]["zh-CN"] if need in NEEDS else need for need in needs) or "证据"
    return (
        f"Stage {place}, {rule.title_en if rule else '—'}: {amount} to {payee}, account {number}, on {en} shown by two "
        f"organisations{f', order {order}' if order else ''}; what is left after {until} goes back to the payer.",
        f"第 {place} 阶段（{rule.title_zh if rule else '—'}）：凭两家机构证明的{zh}，向 {payee}（账号 {number}）支付 "
        f"{amount}{f'，订单 {order}' if order else ''}；{until} 后未支付的余额退回付款方。",
    )
