"""The evidence tree: vectors made by hand, and a rewritten log that never passes."""

from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scf.store import merkle

ENTRIES = [b"", b"\x00", b"order 1", b"delivery 1", b"bank line 1", b"bank line 2", b"invoice 1"]
LEAVES = [merkle.leaf_hash(entry) for entry in ENTRIES]


def test_hashes_are_those_of_the_rfc() -> None:
    assert merkle.EMPTY_ROOT.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert merkle.leaf_hash(b"").hex() == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    assert merkle.node_hash(b"a" * 32, b"b" * 32) == sha256(b"\x01" + b"a" * 32 + b"b" * 32).digest()


def test_roots_of_small_trees_written_out_by_hand() -> None:
    node = merkle.nodes_of(LEAVES)
    a, b, c, d, e, f, g = LEAVES
    join = merkle.node_hash
    assert merkle.root_of(0, node) == merkle.EMPTY_ROOT
    assert merkle.root_of(1, node) == a
    assert merkle.root_of(2, node) == join(a, b)
    assert merkle.root_of(3, node) == join(join(a, b), c)
    assert merkle.root_of(5, node) == join(join(join(a, b), join(c, d)), e)
    assert merkle.root_of(7, node) == join(join(join(a, b), join(c, d)), join(join(e, f), g))


def test_proofs_of_the_example_tree_of_the_rfc() -> None:
    """RFC 6962 §2.1.3 draws a tree of seven leaves and names these paths."""
    node = merkle.nodes_of(LEAVES)
    a, b, c, d, e, f, g = LEAVES
    join = merkle.node_hash
    left, right = join(join(a, b), join(c, d)), join(join(e, f), g)
    assert merkle.inclusion_proof(0, 7, node) == [b, join(c, d), right]
    assert merkle.inclusion_proof(3, 7, node) == [c, join(a, b), right]
    assert merkle.inclusion_proof(4, 7, node) == [f, g, left]
    assert merkle.inclusion_proof(6, 7, node) == [join(e, f), left]
    assert merkle.consistency_proof(3, 7, node) == [c, d, join(a, b), right]
    assert merkle.consistency_proof(4, 7, node) == [right]
    assert merkle.consistency_proof(6, 7, node) == [join(e, f), g, left]
    assert merkle.consistency_proof(7, 7, node) == []


def test_every_inclusion_and_consistency_of_trees_up_to_forty_leaves() -> None:
    leaves = [merkle.leaf_hash(bytes([i])) for i in range(40)]
    node = merkle.nodes_of(leaves)
    roots = [merkle.root_of(size, node) for size in range(41)]
    for size in range(1, 41):
        for index in range(size):
            proof = merkle.inclusion_proof(index, size, node)
            assert merkle.verify_inclusion(leaves[index], index, size, proof, roots[size])
        for old in range(1, size + 1):
            proof = merkle.consistency_proof(old, size, node)
            assert merkle.verify_consistency(old, roots[old], size, roots[size], proof)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_proof_bent_in_any_way_is_refused(data: st.DataObject) -> None:
    size = data.draw(st.integers(2, 70))
    leaves = [merkle.leaf_hash(i.to_bytes(2)) for i in range(size)]
    node = merkle.nodes_of(leaves)
    root, index = merkle.root_of(size, node), data.draw(st.integers(0, size - 1))
    proof = merkle.inclusion_proof(index, size, node)
    leaf = leaves[index]
    place = data.draw(st.integers(0, len(proof) - 1))
    assert not merkle.verify_inclusion(leaf, index, size, proof[:place] + proof[place + 1 :], root)
    assert not merkle.verify_inclusion(leaf, index, size, [*proof, proof[place]], root)
    bent = [*proof[:place], sha256(proof[place]).digest(), *proof[place + 1 :]]
    assert not merkle.verify_inclusion(leaf, index, size, bent, root)
    other = data.draw(st.integers(0, size - 1).filter(lambda i: i != index))
    assert not merkle.verify_inclusion(leaf, other, size, proof, root)
    assert not merkle.verify_inclusion(leaves[other], index, size, proof, root)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_rewritten_log_is_never_consistent(data: st.DataObject) -> None:
    old = data.draw(st.integers(1, 40))
    size = data.draw(st.integers(old, 60))
    honest = [merkle.leaf_hash(i.to_bytes(2)) for i in range(size)]
    changed = data.draw(st.integers(0, old - 1))
    forged = [*honest]
    forged[changed] = merkle.leaf_hash(b"forged")
    anchored = merkle.root_of(old, merkle.nodes_of(honest))
    node = merkle.nodes_of(forged)
    proof, root = merkle.consistency_proof(old, size, node), merkle.root_of(size, node)
    assert not merkle.verify_consistency(old, anchored, size, root, proof)
    for cut in range(len(proof) + 1):
        assert not merkle.verify_consistency(old, anchored, size, root, proof[:cut])


def test_sizes_below_one_and_hashes_of_another_length_prove_nothing() -> None:
    empty = merkle.EMPTY_ROOT
    assert not merkle.verify_inclusion(empty, 0, 0, [], empty)
    assert not merkle.verify_inclusion(b"", 0, 1, [], b"")
    assert not merkle.verify_inclusion(b"short", 0, 1, [], b"short")
    assert not merkle.verify_inclusion(LEAVES[0], -1, 2, [LEAVES[1]], merkle.root_of(2, merkle.nodes_of(LEAVES)))
    assert not merkle.verify_consistency(0, empty, 1, LEAVES[0], [])
    assert not merkle.verify_consistency(0, empty, 0, empty, [])
    assert not merkle.verify_consistency(1, b"x" * 12, 1, b"x" * 12, [])
    assert not merkle.verify_consistency(2, LEAVES[0], 1, LEAVES[0], [])
    long = [LEAVES[1] + b"\x00"]
    assert not merkle.verify_inclusion(LEAVES[0], 0, 2, long, merkle.root_of(2, merkle.nodes_of(LEAVES)))


def test_a_proof_for_what_is_not_there_is_not_made() -> None:
    node = merkle.nodes_of(LEAVES)
    for index, size in ((7, 7), (-1, 7), (0, 0)):
        with pytest.raises(ValueError, match="not in a tree"):
            merkle.inclusion_proof(index, size, node)
    for old, size in ((0, 7), (8, 7)):
        with pytest.raises(ValueError, match="no earlier tree"):
            merkle.consistency_proof(old, size, node)
