"""Members, operators, keys, mirrors; the evidence log; the two-of-n account."""

from __future__ import annotations

from typing import Any

import pytest
from eth_utils import to_checksum_address
from tests.contracts import signing
from tests.contracts.world import (
    BANK,
    BLACKLISTED,
    HALTED,
    NOBODY,
    OBLIGOR,
    OPERATORS,
    SUPPLIER,
    SUSPENDED,
    ZERO,
    World,
    member,
    refused,
    tag,
)

ROWS: dict[str, Any] = {"member": member("new"), "key": signing.address("new"), "organisation": 7, "roles": SUPPLIER}


def row(**changes: Any) -> tuple[Any, ...]:
    fields = {**ROWS, "limit": 0, "payingBank": NOBODY, "identity": tag("new")} | changes
    return tuple(fields.values())


def enrol(world: World, **changes: Any) -> None:
    world.quorum("Members", "enrol", "Enrol", (row(**changes),))


def mirror(world: World, contract: str, name: str) -> int:
    """The member's word as the other contract keeps it; _words is its first slot."""
    import eth_abi
    from eth_hash.auto import keccak

    slot = keccak(eth_abi.encode(["address", "uint256"], [member(name), 0]))
    return world.chain.slot(world.addresses[contract], int.from_bytes(slot, "big"))


def test_enrolment_is_written_and_pushed(world: World) -> None:
    enrol(world, roles=OBLIGOR, limit=500, payingBank=member("bank"))
    word = world.see("Members", "wordOf", member("new"))
    assert word == int(signing.address("new"), 16) | 7 << 160 | OBLIGOR << 192
    assert mirror(world, "Receivables", "new") == mirror(world, "EntrustedAccounts", "new") == word
    assert world.see("Members", "exposureOf", member("new")) == (500, 0)
    assert world.see("Members", "limitOf", member("new")) == 500
    assert world.see("Members", "payingBankOf", member("new")).lower() == member("bank").lower()
    assert world.see("Members", "keyOf", member("new")).lower() == signing.address("new").lower()
    assert world.see("Members", "organisationOf", member("new")) == 7
    assert world.see("Members", "hasRole", member("new"), OBLIGOR)
    assert not world.see("Members", "hasRole", member("new"), BANK)


@pytest.mark.parametrize(
    ("error", "change"),
    [
        ("Members_ZeroField", {"member": NOBODY}),
        ("Members_ZeroField", {"key": NOBODY}),
        ("Members_ZeroField", {"organisation": 0}),
        ("Members_UnknownRoles", {"roles": 0}),
        ("Members_UnknownRoles", {"roles": 512}),
        ("Members_NotObligor", {"limit": 1}),
        ("Members_NotObligor", {"payingBank": member("bank")}),
        ("Members_KeyTaken", {"key": signing.address("bank")}),
    ],
)
def test_enrolments_refused(world: World, error: str, change: dict[str, Any]) -> None:
    with refused(error):
        enrol(world, **change)


def test_enrolling_again_changes_rights_but_never_the_key(world: World) -> None:
    enrol(world)
    world.quorum("Members", "setStanding", "SetStanding", (member("new"), SUSPENDED, tag(1)))
    enrol(world, roles=BANK, organisation=8)
    word = world.see("Members", "wordOf", member("new"))
    assert word >> 160 == 8 | BANK << 32 | SUSPENDED << 64
    with refused("Members_KeyChangeNeedsRotation"):
        enrol(world, key=signing.address("newer"))


def test_two_operators_sorted_and_distinct(world: World) -> None:
    values = (row(),)
    for signers in (OPERATORS[:1], ("operator one", "bank"), ("operator one", "operator one")):
        with pytest.raises(Exception, match=r"TooFew|NotOperator|NotSorted"):
            world.quorum("Members", "enrol", "Enrol", values, signers=signers)
    digest = world.digest("Members", "Enrol", (*values, world.see("Members", "quorumNonce")))
    pair = sorted(OPERATORS[:2], key=lambda n: signing.address(n).lower(), reverse=True)
    with refused("Members_SignersNotSorted"):
        world.do("Members", "enrol", *values, [signing.sign(n, digest) for n in pair])
    with refused("Members_TooFewSignatures"):
        world.do("Members", "enrol", *values, [])
    with refused("Members_NotOperator"):
        world.do("Members", "enrol", *values, [b"", b""])
    with refused("Members_NotOperator"):
        world.do("Members", "enrol", *values, [bytes(65), bytes(65)])
    world.quorum("Members", "enrol", "Enrol", values, signers=OPERATORS)


def test_an_act_of_the_quorum_works_once_and_in_order(world: World) -> None:
    nonce = world.see("Members", "quorumNonce")
    values = (member("core"), 5)
    digest = world.digest("Members", "SetLimit", (*values, nonce))
    signatures = [signing.sign(n, digest) for n in sorted(OPERATORS[:2], key=lambda n: signing.address(n).lower())]
    world.do("Members", "setLimit", *values, signatures)
    assert world.see("Members", "quorumNonce") == nonce + 1
    with refused("Members_NotOperator"):
        world.do("Members", "setLimit", *values, signatures)
    with refused("Members_NotOperator"):
        world.quorum("Members", "setLimit", "SetLimit", values, nonce=nonce + 2)
    root = world.accepted(face=5, least=1)
    used = world.see("Receivables", "quorumNonce")
    with refused("Members_NotOperator"):
        world.quorum("Receivables", "setFrozenTokens", "SetFrozen", (root, True, tag(1)), nonce=used + 1)
    world.freeze(root)
    assert world.see("Receivables", "quorumNonce") == used + 1
    with refused("Members_NotOperator"):
        world.quorum("Receivables", "setFrozenTokens", "SetFrozen", (root, True, tag(1)), nonce=used)
    with refused("Members_NotOperator"):
        world.quorum("Receivables", "forcedTransfer", "ForcedTransfer", (root, member("judge"), tag(1)), nonce=used)
    world.force(root, "judge")
    assert world.see("Receivables", "quorumNonce") == used + 2


def test_standing_and_halt_are_separate(world: World) -> None:
    for bits in (HALTED, 8):
        with refused("Members_StandingNotAllowed"):
            world.standing("core", bits)
    world.quorum("Members", "halt", "Halt", (member("core"), tag(1)))
    world.standing("core", SUSPENDED)
    assert world.see("Members", "wordOf", member("core")) >> 224 == SUSPENDED | HALTED
    assert world.events[-1].args["standing"] == SUSPENDED | HALTED
    world.quorum("Members", "cure", "Cure", (member("core"), tag(1)))
    assert world.see("Members", "wordOf", member("core")) >> 224 == SUSPENDED
    assert mirror(world, "Receivables", "core") >> 224 == SUSPENDED
    world.standing("core", BLACKLISTED)
    assert world.see("Members", "wordOf", member("core")) >> 224 == BLACKLISTED
    with refused("Members_NotHalted"):
        world.quorum("Members", "cure", "Cure", (member("core"), tag(1)))
    with refused("Members_UnknownMember"):
        world.standing("a stranger", 1)
    for function, primary, extra in (
        ("setLimit", "SetLimit", 1),
        ("halt", "Halt", tag(1)),
    ):
        with refused("Members_NotObligor"):
            world.quorum("Members", function, primary, (member("supplier 1"), extra))
    with refused("Members_NotObligor"):
        world.appoint("supplier 1", "bank")
    with refused("Members_UnknownMember"):
        world.quorum("Members", "cure", "Cure", (member("a stranger"), tag(1)))


def test_a_limit_change_keeps_what_is_used(world: World) -> None:
    world.issue(face=700)
    world.quorum("Members", "setLimit", "SetLimit", (member("core"), 900))
    assert world.see("Members", "exposureOf", member("core")) == (900, 700)
    world.appoint("core", "other bank")
    assert world.see("Members", "payingBankOf", member("core")).lower() == member("other bank").lower()


def rotate(world: World, name: str, new: str, old: str | None = None, by_new: str | None = None, **more: int) -> None:
    values = (member(name), signing.address(new), more.get("deadline", world.soon))
    first = world.sign(old or name, "Members", "RotateKey", values)
    second = world.sign(by_new or new, "Members", "RotateKey", values)
    world.do("Members", "rotateKey", *values, first, second)


def test_both_keys_sign_a_rotation_and_it_works_once(world: World) -> None:
    root = world.accepted()
    with refused("NotAuthorised"):
        rotate(world, "supplier 1", "fresh key", old="supplier 2")
    with refused("NotAuthorised"):
        rotate(world, "supplier 1", "fresh key", by_new="supplier 1")
    with refused("SignatureExpired"):
        rotate(world, "supplier 1", "fresh key", deadline=world.now - 1)
    with refused("Members_KeyTaken"):
        rotate(world, "supplier 1", "supplier 2")
    with refused("Members_UnknownMember"):
        rotate(world, "a stranger", "fresh key")
    rotate(world, "supplier 1", "fresh key")
    assert world.see("Members", "keyOf", member("supplier 1")).lower() == signing.address("fresh key").lower()
    with refused("NotAuthorised"):
        world.pass_on(root, "supplier 1", "supplier 2", 500)
    world.pass_on(root, "fresh key", "supplier 2", 500)
    rotate(world, "supplier 1", "supplier 1", old="fresh key")  # back to the first key
    with refused("AlreadyUsed"):
        rotate(world, "supplier 1", "fresh key")
    assert world.see("Members", "organisationOf", member("supplier 1")) == 101


def test_operators_change_by_themselves(world: World) -> None:
    new = [signing.address(n) for n in ("operator one", "operator four")]
    for bad, threshold in (
        ([new[0]], 2),
        (new, 1),
        (new, 3),
        ([new[0]] * 2, 2),
        ([new[0], NOBODY], 2),
        ([new[0]] * 17, 2),
    ):
        with refused("Members_BadOperators"):
            world.quorum("Members", "setOperators", "SetOperators", (bad, threshold))
    world.quorum("Members", "setOperators", "SetOperators", (new, 2))
    assert [a.lower() for a in world.see("Members", "operatorList")] == [a.lower() for a in new]
    assert not world.see("Members", "isOperator", signing.address("operator two"))
    assert world.see("Members", "threshold") == 2
    with refused("Members_NotOperator"):
        world.quorum("Members", "setLimit", "SetLimit", (member("core"), 5))
    world.quorum("Members", "setLimit", "SetLimit", (member("core"), 5), signers=("operator one", "operator four"))


def test_connecting_and_catching_up(world: World) -> None:
    for target in (world.addresses["Receivables"], NOBODY, signing.address("bank")):
        with refused("Members_BadTarget"):
            world.quorum("Members", "connect", "Connect", (target,))
    world._deploy("Receivables", world.addresses["Members"], known_as="Second")
    world.quorum("Members", "connect", "Connect", (world.addresses["Second"],))
    assert len(world.see("Members", "targetList")) == 3
    assert mirror(world, "Second", "bank") == 0
    world.do("Members", "sync", [member("bank"), member("core")])
    assert mirror(world, "Second", "bank") == world.see("Members", "wordOf", member("bank"))
    with refused("Members_UnknownMember"):
        world.do("Members", "sync", [member("a stranger")])
    for _ in range(5):
        world._deploy("Receivables", world.addresses["Members"], known_as="More")
        world.quorum("Members", "connect", "Connect", (world.addresses["More"],))
    world._deploy("Receivables", world.addresses["Members"], known_as="More")
    with refused("Members_BadTarget"):
        world.quorum("Members", "connect", "Connect", (world.addresses["More"],))


def test_nothing_connected_nothing_halted() -> None:
    world = World(enrol=False)
    world._deploy("Members", [signing.address(n) for n in OPERATORS], 2, known_as="Members")
    with refused("Members_NothingConnected"):
        world.do("Members", "haltOverdue", 1)
    world.enrol_many([("core", 1, OBLIGOR)])
    world.quorum("Members", "halt", "Halt", (member("core"), tag(1)))
    world.quorum("Members", "cure", "Cure", (member("core"), tag(1)))


def test_evidence_heads_only_grow(world: World) -> None:
    def anchor(size: int, previous: int, by: str = "operator one", who: str = "operator one", late: int = 0) -> None:
        values = (size, tag(size), previous, signing.address(who), world.soon if not late else world.now - 1)
        world.do("EvidenceLog", "anchor", *values, world.sign(by, "EvidenceLog", "Anchor", values))

    with refused("NotAuthorised"):
        anchor(5, 0, by="bank")
    with refused("EvidenceLog_NotOperator"):
        anchor(5, 0, by="bank", who="bank")
    with refused("SignatureExpired"):
        anchor(5, 0, late=1)
    with refused("EvidenceLog_NotGrowing"):
        anchor(0, 0)
    anchor(5, 0)
    for size, previous, error in (
        (6, 4, "WrongPrevious"),
        (5, 5, "NotGrowing"),
        (4, 5, "NotGrowing"),
        (7, 0, "WrongPrevious"),
    ):
        with refused("EvidenceLog_" + error):
            anchor(size, previous)
    anchor(6, 5, by="operator two", who="operator two")
    assert world.see("EvidenceLog", "head") == (6, tag(6), world.now)
    assert world.see("EvidenceLog", "rootAt", 5) == tag(5)
    values = (7, tag(7), 6, signing.address("operator three"), world.soon)
    world.do("EvidenceLog", "anchor", *values, b"", sender=signing.address("operator three"))


# ---------------------------------------------------------------------- accounts of two of n


def both(world: World, contract: str, primary: str, values: tuple[Any, ...], names: tuple[str, ...]) -> bytes:
    digest = world.digest(contract, primary, values)
    return b"".join(signing.sign(n, digest) for n in sorted(names, key=lambda n: signing.address(n).lower()))


def test_maker_and_checker_sign_for_a_core_enterprise(world: World) -> None:
    people = ("clerk", "treasurer", "director")
    account = world._deploy("QuorumAccount", [signing.address(n) for n in people], 2)
    enrol(world, member=member("group"), key=account, roles=OBLIGOR, limit=10**10, payingBank=member("bank"))
    values = (
        member("group"), member("supplier 1"), 100_00, 156, world.now + 40 * 86_400, 5, 1, tag("f"), tag("d"),
        world.now + 86_400, world.soon,
    )  # fmt: skip
    good = both(world, "Receivables", "Issue", values, ("clerk", "director"))
    for bad in (
        good[:65],
        good[65:] + good[:65],
        good[:65] * 2,
        good[:-1],
        good + b"\x00",
        both(world, "Receivables", "Issue", values, ("clerk", "bank")),
        both(world, "Receivables", "Issue", (*values[:2], 200_00, *values[3:]), ("clerk", "director")),
    ):
        with refused("NotAuthorised"):
            world.do("Receivables", "issue", values, bad)
    with refused("NotAuthorised"):
        world.do("Receivables", "issue", values, b"", sender=signing.address("clerk"))
    world.do("Receivables", "issue", values, good)
    with refused("Receivables_FingerprintTaken"):
        world.do("Receivables", "issue", values, both(world, "Receivables", "Issue", values, people))
    assert [to_checksum_address(a) for a in world.see("QuorumAccount", "owners")] == [
        signing.address(n) for n in people
    ]
    assert world.see("QuorumAccount", "threshold") == 2
    assert world.see("QuorumAccount", "isOwner", signing.address("clerk"))
    assert world.see("QuorumAccount", "isValidSignature", ZERO, b"") == b"\xff" * 4


def test_an_operator_may_be_such_an_account(world: World) -> None:
    account = world._deploy("QuorumAccount", [signing.address("clerk"), signing.address("director")], 2)
    first = signing.address("operator one")
    world.quorum("Members", "setOperators", "SetOperators", ([first, account], 2))
    values = (member("core"), 5)
    nonce = world.see("Members", "quorumNonce")
    digest = world.digest("Members", "SetLimit", (*values, nonce))
    inner = both(world, "Members", "SetLimit", (*values, nonce), ("clerk", "director"))
    rows = {
        first.lower(): signing.sign("operator one", digest),
        account.lower(): bytes.fromhex(account[2:]) + inner,
    }
    broken = rows | {account.lower(): bytes.fromhex(account[2:]) + inner[:65]}
    with refused("Members_NotOperator"):
        world.do("Members", "setLimit", *values, [broken[k] for k in sorted(rows)])
    world.do("Members", "setLimit", *values, [rows[k] for k in sorted(rows)])
    assert world.see("Members", "limitOf", member("core")) == 5


@pytest.mark.parametrize(
    ("owners", "threshold"),
    [([], 2), (["a"], 2), (["a", "b"], 1), (["a", "a"], 2), (["a", "b"], 3), ([str(i) for i in range(17)], 2)],
)
def test_owners_that_make_no_account(world: World, owners: list[str], threshold: int) -> None:
    with pytest.raises(RuntimeError):
        world._deploy("QuorumAccount", [signing.address(n) for n in owners], threshold)
