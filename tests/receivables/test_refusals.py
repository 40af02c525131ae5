"""What a receivable refuses: in one clear sentence, money not moved, without a trace in any table or on the ledger."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date

import pytest
from tests.installation import Installation, Trade, signed_by

from scf.app import rebuild_books
from scf.demo.cast import CORE, PINE, RIVER
from scf.kernel.clock import today
from scf.kernel.dates import next_day
from scf.kernel.money import format_money
from scf.kernel.problems import Problem
from scf.parties.keys import demo_key
from scf.receivables import queries
from scf.receivables.service import PassRequest

FACE = 100_000_00
STRANGER = demo_key("nobody of the cast")


@dataclass(frozen=True, slots=True)
class Scene:
    """A live receivable of 100,000.00 held by its creditor, and a second trade that nothing was issued on yet."""

    at: Installation
    number: int
    root: str
    issued: Trade
    fresh: Trade

    def pass_request(self, amount_minor: int, to: str = "") -> PassRequest:
        return PassRequest(self.root, to or self.at.who(PINE), amount_minor, self.fresh.document)


@pytest.fixture(scope="module")
def scene(shared_installation: Installation) -> Scene:
    at = shared_installation
    issued = at.trade("INV-1", FACE)
    number, root = at.issued(issued, FACE)
    return Scene(at, number, root, issued, at.trade("INV-2", FACE))


def issue(scene: Scene, **changes: object) -> object:
    """Issue with some terms changed, signed by maker and checker."""
    request = replace(scene.at.request(scene.fresh, FACE), **changes)  # type: ignore[arg-type]
    return scene.at.submit(scene.at.app.receivables.prepare_issue(request))


def test_an_unknown_creditor(scene: Scene) -> None:
    problem = scene.at.refused("unknown_participant", lambda: issue(scene, creditor=STRANGER.address))
    assert STRANGER.address in problem.sentence("en")
    assert problem.status == 404


def test_an_unknown_recipient_of_a_pass(scene: Scene) -> None:
    request = scene.pass_request(1_000_00, to=STRANGER.address)
    scene.at.refused("unknown_participant", lambda: scene.at.app.receivables.prepare_pass(request))


def test_a_creditor_that_is_no_address(scene: Scene) -> None:
    scene.at.refused("unknown_participant", lambda: issue(scene, creditor="Lotus"))


def test_an_obligor_without_that_role(scene: Scene) -> None:
    """A supplier has no limit, so there is nothing it could promise."""
    scene.at.refused("amount_above_limit", lambda: issue(scene, obligor=scene.at.who(RIVER)))


def test_an_amount_over_the_limit(scene: Scene) -> None:
    at = scene.at
    with at.app.desk.session() as session:
        limit = at.app.parties.member(session, at.who(CORE)).limit_minor
    with at.app.desk.session() as session:  # the documents would carry it, of the limit 100,000.00 is used
        filed = at.app.receivables.file(session, ["ab" * 32], invoice_minor=limit, delivered_on="2026-03-02")
        big = Trade(filed.document, "0x" + "cd" * 32)
    problem = at.refused("amount_above_limit", lambda: issue(scene, **_terms(big), face_minor=limit))
    assert format_money(limit - FACE, "CNY") in problem.sentence("en")
    assert format_money(limit, "CNY") in problem.sentence("zh-CN")
    exact = at.submit(at.app.receivables.prepare_issue(at.request(big, limit - FACE)))  # to the cent what is left
    at.submit(at.app.receivables.prepare_withdraw(str(exact["note"])))


def test_an_amount_above_the_invoice(scene: Scene) -> None:
    scene.at.refused("amount_above_invoice", lambda: issue(scene, face_minor=FACE + 1))


@pytest.mark.parametrize("face", [0, -1])
def test_an_amount_that_is_none(scene: Scene, face: int) -> None:
    scene.at.refused("amount_not_positive", lambda: issue(scene, face_minor=face))


def test_a_second_receivable_for_the_same_invoice(scene: Scene) -> None:
    again = _terms(scene.issued)
    problem = scene.at.refused("invoice_already_registered", lambda: issue(scene, **again, face_minor=1_00))
    assert "INV-1" in problem.sentence("en") and str(scene.number) in problem.sentence("zh-CN")
    assert problem.status == 409


def test_the_ledger_itself_refuses_the_same_invoice(scene: Scene) -> None:
    """Even past the service: the fingerprint is taken on the ledger."""
    at = scene.at
    prepared = at.app.receivables.prepare_issue(at.request(scene.fresh, FACE))
    message = {**prepared.message, "fingerprint": scene.issued.fingerprint}
    forged = at.app.desk.prepare("issue", "Receivables", "Issue", message, signers=prepared.signers, summary={})
    joined = at.app.desk.join_signatures("Receivables", "Issue", message, at.sign(forged)[0])
    call = at.app.receivables.call("issue", message, joined)
    at.refused("ledger_receivables_fingerprint_taken", lambda: at.app.desk.relay([("direct", call)]))


def test_a_voucher_longer_than_six_months(scene: Scene) -> None:
    latest = _months_later(today(scene.at.clock), 6)
    problem = scene.at.refused("CN-77-11-MAX", lambda: issue(scene, maturity=_months_later(today(scene.at.clock), 13)))
    assert "Art. 11" in problem.sentence("en") or "Notice 77" in problem.sentence("en")
    late = scene.at.refused("CN-77-11-REVIEW", lambda: issue(scene, maturity=next_day(latest, 1)))
    assert "CN-77-11" in late.sentence("zh-CN")


def test_a_voucher_that_ended_before_it_began(scene: Scene) -> None:
    with pytest.raises(Problem), scene.at.nothing_written():
        issue(scene, maturity=next_day(today(scene.at.clock), -1))


def test_an_issue_without_documents(scene: Scene) -> None:
    scene.at.refused("no_trade_documents", lambda: issue(scene, document="0x" + "12" * 32))


def test_a_message_changed_after_signing(scene: Scene) -> None:
    """Maker and checker signed 100,000.00; the amount that is sent is another one."""
    at = scene.at
    prepared = at.app.receivables.prepare_issue(at.request(scene.fresh, FACE))
    message = {**prepared.message, "face": FACE - 1}
    at.refused(
        "ledger_not_authorised",
        lambda: at.app.receivables.submit("issue", message, at.sign(prepared)[0], key="changed", caller="test"),
    )


@pytest.mark.parametrize(
    ("signers", "code"),
    [
        ((STRANGER, demo_key("core-maker")), "ledger_not_authorised"),
        ((demo_key("core-maker"),) * 2, "second_person_needed"),
    ],
)
def test_an_issue_signed_by_the_wrong_keys(scene: Scene, signers: tuple, code: str) -> None:  # type: ignore[type-arg]
    at = scene.at
    prepared = at.app.receivables.prepare_issue(at.request(scene.fresh, FACE))
    parts = [signed_by(prepared, key.private) for key in signers]
    at.refused(
        code,
        lambda: at.app.receivables.submit("issue", prepared.message, parts, key="wrong", caller="test"),
    )


@pytest.mark.parametrize("part", [b"", b"\x01", b"\x00" * 65, b"\xff" * 65, b"\x01" * 300])
def test_a_signature_that_is_none(scene: Scene, part: bytes) -> None:
    at = scene.at
    prepared = at.app.receivables.prepare_pass(scene.pass_request(1_000_00))
    at.refused(
        "ledger_not_authorised",
        lambda: at.app.receivables.submit("pass", prepared.message, [part], key="none", caller="test"),
    )


def test_no_signature_at_all(scene: Scene) -> None:
    at = scene.at
    prepared = at.app.receivables.prepare_pass(scene.pass_request(1_000_00))
    at.refused(
        "ledger_not_authorised",
        lambda: at.app.receivables.submit("pass", prepared.message, [], key="no", caller="test"),
    )


def test_an_expired_signature(scene: Scene) -> None:
    at = scene.at
    prepared = at.app.receivables.prepare_pass(scene.pass_request(1_000_00))
    message = {**prepared.message, "deadline": at.clock.now() - 1}
    late = at.app.desk.prepare("pass", "Receivables", "Pass", message, signers=prepared.signers, summary={})
    at.refused(
        "ledger_signature_expired",
        lambda: at.app.receivables.submit("pass", message, at.sign(late)[0], key="late", caller="test"),
    )


def test_a_pass_beyond_the_notes_amount(scene: Scene) -> None:
    at = scene.at
    problem = at.refused("amount_above_note", lambda: at.app.receivables.prepare_pass(scene.pass_request(FACE + 1)))
    assert problem.sentence("en") == "The note carries CNY 100,000.00; CNY 100,000.01 cannot be passed on from it."


def test_the_ledger_itself_refuses_a_pass_beyond_the_notes_amount(scene: Scene) -> None:
    at = scene.at
    prepared = at.app.receivables.prepare_pass(scene.pass_request(FACE))
    message = {**prepared.message, "amount": FACE + 1}
    forged = at.app.desk.prepare("pass", "Receivables", "Pass", message, signers=prepared.signers, summary={})
    call = at.app.receivables.call("pass", message, at.sign(forged)[0][0])
    at.refused("ledger_receivables_amount_exceeded", lambda: at.app.desk.relay([("direct-pass", call)]))


@pytest.mark.parametrize("amount", [0, -5])
def test_a_pass_of_nothing(scene: Scene, amount: int) -> None:
    scene.at.refused("amount_not_positive", lambda: scene.at.app.receivables.prepare_pass(scene.pass_request(amount)))


def test_a_pass_by_somebody_who_does_not_hold_the_note(scene: Scene) -> None:
    at = scene.at
    prepared = at.app.receivables.prepare_pass(scene.pass_request(1_000_00))
    wrong = signed_by(prepared, demo_key("pine-account").private)
    at.refused(
        "ledger_not_authorised",
        lambda: at.app.receivables.submit("pass", prepared.message, [wrong], key="thief", caller="test"),
    )


def test_accepting_for_somebody_else(scene: Scene) -> None:
    at = scene.at
    offered = at.passed(scene.root, PINE, 1_000_00, scene.fresh, accept=False)
    prepared = at.app.receivables.prepare_accept(offered)
    wrong = signed_by(prepared, demo_key("river-account").private)
    at.refused(
        "ledger_not_authorised",
        lambda: at.app.receivables.submit("accept", prepared.message, [wrong], key="thief", caller="test"),
    )
    at.submit(at.app.receivables.prepare_refuse(offered, "not ordered"))


@pytest.mark.parametrize("note", ["0x" + "00" * 32, "0x12", "", "none"])
def test_an_unknown_note(scene: Scene, note: str) -> None:
    at = scene.at
    at.refused("unknown_note", lambda: at.app.receivables.prepare_accept(note))
    request = PassRequest(note, at.who(PINE), 1, scene.fresh.document)
    at.refused("unknown_note", lambda: at.app.receivables.prepare_pass(request))


def test_an_unknown_act_and_an_unknown_receivable(scene: Scene) -> None:
    at = scene.at
    at.refused("unknown_act", lambda: at.app.receivables.submit("burn", {}, [], key="k", caller="test"))
    at.refused("unknown_receivable", lambda: at.app.receivables.prepare_payment(99, 1, "REF"))


def test_accepting_twice(scene: Scene) -> None:
    problem = scene.at.refused("note_not_movable", lambda: scene.at.app.receivables.prepare_accept(scene.root))
    assert "held" in problem.sentence("en") and "持有中" in problem.sentence("zh-CN")


def test_a_payment_above_the_debt(scene: Scene) -> None:
    at = scene.at
    at.refused("payment_above_debt", lambda: at.app.receivables.prepare_payment(scene.number, FACE + 1, "REF"))


def test_a_payment_attested_by_somebody_who_is_not_the_paying_bank(scene: Scene) -> None:
    at = scene.at
    prepared = at.app.receivables.prepare_payment(scene.number, FACE, "REF")
    wrong = signed_by(prepared, demo_key("harbour-account").private)
    at.refused(
        "ledger_not_authorised",
        lambda: at.app.receivables.submit("payment", prepared.message, [wrong], key="fake", caller="test"),
    )


@pytest.mark.parametrize("key", ["", " ", "x" * 129, "a\nb"])
def test_a_key_that_is_none(scene: Scene, key: str) -> None:
    at = scene.at
    prepared = at.app.receivables.prepare_pass(scene.pass_request(1_000_00))
    parts = at.sign(prepared)[0]
    at.refused(
        "idempotency_key_missing",
        lambda: at.app.receivables.submit("pass", prepared.message, parts, key=key, caller="test"),
    )


def test_a_refused_key_may_be_used_again(scene: Scene) -> None:
    """A refusal leaves nothing behind, so the corrected request goes through under the same key."""
    at = scene.at
    prepared = at.app.receivables.prepare_pass(scene.pass_request(2_000_00))
    wrong = signed_by(prepared, STRANGER.private)
    at.refused(
        "ledger_not_authorised",
        lambda: at.app.receivables.submit("pass", prepared.message, [wrong], key="again", caller="test"),
    )
    assert at.submit(prepared, key="again")["note"]


def _terms(trade: Trade) -> dict[str, str]:
    return {"document": trade.document, "fingerprint": trade.fingerprint}


def _months_later(day: date, months: int) -> date:
    index = day.month - 1 + months
    return date(day.year + index // 12, index % 12 + 1, day.day)


def test_the_scene_is_still_whole(scene: Scene) -> None:
    """After all refusals the books replay and the face is accounted for."""
    differences, _ = rebuild_books(scene.at.app, check=True)
    assert differences == []
    with scene.at.app.desk.session() as session:
        live, face = queries.conservation(session, scene.number)
    assert live == face == FACE


def test_a_forged_issue_uses_up_nobodys_limit(installation: Installation) -> None:
    """What is held for an act against a group's limit is held only once keys and ledger agree to the act."""
    at = installation
    at.limit("member", at.who(CORE), group="Northbridge")
    at.limit("group", "Northbridge", FACE)
    prepared = at.app.receivables.prepare_issue(at.request(at.trade("INV-1", FACE), FACE))
    wrong = [signed_by(prepared, key.private) for key in (STRANGER, demo_key("core-maker"))]
    at.refused(
        "ledger_not_authorised",
        lambda: at.app.receivables.submit("issue", prepared.message, wrong, key="forged", caller="test"),
    )
    other = at.app.receivables.prepare_issue(at.request(at.trade("INV-2", FACE), FACE))
    assert at.submit(other)["receivable"] == 1
    at.refused("amount_above_group_limit", lambda: at.submit(prepared))
