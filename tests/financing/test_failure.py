"""If the core enterprise fails: who pays, on which path, and the worst case, by rule and on a real note."""

from __future__ import annotations

from datetime import date

from hypothesis import given
from hypothesis import strategies as st
from tests.financing.scene import Scene
from tests.installation import Installation

from scf.demo.cast import CORE, LOTUS, PINE
from scf.financing import fairness
from scf.financing.failure import NoteTerms, SoldPart, if_obligor_fails, of_note, steps_in

DUE = date(2026, 4, 30)
AMOUNTS = st.integers(0, 10**10)


def terms(**changes: object) -> NoteTerms:
    plain: dict[str, object] = {
        "holder": "Lotus", "obligor": "Core", "currency": "CNY", "due_on": DUE, "held_minor": 100_00
    }  # fmt: skip
    return NoteTerms(**{**plain, **changes})  # type: ignore[arg-type]


def test_a_plain_holder_can_lose_all_it_holds_and_nothing_more() -> None:
    view = if_obligor_fails(terms())
    assert [step.kind for step in view.steps] == ["claim"]
    assert view.worst_case_minor == 100_00


def test_what_was_sold_without_recourse_is_kept_and_with_recourse_may_have_to_be_paid_back() -> None:
    kept = SoldPart("0x1", "Bank", 50_00, 49_00, False)
    owed = SoldPart("0x2", "Bank", 30_00, 29_00, True)
    view = if_obligor_fails(terms(sold=(kept, owed)))
    assert [(step.kind, step.payer, step.payee) for step in view.steps] == [
        ("claim", "Core", "Lotus"),
        ("keep", "Core", "Bank"),
        ("pay_back", "Lotus", "Bank"),
    ]
    assert (view.not_received_minor, view.to_pay_back_minor) == (100_00, 30_00)


def test_a_financier_loses_what_it_paid() -> None:
    view = if_obligor_fails(terms(bought_from="Lotus", bought_net_minor=97_00, bought_recourse=True))
    assert [step.kind for step in view.steps] == ["claim", "buy_back"]
    assert view.worst_case_minor == 97_00


@given(held=AMOUNTS, net=AMOUNTS, parts=st.lists(st.tuples(AMOUNTS, st.booleans()), max_size=4))
def test_the_worst_case_is_never_more_than_held_and_sold(held: int, net: int, parts: list[tuple[int, bool]]) -> None:
    sold = tuple(SoldPart(str(place), "Bank", amount, amount, back) for place, (amount, back) in enumerate(parts))
    view = if_obligor_fails(terms(held_minor=held, sold=sold))
    assert held <= view.worst_case_minor <= held + sum(amount for amount, _ in parts)
    bought = if_obligor_fails(terms(held_minor=held, bought_from="Lotus", bought_net_minor=net))
    assert bought.worst_case_minor <= held


def test_a_real_note_says_it_in_both_languages_and_the_meter_counts_what_was_done(installation: Installation) -> None:
    scene = Scene(installation)
    number, root = scene.issued()
    pine = installation.passed(
        root, PINE, 200_000_00, installation.trade("INV-P", 200_000_00, seller=PINE, buyer=LOTUS)
    )
    bought = scene.sold(pine, 150_000_00, recourse=True)
    with scene.app.desk.session() as session:
        view = of_note(session, scene.app.parties, pine)
        assert (view.not_received_minor, view.to_pay_back_minor) == (50_000_00, 150_000_00)
        assert "CNY 200,000.00" in steps_in(view, "en")[-1] and "CNY 200,000.00" in steps_in(view, "zh-CN")[-1]
        financier = of_note(session, scene.app.parties, bought)
        net = scene.app.financing.financing(session, bought).net_minor
        assert financier.worst_case_minor == net
        meter = fairness.measure(session, scene.app.parties, installation.who(CORE))
        rate = scene.app.financing.financing(session, bought).apr_ppm
    assert (meter.receivables, meter.paid_receivables, meter.days_to_pay_tenths) == (1, 0, None)
    assert meter.apr_ppm_by_tier == {2: rate} and meter.financed_minor_by_tier == {2: 150_000_00}
    assert meter.fees_minor_by_payer == {"small": 50_000}
    assert (meter.offers, meter.refused, meter.days_to_confirm_tenths) == (2, 0, 0)
    assert number == 1
