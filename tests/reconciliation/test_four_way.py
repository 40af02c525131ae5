"""The four-way question: what clears, what flags, and what stays unknown."""

from __future__ import annotations

from typing import Any

from tests.reconciliation.conftest import DAY, Desk, fact

from scf.reconciliation import service
from scf.reconciliation.four_way import Answer, StageAsk, four_way


def asked(desk: Desk, order: str = "PO-1", amount: int = 100_000, **more: Any) -> Answer:
    ask = StageAsk(amount, "CNY", more.pop("account", "CN01"), name="first", **more.pop("stage", {}))
    kept = {"applicants": {"seller"}, "clock": desk.clock} | more
    return desk.do(lambda s: four_way(s, order, ask, **kept))


def confirmed(order: str = "PO-1", **goods: Any) -> list[Any]:
    """Order by the buyer, goods by the carrier, invoice confirmed by the buyer."""
    return [
        fact("order", order, 10, 100_000),
        fact("delivery", order, 10, reference="DN", **goods),
        fact("invoice", order, 10, 100_000, reference="INV", account="CN01"),
        fact("invoice", order, 10, 100_000, reference="INV", account="CN01", source="buyer", applicant_can_write=False),
    ]


def codes(answer: Answer) -> list[str]:
    return [why.code for why in answer.reasons]


def test_clear_when_sources_the_applicant_cannot_write_agree(desk: Desk) -> None:
    desk.take(*confirmed())
    answer = asked(desk)
    assert (answer.answer, codes(answer)) == ("clear", ["fourway_consistent"])
    assert [row.refused_because for row in answer.rows] == [None, None, "applicant", None]
    assert answer.reasons[0].zh == "货物、发票、合同与资金一致。"


def test_an_order_nobody_knows_is_unknown(desk: Desk) -> None:
    assert asked(desk).answer == "unknown"


def test_the_applicants_own_word_clears_nothing(desk: Desk) -> None:
    desk.take(*confirmed(source="seller", trust=4))
    assert codes(asked(desk)) == ["fourway_no_goods"]
    desk.take(fact("delivery", "PO-1", 10, reference="DN", source="depot", trust=3, applicant_can_write=True))
    assert asked(desk).answer == "unknown"


def test_low_trust_clears_nothing(desk: Desk) -> None:
    desk.take(*confirmed(source="depot", trust=1))
    assert codes(asked(desk)) == ["fourway_no_goods"]


def test_a_release_needs_t3_or_two_independent_t2(desk: Desk) -> None:
    desk.take(*confirmed(source="buyer", trust=2))
    assert codes(asked(desk)) == ["fourway_one_source"]
    assert asked(desk, release=False).answer == "clear"
    desk.take(fact("delivery", "PO-1", 10, reference="DN", source="depot", trust=2))
    assert asked(desk).answer == "clear"


def test_an_unconfirmed_invoice_is_unknown(desk: Desk) -> None:
    desk.take(*confirmed()[:3])
    assert codes(asked(desk)) == ["fourway_no_invoice", "fourway_account_unknown"]


def test_partial_goods_release_their_part_only(desk: Desk) -> None:
    parts = confirmed()
    parts[1] = fact("delivery", "PO-1", 4, reference="DN", day=DAY - 1)
    parts[0] = fact("order", "PO-1", 10, 100_000, promised_day=DAY + 9)
    for place in (2, 3):
        part = parts[place]
        parts[place] = fact("invoice", "PO-1", 4, 40_000, reference="INV", account="CN01", source=part.source,
                            applicant_can_write=part.applicant_can_write)  # fmt: skip
    desk.take(*parts)
    assert asked(desk, amount=40_000).answer == "clear"
    answer = asked(desk, amount=60_000)
    assert (answer.answer, codes(answer)) == ("flag", ["fourway_goods_short", "fourway_invoice_short"])
    assert "Goods worth CNY 400.00 are proved, but the stage asks for CNY 600.00" in answer.reasons[0].en


def test_what_was_paid_is_not_paid_again(desk: Desk) -> None:
    desk.take(*confirmed(), fact("payment", "PO-1", None, 60_000, key="b", account="CN01", applicant_can_write=False))
    assert asked(desk, amount=40_000).answer == "clear"
    assert "fourway_already_paid" in codes(asked(desk, amount=50_000))


def test_another_account_is_flagged(desk: Desk) -> None:
    desk.take(*confirmed())
    assert codes(asked(desk, account="XX66")) == ["fourway_wrong_account"]


def test_a_contradiction_flags_whoever_wrote_it_until_it_is_accepted(desk: Desk) -> None:
    desk.take(*confirmed(), fact("delivery", "PO-1", 7, reference="DN", source="seller", trust=1))
    answer = asked(desk)
    assert (answer.answer, codes(answer)) == ("flag", ["CONTRADICTING_SOURCES"])
    row = next(r for r in desk.do(lambda s: service.exceptions(s)).rows if r.code == "CONTRADICTING_SOURCES")
    desk.do(lambda s: service.decide(s, row.id, decision="accept", reason="typing error", by="ann", clock=desk.clock))
    assert asked(desk).answer == "clear"


def test_a_failed_inspection_flags(desk: Desk) -> None:
    desk.take(*confirmed(), fact("inspection", "PO-1", None, passed=False))
    assert asked(desk).answer == "flag"


def test_a_stage_before_delivery_asks_for_the_contract_alone(desk: Desk) -> None:
    desk.take(fact("order", "PO-1", 10, 100_000, account="CN01", promised_day=DAY + 9))
    assert asked(desk, amount=30_000, stage={"needs_goods": False, "needs_invoice": False}).answer == "clear"
    assert asked(desk, amount=30_000).answer == "unknown"
    beyond = asked(desk, amount=130_000, stage={"needs_goods": False, "needs_invoice": False})
    assert codes(beyond) == ["fourway_over_contract"]
