"""Every external function that changes state, straight from the ABI, called and signed by one without the right.

A case per function builds a call that would succeed but for the authority; the walk fails if the ABI has a function
that no case covers, so a new function cannot slip in unguarded.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tests.contracts import signing
from tests.contracts.chain import FUNDER, functions_of
from tests.contracts.sumtree import SumTree
from tests.contracts.world import DAY, OPERATORS, ZERO, Refused, World, member, tag

CONTRACTS = ("Members", "Receivables", "EntrustedAccounts", "EvidenceLog", "QuorumAccount")
Case = Callable[[World, str, str], tuple[list[Any], tuple[str, ...]]]
"""Given world, contract and the signer to use: the arguments, with the signatures last, and who should have signed."""

BY_ANYONE = {  # effects follow from facts alone; their own tests say what they may do
    ("Members", "haltOverdue"),
    ("Members", "sync"),
    ("Receivables", "lapse"),
    ("Receivables", "settleMany"),
    ("Receivables", "settleOffered"),
}
REFUSALS = {
    "NotAuthorised",
    "Members_NotOperator",
    "Members_NotLedger",
    "OnlyMembers",
    "ERC7943CannotTransact",
    "EvidenceLog_NotOperator",
}
OUTSIDERS = ("a stranger", "core", "supplier 1", "supplier 2", "financier", "bank", "carrier", "maker", "operator one")


def quorum(primary: str, *values: Any) -> Case:
    def case(world: World, contract: str, by: str) -> tuple[list[Any], tuple[str, ...]]:
        nonce = world.see(contract, "quorumNonce")
        digest = world.digest(contract, primary, (*values, nonce))
        names = sorted({"operator one", by}, key=lambda n: signing.address(n).lower())
        if len(names) == 1:
            names = [*names, *names]
        return [*values, [signing.sign(n, digest) for n in names]], ("operator two", "operator three")

    return case


def signed(primary: str, right: tuple[str, ...], make: Callable[[World], list[Any]], as_struct: bool = False) -> Case:
    """One act with as many signatures as people in `right`; the wrong person signs in each place."""

    def case(world: World, contract: str, by: str) -> tuple[list[Any], tuple[str, ...]]:
        args = make(world)
        values = tuple(args[0]) if as_struct else tuple(args)
        return [*args, *[world.sign(by, contract, primary, values)] * len(right)], right

    return case


def note_act(primary: str, right: str, extra: tuple[Any, ...] = ()) -> Case:
    def case(world: World, contract: str, by: str) -> tuple[list[Any], tuple[str, ...]]:
        root = world.accepted()
        child = world.pass_on(root, "supplier 1", "supplier 2", 500, evidence=tag("e"))
        place = [root >> 192, root, 0, tag("e")]
        signature = world.sign(by, contract, primary, (child, *extra, world.soon))
        return [*place, *extra, world.soon, signature], (right,)

    return case


def financed(world: World, contract: str, by: str) -> tuple[list[Any], tuple[str, ...]]:
    quote = world.quote(world.accepted())
    hashed = signing.struct_hash(contract, "Quote", quote)
    first = world.sign("financier", contract, "Quote", quote)
    return [quote, first, ZERO, world.soon, world.sign(by, contract, "FinanceAccept", (hashed, ZERO, world.soon))], (
        "supplier 1",
    )


def completing(world: World) -> list[Any]:
    note = world.finance(world.quote(world.accepted()), "supplier 1")
    return [note, world.see("Receivables", "lockOf", note)[1], tag("r"), tag("b"), world.soon]


def materialising(world: World, contract: str, by: str) -> tuple[list[Any], tuple[str, ...]]:
    rows = [(member("supplier 3"), 500), (member("supplier 4"), 600)]
    tree = SumTree(rows)
    mass = world.pass_mass(world.accepted(), "supplier 1", tree.root, 2)
    signature = world.sign(by, contract, "Materialise", (mass, 0, member("supplier 3"), 500, world.soon))
    return [mass, 0, member("supplier 3"), 500, tree.proof(0), world.soon, signature], ("supplier 3",)


def appointing(world: World, contract: str, by: str) -> tuple[list[Any], tuple[str, ...]]:
    """The operators signed; what is wrong is the consent of the bank in office."""
    values = (member("core"), member("other bank"), world.see(contract, "quorumNonce"))
    digest = world.digest(contract, "SetPayingBank", values)
    names = sorted(OPERATORS[:2], key=lambda n: signing.address(n).lower())
    return [*values[:2], [signing.sign(n, digest) for n in names], signing.sign(by, digest)], ("bank",)


def passing(world: World) -> list[Any]:
    return [(world.accepted(), 0, member("supplier 2"), 500, tag("e"), world.offer_time(), world.soon)]


def passing_many(world: World) -> list[Any]:
    return [(world.accepted(), 0, [member("supplier 2")], [500], [tag("e")], world.offer_time(), world.soon)]


def passing_mass(world: World) -> list[Any]:
    return [(world.accepted(), 0, (5 << 64) | 500, 2, tag("e"), world.offer_time(), world.soon)]


def issuing(world: World) -> list[Any]:
    maturity = world.offer_time(90)
    return [
        (
            member("core"),
            member("supplier 1"),
            500,
            156,
            maturity,
            6,
            1,
            tag("f"),
            tag("d"),
            world.offer_time(),
            world.soon,
        )
    ]


def paying(world: World) -> list[Any]:
    root = world.accepted()
    return [(root >> 192, 0, world.note(root).amount, 0, 0, 0, 0, 0, tag("b"), world.soon)]


def disputed(world: World) -> int:
    account = world.locked()
    world.dispute(account, 0, "financier", 50)
    return account


def ready(world: World) -> int:
    account = world.locked()
    for who in ("carrier", "warehouse"):
        world.attest(account, 0, who, 500)
    for who in ("maker", "checker"):
        world.approve(account, 0, who, 500)
    return account


def paid(world: World) -> int:
    account = ready(world)
    world.release(account, 0, 500, payment=tag("p"))
    return account


def late(world: World) -> int:
    account = world.locked()
    world.warp(world.now + 31 * DAY)
    return account


def root_offer(world: World) -> list[Any]:
    return [world.issue(), world.soon]


def many(world: World) -> list[Any]:
    return [[world.issue()], world.soon]


ENROLMENT = (member("n"), signing.address("n"), 9, 2, 0, "0x" + "00" * 20, tag("n"))
CASES: dict[tuple[str, str], Case] = {
    ("Members", "enrol"): quorum("Enrol", ENROLMENT),
    ("Members", "enrolMany"): quorum("EnrolMany", [ENROLMENT]),
    ("Members", "setStanding"): quorum("SetStanding", member("core"), 1, tag("r")),
    ("Members", "setLimit"): quorum("SetLimit", member("core"), 1),
    ("Members", "setGroup"): quorum("SetGroup", member("core"), 7),
    ("Members", "setGroupLimit"): quorum("SetGroupLimit", 7, 156, 1),
    ("Members", "setFinancierLimit"): quorum("SetFinancierLimit", member("financier"), 156, 1),
    ("Members", "count"): lambda w, c, b: ([0, member("core"), 156, 1], ()),
    ("Members", "setPayingBank"): appointing,
    ("Members", "halt"): quorum("Halt", member("core"), tag("r")),
    ("Members", "cure"): quorum("Cure", member("core"), tag("r")),
    ("Members", "connect"): quorum("Connect", "0x" + "11" * 20),
    ("Members", "setOperators"): quorum("SetOperators", [signing.address("a"), signing.address("b")], 2),
    ("Members", "rotateKey"): signed(
        "RotateKey", ("supplier 6", "n"), lambda w: [member("supplier 6"), signing.address("n"), w.soon]
    ),
    ("Receivables", "issue"): signed("Issue", ("core",), issuing, True),
    ("Receivables", "accept"): signed("Accept", ("supplier 1",), root_offer),
    ("Receivables", "acceptMany"): signed("AcceptMany", ("supplier 1",), many),
    ("Receivables", "refuse"): note_act("Refuse", "supplier 2", (tag("r"),)),
    ("Receivables", "withdraw"): note_act("Withdraw", "supplier 1"),
    ("Receivables", "pass"): signed("Pass", ("supplier 1",), passing, True),
    ("Receivables", "passMany"): signed("PassMany", ("supplier 1",), passing_many, True),
    ("Receivables", "passMass"): signed("MassPass", ("supplier 1",), passing_mass, True),
    ("Receivables", "materialise"): materialising,
    ("Receivables", "finance"): financed,
    ("Receivables", "completeFinancing"): signed("CompleteFinancing", ("bank",), completing),
    ("Receivables", "recordPayment"): signed("Payment", ("bank",), paying, True),
    ("Receivables", "setFrozenTokens"): quorum("SetFrozen", 1, True, tag("r")),
    ("Receivables", "forcedTransfer"): quorum("ForcedTransfer", 1, member("judge"), tag("r")),
    ("Receivables", "setMember"): lambda w, c, b: ([member("core"), 1], ()),
    ("Receivables", "flagOverdue"): lambda w, c, b: ([1], ()),
    ("EntrustedAccounts", "setMember"): lambda w, c, b: ([member("core"), 1], ()),
    ("EntrustedAccounts", "open"): signed("Opening", ("financier", "supplier 1"), lambda w: [w.opening()], True),
    ("EntrustedAccounts", "confirmLocked"): signed(
        "ConfirmLocked", ("bank",), lambda w: [w.open(), 1000_00, tag("l"), w.soon]
    ),
    ("EntrustedAccounts", "attest"): signed(
        "Attest", ("carrier",), lambda w: [w.locked(), 0, member("carrier"), 5, tag("e"), w.soon]
    ),
    ("EntrustedAccounts", "approve"): signed(
        "Approve", ("maker",), lambda w: [w.locked(), 0, member("maker"), 5, tag("e"), w.soon]
    ),
    ("EntrustedAccounts", "confirmReleased"): signed(
        "ConfirmReleased", ("bank",), lambda w: [ready(w), 0, 5, tag("p"), tag("l"), w.soon]
    ),
    ("EntrustedAccounts", "confirmRefunded"): signed(
        "ConfirmRefunded", ("bank",), lambda w: [late(w), 0, 5, tag("p"), tag("l"), w.soon]
    ),
    ("EntrustedAccounts", "confirmReturned"): signed(
        "ConfirmReturned", ("bank",), lambda w: [paid(w), 0, 5, tag("p"), tag("back"), w.soon]
    ),
    ("EntrustedAccounts", "dispute"): signed(
        "Dispute", ("supplier 5",), lambda w: [w.locked(), 0, member("supplier 5"), 5, tag("e"), w.soon]
    ),
    ("EntrustedAccounts", "resolve"): signed(
        "Resolve", ("financier", "supplier 1"), lambda w: [disputed(w), 0, 5, 5, tag("r"), w.soon]
    ),
    ("EntrustedAccounts", "resolveByQuorum"): quorum("ResolveByQuorum", 1, 0, 1, 1, tag("r")),
    ("EvidenceLog", "anchor"): signed(
        "Anchor", ("operator two",), lambda w: [1, tag("r"), 0, signing.address("operator two"), w.soon]
    ),
}


def changing() -> list[tuple[str, str]]:
    return [
        (contract, f.name)
        for contract in CONTRACTS
        for f in functions_of(contract).values()
        if f.mutability not in ("view", "pure")
    ]


def test_every_function_that_changes_state_has_a_case() -> None:
    assert set(changing()) == set(CASES) | BY_ANYONE


@pytest.mark.parametrize(("contract", "function"), sorted(CASES))
def test_without_the_right_nothing_moves(world: World, contract: str, function: str) -> None:
    case = CASES[contract, function]
    for by in OUTSIDERS:
        with world.chain.scratch():
            args, right = case(world, contract, by)
            if by in right and len(right) == 1:
                continue
            if by == "operator one" and right[:1] == ("operator two",) and contract != "EvidenceLog":
                continue  # one operator twice: told by the order of signers
            places = [world.chain.slot(world.addresses[contract], i) for i in range(24)]
            for sender in {FUNDER, signing.address(by)}:
                with pytest.raises(Refused) as caught:
                    world.do(contract, function, *args, sender=sender)
                assert caught.value.name in REFUSALS, (by, caught.value)
            if args and isinstance(args[-1], bytes):  # no signature, the wrong caller
                bare = (
                    [*args[: len(args) - len(right)], *[b""] * len(right)]
                    if function != "finance"
                    else [*args[:-1], b""]
                )
                with pytest.raises(Refused) as caught:
                    world.do(contract, function, *bare, sender=signing.address(by))
                assert caught.value.name in REFUSALS, (by, caught.value)
            assert places == [world.chain.slot(world.addresses[contract], i) for i in range(24)]


ONE_ACT = sorted(k for k in CASES if k[1] not in ("setMember", "flagOverdue", "count", "finance", "anchor"))


@pytest.mark.parametrize(("contract", "function"), ONE_ACT)
def test_a_signature_for_another_chain_or_contract_is_none(world: World, contract: str, function: str) -> None:
    args, right = CASES[contract, function](world, contract, "operator two")
    if isinstance(args[-1], list):
        return  # the quorum's acts: test_members
    body = args[: len(args) - len(right)]
    primary, values = primaries(contract, function)[0], values_of(function, body)
    if function == "setPayingBank":
        values = (*body[:2], world.see(contract, "quorumNonce"))
    own, real = world.chain.chain_id, world.addresses[contract]
    for chain_id, address in ((own + 1, real), (own, "0x" + "77" * 20)):
        digest = signing.digest(contract, chain_id, address, primary, values)
        with pytest.raises(Refused) as caught:
            world.do(contract, function, *body, *[signing.sign(n, digest) for n in right])
        assert caught.value.name == "NotAuthorised"
    digest = signing.digest(contract, own, real, primary, values)
    world.do(contract, function, *body, *[signing.sign(n, digest) for n in right])  # the right one works


def primaries(contract: str, function: str) -> list[str]:
    special = {"open": "Opening", "passMass": "MassPass", "recordPayment": "Payment"}
    name = special.get(function, function[0].upper() + function[1:])
    return [t.split("(")[0] for t in signing.ACTS[contract] if t.startswith(name + "(")]


def values_of(function: str, body: list[Any]) -> tuple[Any, ...]:
    from tests.contracts.world import note_id

    if function in ("refuse", "withdraw"):
        return (note_id(*body[:4]), *body[4:])
    if function == "materialise":
        return (*body[:4], body[5])
    return tuple(body[0]) if isinstance(body[0], tuple) else tuple(body)


def test_operators_alone_create_move_and_destroy_nothing(world: World) -> None:
    """I17: the quorum signs every act of a member; none is taken."""
    digest_names = OPERATORS[:2]
    for contract, function in sorted(CASES):
        if function in ("setMember", "flagOverdue", "count", "anchor"):
            continue
        for by in digest_names:
            with world.chain.scratch():
                args, right = CASES[contract, function](world, contract, by)
                if isinstance(args[-1], list):
                    continue  # an act of the quorum itself
                assert by not in right
                with pytest.raises(Refused):
                    world.do(contract, function, *args)
