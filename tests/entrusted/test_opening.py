"""An account is opened for a loan or, with the seller's separate consent, for what it sold; payee and use are asked."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlmodel import col, select
from tests.entrusted.test_release import open_request
from tests.financing.scene import Scene as MoneyScene
from tests.installation import Installation

from scf.demo.cast import CIVIC, FARHILL, HARBOUR, LOTUS, PINE, RIVER, STEEL, firm
from scf.demo.papers import invoice
from scf.entrusted.service import OpenRequest
from scf.entrusted.stating import CONSENT_MARK
from scf.kernel.clock import today
from scf.kernel.dates import next_day
from scf.kernel.problems import Problem
from scf.store.evidence import Evidence, Trust, raw_bytes

CONSENT = "What we sell the note for may be locked for our steel supplier."


def proceeds(at: Installation, **change: object) -> OpenRequest:
    return replace(open_request(at), funds="sale_proceeds", separate_consent=CONSENT, **change)


def refusal(at: Installation, request: OpenRequest) -> Problem:
    with pytest.raises(Problem) as caught:
        at.app.entrusted.prepare_open(request)
    return caught.value


@pytest.mark.parametrize("said", ["", "   "])
def test_proceeds_are_not_locked_without_a_consent_of_their_own(shared_installation: Installation, said: str) -> None:
    """The general agreement to the stages is there; it does not stand for the separate one."""
    problem = refusal(shared_installation, replace(proceeds(shared_installation), separate_consent=said))
    assert (problem.code, problem.facts.get("rule")) == ("rule_refused", "CN-LOAN-CONSENT")
    assert "separate consent" in problem.sentence("en") and "单独" in problem.sentence("zh-CN")


def test_a_loan_needs_no_separate_consent_and_says_so(shared_installation: Installation) -> None:
    at = shared_installation
    account = int(at.submit_entrusted(at.app.entrusted.prepare_open(open_request(at)))["account"])
    with at.app.reading() as session:
        assert at.app.entrusted.rules.funds_of(session, account) == "loan"
        with pytest.raises(Problem, match="separate"):
            at.app.entrusted.rules.require_proceeds(session, account, at.who(PINE))


def test_the_separate_consent_is_filed_and_its_hash_is_signed(
    shared_installation: Installation,
) -> None:
    at = shared_installation
    prepared = at.app.entrusted.prepare_open(proceeds(at))
    plain = at.app.entrusted.prepare_open(open_request(at))
    assert prepared.message["consent"] != plain.message["consent"]
    account = int(at.submit_entrusted(prepared)["account"])
    with at.app.reading() as session:
        kept = session.exec(select(Evidence).where(Evidence.kind == "separate consent")).all()
        assert [raw_bytes(session, one.evidence_id).decode() for one in kept] == [CONSENT_MARK + CONSENT]
        assert kept[0].sender == at.who(PINE)
        assert at.app.entrusted.rules.funds_of(session, account) == "sale_proceeds"
        decided = session.exec(select(Evidence).where(col(Evidence.name).like("open_entrusted%"))).all()
        assert decided, "the decision is kept with its rules"


def test_an_opening_signed_without_being_prepared_here_is_judged_as_well(shared_installation: Installation) -> None:
    at = shared_installation
    prepared = at.app.entrusted.prepare_open(proceeds(at))
    stranger = replace(prepared, message={**prepared.message, "consent": "0x" + "ab" * 32})
    at.refused("consent_missing", lambda: at.submit_entrusted(stranger))


def test_an_unknown_purpose_is_named(shared_installation: Installation) -> None:
    problem = refusal(shared_installation, replace(open_request(shared_installation), funds="gift"))
    assert problem.code == "account_funds_unknown" and "gift" in problem.sentence("zh-CN")


def test_nobody_knows_whom_a_stage_without_order_or_contract_pays(shared_installation: Installation) -> None:
    problem = refusal(shared_installation, replace(open_request(shared_installation), contract=""))
    assert (problem.code, problem.facts.get("rule")) == ("rule_unknown", "CN-LOAN-PAYEE")


def test_a_borrower_is_not_its_own_counterparty(shared_installation: Installation) -> None:
    at = shared_installation
    good = open_request(at)
    own = tuple(replace(stage, payee=at.who(PINE), payee_account=firm(PINE).account) for stage in good.stages)
    problem = refusal(at, replace(good, stages=own))
    assert (problem.code, problem.facts.get("rule")) == ("rule_refused", "CN-LOAN-PAYEE")
    at.app.entrusted.prepare_open(replace(proceeds(at), stages=own))  # its own proceeds may come to it


@pytest.mark.parametrize(
    ("seller", "buyer", "rule"),
    [(STEEL, PINE, None), (RIVER, PINE, "CN-LOAN-PAYEE"), (STEEL, LOTUS, "CN-LOAN-USE")],
)
def test_payee_and_use_are_those_of_the_order_on_file(
    shared_installation: Installation, seller: str, buyer: str, rule: str | None
) -> None:
    """Paid is who sells under the order, for an order of the beneficiary's own."""
    at, order = shared_installation, f"PO-{seller}-{buyer}"
    day = today(at.clock)
    paper = invoice(f"INV-{order}", seller, buyer, order, "Steel", 100_00, day, next_day(day, 30))
    name = firm(seller).name
    at.app.documents.import_file(paper.raw, paper.name, source=name, sender=name, trust=Trust.T2)
    request = open_request(at, order)
    if rule is None:
        assert at.app.entrusted.prepare_open(request).signers
    else:
        problem = refusal(at, request)
        assert (problem.code, problem.facts.get("rule")) == ("rule_refused", rule)


def test_the_price_of_a_sale_goes_only_into_an_account_its_seller_agreed_to(installation: Installation) -> None:
    at, app = installation, installation.app
    money = MoneyScene(at)
    _, note = money.issued("INV-1", 100_000_00)
    loan = int(
        at.submit_entrusted(app.entrusted.prepare_open(replace(open_request(at), beneficiary=at.who(LOTUS))))["account"]
    )
    other = int(at.submit_entrusted(app.entrusted.prepare_open(proceeds(at)))["account"])
    own = int(at.submit_entrusted(app.entrusted.prepare_open(proceeds(at, beneficiary=at.who(LOTUS))))["account"])
    with app.desk.session() as session:
        ask = app.financing.ask(session, note, 100_000_00, [at.who(HARBOUR), at.who(FARHILL)]).id

    def quote(account: int) -> object:
        return app.financing.prepare_quote(
            ask, at.who(HARBOUR), rate_ppm=50_000, paying_bank=at.who(CIVIC), entrusted_account=account
        )

    at.refused("proceeds_without_consent", lambda: quote(loan))
    at.refused("proceeds_without_consent", lambda: quote(other))
    assert quote(own)
