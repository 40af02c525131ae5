"""One story with every kind of act, told to a bundle once for all tests."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from tests.audit.world import (
    APPROVER,
    ATTESTOR,
    BANK,
    FINANCIER,
    FOREVER,
    OBLIGOR,
    OPERATORS,
    SUPPLIER,
    World,
    key_of,
    tag,
)

from scf.audit.bundle import Source
from scf.audit.verifier.note_acts import sum_tree_root
from scf.ledger import intents
from scf.ledger.hashing import keccak
from scf.ledger.signing import address_of, canonical
from scf.store import merkle

ENTRIES = [f'{{"evidence_id":"{n:064x}"}}'.encode() for n in range(7)]


@dataclass
class Story:
    world: World
    leaves: list[bytes]
    sources: list[Source]


def tell() -> Story:
    world = World.start()
    enrol(world)
    account = lend_and_release(world)
    pass_around(world)
    mass(world)
    courts(world)
    paid_in_parts(world)
    paid_early(world)
    refused(world)
    administer(world)
    overdue(world)
    leaves, sources = evidence(world, account)
    return Story(world, leaves, sources)


def enrol(world: World) -> None:
    people = [
        world.enrolment("bank", BANK, 1),
        world.enrolment("financier", FINANCIER, 2),
        world.enrolment("s0", SUPPLIER, 10),
        world.enrolment("s1", SUPPLIER, 11),
        world.enrolment("s2", SUPPLIER, 12),
        world.enrolment("carrier", ATTESTOR, 20),
        world.enrolment("warehouse", ATTESTOR, 21),
        world.enrolment("maker", APPROVER, 2),
        world.enrolment("checker", APPROVER, 2),
    ]
    world.quorum_act("Members", "enrolMany", "EnrolMany", {"e": people})
    core = world.enrolment("core", OBLIGOR, 3, 10**9, "bank")
    core["key"] = world.quorum_account("core")
    world.quorum_act("Members", "enrol", "Enrol", {"e": core})
    late = world.enrolment("late", OBLIGOR, 4, 10**6, "bank")
    world.quorum_act("Members", "enrol", "Enrol", {"e": late})
    for name in ("core", "late"):
        world.quorum_act("Members", "setGroup", "SetGroup", {"obligor": world.addresses[name], "group": 7})
    world.quorum_act("Members", "setGroupLimit", "SetGroupLimit", {"group": 7, "currency": 156, "limit": 2_000_000})
    bought = {"financier": world.addresses["financier"], "currency": 156, "limit": 1_000_000}
    world.quorum_act("Members", "setFinancierLimit", "SetFinancierLimit", bought)


def lend_and_release(world: World) -> int:
    """Two tiers, financed into an entrusted account, released in stages, disputed, refunded."""
    note = world.issue("core", "s0", 1_000_000, "INV-1")
    world.accept(note, "s0")
    child = world.pass_on(note, 0, "s0", "s1", 400_000)
    account = world.open_account([200_000, 99_900])
    financed = world.finance(child, "s1", 300_000, account)  # acting on the offer accepts it
    world.complete(financed, 299_900, "BK-FINANCED")
    world.entrusted("confirmLocked", "ConfirmLocked", "bank", account, amount=299_900, bankReference=tag("BK-LOCKED"))
    for who in ("carrier", "warehouse"):
        world.attest(account, 0, who, 150_000)
    for who in ("maker", "checker"):
        world.approve(account, 0, who, 150_000)
    release(world, account, 0, 100_000, "PAY-1", "BK-R1")
    dispute = {"stage": 0, "by": world.addresses["financier"], "amount": 80_000, "reason": tag("short delivery")}
    world.entrusted("dispute", "Dispute", "financier", account, **dispute)
    resolution = {"accountId": account, "stage": 0, "toRelease": 20_000, "toRefund": 10_000, "reason": tag("agreed")}
    message = {**resolution, "deadline": FOREVER}
    both = [world.sign("EntrustedAccounts", "Resolve", message, who) for who in ("financier", "s1")]
    world.send(world.contracts.entrusted.call("resolve", *message.values(), *both))
    decision = {**resolution, "toRelease": 0, "toRefund": 50_000, "reason": tag("arbiter")}
    world.quorum_act("EntrustedAccounts", "resolveByQuorum", "ResolveByQuorum", decision)
    release(world, account, 0, 20_000, "PAY-2", "BK-R2")
    back = {"stage": 0, "amount": 20_000, "paymentId": tag("PAY-2"), "bankReference": tag("BK-BACK")}
    world.entrusted("confirmReturned", "ConfirmReturned", "bank", account, **back)
    again = {"accountId": account, "stage": 0, "toRelease": 20_000, "toRefund": 0, "reason": tag("again")}
    message = {**again, "deadline": FOREVER}
    both = [world.sign("EntrustedAccounts", "Resolve", message, who) for who in ("financier", "s1")]
    world.send(world.contracts.entrusted.call("resolve", *message.values(), *both))
    release(world, account, 0, 20_000, "PAY-2B", "BK-R2B")
    refund = {"stage": 0, "amount": 60_000, "paymentId": tag("PAY-3"), "bankReference": tag("BK-B1")}
    world.entrusted("confirmRefunded", "ConfirmRefunded", "bank", account, **refund)
    return account


def release(world: World, account: int, stage: int, amount: int, payment: str, reference: str) -> None:
    facts = {"stage": stage, "amount": amount, "paymentId": tag(payment), "bankReference": tag(reference)}
    world.entrusted("confirmReleased", "ConfirmReleased", "bank", account, **facts)


def pass_around(world: World) -> None:
    note = 1 << 192 | (_root(world, 1) & (2**192 - 1))
    second = world.pass_on(note, 1, "s0", "s1", 50_000)
    world.give_back("refuse", note, 1, "s1")
    world.pass_on(note, 2, "s0", "s1", 60_000)
    world.give_back("withdraw", note, 2, "s0")
    world.pass_on(note, 3, "s0", "s2", 70_000)
    world.clock.advance(days=4)
    world.give_back("lapse", note, 3, "")
    world.pass_on(note, 4, "s0", "s0", 1_000)  # to oneself: no offer
    many = {
        "parentId": note,
        "childIndex": 5,
        "to": [world.addresses[who] for who in ("s1", "s0", "s1")],
        "amounts": [10_000, 500, 20_000],
        "evidence": [tag("a"), tag("b"), tag("c")],
        "offerUntil": world.until(3),
        "deadline": FOREVER,
    }
    signature = world.sign("Receivables", "PassMany", many, "s0")
    events = world.send(world.contracts.receivables.call("passMany", many, signature))
    taken = [event.args["noteId"] for event in events if event.args["to"] == world.addresses["s1"]]
    world.act("Receivables", "acceptMany", "AcceptMany", {"noteIds": taken, "deadline": FOREVER}, "s1")
    locked = world.finance(taken[0], "s1", 5_000)
    world.clock.advance(days=3)
    evidence = tag(f"quote {taken[0]} 5000")
    path = world.path(taken[0], 0, evidence)
    assert world.contracts.receivables.read(world.ledger, "noteIdOf", *path.values()) == locked
    world.send(world.contracts.receivables.call("lapse", *path.values()))
    assert second


def _root(world: World, receivable: int) -> int:
    for log in world.ledger.logs(0, world.ledger.head().number):
        event = world.contracts.decode(log)
        if event and event.name == "Issued" and event.args["receivableId"] == receivable:
            return int(event.args["noteId"])
    raise AssertionError(receivable)


def mass(world: World) -> None:
    """A list of four recipients; two take their notes, the rest lapses."""
    note = _root(world, 1)
    recipients = [("s1", 3_000), ("s2", 2_000), ("s1", 1_500), ("s2", 500)]
    proofs, root = sum_tree(world, recipients)
    message = {
        "parentId": note,
        "childIndex": 8,
        "root": root,
        "count": len(recipients),
        "evidence": tag("payroll"),
        "offerUntil": world.until(2),
        "deadline": FOREVER,
    }
    signature = world.sign("Receivables", "MassPass", message, "s0")
    mass_id = world.send(world.contracts.receivables.call("passMass", message, signature))[0].args["massId"]
    for leaf in (0, 3):
        who, amount = recipients[leaf]
        facts = {"massId": mass_id, "leaf": leaf, "to": world.addresses[who], "amount": amount, "deadline": FOREVER}
        signed = world.sign("Receivables", "Materialise", facts, who)
        args = [mass_id, leaf, world.addresses[who], amount, proofs[leaf], FOREVER, signed]
        world.send(world.contracts.receivables.call("materialise", *args))
    world.clock.advance(days=3)
    path = world.path(note, 8, tag("payroll"))
    world.send(world.contracts.receivables.call("lapse", *path.values()))


def sum_tree(world: World, recipients: list[tuple[str, int]]) -> tuple[list[list[int]], int]:
    nodes = [
        sum_tree_root(2, at, canonical(world.addresses[who]), amount, []) for at, (who, amount) in enumerate(recipients)
    ]

    def join(left: int, right: int) -> int:
        digest = int.from_bytes(keccak(left.to_bytes(32, "big") + right.to_bytes(32, "big")), "big")
        return (digest << 64) % 2**256 | ((left + right) % 2**64)

    upper = [join(nodes[0], nodes[1]), join(nodes[2], nodes[3])]
    proofs = [[nodes[at ^ 1], upper[1 - at // 2]] for at in range(4)]
    return proofs, join(*upper)


def courts(world: World) -> None:
    note = _root(world, 1)
    frozen = {"noteId": note, "frozenStatus": True, "reason": tag("court order")}
    world.quorum_act("Receivables", "setFrozenTokens", "SetFrozen", frozen)
    world.quorum_act("Receivables", "setFrozenTokens", "SetFrozen", {**frozen, "frozenStatus": False})
    own = world.pass_on(note, 9, "s0", "s0", 900)
    forced = {"noteId": own, "to": world.addresses["s2"], "reason": tag("inheritance")}
    world.quorum_act("Receivables", "forcedTransfer", "ForcedTransfer", forced)


def live_notes(world: World, receivable: int) -> dict[int, int]:
    """Notes with an amount, from the contract itself."""
    found: dict[int, int] = {}
    for log in world.ledger.logs(0, world.ledger.head().number):
        event = world.contracts.decode(log)
        note = event.args.get("noteId", 0) if event and event.contract == "Receivables" else 0
        if note >> 192 == receivable:
            found[note] = world.contracts.receivables.read(world.ledger, "noteOf", note).amount
    return {note: amount for note, amount in found.items() if amount}


def paid_in_parts(world: World) -> None:
    world.clock.advance(days=91)
    notes = live_notes(world, 1)
    assert sum(notes.values()) == 1_000_000
    world.pay(1, 0, 333_333, 1_001, notes)
    order = sorted(notes)
    frozen = {"noteId": order[0], "frozenStatus": True, "reason": tag("court order 2")}
    world.quorum_act("Receivables", "setFrozenTokens", "SetFrozen", frozen)
    held = world.settle(1, 0, order)
    assert [event.name for event in held].count("SettlementHeld") == 1
    world.quorum_act("Receivables", "setFrozenTokens", "SetFrozen", {**frozen, "frozenStatus": False})
    world.settle(1, 0, order)
    moved = {"noteId": order[1], "to": world.addresses["carrier"], "reason": tag("estate")}
    world.quorum_act("Receivables", "forcedTransfer", "ForcedTransfer", moved)
    rest = live_notes(world, 1)
    carried = {event_id: amount for event_id, amount in rest.items() if event_id in notes}
    for note, amount in rest.items():
        if note not in notes:
            carried[order[1]] = amount  # a moved note keeps its rank
    world.pay(1, 1, 600_000, 77, carried)
    world.settle(1, 1, list(rest))
    last = live_notes(world, 1)
    world.pay(1, 2, 66_667, 13, {(order[1] if note not in notes else note): a for note, a in last.items()})
    world.settle(1, 2, list(last))
    assert not live_notes(world, 1)


def paid_early(world: World) -> None:
    note = world.issue("core", "s1", 90_001, "INV-2")
    world.accept(note, "s1")
    taken = world.pass_on(note, 0, "s1", "s2", 30_000)
    world.accept(taken, "s2")
    offered = world.pass_on(note, 1, "s1", "s0", 30_000)
    weights = live_notes(world, 2)
    world.pay(2, 0, 90_001, 0, weights)
    world.settle(2, 0, [note, taken])
    path = world.path(note, 1, tag(f"order {note} 1"))
    args = [2, 0, note, 1, path["evidence"]]
    world.send(world.contracts.receivables.call("settleOffered", *args))
    assert offered in weights


def refused(world: World) -> None:
    note = world.issue("core", "s2", 5_000, "INV-3")
    path = {"receivableId": note >> 192, "parentId": 0, "childIndex": 0, "evidence": tag("document INV-3")}
    message = {"noteId": note, "reason": tag("not ours"), "deadline": FOREVER}
    signature = world.sign("Receivables", "Refuse", message, "s2")
    call = world.contracts.receivables.call("refuse", *path.values(), tag("not ours"), FOREVER, signature)
    world.send(call)
    again = world.issue("core", "s2", 5_000, "INV-3")  # a cancelled receivable frees its invoice
    world.accept(again, "s2")


def administer(world: World) -> None:
    core, s2 = world.addresses["core"], world.addresses["s2"]
    world.quorum_act("Members", "setLimit", "SetLimit", {"obligor": core, "limit": 2 * 10**9})
    world.quorum_act("Members", "setGroup", "SetGroup", {"obligor": core, "group": 8})  # what it owes goes along
    appointed = {"obligor": core, "payingBank": world.addresses["bank"]}
    world.quorum_act("Members", "setPayingBank", "SetPayingBank", appointed, consent="bank")
    world.quorum_act(
        "Members", "setStanding", "SetStanding", {"member": s2, "standing": 1, "reason": tag("late papers")}
    )
    world.quorum_act("Members", "setStanding", "SetStanding", {"member": s2, "standing": 0, "reason": tag("papers in")})
    world.quorum_act("Members", "halt", "Halt", {"obligor": core, "reason": tag("strike")})
    world.quorum_act("Members", "cure", "Cure", {"obligor": core, "evidence": tag("over")})
    new = key_of("s2 again")
    rotation = {"member": s2, "newKey": address_of(new), "deadline": FOREVER}
    digest = intents.digest(world.contracts, "Members", "RotateKey", rotation)
    signatures = [intents.quorum_digest([key], digest)[0] for key in (world.keys["s2"][0], new)]
    world.send(world.contracts.members.call("rotateKey", *rotation.values(), *signatures))
    world.keys["s2"] = [new]
    people: dict[str, Any] = {"operators": [address_of(key) for key in OPERATORS[:2]], "threshold": 2}
    world.quorum_act("Members", "setOperators", "SetOperators", people)


def overdue(world: World) -> None:
    note = world.issue("late", "s2", 7_000, "INV-4", days=30)
    world.accept(note, "s2")
    world.clock.advance(days=31)
    world.send(world.contracts.members.call("haltOverdue", note >> 192))
    account = 1
    rest = {"stage": 1, "amount": 99_900, "paymentId": tag("PAY-4"), "bankReference": tag("BK-B2")}
    world.entrusted("confirmRefunded", "ConfirmRefunded", "bank", account, **rest)


def evidence(world: World, account: int) -> tuple[list[bytes], list[Source]]:
    """Seven leaves, anchored at 3 and at 6; a bank statement is leaf 6, not yet anchored."""
    raw = statement()
    entry = b'{"evidence_id":"' + _sha(raw).encode() + b'","kind":"camt.053"}'
    leaves = [merkle.leaf_hash(data) for data in [*ENTRIES[:6], entry]]
    for size, before in ((3, 0), (6, 3)):
        world.anchor(size, merkle.root_of(size, merkle.nodes_of(leaves[:size])), before)
    assert account
    return leaves, [Source("statement 2026.xml", raw, 6, entry)]


def _sha(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()


LINES = (
    ("BK-LOCKED", "2999.00", "CRDT", ""),
    ("BK-R1", "1000.00", "DBIT", "PAY-1"),
    ("BK-R2", "200.00", "DBIT", "PAY-2"),
    ("BK-BACK", "200.00", "CRDT", "PAY-2"),
    ("BK-R2B", "200.00", "DBIT", "PAY-2B"),
    ("BK-B1", "600.00", "DBIT", "PAY-3"),
    ("BK-B2", "999.00", "DBIT", "PAY-4"),
)


def statement(lines: tuple[tuple[str, str, str, str], ...] = LINES) -> bytes:
    entries = "".join(
        f"<Ntry><Amt Ccy='CNY'>{amount}</Amt><CdtDbtInd>{side}</CdtDbtInd><Sts><Cd>BOOK</Cd></Sts>"
        f"<AcctSvcrRef>{reference}</AcctSvcrRef><NtryDtls><TxDtls><Refs>"
        f"<AcctSvcrRef>{reference}</AcctSvcrRef><EndToEndId>{payment}</EndToEndId></Refs></TxDtls></NtryDtls></Ntry>"
        for reference, amount, side, payment in lines
    )
    return (
        "<?xml version='1.0' encoding='UTF-8'?>"
        "<Document xmlns='urn:iso:std:iso:20022:tech:xsd:camt.053.001.08'><BkToCstmrStmt><GrpHdr/>"
        f"<Stmt><Acct><Id><Othr><Id>LOCKED-1</Id></Othr></Id></Acct>{entries}</Stmt></BkToCstmrStmt></Document>"
    ).encode()
