"""Every rule is asked by somebody: each act goes through its own door here, and a law written in the test is obeyed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import col, select
from tests.entrusted.test_release import FIRST, open_request, opened
from tests.financing.scene import FACE, Scene
from tests.installation import Installation

from scf.api import confirming
from scf.demo.cast import CIVIC, CORE, FARHILL, HARBOUR, LOTUS, PINE, STEEL
from scf.financing.collecting import payment_id
from scf.financing.comparing import compare
from scf.financing.competing import file_outside
from scf.financing.models import OutsideClaim
from scf.financing.price import Fee
from scf.kernel.clock import today
from scf.kernel.problems import Problem
from scf.receivables import queries
from scf.receivables.service import PassRequest
from scf.rulebook.acts import ACTS
from scf.rulebook.service import Judgement, Rulebook
from scf.store import evidence
from scf.store.evidence import Evidence


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Acts the rulebook was asked about, by whatever code asked."""
    seen: set[str] = set()
    judge = Rulebook.judge

    def spy(self: Rulebook, act: str, *rest: Any, **named: Any) -> Judgement:
        seen.add(act)
        return judge(self, act, *rest, **named)

    monkeypatch.setattr(Rulebook, "judge", spy)
    return seen


def decisions(at: Installation, act: str) -> list[dict[str, Any]]:
    """Decisions about an act that were kept as evidence, oldest first."""
    with at.app.desk.session() as session:
        rows = session.exec(
            select(Evidence.evidence_id).where(Evidence.kind == "decision").order_by(col(Evidence.leaf_index))
        ).all()
        kept = [json.loads(evidence.raw_bytes(session, one)) for one in rows]
    return [one for one in kept if one["act"] == act]


def ask(scene: Scene, note: str, amount: int) -> str:
    with scene.app.desk.session() as session:
        return scene.app.financing.ask(session, note, amount, [scene.at.who(HARBOUR), scene.at.who(FARHILL)]).id


def quote(scene: Scene, ask_id: str, *fees: Fee, recourse: bool = False) -> None:
    scene.app.financing.prepare_quote(
        ask_id,
        scene.at.who(HARBOUR),
        rate_ppm=60_000,
        paying_bank=scene.at.who(CIVIC),
        fees=fees,
        recourse=recourse,
    )


def arrived_late(scene: Scene, number: int, amount: int, days: int) -> int:
    """A payment so many days after maturity; returns its line."""
    scene.move_to(scene.due(number) + timedelta(days=days))
    scene.arrives(amount, f"late {days}", end_to_end=payment_id(number))
    [line] = scene.look()
    return line.line_id


def test_every_act_rules_are_about_is_asked_by_the_door_it_goes_through(
    installation: Installation, asked: set[str]
) -> None:
    at, scene = installation, Scene(installation)
    app = at.app
    number, note = scene.issued()
    at.passed(note, PINE, 100_000_00, at.trade("INV-P", 100_000_00, seller=PINE, buyer=LOTUS))
    sold = scene.sold(note, 400_000_00, recourse=False)
    with app.reading() as session:
        figures = app.financing.prepare_quote(
            ask(scene, note, 50_000_00), at.who(HARBOUR), rate_ppm=60_000, paying_bank=at.who(CIVIC)
        )[1]
        compare(session, app.parties, app.rulebook, app.clock, app.maturity.calendar, sold, figures)
    at.trade("INV-W", 10_000_00)
    with app.reading() as session:
        waiting = confirming.to_accept(app, session, at.who(CORE))
    assert confirming.days_to_confirm(app, waiting[0]) == 30
    account = opened(at)
    account.ready()
    account.order()
    account.room.prepare_dispute(account.account, 1, at.who(PINE), 1_00, "one crate is damaged")
    app.maturity.prepare_attestation(arrived_late(scene, number, FACE, 5))
    assert asked == set(ACTS)
    shipped = {
        act for name in app.rulebook.rulesets for rule in app.rulebook.list(ruleset=name) for act in rule.applies_to
    }
    assert shipped <= asked, "a rule about an act nobody asks about is read by nobody"
    for act in ("finance", "complete_financing", "drawdown", "open_entrusted", "release", "dispute"):
        kept = decisions(at, act)[-1]
        assert kept["ruleset"] == "CN" and kept["verdict"] in ("clear", "flag"), kept
        for finding in kept["findings"]:
            assert finding["version"] >= 1 and len(finding["digest"]) == 16, finding
    late = decisions(at, "late_interest")[-1]["findings"]
    assert [one["rule"] for one in late] == ["CN-802-17-DAILY"]
    assert decisions(at, "settle_claim")[-1]["findings"][0]["rule"] == "CN-768-PRIORITY"


def test_a_supplier_is_not_charged_for_the_confirmation_of_its_debt(installation: Installation) -> None:
    scene = Scene(installation)
    _, note = scene.issued()
    wanted = ask(scene, note, 100_000_00)
    free = Fee("confirmation", "platform", 0)
    for fee in (Fee("confirmation", "platform", 100_00), free):
        problem = installation.refused("CN-77-FEE-CONFIRM", lambda fee=fee: quote(scene, wanted, fee))  # type: ignore[misc]
        assert "confirmation" in str(problem)
    quote(scene, wanted, Fee("handling", "platform", 100_00))


def test_locked_money_goes_to_the_counterparty_of_the_contract(installation: Installation) -> None:
    at = installation
    room = at.app.entrusted
    request = open_request(at)
    to_the_lender = replace(request.stages[0], payee=request.payer)
    at.refused("CN-LOAN-PAYEE", lambda: room.prepare_open(replace(request, stages=(to_the_lender,))))
    at.trade("INV-9", 50_000_00, seller=STEEL, buyer=PINE, order="PO-9")
    named = tuple(replace(stage, order_reference="PO-9") for stage in request.stages)
    room.prepare_open(replace(request, stages=named))
    strangers = tuple(replace(stage, payee=at.who(LOTUS)) for stage in named)
    problem = at.refused("CN-LOAN-PAYEE", lambda: room.prepare_open(replace(request, stages=strangers)))
    assert "counterparty" in str(problem)
    at.refused("consent_missing", lambda: room.prepare_open(replace(request, consent=" ")))


def test_more_than_a_stage_still_holds_is_not_in_dispute(installation: Installation) -> None:
    at = installation
    account = opened(at)
    who = at.who(PINE)
    at.refused(
        "CN-802-15-UNDISPUTED",
        lambda: account.room.prepare_dispute(account.account, 0, who, FIRST + 1, "all of it and a cent"),
    )
    account.room.prepare_dispute(account.account, 0, who, FIRST, "all of it")


def test_a_claim_registered_outside_before_ours_stops_the_payment(installation: Installation) -> None:
    at, scene = installation, Scene(installation)
    number, note = scene.issued()
    with at.app.desk.session() as session:
        row = queries.receivable(session, number)
        paper = session.exec(select(Evidence.evidence_id)).first()
    assert paper is not None

    def claim(reference: str, moment: int) -> None:
        with at.app.desk.session() as session:
            file_outside(
                session,
                OutsideClaim(
                    number=reference,
                    fingerprint=row.fingerprint,
                    claimant="Bank elsewhere",
                    amount_minor=FACE,
                    registered_at=moment,
                    evidence_id=paper,
                ),
            )

    scene.sold(note, 400_000_00, recourse=False)
    claim("OUT-LATER", at.clock.now() + 86_400)
    scene.move_to(scene.due(number))
    scene.arrives(FACE // 2, "a", end_to_end=payment_id(number))
    [line] = scene.look()
    at.app.maturity.prepare_attestation(line.line_id)
    with at.app.desk.session() as session:
        shares = at.app.maturity.recourse.priority(session, number, 400_000_01)
    assert shares["OUT-LATER"] == 1, "ours was registered first"
    claim("OUT-BEFORE", row.issued_at - 60)
    problem = at.refused("CN-768-PRIORITY", lambda: at.app.maturity.prepare_attestation(line.line_id))
    assert "ranks number 2" in str(problem)
    at.refused("outside_claim_differs", lambda: claim("OUT-BEFORE", row.issued_at + 1))
    other, second = scene.issued("INV-2")
    with at.app.desk.session() as session:
        row = queries.receivable(session, other)
    claim("OUT-2", row.issued_at)
    with pytest.raises(Problem) as refusal:
        scene.sold(second, 100_000_00, recourse=False)
    assert refusal.value.code == "claimed_outside"


# A law written here ---------------------------------------------------------------------------------------------------

FLATLAND = """
[ruleset.FL]
title.en = "Flatland"
title.zh-CN = "平面国"
currency = "CNY"

[[figure]]
name = "late_rate_daily_millionths"
rulesets = ["FL"]
effective_from = 2020-01-01
value = 100
source = "Flatland Act 1"

[[figure]]
name = "compensation_minor"
rulesets = ["FL"]
effective_from = 2020-01-01
value = 2500
source = "Flatland Act 2"
"""


def rule(
    name: str, acts: str, check: str, parameters: str, *, since: str = "2020-01-01", version: int = 1, until: str = ""
) -> str:
    """One rule of Flatland."""
    return f"""
[[rule]]
id = "FL-{name}"
version = {version}
title.en = "Flatland {name}"
title.zh-CN = "平面国 {name}"
article.en = "Flatland Act, {name}"
article.zh-CN = "平面国法 {name}"
source = "written in a test"
jurisdiction = "FL"
rulesets = ["FL"]
effective_from = {since}
{f"effective_to = {until}" if until else ""}
severity = "block"
applies_to = [{acts}]
check = "{check}"
parameters = {{ {parameters} }}
sentence.en = "Flatland says no to {name}."
sentence.zh-CN = "平面国不准 {name}。"
"""


LAWS = FLATLAND + "".join(
    (
        rule("TENOR", '"issue"', "within_days", 'start = ["issue_date"], end = ["maturity_date"], days = 90',
             until="2026-04-30"),
        rule("TENOR", '"issue"', "within_days", 'start = ["issue_date"], end = ["maturity_date"], days = 20',
             since="2026-05-01", version=2),
        rule("RECOURSE", '"quote"', "must_be", 'fact = "recourse", value = false'),
        rule("FEE", '"fee"', "none_of", 'fact = "fee_kind", values = ["welcome"]'),
        rule("SPLIT", '"pass"', "at_most", 'fact = "tier", maximum = 1'),
        rule("LATE", '"late_interest"', "at_most", 'fact = "late_rate_daily_millionths", maximum = 100'),
    )
)  # fmt: skip


@pytest.fixture
def flatland(enrolled: Path, tmp_path: Path) -> Iterator[Scene]:
    """An installation that runs a jurisdiction nobody has written code for."""
    shutil.copytree(enrolled, tmp_path / "data")
    (tmp_path / "data" / "rules").mkdir()
    (tmp_path / "data" / "rules" / "flatland.toml").write_text(LAWS, encoding="utf-8")
    with Installation(tmp_path / "data", ruleset="FL") as made:
        yield Scene(made)


def test_a_jurisdiction_written_in_this_test_needs_no_code(flatland: Scene) -> None:
    at, scene = flatland.at, flatland
    trade = at.trade("INV-1", FACE)
    at.refused("FL-TENOR", lambda: at.app.receivables.prepare_issue(at.request(trade, FACE, days=91)))
    number, note = at.issued(trade, FACE)
    paper = at.trade("INV-P", 1_000_00, seller=PINE, buyer=LOTUS)
    further = PassRequest(note, at.who(PINE), 1_000_00, paper.document)
    at.refused("FL-SPLIT", lambda: at.app.receivables.prepare_pass(further))
    wanted = ask(scene, note, 100_000_00)
    refused = at.refused("FL-RECOURSE", lambda: quote(scene, wanted, recourse=True))
    assert "Flatland says no to RECOURSE" in str(refused)
    assert "平面国不准 RECOURSE" in refused.sentence("zh-CN")
    at.refused("FL-FEE", lambda: quote(scene, wanted, Fee("welcome", "platform", 1_00)))
    sold = scene.sold(note, 100_000_00, recourse=False)
    kept = decisions(at, "quote")[-1]
    assert (kept["ruleset"], [one["rule"] for one in kept["findings"]]) == ("FL", ["FL-RECOURSE"])
    assert sold
    line = arrived_late(scene, number, 2_000_000_00, 10)
    with at.app.desk.session() as session:
        row = queries.receivable(session, number)
        terms = at.app.maturity.lateness(row)
    assert (terms.ppm_per_day, terms.fixed_minor) == (100, 25_00)
    prepared = at.app.maturity.prepare_attestation(line)
    due = at.app.maturity.due_day(row.maturity)
    days = (today(at.clock) - due).days
    assert prepared.message["interest"] == FACE * 100 * days // 1_000_000 + 25_00
    assert decisions(at, "late_interest")[-1]["findings"][0]["rule"] == "FL-LATE"


def test_a_rule_holds_from_its_first_day_and_its_successor_from_the_next(flatland: Scene) -> None:
    at = flatland.at
    before, after = date(2026, 4, 30), date(2026, 5, 1)
    flatland.move_to(before)
    at.app.receivables.prepare_issue(at.request(at.trade("INV-B", FACE), FACE, days=55))
    flatland.move_to(after)
    trade = at.trade("INV-A", FACE)
    refused = at.refused("FL-TENOR", lambda: at.app.receivables.prepare_issue(at.request(trade, FACE, days=55)))
    assert refused.facts["version"] == 2
    at.app.receivables.prepare_issue(at.request(trade, FACE, days=20))


@pytest.mark.parametrize("ruleset", ["IN", "EU"])
def test_the_shipped_second_jurisdictions_carry_a_receivable_from_issue_to_payment(
    enrolled: Path, tmp_path: Path, ruleset: str
) -> None:
    shutil.copytree(enrolled, tmp_path / "data")
    with Installation(tmp_path / "data", ruleset=ruleset) as at:
        scene = Scene(at)
        days = 30
        trade = at.trade("INV-1", FACE, due_days=days)
        reply = at.submit(at.app.receivables.prepare_issue(at.request(trade, FACE, days=days)))
        note = str(reply["note"])
        at.submit(at.app.receivables.prepare_accept(note))
        if ruleset == "IN":
            too_late = at.request(at.trade("INV-L", FACE), FACE, days=60)
            at.refused("IN-MSMED-45", lambda: at.app.receivables.prepare_issue(too_late))
            wanted = ask(scene, note, 100_000_00)
            at.refused("IN-TREDS-RECOURSE", lambda: quote(scene, wanted, recourse=True))
            at.refused("IN-TREDS-PREMIUM", lambda: quote(scene, wanted, Fee("insurance", "insurer", 1_00)))
        scene.sold(note, 100_000_00, recourse=False)
        number = int(reply["receivable"])
        line = arrived_late(scene, number, FACE, 4)
        prepared = at.app.maturity.prepare_attestation(line)
        assert prepared.message["interest"] > 0
        assert {one["ruleset"] for one in decisions(at, "quote") + decisions(at, "late_interest")} <= {ruleset}


def test_the_installations_own_rules_are_listed_by_the_command(
    flatland: Scene, capsys: pytest.CaptureFixture[str]
) -> None:
    from scf.commands.rules import list_rules, show

    list_rules(as_of="2026-05-01", ruleset="fl", data=flatland.at.folder)
    said = capsys.readouterr().out
    assert "FL-RECOURSE" in said and "late_rate_daily_millionths = 100" in said
    show("fl-tenor", data=flatland.at.folder)
    said = capsys.readouterr().out
    assert "2020-01-01 – 2026-04-30" in said and "2026-05-01 – …" in said
    with pytest.raises(Problem) as refusal:
        list_rules(as_of="2026-02-30", ruleset="FL", data=flatland.at.folder)
    assert refusal.value.code == "unreadable_date"
    with pytest.raises(Problem) as refusal:
        list_rules(as_of=None, ruleset="MARS", data=flatland.at.folder)
    assert refusal.value.code == "unknown_ruleset"
