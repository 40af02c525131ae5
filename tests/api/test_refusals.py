"""Bad input is refused in one clear sentence and both languages; no money moves and nothing is left behind."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from tests.api.conftest import As
from tests.api.installation import CORE, LOTUS, PINE, Installation

from scf.kernel.dates import day_of
from scf.ledger.signing import sign_digest
from scf.parties.keys import demo_key
from scf.receivables import queries

API = "/api/v1"
NOBODY = "0x000000000000000000000000000000000000dEaD"
Case = Callable[[Installation, As, str], Any]


def standing(demo: Installation) -> tuple[Any, ...]:
    """Everything that would show a half-written act: the ledger's head and every amount in the books."""
    with demo.app.reading() as session:
        rows = queries.all_receivables(session, limit=200)
        notes = [
            (note.id, note.state, note.amount_minor)
            for row in rows
            for note in queries.notes_of_receivable(session, row.id)
        ]
    account = demo.app.contracts.entrusted.read(demo.app.ledger, "releasable", demo.account, 0)
    return demo.app.desk.head().hash, [row.model_dump() for row in rows], notes, account


def trade(demo: Installation, **more: Any) -> dict[str, Any]:
    """A trade backed by a document that is on file."""
    with demo.app.reading() as session:
        from scf.api.reads import filed_by
        from scf.demo.cast import firm

        paper = filed_by(session, [firm(LOTUS).name])[0]
    return {"evidence": [paper.evidence_id], "delivered_on": day_of(demo.clock.now()).isoformat(), **more}


def issue(demo: Installation, **more: Any) -> dict[str, Any]:
    """A good request to issue; `more` spoils it."""
    body = {
        "obligor": demo.at(CORE),
        "creditor": demo.at(LOTUS),
        "amount": {"text": "1,000.00", "currency": "CNY"},
        "maturity": (day_of(demo.clock.now()) + timedelta(days=30)).isoformat(),
        "invoice_number": "INV-FRESH-1",
        "invoice_issued_on": day_of(demo.clock.now()).isoformat(),
    }
    return trade(demo, **{**body, **more})


def broken_invoice(demo: Installation, act_as: As, language: str) -> Any:
    raw = b'<Invoice xmlns="urn:oasis:names:specification:ubl:schema:xsd:Invoice-2"><ID>X</ID>'
    client = act_as(LOTUS, language=language)
    return client.post(f"{API}/documents", files={"file": ("broken.xml", raw, "application/xml")})


def unknown_participant(demo: Installation, act_as: As, language: str) -> Any:
    return act_as(CORE, language=language).post(f"{API}/acts/issue/prepare", json=issue(demo, creditor=NOBODY))


def over_limit(demo: Installation, act_as: As, language: str) -> Any:
    body = issue(demo, amount={"text": "9000000000.00", "currency": "CNY"})
    return act_as(CORE, language=language).post(f"{API}/acts/issue/prepare", json=body)


def pass_beyond_note(demo: Installation, act_as: As, language: str) -> Any:
    body = trade(demo, note=demo.notes[PINE], to=demo.at(LOTUS), amount={"text": "30000.01", "currency": "CNY"})
    return act_as(PINE, language=language).post(f"{API}/acts/pass/prepare", json=body)


def release_without_evidence(demo: Installation, act_as: As, language: str) -> Any:
    body = {
        "account": demo.account,
        "stage": 0,
        "amount": {"text": "1.00", "currency": "CNY"},
        "payment_id": "EA1S0R0",
        "bank_reference": "LINE-1",
    }
    return act_as("civic", language=language).post(f"{API}/acts/confirm_released/prepare", json=body)


def release_signed_anyway(demo: Installation, act_as: As, language: str) -> Any:
    """The bank signs a release that was never prepared: the ledger itself refuses."""
    prepared = demo.app.entrusted.prepare_confirm_released(demo.account, 0, 100, "EA1S0R0", "LINE-1")
    body = {
        "message": prepared.typed_data["message"],
        "signatures": [sign_digest(demo_key("civic-account").private, prepared.digest).hex()],
    }
    client = act_as("civic", language=language)
    return client.post(f"{API}/acts/confirm_released", json=body, headers={"Idempotency-Key": f"early-{language}"})


def same_invoice_again(demo: Installation, act_as: As, language: str) -> Any:
    body = issue(
        demo,
        invoice_number="INV-LP-3301",
        invoice_issued_on=demo.story.day(2).isoformat(),
    )
    return act_as(CORE, language=language).post(f"{API}/acts/issue/prepare", json=body)


def wrong_key(demo: Installation, act_as: As, language: str) -> Any:
    prepared = demo.app.receivables.prepare_accept(demo.offered)
    body = {
        "message": prepared.typed_data["message"],
        "signatures": [sign_digest(demo_key("lotus-account").private, prepared.digest).hex()],
    }
    client = act_as("stone", language=language)
    return client.post(f"{API}/acts/accept", json=body, headers={"Idempotency-Key": f"wrong-{language}"})


def too_long(demo: Installation, act_as: As, language: str) -> Any:
    body = issue(demo, maturity=(day_of(demo.clock.now()) + timedelta(days=190)).isoformat())
    return act_as(CORE, language=language).post(f"{API}/acts/issue/prepare", json=body)


CASES: dict[str, tuple[Case, set[int]]] = {
    "broken invoice": (broken_invoice, {422}),
    "unknown participant": (unknown_participant, {404, 422}),
    "over the limit": (over_limit, {422}),
    "pass beyond the note": (pass_beyond_note, {422}),
    "release without evidence": (release_without_evidence, {409}),
    "release signed anyway": (release_signed_anyway, {409, 422}),
    "same invoice again": (same_invoice_again, {409}),
    "wrong key": (wrong_key, {403, 422}),
    "longer than six months": (too_long, {422}),
}


@pytest.mark.parametrize("name", CASES)
def test_bad_input_is_refused_in_words_and_changes_nothing(name: str, demo: Installation, act_as: As) -> None:
    send, statuses = CASES[name]
    before = standing(demo)
    english, chinese = send(demo, act_as, "en"), send(demo, act_as, "zh-CN")
    for answer in (english, chinese):
        assert answer.status_code in statuses, answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        body = answer.json()
        assert body["money_moved"] == "no"
        assert body["status"] == answer.status_code
        assert body["type"] == f"/problems/{body['code']}"
        assert "{" not in body["detail"] and "Traceback" not in answer.text
    assert english.json()["code"] == chinese.json()["code"]
    assert re.search(r"[A-Za-z]{3} ", english.json()["detail"])
    assert re.search(r"[\u4e00-\u9fff]{2}", chinese.json()["detail"])
    assert standing(demo) == before


def test_a_good_issue_would_have_been_accepted(demo: Installation, act_as: As) -> None:
    """What the refused cases spoil is good as it stands."""
    answer = act_as(CORE).post(f"{API}/acts/issue/prepare", json=issue(demo))
    assert answer.status_code == 200, answer.text
    assert answer.json()["summary"]["zh-CN"].startswith("您承诺")


def test_unknown_addresses_methods_and_bodies_answer_with_problems(act_as: As) -> None:
    client = act_as(LOTUS)
    for answer, code in (
        (client.get(f"{API}/nothing"), "address_unknown"),
        (client.delete(f"{API}/receivables"), "method_not_offered"),
        (client.post(f"{API}/acts/accept/prepare", json={"note": "x"}), "request_not_readable"),
        (client.post(f"{API}/acts/accept/prepare", content=b"{"), "request_not_readable"),
        (client.get(f"{API}/receivables?cursor=zz"), "cursor_not_valid"),
        (client.get(f"{API}/receivables/99999"), "unknown_receivable"),
    ):
        assert answer.json()["code"] == code
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["money_moved"] == "no"


def test_an_error_nobody_foresaw_shows_no_trace_and_does_not_claim_that_no_money_moved(
    act_as: As, monkeypatch: pytest.MonkeyPatch, demo: Installation
) -> None:
    def burst(*_: object, **__: object) -> None:
        raise RuntimeError("secret inner detail")

    client = act_as("stone")
    monkeypatch.setattr(type(demo.app.receivables), "prepare_accept", burst)
    answer = client.post(f"{API}/acts/accept/demo", json={"note": demo.offered}, headers={"Idempotency-Key": "burst"})
    assert answer.status_code == 500
    assert answer.json()["money_moved"] == "unknown"
    assert "secret inner detail" not in answer.text and "Traceback" not in answer.text
