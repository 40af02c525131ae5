"""The evidence tree: vectors made by hand, and a rewritten log that never passes."""

from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scf.audit.verifier import merkle as verifier_merkle
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


GOLDEN_ENTRIES = ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
GOLDEN_ROOTS = (
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)
"""The vectors that implementations of RFC 6962 share: roots of the first one to eight of these entries."""
GOLDEN_INCLUSION = {
    (0, 1): (),
    (0, 8): (
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ),
    (5, 8): (
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ),
    (2, 3): ("fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",),
    (1, 5): (
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ),
}
GOLDEN_CONSISTENCY = {
    (1, 1): (),
    (1, 8): (
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ),
    (6, 8): (
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ),
    (2, 5): (
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ),
}


def test_the_shared_vectors_of_certificate_transparency_agree() -> None:
    leaves = [merkle.leaf_hash(bytes.fromhex(entry)) for entry in GOLDEN_ENTRIES]
    node = merkle.nodes_of(leaves)
    assert [merkle.root_of(size, node).hex() for size in range(1, 9)] == list(GOLDEN_ROOTS)
    roots = [bytes.fromhex(root) for root in GOLDEN_ROOTS]
    for (index, size), path in GOLDEN_INCLUSION.items():
        proof = [bytes.fromhex(item) for item in path]
        assert merkle.inclusion_proof(index, size, node) == proof
        assert merkle.verify_inclusion(leaves[index], index, size, proof, roots[size - 1])
    for (old, size), path in GOLDEN_CONSISTENCY.items():
        proof = [bytes.fromhex(item) for item in path]
        assert merkle.consistency_proof(old, size, node) == proof
        assert merkle.verify_consistency(old, roots[old - 1], size, roots[size - 1], proof)


def test_the_growing_log_and_the_verifier_come_to_the_shared_roots() -> None:
    """The nodes that the log keeps leaf by leaf, and the verifier's own code, give the same eight roots."""
    stored: dict[tuple[int, int], bytes] = {}
    leaves: list[bytes] = []
    for index, entry in enumerate(GOLDEN_ENTRIES):
        leaves.append(merkle.leaf_hash(bytes.fromhex(entry)))
        finished = merkle.completed_by(index, leaves[-1], lambda level, place: stored[level, place])
        stored.update({(level, place): digest for level, place, digest in finished})
        assert merkle.root_of(index + 1, lambda level, place: stored[level, place]).hex() == GOLDEN_ROOTS[index]
        assert verifier_merkle.tree_root(leaves).hex() == GOLDEN_ROOTS[index]
