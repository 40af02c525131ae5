"""The verifier's own parts against independent implementations of the same standards."""

from __future__ import annotations

import json
from importlib import resources
from typing import Any

import pytest
import rlp as library
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.audit.story import Story, statement
from tests.audit.world import key_of
from trie import HexaryTrie

from scf.audit.verifier import abi_codec, interface, merkle, rlp_codec, tries
from scf.audit.verifier.authority import Authority, constructor_tail, read_quorum_account
from scf.audit.verifier.faults import Absent, Malformed
from scf.audit.verifier.hashing import recover_from_65
from scf.audit.verifier.register import Note, Register, Round, note_id
from scf.audit.verifier.report import Report
from scf.audit.verifier.shares import by_cut, largest_remainder, take
from scf.audit.verifier.statements import read_lines, reference_hash
from scf.audit.verifier.storage import LAYOUTS
from scf.audit.verifier.tries import NodePool
from scf.kernel.money import pro_rata, pro_rata_cut
from scf.ledger import intents
from scf.ledger.hashing import keccak
from scf.ledger.signing import address_of, canonical
from scf.store import merkle as store_merkle

ITEMS = st.recursive(st.binary(max_size=80), lambda inner: st.lists(inner, max_size=6), max_leaves=20)


@given(ITEMS)
def test_rlp_is_the_librarys(item: Any):
    encoded = library.encode(item)
    assert rlp_codec.encode(item) == encoded
    assert rlp_codec.decode(encoded) == item
    assert list(rlp_codec.split(encoded + encoded)) == [encoded, encoded]


@given(st.binary(max_size=12))
def test_rlp_reads_one_spelling_only(data: bytes):
    try:
        item = rlp_codec.decode(data)
    except Malformed:
        return
    assert library.encode(item) == data


@settings(max_examples=25, deadline=None)
@given(st.lists(st.binary(min_size=1, max_size=60), max_size=140))
def test_ordered_roots_are_the_librarys(values: list[bytes]):
    tree = HexaryTrie({})
    for index, value in enumerate(values):
        tree[library.encode(index)] = value
    assert tries.ordered_root(values) == tree.root_hash


@settings(max_examples=20, deadline=None)
@given(
    st.dictionaries(st.binary(min_size=32, max_size=32), st.binary(min_size=33, max_size=40), min_size=1, max_size=20)
)
def test_proofs_show_presence_and_absence(entries: dict[bytes, bytes]):
    tree = HexaryTrie({})
    for key, value in entries.items():
        tree[key] = value
    for key in [*entries, keccak(b"absent")]:
        nodes = [library.encode(node) for node in tree.get_proof(key)]
        assert NodePool(nodes).value(tree.root_hash, key) == entries.get(key)
        with pytest.raises(Absent):
            NodePool(nodes[1:]).value(tree.root_hash, key)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.binary(min_size=32, max_size=32), min_size=1, max_size=70))
def test_log_heads_are_those_of_the_store(leaves: list[bytes]):
    expected = {
        size: store_merkle.root_of(size, store_merkle.nodes_of(leaves[:size])) for size in range(1, len(leaves) + 1)
    }
    assert dict(merkle.roots_at(leaves, range(len(leaves) + 1))) == {0: merkle.EMPTY_ROOT, **expected}


def test_the_log_of_rfc_6962():
    """Hash of the empty tree, and of the leaf without data (certificate transparency's own examples)."""
    assert merkle.EMPTY_ROOT.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert merkle.leaf_hash(b"").hex() == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"


WEIGHTS = st.dictionaries(st.integers(1, 2**255), st.integers(1, 2**63), min_size=1, max_size=12)


@given(WEIGHTS, st.integers(0, 2**62))
def test_shares_are_the_kernels_and_the_cut_gives_them_too(weights: dict[int, int], total: int):
    base = sum(weights.values())
    total %= base + 1
    exact = pro_rata(total, weights)
    assert largest_remainder(total, list(weights.items())) == list(exact.values())
    cut, cut_note = pro_rata_cut(total, weights)
    for note, weight in weights.items():
        assert by_cut(weight, total, base, cut, cut_note, note) == exact[note]


@given(WEIGHTS, st.integers(1, 2**62), st.integers(0, 2**40), st.integers(0, 2**60), st.randoms())
def test_whatever_the_cut_a_round_hands_out_what_came_in(
    weights: dict[int, int], principal: int, interest: int, cut: int, dice: Any
):
    base = sum(weights.values())
    principal = 1 + principal % base
    round_ = Round(0, principal, interest, base, base, principal, interest)
    cuts = {"principalCut": cut, "principalCutNote": 0, "interestCut": cut, "interestCutNote": 0}
    order = list(weights)
    dice.shuffle(order)
    paid = [take(round_, Note(id_, 1, 0, 0, b"", weights[id_], 1, 0), cuts) for id_ in order]
    assert sum(interest for _, interest in paid) == interest
    assert sum(principal for principal, _ in paid) + round_.principal_left == principal
    assert all(0 <= share <= weights[id_] for id_, (share, _) in zip(order, paid, strict=True))


def test_digests_are_those_the_wallets_sign(story: Story):
    contracts = story.world.contracts
    addresses = {name: canonical(text) for name, text in contracts.addresses.items()}
    authority = Authority(Register(Report(), addresses, contracts.chain_id))
    samples: dict[str, Any] = {"address": b"\x11" * 20, "bool": True, "bytes32": b"\x22" * 32}

    def sample(type_: abi_codec.Type) -> Any:
        if type_.kind == "array" and type_.element is not None:
            return [sample(type_.element), sample(type_.element)]
        if type_.kind == "struct":
            return {field.name: sample(field.type) for field in type_.fields}
        return samples.get(type_.name, 7)

    for contract, texts in intents.TYPES.items():
        for text in texts:
            name = text.split("(")[0]
            intent = interface.INTENTS[name]
            values = {field.name: sample(field.type) for field in intent.fields}
            assert authority.digest(contract, name, values) == intents.digest(contracts, contract, name, values), name


def test_signatures_high_in_the_curve_are_not_taken():
    signature = intents.quorum_digest([key_of("x")], b"\x33" * 32)[0]
    assert recover_from_65(b"\x33" * 32, signature) == canonical(address_of(key_of("x")))
    order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
    mirrored = (order - int.from_bytes(signature[32:64], "big")).to_bytes(32, "big")
    assert recover_from_65(b"\x33" * 32, signature[:32] + mirrored + bytes([55 - signature[64]])) is None
    assert recover_from_65(b"\x33" * 32, signature[:64] + b"\x00") is None
    assert recover_from_65(b"\x33" * 32, signature[:-1]) is None


def test_a_quorum_account_needs_its_owners_in_order():
    keys = [key_of(f"owner {n}") for n in range(3)]
    owners = sorted(canonical(address_of(key)) for key in keys)
    account = read_quorum_account(b"\x60\x80" * 50 + constructor_tail(owners, 2))
    assert account is not None
    digest = b"\x44" * 32
    two = intents.quorum_digest(keys[:2], digest)
    assert account.answers(digest, b"".join(two))
    assert not account.answers(digest, b"".join(reversed(two)))
    assert not account.answers(digest, two[0] + two[0])
    assert not account.answers(digest, two[0])
    assert not account.answers(b"\x45" * 32, b"".join(two))
    assert read_quorum_account(b"\x60\x80" * 50 + constructor_tail(owners[::-1], 2)) is None
    assert read_quorum_account(b"\x60\x80" * 50 + constructor_tail(owners, 4)) is None


def test_abi_decoding_is_strict():
    act = next(act for act in interface.ACTS.values() if act.name == "accept")
    good = (5).to_bytes(32, "big") + (9).to_bytes(32, "big") + (96).to_bytes(32, "big") + bytes(32)
    assert interface.decode_act(act, act.selector + good) == {"noteId": 5, "deadline": 9, "signature": b""}
    for bad in (
        good[:-1],
        good[:32] + (2**40).to_bytes(32, "big") + good[64:],
        good[:64] + (2**255).to_bytes(32, "big") + good[96:],
        good[:96] + (1).to_bytes(32, "big") + b"\x01" * 32,
    ):
        with pytest.raises(Malformed):
            interface.decode_act(act, act.selector + bad)


def test_note_ids_are_the_contracts(story: Story):
    world = story.world
    for receivable, parent, index in ((1, 0, 0), (7, 2**200 + 5, 3), (2**63, 1, 65_535)):
        args = (receivable, parent, index, b"\x55" * 32)
        assert note_id(*args) == world.contracts.receivables.read(world.ledger, "noteIdOf", *args)


def test_statement_lines():
    lines = list(read_lines(statement(), "x"))
    assert [(line.reference, line.amount, line.debit) for line in lines][:2] == [
        ("BK-LOCKED", 299_900, False),
        ("BK-R1", 100_000, True),
    ]
    assert reference_hash("BK-R1") == keccak(b"BK-R1")
    yen = statement((("R", "1500", "DBIT", ""),)).replace(b"CNY", b"JPY")
    assert next(read_lines(yen, "x")).amount == 1_500
    pending = statement().replace(b"BOOK", b"PDNG")
    assert not list(read_lines(pending, "x"))
    with pytest.raises(Malformed):
        list(read_lines(statement((("R", "1.001", "DBIT", ""),)), "x"))


def test_the_storage_layout_is_one_the_verifier_knows():
    folder = resources.files("scf.ledger").joinpath("artifacts")
    firsts = set()
    expected = {
        "Members": {
            "_exposures": 0,
            "_foreign": 1,
            "_groupLimits": 2,
            "_bought": 3,
            "_groups": 4,
            "_words": 6,
            "_quorumNonce": 13,
            "_threshold": 14,
        },
        "Receivables": {"_quorumNonce": 1, "_notes": 2, "_receivables": 3, "_count": 12},
        "EntrustedAccounts": {"_quorumNonce": 1, "_accounts": 2, "_stages": 3, "_count": 9},
        "EvidenceLog": {"_size": 0},
    }
    for contract, slots in expected.items():
        content = json.loads(folder.joinpath(f"{contract}.json").read_text())
        found = {entry["label"]: int(entry["slot"]) for entry in content["storageLayout"]["storage"]}
        firsts |= {found[label] - slot for label, slot in slots.items()}
    assert len(firsts) == 1
    assert firsts <= set(LAYOUTS)
