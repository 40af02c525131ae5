"""The facts rules may ask for: their names, types and what people call them.

A fact that is not known is left out (or None). It is never guessed: the rule that needs it answers "unknown".
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from types import MappingProxyType
from typing import Any, TypedDict, get_type_hints

from scf.kernel.dates import parse_date
from scf.kernel.problems import Problem


class Facts(TypedDict, total=False):
    """All facts by name. Amounts in minor units, rates in millionths, trust 0 to 4 (see the store's `Trust`)."""

    # the paper
    issue_date: date
    maturity_date: date
    funded_on: date
    currency: str
    amount_minor: int
    min_amount_minor: int
    tier: int
    children: int
    term_review: str
    # the trade
    has_trade_evidence: bool
    trust_level: int
    prepayment: bool
    invoice_assigned: bool
    delivered_on: date
    accepted_on: date
    inspection_days: int
    payment_due_on: date
    term_agreed: bool
    returns_to_earlier_holder: bool
    hops_today: int
    # the parties
    obligor_size: str
    creditor_is_small: bool
    obligor_overdue: bool
    accepted_freely: bool
    # financing
    financiers_invited: int
    single_financier_reason: str
    registration_number: str
    recourse: bool
    obligor_accepted: bool
    bid_accepted_on: date
    settled_on: date
    business_days_to_payment: int
    fee_kind: str
    fee_payer: str
    claim_rank: int
    # paying
    late_rate_agreed: bool
    late_rate_daily_millionths: int
    late_rate_yearly_millionths: int
    reference_rate_yearly_millionths: int
    compensation_minor: int
    confirmation_requested_on: date
    confirmed_on: date
    held_minor: int
    disputed_minor: int
    # entrusted payment
    account_purpose: str
    separate_consent: str
    payee_is_counterparty: bool
    use_matches: bool
    entrusted: bool
    working_days_waited: int
    urgent: bool
    bank_risk_note: str
    # always known
    as_of: date


LABELS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "issue_date": ("开立日期", "date of issue"),
        "maturity_date": ("到期日", "maturity date"),
        "funded_on": ("放款日期", "date of funding"),
        "currency": ("币种", "currency"),
        "amount_minor": ("金额", "amount"),
        "min_amount_minor": ("最小拆分金额", "smallest part"),
        "tier": ("流转层级", "tier"),
        "children": ("拆分笔数", "number of parts"),
        "term_review": ("银行期限审查记录", "the bank's recorded term review"),
        "has_trade_evidence": ("贸易背景材料", "trade documents"),
        "trust_level": ("材料可信级别", "trust level of the documents"),
        "prepayment": ("是否预付款", "whether it is a prepayment"),
        "invoice_assigned": ("发票是否已转让", "whether the invoice was assigned before"),
        "delivered_on": ("交付日期", "date of delivery"),
        "accepted_on": ("验收日期", "date of acceptance"),
        "inspection_days": ("约定检验期（天）", "agreed inspection period in days"),
        "payment_due_on": ("合同付款日", "date on which cash is due under the contract"),
        "term_agreed": ("合同是否约定更长期限及依据", "whether a longer term was agreed with its reason"),
        "returns_to_earlier_holder": ("是否流转回先前持有人", "whether it goes back to an earlier holder"),
        "hops_today": ("当日流转次数", "passes on this day"),
        "obligor_size": ("付款方规模", "size class of the obligor"),
        "creditor_is_small": ("收款方是否中小企业", "whether the creditor is a small or medium firm"),
        "obligor_overdue": ("付款方是否逾期", "whether the obligor is overdue"),
        "accepted_freely": ("是否自愿签收", "whether the creditor accepted of its own will"),
        "financiers_invited": ("受邀资金方数量", "number of financiers invited"),
        "single_financier_reason": ("仅邀请一家的书面理由", "signed reason for one financier"),
        "registration_number": ("登记证明编号", "registration number"),
        "recourse": ("是否有追索权", "whether with recourse"),
        "obligor_accepted": ("买方是否已确认", "whether the buyer accepted"),
        "bid_accepted_on": ("接受报价日期", "date the bid was accepted"),
        "settled_on": ("结算日期", "date of settlement"),
        "business_days_to_payment": ("放款所用工作日", "business days to payment"),
        "fee_kind": ("费用类型", "kind of fee"),
        "fee_payer": ("费用承担方", "payer of the fee"),
        "claim_rank": ("债权顺位", "rank of the claim"),
        "late_rate_agreed": ("是否约定逾期利率", "whether late interest was agreed"),
        "late_rate_daily_millionths": ("逾期日利率", "late interest a day"),
        "late_rate_yearly_millionths": ("逾期年利率", "late interest a year"),
        "reference_rate_yearly_millionths": ("参考年利率", "reference rate a year"),
        "compensation_minor": ("固定补偿金", "fixed compensation"),
        "confirmation_requested_on": ("请求确认日期", "date confirmation was asked for"),
        "confirmed_on": ("确认日期", "date of confirmation"),
        "held_minor": ("暂扣金额", "amount held back"),
        "disputed_minor": ("争议金额", "amount in dispute"),
        "account_purpose": ("账户用途", "purpose of the account"),
        "separate_consent": ("单独书面同意", "separate consent"),
        "payee_is_counterparty": ("收款人是否合同相对方", "whether the payee is the contract's counterparty"),
        "use_matches": ("用途是否一致", "whether the use is the agreed one"),
        "entrusted": ("是否受托支付", "whether paid as entrusted payment"),
        "working_days_waited": ("已等待工作日", "working days waited"),
        "urgent": ("是否紧急支付", "whether urgent"),
        "bank_risk_note": ("银行风险说明", "the bank's risk note"),
        "as_of": ("判定日期", "day of judgement"),
    }
)
"""Fact -> what people call it, in zh-CN and en."""

TYPES: Mapping[str, type] = MappingProxyType(get_type_hints(Facts))
"""Fact -> its type."""


def read_facts(given: Mapping[str, Any], as_of: date) -> dict[str, Any]:
    """Known facts in their types, `as_of` among them; None means unknown; names no rule knows are left out.

    A date may come as ISO text. Raises Problem `fact_unreadable` for a value of another type.
    """
    known: dict[str, Any] = {"as_of": as_of}
    for name, value in given.items():
        wanted = TYPES.get(name)
        if value is None or wanted is None:
            continue
        if wanted is date and isinstance(value, str):
            value = parse_date(value)
        if type(value) is not wanted and not (wanted is str and isinstance(value, str)):
            if wanted is int and isinstance(value, int) and not isinstance(value, bool):
                value = int(value)  # an IntEnum such as the trust level
            else:
                raise Problem("fact_unreadable", fact=name, kind=wanted.__name__)
        known[name] = value
    return known


def label(name: str, language: str) -> str:
    """What people call a fact."""
    chinese, english = LABELS.get(name, (name, name))
    return chinese if language.lower().startswith("zh") else english
