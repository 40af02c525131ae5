"""Whose word counts: one person for two parties, a bank that only the operators chose, code that answers for a key."""

from __future__ import annotations

from typing import Any

import pytest
from tests.contracts import signing
from tests.contracts.chain import Reverted
from tests.contracts.world import BANK, NOBODY, OBLIGOR, SUPPLIER, Refused, World, member, tag

HALF = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0
ORDER = 2 * HALF + 1


def refused(name: str) -> Any:
    return pytest.raises(Refused, match=name)


def by_address(names: tuple[str, ...]) -> list[str]:
    return sorted(names, key=lambda n: signing.address(n).lower())


def joined(digest: bytes, *names: str) -> bytes:
    return b"".join(signing.sign(n, digest) for n in by_address(names))


def account_of(world: World, name: str, house: int, roles: int, owners: tuple[str, ...]) -> str:
    """A member whose key is an account of these owners, two of whom sign."""
    account = world._deploy("QuorumAccount", [signing.address(n) for n in owners], 2, known_as=name)
    limit, bank = (10**10, member("bank")) if roles & OBLIGOR else (0, NOBODY)
    row = (member(name), account, house, roles, limit, bank, tag(name))
    world.quorum("Members", "enrol", "Enrol", (row,))
    return account


# ---------------------------------------------------------------------- one person, two parties


def shared_service_centre(world: World, payer: tuple[str, ...], beneficiary: tuple[str, ...]) -> tuple[Any, ...]:
    account_of(world, "payer house", 30, SUPPLIER, payer)
    account_of(world, "seller house", 301, SUPPLIER, beneficiary)
    opening = list(world.opening())
    opening[0], opening[1] = member("payer house"), member("seller house")
    return tuple(opening)


def test_the_payers_people_are_not_heard_for_the_beneficiary(world: World) -> None:
    """ERC-1271 replay between accounts with the same owners (LightAccount and others, 2023): here both parties sign one
    message, so two people of a shared service centre who agreed for the one would have agreed for the other."""
    opening = shared_service_centre(world, ("ann", "bo"), ("ann", "bo", "cy", "di"))
    digest = world.digest("EntrustedAccounts", "Opening", opening)
    ours = joined(digest, "ann", "bo")
    for theirs in (ours, joined(digest, "ann", "cy"), joined(digest, "bo", "cy", "di")):
        with refused("SignatureCountedTwice"):
            world.do("EntrustedAccounts", "open", opening, ours, theirs)
    world.do("EntrustedAccounts", "open", opening, ours, joined(digest, "cy", "di"))


def test_nor_when_a_dispute_is_resolved(world: World) -> None:
    opening = shared_service_centre(world, ("ann", "bo"), ("ann", "bo", "cy", "di"))
    digest = world.digest("EntrustedAccounts", "Opening", opening)
    world.do("EntrustedAccounts", "open", opening, joined(digest, "ann", "bo"), joined(digest, "cy", "di"))
    account = world.events[0].args["accountId"]
    amount = sum(stage[2] for stage in opening[7])
    confirmed = (account, amount, tag("in"), world.soon)
    world.do(
        "EntrustedAccounts", "confirmLocked", *confirmed,
        world.sign("bank", "EntrustedAccounts", "ConfirmLocked", confirmed),
    )  # fmt: skip
    held = (account, 0, member("payer house"), 50, tag("late"), world.soon)
    signed = joined(world.digest("EntrustedAccounts", "Dispute", held), "ann", "bo")
    world.do("EntrustedAccounts", "dispute", *held, signed)
    resolution = (account, 0, 50, 0, tag("fine"), world.soon)
    digest = world.digest("EntrustedAccounts", "Resolve", resolution)
    ours = joined(digest, "ann", "bo")
    with refused("SignatureCountedTwice"):
        world.do("EntrustedAccounts", "resolve", *resolution, ours, ours)
    with refused("SignatureCountedTwice"):
        world.do("EntrustedAccounts", "resolve", *resolution, ours, joined(digest, "bo", "di"))
    world.do("EntrustedAccounts", "resolve", *resolution, ours, joined(digest, "cy", "di"))


def test_one_operators_signature_counts_once(world: World) -> None:
    """An operator who also owns a share of another operator's account is one person."""
    account = world._deploy("QuorumAccount", [signing.address(n) for n in ("operator one", "clerk", "aide")], 2)
    first = signing.address("operator one")
    world.quorum("Members", "setOperators", "SetOperators", ([first, account], 2))
    values = (member("core"), 5)
    digest = world.digest("Members", "SetLimit", (*values, world.see("Members", "quorumNonce")))

    def together(*people: str) -> list[bytes]:
        rows = {
            first.lower(): signing.sign("operator one", digest),
            account.lower(): bytes.fromhex(account[2:]) + joined(digest, *people),
        }
        return [rows[k] for k in sorted(rows)]

    with refused("SignatureCountedTwice"):
        world.do("Members", "setLimit", *values, together("operator one", "clerk"))
    world.do("Members", "setLimit", *values, together("clerk", "aide"))
    assert world.see("Members", "limitOf", member("core")) == 5


def test_a_signature_for_one_account_is_nothing_in_another_members_act(world: World) -> None:
    """The same two people own the accounts of two firms. What they sign names a note, and a note has one holder."""
    account_of(world, "north", 201, SUPPLIER, ("ann", "bo"))
    account_of(world, "south", 202, SUPPLIER, ("ann", "bo"))
    notes = [world.issue(creditor=name) for name in ("north", "south")]
    signed = joined(world.digest("Receivables", "Accept", (notes[0], world.soon)), "ann", "bo")
    with refused("NotAuthorised"):
        world.do("Receivables", "accept", notes[1], world.soon, signed)
    with refused("Receivables_OtherHolder|NotAuthorised"):
        world.do("Receivables", "acceptMany", notes, world.soon, signed)
    world.do("Receivables", "accept", notes[0], world.soon, signed)
    with refused("Receivables_NotOffered"):
        world.do("Receivables", "accept", notes[0], world.soon, signed)


# ---------------------------------------------------------------------- the paying bank


def test_operators_cannot_have_a_debt_paid_by_a_bank_of_their_own(world: World) -> None:
    """I17: they enrol a bank, appoint it, and it says that everything was paid. The bank in office must agree."""
    root = world.accepted()
    world.enrol_many([("sham bank", 666, BANK)])
    for consent in (None, "operator one", "sham bank", "core", "supplier 1"):
        with refused("NotAuthorised"):
            world.appoint("core", "sham bank", consent)
    with refused("Members_PayingBankNeedsConsent"):
        world.enrol_many([("core", 10, OBLIGOR)], bank="sham bank")
    with refused("Members_PayingBankNeedsConsent"):
        world.enrol_many([("core", 10, SUPPLIER)])
    with refused("NotAuthorised"):
        world.pay(root >> 192, world.note(root).amount, by="sham bank")
    world.enrol_many([("core", 10, OBLIGOR)], limit=5)  # other rights may change
    assert world.see("Members", "payingBankOf", member("core")).lower() == member("bank").lower()


def test_a_stopped_bank_is_replaced_with_the_obligors_consent(world: World) -> None:
    """Nor may a bank that was suspended keep a debt from ever being recorded as paid."""
    root = world.accepted()
    for standing in (1, 2):
        with world.chain.scratch():
            world.standing("bank", standing)
            for consent in (None, "bank", "other bank", "operator two"):
                with refused("NotAuthorised"):
                    world.appoint("core", "other bank", consent)
            world.appoint("core", "other bank", "core")
            world.warp(world.terms(root >> 192)["maturity"])
            world.pay(root >> 192, world.note(root).amount, by="other bank")
    with refused("NotAuthorised"):
        world.appoint("core", "other bank", "core")  # while the bank is in good standing it is asked itself


def test_consent_to_a_change_of_banks_is_used_once(world: World) -> None:
    nonce = world.see("Members", "quorumNonce")
    digest = world.digest("Members", "SetPayingBank", (member("core"), member("other bank"), nonce))
    consent = signing.sign("bank", digest)
    world.appoint("core", "other bank")
    world.appoint("core", "bank", "other bank")
    values = (member("core"), member("other bank"))
    now = world.digest("Members", "SetPayingBank", (*values, world.see("Members", "quorumNonce")))
    signatures = [signing.sign(n, now) for n in by_address(("operator one", "operator two"))]
    with refused("NotAuthorised"):
        world.do("Members", "setPayingBank", *values, signatures, consent)


# ---------------------------------------------------------------------- signatures and code that answers


def test_the_other_way_to_write_a_signature_is_none(world: World) -> None:
    """Malleability: (r, n - s, 55 - v) recovers the same signer and must not pass;
    nor the 64-byte form, nor v 0 or 1."""
    note = world.issue()
    good = world.sign("supplier 1", "Receivables", "Accept", (note, world.soon))
    r, s, v = good[:32], int.from_bytes(good[32:64], "big"), good[64]
    assert s <= HALF
    high = (ORDER - s).to_bytes(32, "big")
    short = r + (s | (v - 27) << 255).to_bytes(32, "big")
    zero = bytes(65)
    for bad in (r + high + bytes([55 - v]), r + high + bytes([v]), short, good[:64] + bytes([v - 27]), zero, good * 2):
        with refused("NotAuthorised"):
            world.do("Receivables", "accept", note, world.soon, bad)
    account = world._deploy("QuorumAccount", [signing.address(n) for n in ("ann", "bo")], 2)
    digest = tag("any")
    both = joined(digest, "ann", "bo")
    assert world.see("QuorumAccount", "isValidSignature", digest, both) == bytes.fromhex("1626ba7e"), account
    turned = both[:32] + (ORDER - int.from_bytes(both[32:64], "big")).to_bytes(32, "big") + bytes([55 - both[64]])
    assert world.see("QuorumAccount", "isValidSignature", digest, turned + both[65:]) == b"\xff" * 4


BURNS_GAS = "5b600056"  # JUMPDEST, PUSH1 0, JUMP
RETURNS_MUCH = "620fffff6000f3"  # RETURN a million zero bytes
SAYS_ONE = "600160005260206000f3"  # the number 1, not the magic value
MAGIC_TOO_SHORT = "631626ba7e60e01b60005260046000f3"  # the magic value in four bytes, where 32 are asked for
HOSTILE = {"burns gas": BURNS_GAS, "returns much": RETURNS_MUCH, "says one": SAYS_ONE, "says it short": MAGIC_TOO_SHORT}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_account_binds_nobody_and_stops_nobody(world: World, kind: str) -> None:
    """Griefing through ERC-1271: code that burns all gas, answers a million bytes or nearly the right thing. It is only
    asked about its own acts; it receives notes, and what is paid is settled without asking it."""
    runtime = bytes.fromhex(HOSTILE[kind])
    creation = bytes.fromhex(f"60{len(runtime):02x}600c60003960{len(runtime):02x}6000f3") + runtime
    key = world.chain.deploy(creation)
    world.quorum("Members", "enrol", "Enrol", ((member("trap"), key, 700, SUPPLIER, 0, NOBODY, tag("trap")),))
    root = world.accepted()
    child = world.pass_on(root, "supplier 1", "trap", 500)
    plain = world.pass_on(root, "supplier 1", "supplier 2", 500)
    world.accept(plain, "supplier 2")
    for signature in (b"\x01" * 65, b"\x01" * 66, b"\x01"):
        with pytest.raises((Refused, Reverted, RuntimeError)):  # what ran out of gas has no reason
            world.do("Receivables", "accept", child, world.soon, signature)
    assert world.note(child).flags == 1
    receivable = root >> 192
    world.warp(world.terms(receivable)["maturity"])
    world.pay(receivable, world.terms(receivable)["outstanding"])
    world.settle(receivable, 0, [plain])
    world.do("Receivables", "settleOffered", receivable, 0, root, 0, tag(("hop", root, 500, "trap")))
    assert world.events[-1].args["payee"].lower() == member("supplier 1").lower()
    world.settle(receivable, 0, [root])
    assert world.see("Receivables", "roundOf", receivable, 0)[4] == 0


def test_a_key_without_code_or_address_is_no_party(world: World) -> None:
    """A note that does not exist has no holder, its key is zero; nothing that recovers to zero may act for it."""
    for signature in (b"", bytes(65), b"\x00"):
        with refused("Receivables_UnknownNote|NotAuthorised"):
            world.do("Receivables", "accept", 1 << 200, world.soon, signature)
    values = (1 << 200, 0, member("supplier 2"), 5, tag("e"), world.offer_time(), world.soon)
    for signature in (b"", bytes(65)):
        with refused("NotAuthorised"):
            world.do("Receivables", "pass", values, signature)
