"""Before an approval: do goods, invoice, contract and money agree for the stage's order?"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlmodel import Session

from scf.entrusted import queries
from scf.entrusted.models import PayeeAccount, Stage, StageRule
from scf.kernel.clock import Clock
from scf.kernel.problems import Problem
from scf.kernel.sentences import sentence
from scf.reconciliation.four_way import Answer, StageAsk, four_way


class DisagreementRefusal(Problem):
    """Goods, invoice, contract and money do not agree, or it is not known whether they do; each reason in words."""

    def __init__(self, answer: Answer, order: str) -> None:
        self.answer = answer
        super().__init__("goods_and_money_disagree", order=order, reason=_joined([why.en for why in answer.reasons]))

    def sentence(self, language: str = "en") -> str:
        """The sentence with every reason in `language`."""
        reasons = [why.zh if language.lower().startswith("zh") else why.en for why in self.answer.reasons]
        return sentence(self.code, language, **{**self.facts, "reason": _joined(reasons)})


def ask(
    session: Session, stage: Stage, up_to_minor: int, *, applicants: Collection[str], clock: Clock
) -> Answer | None:
    """The four-way question for a release of up to `up_to_minor` of a stage; None when the stage names no order.

    `applicants` are the names and numbers of the organisation the money is locked for: what it says of itself does not
    count.
    """
    rule = session.get(StageRule, stage.rule)
    if rule is None or rule.order_reference is None:
        return None
    payee = session.get(PayeeAccount, stage.payee_account)
    wanted = StageAsk(
        amount_minor=max(0, up_to_minor - stage.released_minor),
        currency=queries.account(session, stage.account_id).currency,
        payee_account=payee.account if payee else None,
        needs_goods="arrival" in rule.needs.split(","),
        name=rule.order_reference,
    )
    return four_way(session, rule.order_reference, wanted, applicants=applicants, clock=clock)


def require(answer: Answer | None, order: str | None) -> None:
    """Raises `DisagreementRefusal` unless the answer is clear, or there was nothing to ask."""
    if answer is not None and answer.answer != "clear":
        raise DisagreementRefusal(answer, order or "-")


def _joined(sentences: Sequence[str]) -> str:
    return " ".join(sentences).rstrip(".。")
