"""You sign what you see: the figures of every sentence are the figures of the signed message, in both languages."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data
from tests.entrusted.test_release import FIRST, SECOND, open_request, opened
from tests.financing.scene import Scene
from tests.installation import CNY, Installation

from scf.demo.cast import CIVIC, CORE, FAIRWAY, FARHILL, HARBOUR, LOTUS, PINE
from scf.desk.service import Prepared
from scf.entrusted.service import EntrustedAccounts
from scf.financing.collecting import payment_id
from scf.financing.maturity import Maturity
from scf.financing.price import Fee
from scf.financing.service import FinancingDesk
from scf.kernel.dates import day_of
from scf.kernel.money import parse_minor
from scf.ledger.hashing import keccak
from scf.ledger.signing import sign_digest
from scf.parties.keys import demo_key
from scf.receivables.service import PassRequest, Receivables, reference_hash
from scf.store.commands import canonical_json

FACE = 1_000_000_00
MONEY = re.compile(r"CNY ([\d,]+\.\d\d)")
PERCENT = re.compile(r"(\d+\.\d{4})%")
DAY = re.compile(r"\d{4}-\d\d-\d\d")
COVERED: dict[str, str] = {
    "prepare_issue": "issue",
    "prepare_accept": "accept",
    "prepare_pass": "pass",
    "prepare_refuse": "refuse",
    "prepare_withdraw": "withdraw",
    "prepare_payment": "payment",
    "prepare_quote": "quote",
    "prepare_accept_quote": "accept_quote",
    "prepare_complete": "complete_financing",
    "prepare_attestation": "attestation",
    "prepare_cure": "cure",
    "prepare_open": "open",
    "prepare_confirm_locked": "confirm_locked",
    "prepare_attest": "attest",
    "prepare_approve": "approve",
    "prepare_confirm_released": "confirm_released",
    "prepare_confirm_refunded": "confirm_refunded",
    "prepare_confirm_returned": "confirm_returned",
    "prepare_dispute": "dispute",
}
"""Every function of these rooms that gives somebody something to sign, and the act below that stands for it."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What was given to sign, and what must therefore stand in the sentence. Amounts in minor units."""

    prepared: Prepared
    amounts: list[int]
    days: list[date] = field(default_factory=list)
    rates_ppm: list[int] = field(default_factory=list)
    names: tuple[str, ...] = ()


def held_minor(at: Installation, note_id: int) -> int:
    """The amount the ledger itself says a note has."""
    return int(at.app.contracts.receivables.read(at.app.ledger, "balanceOf", note_id))


def _receivable_acts(at: Installation, seen: dict[str, Seen]) -> str:
    app = at.app
    trade = at.trade("INV-1", FACE)
    issue = app.receivables.prepare_issue(at.request(trade, FACE))
    seen["issue"] = Seen(
        issue, [issue.message["face"]], [day_of(issue.message["maturity"])], names=(issue.message["creditor"],)
    )
    root = str(at.submit(issue)["note"])
    accept = app.receivables.prepare_accept(root)
    seen["accept"] = Seen(accept, [held_minor(at, accept.message["noteId"])], [day_of(issue.message["maturity"])])
    at.submit(accept)
    second = at.trade("INV-P", 250_000_01, seller=PINE, buyer=LOTUS)
    passed = app.receivables.prepare_pass(PassRequest(root, at.who(PINE), 250_000_01, second.document))
    seen["pass"] = Seen(passed, [passed.message["amount"]], names=(passed.message["to"],))
    child = str(at.submit(passed)["note"])
    for act, prepared in (
        ("refuse", app.receivables.prepare_refuse(child, "not ours")),
        ("withdraw", app.receivables.prepare_withdraw(child)),
    ):
        seen[act] = Seen(prepared, [held_minor(at, prepared.message["noteId"])])
    payment = app.receivables.prepare_payment(1, 700_000_00, "LINE-1", interest_minor=3_50)
    seen["payment"] = Seen(payment, [payment.message["principal"], payment.message["interest"]])
    return root


def _financing_acts(at: Installation, seen: dict[str, Seen], root: str) -> None:
    app = at.app
    proceeds = replace(
        open_request(at),
        beneficiary=at.who(LOTUS),
        funds="sale_proceeds",
        separate_consent="The proceeds may be locked for our supplier.",
    )
    account = int(at.submit_entrusted(app.entrusted.prepare_open(proceeds))["account"])
    with app.desk.session() as session:
        ask = app.financing.ask(session, root, 300_000_00, [at.who(HARBOUR), at.who(FARHILL)]).id
    fees = (Fee("handling", "platform", 120_00), Fee("registration", "registry", 30_00))
    quote, figures = app.financing.prepare_quote(
        ask,
        at.who(HARBOUR),
        rate_ppm=38_500,
        paying_bank=at.who(CIVIC),
        fees=fees,
        recourse=True,
        entrusted_account=account,
    )
    said = quote.message
    seen["quote"] = Seen(
        quote,
        [said["net"], said["amount"], said["discount"], said["fees"], said["net"]],
        rates_ppm=[38_500, said["aprPpm"], figures.effective_ppm],
    )
    offer = app.financing.submit_quote(ask, said, at.sign(quote)[0], figures)
    taken = app.financing.prepare_accept_quote(offer.quote_hash)
    seen["accept_quote"] = Seen(
        taken, [said["amount"], said["net"]], rates_ppm=[said["aprPpm"]], names=(said["financier"],)
    )
    reply = app.financing.accept_quote(taken.message, at.sign(taken)[0], key="take", caller="t")
    with app.desk.session() as session:
        registration = app.financing.register(session, str(reply["note"]))
    done = app.financing.prepare_complete(str(reply["note"]), registration, "LINE-2")
    seen["complete_financing"] = Seen(done, [done.message["net"]])


def _entrusted_acts(at: Installation, seen: dict[str, Seen]) -> None:
    room = at.app.entrusted
    opening = room.prepare_open(open_request(at))
    seen["open"] = Seen(
        opening,
        [sum(stage["amount"] for stage in opening.message["stages"])],
        names=(opening.message["payer"], opening.message["beneficiary"]),
    )
    scene = opened(at)
    locked = room.prepare_confirm_locked(scene.account, "LOCK")
    seen["confirm_locked"] = Seen(locked, [locked.message["amount"]])
    attest = room.prepare_attest(scene.account, 0, at.who(FAIRWAY), 123_45, scene.carrier)
    seen["attest"] = Seen(attest, [attest.message["upTo"]])
    approve = room.prepare_approve(scene.account, 1, at.who(CORE, "approver"), SECOND, "as agreed")
    seen["approve"] = Seen(approve, [approve.message["upTo"]])
    for act, prepare in (
        ("confirm_released", room.prepare_confirm_released),
        ("confirm_refunded", room.prepare_confirm_refunded),
    ):
        moved = prepare(scene.account, 0, FIRST, "EA1S0R0", "LINE-3")
        assert moved.message["paymentId"] == reference_hash("EA1S0R0")
        assert "EA1S0R0" in moved.summary["en"] and "LINE-3" in moved.summary["zh-CN"]
        seen[act] = Seen(moved, [moved.message["amount"]])
    scene.ready()
    out, order = scene.order()
    scene.confirm(out, order, "LINE-9")
    back = room.prepare_confirm_returned(scene.account, 0, 123_45, order, "LINE-10")
    assert order in back.summary["en"] and "LINE-10" in back.summary["zh-CN"]
    seen["confirm_returned"] = Seen(back, [back.message["amount"]])
    dispute = room.prepare_dispute(scene.account, 1, at.who(PINE), 7_00, "two crates are wet")
    seen["dispute"] = Seen(dispute, [dispute.message["amount"]])


def _maturity_acts(at: Installation, seen: dict[str, Seen]) -> None:
    """Paid late with interest, attested; and once nothing is overdue any more, the operators may lift the halt."""
    scene = Scene(at)
    number, _ = scene.issued("INV-LATE", 10_000_00)
    at.clock.move_to(scene.row(number).maturity + 6 * 86_400)
    at.app.maturity.halt_overdue()
    scene.arrives(10_050_00, "late", end_to_end=payment_id(number))
    lines = scene.look()
    attestation = at.app.maturity.prepare_attestation(lines[0].line_id)
    assert attestation.message["interest"] > 0
    seen["attestation"] = Seen(attestation, [attestation.message["principal"], attestation.message["interest"]])
    at.submit(attestation)
    at.submit(at.app.receivables.prepare_payment(1, scene.row(1).outstanding_minor, "LINE-9"))
    cure = at.app.maturity.prepare_cure(at.who(CORE), lines[0].evidence_id)
    seen["cure"] = Seen(cure, [], names=(cure.message["obligor"],))


@pytest.fixture(scope="module")
def seen(shared_installation: Installation) -> Iterator[dict[str, Seen]]:
    """One of everything that is signed on the way of a receivable and of an entrusted account."""
    found: dict[str, Seen] = {}
    root = _receivable_acts(shared_installation, found)
    _entrusted_acts(shared_installation, found)
    _financing_acts(shared_installation, found, root)
    _maturity_acts(shared_installation, found)
    yield found


def test_every_act_of_these_rooms_is_looked_at() -> None:
    rooms = (Receivables, EntrustedAccounts, FinancingDesk, Maturity)
    there = {name for room in rooms for name, _ in inspect.getmembers(room, inspect.isfunction)}
    assert {name for name in there if name.startswith("prepare_")} == set(COVERED)


@pytest.mark.parametrize("act", COVERED.values())
def test_the_sentence_has_the_figures_of_the_message_and_no_others(
    act: str, seen: dict[str, Seen], shared_installation: Installation
) -> None:
    one = seen[act]
    with shared_installation.app.reading() as session:
        names = [shared_installation.app.parties.name_of(session, who) for who in one.names]
    for language in ("en", "zh-CN"):
        text = one.prepared.summary[language]
        amounts = [parse_minor(found, CNY) for found in MONEY.findall(text)]
        assert sorted(amounts) == sorted(one.amounts), text
        assert [date.fromisoformat(found) for found in DAY.findall(text)] == one.days, text
        rates = [int(found.replace(".", "")) for found in PERCENT.findall(text)]
        assert sorted(rates) == sorted(one.rates_ppm), text
        assert all(name in text for name in names), text


def test_recourse_and_the_way_of_the_money_are_in_the_sentence_the_seller_signs(seen: dict[str, Seen]) -> None:
    text, account = seen["accept_quote"].prepared.summary, seen["quote"].prepared.message["entrustedAccount"]
    assert account > 0
    assert "With recourse" in text["en"] and "有追索权" in text["zh-CN"]
    assert f"locked account {account}" in text["en"] and f"受托账户 {account}" in text["zh-CN"]


@pytest.mark.parametrize("act", COVERED.values())
def test_a_wallet_that_knows_nothing_of_us_computes_the_same_digest(act: str, seen: dict[str, Seen]) -> None:
    """eth_account's own EIP-712, from the document as JSON, down to the same signature."""
    prepared = seen[act].prepared
    document = json.loads(json.dumps(prepared.typed_data))
    document["message"] = _whole_numbers(document["message"], prepared.primary_type, document["types"])
    signable = encode_typed_data(full_message=document)
    assert keccak(b"\x19\x01" + signable.header + signable.body) == prepared.digest
    key = demo_key("a wallet").private
    assert bytes(Account.sign_message(signable, key).signature) == sign_digest(key, prepared.digest)


def test_the_words_shown_are_part_of_what_is_signed(seen: dict[str, Seen]) -> None:
    """The seller's acceptance carries the hash of the text, so that another text cannot be claimed later."""
    taken = seen["accept_quote"].prepared
    assert taken.message["reading"] == "0x" + keccak(canonical_json(taken.summary)).hex()


def _whole_numbers(value: Any, kind: str, types: dict[str, Any]) -> Any:
    """eth_account wants integers where JSON carries large numbers as text."""
    if kind.endswith("[]"):
        return [_whole_numbers(one, kind[:-2], types) for one in value]
    if kind in types:
        return {row["name"]: _whole_numbers(value[row["name"]], row["type"], types) for row in types[kind]}
    return int(value) if kind.startswith("uint") else value
