"""The meter against a count of its own, in plain SQL and by hand; and what is published of it keeps firms apart."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction

import pytest
from tests.financing.scene import Scene
from tests.installation import Installation

from scf.demo.cast import CORE, FARHILL, LOTUS, PINE, RIVER, STONE
from scf.financing.collecting import payment_id
from scf.financing.fairness import Meter, measure, published


def half_up(value: Fraction) -> int:
    return int((value + Fraction(1, 2)) // 1)


def beijing(seconds: int) -> date:
    return (datetime.fromtimestamp(seconds, UTC) + timedelta(hours=8)).date()


def counted(path: str, obligor: str) -> dict[str, object]:
    """The same figures, from the tables alone."""
    base = sqlite3.connect(path)
    rows = base.execute(
        "SELECT r.id, r.face_minor, r.outstanding_minor, r.issued_at, r.maturity, d.delivered_on "
        "FROM book_receivable r LEFT JOIN dossier d ON d.document = r.document "
        "WHERE r.obligor = ? AND r.state != 'cancelled'",
        (obligor,),
    ).fetchall()
    pay, confirm, late = [], [], []
    for number, face, outstanding, issued, maturity, delivered in rows:
        start = date.fromisoformat(delivered) if delivered else None
        if start:
            confirm.append((max(0, (beijing(issued) - start).days), face))
        if outstanding == 0:
            (last,) = base.execute(
                "SELECT max(paid_at) FROM book_payment WHERE receivable_id = ?", (number,)
            ).fetchone()
            pay.append((max(0, (beijing(last) - (start or beijing(issued))).days), face))
            late.append((max(0, (beijing(last) - beijing(maturity)).days), face))

    def mean(pairs: list[tuple[int, int]]) -> int | None:
        weight = sum(face for _, face in pairs)
        return half_up(Fraction(10 * sum(days * face for days, face in pairs), weight)) if weight else None

    sold = base.execute(
        "SELECT n.tier - 1, f.apr_ppm, f.amount_minor, f.fees_minor, o.size FROM book_financing f "
        "JOIN book_note n ON n.id = f.note_id JOIN book_receivable r ON r.id = f.receivable_id "
        "JOIN seat s ON s.address = f.seller JOIN organisation o ON o.id = s.organisation_id "
        "WHERE r.obligor = ? AND f.completed_at IS NOT NULL",
        (obligor,),
    ).fetchall()
    tiers = sorted({row[0] for row in sold})
    apr = {
        tier: half_up(
            Fraction(
                sum(rate * amount for at, rate, amount, _, _ in sold if at == tier),
                sum(amount for at, _, amount, _, _ in sold if at == tier),
            )
        )
        for tier in tiers
    }
    fees: dict[str, int] = {}
    for _, _, _, fee, size in sold:
        fees[size] = fees.get(size, 0) + fee
    offers, refused = base.execute(
        "SELECT count(*), sum(n.state = 'returned') FROM book_note n JOIN book_receivable r ON r.id = n.receivable_id "
        "WHERE r.obligor = ? AND n.giver != n.holder AND n.id NOT IN (SELECT note_id FROM book_financing)",
        (obligor,),
    ).fetchone()
    base.close()
    return {
        "pay": mean(pay), "confirm": mean(confirm), "late": mean(late), "apr": apr, "fees": fees, "offers": offers,
        "refused": refused or 0,
    }  # fmt: skip


def test_the_meter_is_what_plain_sql_counts_from_the_same_tables(installation: Installation) -> None:
    at, scene = installation, Scene(installation)
    first, root = scene.issued("INV-1", 600_000_00)
    second, other = scene.issued("INV-2", 300_000_01)
    pine = at.passed(root, PINE, 200_000_00, at.trade("INV-P", 200_000_00, seller=PINE, buyer=LOTUS))
    at.passed(pine, RIVER, 60_000_00, at.trade("INV-R", 60_000_00, seller=RIVER, buyer=PINE))
    river = at.passed(other, RIVER, 90_000_00, at.trade("INV-R2", 90_000_00, seller=RIVER, buyer=LOTUS))
    scene.sold(pine, 70_000_03, recourse=True)
    scene.sold(river, 30_000_00, recourse=False, to=FARHILL, fee=12_345)
    scene.sold(root, 100_000_00, recourse=False, fee=0)
    offered = at.passed(root, STONE, 10_000_00, at.trade("INV-S", 10_000_00, seller=STONE, buyer=LOTUS), accept=False)
    at.submit(at.app.receivables.prepare_refuse(offered, "cash was agreed"))
    scene.move_to(scene.due(second) + timedelta(days=9))
    scene.arrives(320_000_00, "late", end_to_end=payment_id(second))
    scene.attest(scene.look())
    with scene.app.reading() as session:
        meter = measure(session, scene.app.parties, at.who(CORE))
    own = counted(str(scene.app.engine.url.database), at.who(CORE))
    assert own["refused"] == 1 and own["late"] and len(own["apr"]) == 2  # type: ignore[arg-type]
    assert (meter.days_to_pay_tenths, meter.days_to_confirm_tenths) == (own["pay"], own["confirm"])
    assert meter.days_late_tenths == own["late"]
    assert (meter.apr_ppm_by_tier, meter.fees_minor_by_payer) == (own["apr"], own["fees"])
    assert (meter.offers, meter.refused) == (own["offers"], own["refused"])
    assert meter.refused_share_ppm == half_up(Fraction(meter.refused * 1_000_000, meter.offers))
    assert first == 1


BASE = Meter(
    "o", "CNY", 1, 1, 0, 0, None, None, None, {1: 50_000, 2: 70_000, 3: 90_000}, {1: 300, 2: 100, 3: 100}, 0, 0, 0,
    {"small": 7, "micro": 5}, {1: frozenset({1, 2, 3}), 2: frozenset({4, 5}), 3: frozenset({6})},
    {"small": frozenset({1, 2, 3, 4, 5}), "micro": frozenset({6})},
)  # fmt: skip


def test_small_tiers_are_said_together_and_one_firm_alone_not_at_all() -> None:
    said = published(BASE)
    assert said.apr_ppm_by_tier == {"1": 50_000, "other": 80_000}
    assert said.financed_minor_by_tier == {"1": 300, "other": 200}
    assert said.withheld_tiers == ()
    assert said.fees_minor_by_payer == {"small": 7} and said.withheld_payers == ("micro",)


@pytest.mark.parametrize("firms", [frozenset({6}), frozenset({5, 6})])
def test_the_only_small_tier_is_withheld_with_nothing_to_subtract_it_from(firms: frozenset[int]) -> None:
    meter = replace(BASE, sellers_by_tier={1: frozenset({1, 2, 3}), 2: frozenset({2, 3, 4}), 3: firms})
    said = published(meter)
    assert said.apr_ppm_by_tier == {"1": 50_000, "2": 70_000} and said.withheld_tiers == ("3",)
    assert sum(said.financed_minor_by_tier.values()) == 400
    same = replace(BASE, sellers_by_tier={1: frozenset({1, 2, 3}), 2: frozenset({6}), 3: frozenset({6})})
    assert published(same).withheld_tiers == ("2", "3"), "one firm in two tiers is one firm"
