"""The real contracts through their handles: deployment, acts signed by parties, refusals a person understands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.ledger.chains import KEYS
from tests.ledger.conftest import START
from tests.ledger.programme import DAY, OPERATORS, Programme

from scf.kernel.clock import VirtualClock
from scf.kernel.problems import Problem
from scf.kernel.sentences import catalogue
from scf.ledger import intents
from scf.ledger.artifacts import artifact
from scf.ledger.contracts import CONTRACTS, Contracts, all_errors, decode_error
from scf.ledger.deploy import creation_code, deploy
from scf.ledger.embedded.engine import EmbeddedLedger
from scf.ledger.journal import MemoryJournal
from scf.ledger.relayer import Relayer
from scf.ledger.signing import address_of, canonical
from scf.ledger.types import Call

SOURCES = Path(__file__).resolve().parents[2] / "contracts"


@pytest.fixture(scope="module")
def programme() -> Programme:
    ledger = EmbeddedLedger(":memory:", VirtualClock(START), chain_id=20_260)
    return Programme.start(Relayer(ledger, KEYS[9], MemoryJournal()))


def test_every_refusal_of_the_contracts_has_its_sentence_in_both_languages():
    assert len(all_errors()) > 50
    for text, error in all_errors().items():
        sentence = catalogue().get(error.code)
        assert sentence is not None, text
        for language in (sentence.en, sentence.zh_cn):
            named = set(re.findall(r"{(\w+)}", language))
            assert named <= set(error.args), (text, named)


def test_the_table_of_intents_is_the_contracts_table():
    ours = (SOURCES, SOURCES / "abstracts", SOURCES / "libraries")
    written = "".join(path.read_text() for folder in ours for path in sorted(folder.glob("*.sol")))
    joined = re.sub(r'"\s*"', "", written)
    for contract, texts in intents.TYPES.items():
        for text in texts:
            primary = text.split(")")[0] + ")"
            assert f'"{primary}' in joined, (contract, primary)


def test_deployment_is_done_once(programme: Programme):
    again = deploy(programme.relayer, OPERATORS, 2)
    assert again.addresses == programme.contracts.addresses
    again.check(programme.relayer.ledger)
    assert again.members.read(programme.relayer.ledger, "threshold") == 2


def test_missing_and_other_contracts_are_said_clearly(programme: Programme):
    ledger, found = programme.relayer.ledger, programme.contracts
    gone = Contracts(ledger.chain_id, {**found.addresses, "EvidenceLog": "0x" + "12" * 20})
    with pytest.raises(Problem) as caught:
        gone.check(ledger)
    assert caught.value.code == "ledger_contracts_missing"
    with pytest.raises(Problem) as caught:
        gone.evidence.read(ledger, "head")
    assert caught.value.code == "ledger_contracts_missing"
    other = Contracts(ledger.chain_id, {**found.addresses, "EvidenceLog": found.members.address})
    with pytest.raises(Problem) as caught:
        other.check(ledger)
    assert caught.value.code == "ledger_contracts_other_version"
    with pytest.raises(Problem) as caught:
        Contracts(1, found.addresses).check(ledger)
    assert caught.value.code == "ledger_wrong_chain"


def test_a_receivable_is_issued_accepted_and_passed(programme: Programme):
    note = programme.issue(1_000_000, "INV-1")
    receipt = programme.send(programme.pass_call(note, 0, "s1", 250_000))
    event = programme.contracts.decode(receipt.logs[0])
    assert event is not None
    assert (event.contract, event.name) == ("Receivables", "Passed")
    assert event.args["noteId"] == programme.child(note, 0)
    assert event.args["to"] == programme.address("s1")
    assert list(event.args)[:3] == ["parentId", "noteId", "to"]
    assert event.args["evidence"] == bytes(32)
    receivables, ledger = programme.contracts.receivables, programme.relayer.ledger
    view = receivables.read(ledger, "noteOf", programme.child(note, 0))
    assert (view.holder, view.amount) == (programme.address("s1"), 250_000)
    assert receivables.read(ledger, "balanceOf", note) == 750_000
    assert receivables.read(ledger, "noteIdOf", note >> 192, note, 0, bytes(32)) == programme.child(note, 0)


def test_refusals_say_what_is_wrong(programme: Programme):
    note = programme.issue(1_000, "INV-2")
    cases = {
        "ledger_not_authorised": programme.pass_call(note, 0, "s1", 10, signer="s2"),
        "ledger_receivables_amount_exceeded": programme.pass_call(note, 0, "s1", 1_001),
        "ledger_receivables_wrong_child_index": programme.pass_call(note, 5, "s1", 10),
        "ledger_receivables_fingerprint_taken": programme.issue_call(500, "INV-2"),
        "ledger_members_limit_exceeded": programme.issue_call(10**13, "INV-3"),
        "ledger_signature_expired": programme.issue_call(5, "INV-4", deadline=START - 1),
        "ledger_receivables_bad_terms": programme.issue_call(5, "INV-5", maturity=START - DAY),
    }
    height = programme.relayer.ledger.head().number
    for code, call in cases.items():
        with pytest.raises(Problem) as caught:
            programme.relayer.send([(f"bad:{code}", call)])
        problem = caught.value
        assert (problem.code, problem.facts["reason"], problem.money_moved) == ("ledger_refused", code, "no")
        for language in ("en", "zh-CN"):
            assert "?" not in problem.sentence(language), problem.sentence(language)
            assert problem.sentence(language) != code
        assert 400 <= problem.status < 500
    assert programme.relayer.ledger.head().number == height


def test_unreadable_reverts_are_still_a_refusal():
    assert decode_error(b"").name == ""
    assert decode_error(b"\x01\x02\x03\x04").args == {"data": "0x01020304"}
    panic = bytes.fromhex("4e487b71") + (17).to_bytes(32, "big")
    assert (decode_error(panic).name, decode_error(panic).args) == ("Panic", {"panic": 17})
    text = bytes.fromhex("08c379a0") + (32).to_bytes(32, "big") + (2).to_bytes(32, "big") + b"no".ljust(32, b"\0")
    assert decode_error(text).args == {"message": "no"}


def test_arguments_that_do_not_fit_are_refused(programme: Programme):
    receivables = programme.contracts.receivables
    named = receivables.call("accept", 5, deadline=7, signature=b"")
    assert named == receivables.call("accept", 5, 7, b"")
    for args, kwargs in (((1,), {}), ((1, 2, b"", 4), {}), ((1,), {"deadline": 2}), ((-1, 2, b""), {})):
        with pytest.raises(Problem) as caught:
            receivables.call("accept", *args, **kwargs)
        assert caught.value.code == "ledger_bad_arguments"
    with pytest.raises(Problem):
        receivables.call("steal")
    with pytest.raises(Problem):
        receivables.call("issue", {"obligor": "0x" + "00" * 20}, b"")


def test_a_quorum_account_answers_for_two_people(programme: Programme):
    owners = sorted((address_of(key) for key in KEYS[:3]), key=canonical)
    receipt = programme.relayer.deploy("deploy:quorum", creation_code("QuorumAccount", owners, 2))
    assert receipt.succeeded
    assert receipt.contract_address
    digest = bytes(range(32))
    codec = artifact("QuorumAccount").functions["isValidSignature"]
    two = b"".join(intents.quorum_digest(KEYS[:2], digest))
    one = intents.quorum_digest(KEYS[:1], digest)[0]
    for signature, answer in ((two, "1626ba7e"), (one, "ffffffff"), (two[65:] + two[:65], "ffffffff")):
        call = Call(receipt.contract_address, codec.encode((digest, signature), {}), "QuorumAccount", codec.name)
        assert codec.result(programme.relayer.ledger.call(call)).hex() == answer


def test_a_batch_of_passes_shares_blocks_and_keeps_its_order(programme: Programme):
    note = programme.issue(10_000, "INV-9")
    receipts = programme.relayer.send(programme.pass_calls(note, 60))
    assert all(receipt.succeeded for receipt in receipts)
    assert len({receipt.block_number for receipt in receipts}) == 1
    assert programme.contracts.receivables.read(programme.relayer.ledger, "noteOf", note).children == 60


def test_all_contracts_have_artifacts():
    for name in (*CONTRACTS, "QuorumAccount"):
        assert len(artifact(name).deployed_bytecode) <= 24_576
