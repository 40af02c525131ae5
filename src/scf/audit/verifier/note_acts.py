"""The acts on receivables and notes: who signed, and which events follow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .acts import Act, Context, Expected, Steps
from .hashing import keccak
from .interface import INTENTS
from .register import OFFERED, PENDING, Note, note_id
from .settlement import check_cuts, outcome

REFUSED, WITHDRAWN, LAPSED = 1, 2, 3
_LEAF_TAG = keccak(b"scf sum tree leaf")
_NO_REASON = b"\0" * 32


def issue(context: Context) -> Steps:
    """The obligor signs a debt, once: the signature of a cancelled one is spent."""
    register, intent = context.register, context.args["intent"]
    signed = INTENTS["Issue"].struct_hash(intent)
    register.report.check("acts").expect("act_twice", context.record, False, signed in register.used_acts)
    register.used_acts.add(signed)
    context.signed("Issue", intent, register.key_of(intent["obligor"]), context.args["signature"], "obligor")
    id_ = len(register.receivables) + 1
    said = {name: value for name, value in intent.items() if name != "deadline"}
    yield Expected("Issued", {**said, "receivableId": id_, "noteId": note_id(id_, 0, 0, intent["document"])})


def _accepted(note: Note) -> Expected:
    return Expected("Accepted", {"noteId": note.id, "holder": note.holder})


def accept(context: Context) -> Steps:
    """The recipient takes a note."""
    register, args = context.register, context.args
    note = register.notes[args["noteId"]]
    values = {"noteId": note.id, "deadline": args["deadline"]}
    context.signed("Accept", values, register.key_of(note.holder), args["signature"], "recipient")
    yield _accepted(note)


def accept_many(context: Context) -> Steps:
    """The recipient takes several notes."""
    register, args = context.register, context.args
    holder = register.notes[args["noteIds"][0]].holder
    values = {"noteIds": args["noteIds"], "deadline": args["deadline"]}
    context.signed("AcceptMany", values, register.key_of(holder), args["signature"], "recipient")
    for id_ in args["noteIds"]:
        yield Expected("Accepted", {"noteId": id_, "holder": holder})


def _found(context: Context) -> Note:
    args = context.args
    return context.register.notes[note_id(args["receivableId"], args["parentId"], args["childIndex"], args["evidence"])]


def _returned(note: Note, cause: int, reason: bytes) -> Expected:
    args = {"parentId": note.parent, "noteId": note.id, "amount": note.amount, "cause": cause, "reason": reason}
    return Expected("Returned", args)


def refuse(context: Context) -> Steps:
    """The recipient does not take a note."""
    note, args = _found(context), context.args
    values = {"noteId": note.id, "reason": args["reason"], "deadline": args["deadline"]}
    context.signed("Refuse", values, context.register.key_of(note.holder), args["signature"], "recipient")
    yield _returned(note, REFUSED, args["reason"])


def withdraw(context: Context) -> Steps:
    """The giver takes an offer back."""
    register, note, args = context.register, _found(context), context.args
    giver = register.notes[note.parent].holder if note.parent else register.receivables[note.receivable].obligor
    values = {"noteId": note.id, "deadline": args["deadline"]}
    context.signed("Withdraw", values, register.key_of(giver), args["signature"], "giver")
    yield _returned(note, WITHDRAWN, _NO_REASON)


def lapse(context: Context) -> Steps:
    """An offer, lock or mass pass is over; anyone may say so."""
    yield _returned(_found(context), LAPSED, _NO_REASON)


def pass_note(context: Context) -> Steps:
    """The holder passes a part; acting on an offer accepts it."""
    register, intent = context.register, context.args["intent"]
    giver = register.notes[intent["parentId"]]
    context.signed("Pass", intent, register.key_of(giver.holder), context.args["signature"], "holder")
    if giver.flags & OFFERED:
        yield _accepted(giver)
    yield _passed(giver, intent["childIndex"], intent["to"], intent["amount"], intent["evidence"], intent["offerUntil"])


def _passed(giver: Note, index: int, to: bytes, amount: int, evidence: bytes, until: int) -> Expected:
    args = {
        "parentId": giver.id,
        "noteId": note_id(giver.receivable, giver.id, index, evidence),
        "to": to,
        "childIndex": index,
        "amount": amount,
        "evidence": evidence,
        "offerUntil": 0 if to == giver.holder else until,
    }
    return Expected("Passed", args)


def pass_many(context: Context) -> Steps:
    """The holder passes several parts at once."""
    register, intent = context.register, context.args["intent"]
    giver = register.notes[intent["parentId"]]
    context.signed("PassMany", intent, register.key_of(giver.holder), context.args["signature"], "holder")
    if giver.flags & OFFERED:
        yield _accepted(giver)
    parts = zip(intent["to"], intent["amounts"], intent["evidence"], strict=False)
    for index, (to, amount, evidence) in enumerate(parts, intent["childIndex"]):
        yield _passed(giver, index, to, amount, evidence, intent["offerUntil"])


def pass_mass(context: Context) -> Steps:
    """The holder commits to a whole list of recipients."""
    register, intent = context.register, context.args["intent"]
    giver = register.notes[intent["parentId"]]
    context.signed("MassPass", intent, register.key_of(giver.holder), context.args["signature"], "holder")
    if giver.flags & OFFERED:
        yield _accepted(giver)
    said = {name: value for name, value in intent.items() if name != "deadline"}
    mass_id = note_id(giver.receivable, giver.id, intent["childIndex"], intent["evidence"])
    yield Expected("MassPassed", {**said, "massId": mass_id})


def sum_tree_root(depth: int, leaf: int, to: bytes, amount: int, proof: list[int]) -> int:
    """Root of a Merkle sum tree: a node is uint192(hash) << 64 | sum; -1 when a sum overflows."""
    words = (depth.to_bytes(32, "big"), leaf.to_bytes(32, "big"), to.rjust(32, b"\0"), amount.to_bytes(32, "big"))
    node = (int.from_bytes(keccak(_LEAF_TAG + b"".join(words)), "big") << 64 & (2**256 - 1)) | amount
    for level, sibling in enumerate(proof):
        total = (node & (2**64 - 1)) + (sibling & (2**64 - 1))
        if total >= 2**64:
            return -1
        left, right = (node, sibling) if not leaf >> level & 1 else (sibling, node)
        digest = keccak(left.to_bytes(32, "big") + right.to_bytes(32, "big"))
        node = (int.from_bytes(digest, "big") << 64 & (2**256 - 1)) | total
    return node


def materialise(context: Context) -> Steps:
    """A recipient of a mass pass takes its note, with the proof that it is on the list."""
    register, args = context.register, context.args
    mass = register.notes[args["massId"]]
    values = {name: args[name] for name in ("massId", "leaf", "to", "amount", "deadline")}
    context.signed("Materialise", values, register.key_of(args["to"]), args["signature"], "recipient")
    depth = max(0, mass.mass_count - 1).bit_length()
    root = sum_tree_root(depth, args["leaf"], args["to"], args["amount"], args["proof"])
    lineage = register.report.check("lineage")
    sound = root == mass.mass_root and len(args["proof"]) == depth and args["leaf"] < mass.mass_count
    lineage.expect("sum_tree", context.record, True, sound)
    yield Expected("Materialised", {name: args[name] for name in ("massId", "leaf", "to", "amount")})


def finance(context: Context) -> Steps:
    """The holder takes a financier's quote; both sign."""
    register, args = context.register, context.args
    quote = args["quote"]
    giver = register.notes[quote["parentId"]]
    quote_hash = INTENTS["Quote"].struct_hash(quote)
    values = {"quoteHash": quote_hash, "reading": args["reading"], "deadline": args["deadline"]}
    context.signed("FinanceAccept", values, register.key_of(giver.holder), args["holderSignature"], "holder")
    context.signed("Quote", quote, register.key_of(quote["financier"]), args["financierSignature"], "financier")
    if giver.flags & OFFERED:
        yield _accepted(giver)
    said: dict[str, Any] = {"parentId": giver.id, "financier": quote["financier"], "childIndex": giver.children}
    said |= {"quoteHash": quote_hash, "quote": quote, "reading": args["reading"]}
    said["noteId"] = note_id(giver.receivable, giver.id, giver.children, quote["evidence"])
    yield Expected("FinancingLocked", said)


def complete_financing(context: Context) -> Steps:
    """The paying bank attests that the money arrived."""
    register, args = context.register, context.args
    quote = register.notes[args["noteId"]].quote or {}
    values = {name: value for name, value in args.items() if name != "bankSignature"}
    bank = register.key_of(quote.get("payingBank", b""))
    context.signed("CompleteFinancing", values, bank, args["bankSignature"], "bank")
    yield Expected("FinancingCompleted", {name: value for name, value in values.items() if name != "deadline"})


def record_payment(context: Context) -> Steps:
    """The obligor's paying bank attests a payment."""
    register, payment = context.register, context.args["payment"]
    receivable = register.receivables[payment["receivableId"]]
    bank = register.members[receivable.obligor].paying_bank
    context.signed("Payment", payment, register.key_of(bank), context.args["bankSignature"], "bank")
    names = ("receivableId", "round", "principal", "interest", "bankReference")
    event = yield Expected("PaymentRecorded", {**{name: payment[name] for name in names}, "bank": bank})
    if event is not None:
        check_cuts(register, receivable, payment, event.record)
    if not receivable.outstanding:
        yield Expected("Closed", {"receivableId": receivable.id})


def _settling(context: Context, note: Note, payee: bytes) -> Steps:
    receivable, number = context.register.receivables[note.receivable], context.args["round"]
    result = outcome(receivable, number, note)
    if result == "settled":
        yield Expected("Settled", {"noteId": note.id, "payee": payee, "round": number})
    elif result == "held":
        yield Expected("SettlementHeld", {"noteId": note.id})


def settle_many(context: Context) -> Steps:
    """Anyone hands a recorded payment on to the holders."""
    register, args = context.register, context.args
    for id_ in args["noteIds"]:
        note = register.notes.get(id_)
        if note is None:
            continue  # the contract skips what it does not know
        register.report.check("settlement").expect("not_movable", context.record, 0, note.flags & PENDING)
        yield from _settling(context, note, note.holder)


def settle_offered(context: Context) -> Steps:
    """A note still pending when its receivable is paid is settled to the giver."""
    register, note = context.register, _found(context)
    receivable = register.receivables[note.receivable]
    plain = note.flags & PENDING == OFFERED
    sound = bool(note.flags & PENDING) and ((plain and receivable.closed) or context.timestamp >= note.until)
    register.report.check("settlement").expect("offer_open", context.record, True, sound)
    yield from _settling(context, note, register.notes[note.parent].holder)


def set_frozen(context: Context) -> Steps:
    """A court order freezes or frees a note."""
    args = {name: value for name, value in context.args.items() if name != "signatures"}
    context.quorum("SetFrozen", args)
    said = {"tokenId": args["noteId"], "frozenStatus": args["frozenStatus"], "reason": args["reason"]}
    yield Expected("Frozen", said)


def forced_transfer(context: Context) -> Steps:
    """A court order moves a note."""
    args = {name: value for name, value in context.args.items() if name != "signatures"}
    context.quorum("ForcedTransfer", args)
    note = context.register.notes[args["noteId"]]
    said = {"from": note.holder, "to": args["to"], "tokenId": note.id, "reason": args["reason"]}
    said["noteId"] = note_id(note.receivable, note.id, note.children, args["reason"])
    yield Expected("ForcedTransfer", said)


ACTS: Mapping[str, Act] = {
    "issue": issue,
    "accept": accept,
    "acceptMany": accept_many,
    "refuse": refuse,
    "withdraw": withdraw,
    "lapse": lapse,
    "pass": pass_note,
    "passMany": pass_many,
    "passMass": pass_mass,
    "materialise": materialise,
    "finance": finance,
    "completeFinancing": complete_financing,
    "recordPayment": record_payment,
    "settleMany": settle_many,
    "settleOffered": settle_offered,
    "setFrozenTokens": set_frozen,
    "forcedTransfer": forced_transfer,
}
