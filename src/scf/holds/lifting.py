"""Ending a hold by the operators' quorum: one opens it with words and evidence, two sign it, the ledger executes it.

What is signed carries the quorum's own counter. Where another act of the operators came in between, what was signed is
of no use any more, and both sign again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlmodel import Session, col, select

from scf.desk.service import Desk, Prepared
from scf.entrusted import queries as entrusted_queries
from scf.entrusted.service import EntrustedAccounts
from scf.holds.finding import Hold
from scf.holds.models import HoldLift
from scf.kernel.identifiers import reference_of
from scf.kernel.money import format_money
from scf.kernel.problems import Problem
from scf.ledger.hashing import keccak
from scf.ledger.intents import sort_signatures
from scf.ledger.types import Call
from scf.parties.changes import require_reason
from scf.parties.models import Member
from scf.parties.service import Parties, Role
from scf.risk.lists import Lists
from scf.store import evidence

_SIGNATURE_BYTES = 65
LIFTED_BY_QUORUM = ("dispute", "frozen", "halt", "standing")
"""Kinds of holds that end by an act of the operators on the ledger."""


def open_lift(
    session: Session,
    desk: Desk,
    parties: Parties,
    room: EntrustedAccounts,
    hold: Hold,
    *,
    by: str,
    words: str,
    evidence_id: str,
    to_release_minor: int | None = None,
    to_refund_minor: int | None = None,
    appeal: str | None = None,
    in_favour_of: str | None = None,
) -> HoldLift:
    """Prepare the act that ends a hold; the one under way is given back.

    A disputed part needs to be divided: so much out to the payee, so much back to the payer, or all of it in favour of
    one side. Raises Problem `lift_unknown_kind`, `lift_too_early` before both sides' time is over,
    `lift_divides_wrongly`, `evidence_not_filed`, `reason_missing`. An entry of the blacklist may end at any time.
    """
    said, now = require_reason(words), desk.clock.now()
    if hold.kind not in LIFTED_BY_QUORUM:
        raise Problem("lift_unknown_kind", hold=hold.id)
    if not evidence.records_of(session, evidence_id):
        raise Problem("evidence_not_filed", evidence=evidence_id[:12] + "…")
    if appeal is None and hold.decide_by > now and hold.kind != "standing":
        raise Problem("lift_too_early", hold=hold.id)
    known = session.exec(select(HoldLift).where(HoldLift.hold == hold.id, HoldLift.state == "open")).first()
    if known is not None:
        return known
    out, back = _divided(session, hold, to_release_minor, to_refund_minor, in_favour_of)
    row = HoldLift(
        id=reference_of(keccak(f"{hold.id}|{by}|{now}|{said}".encode()), "LFT"),
        hold=hold.id,
        kind=hold.kind,
        appeal=appeal,
        words=said,
        reason=room.state_words(session, said, "lift", by),
        evidence_id=evidence_id,
        to_release_minor=out,
        to_refund_minor=back,
        currency=hold.currency,
        parties=",".join(sorted(hold.parties)),
        opened_by=by,
        opened_at=now,
    )
    session.add(row)
    session.flush()
    return row


def typed(session: Session, desk: Desk, parties: Parties, lists: Lists, row: HoldLift) -> list[Prepared]:
    """What an operator signs now: one act, or one for each member of a firm that comes off the blacklist."""
    if row.kind == "standing":
        entry = lists.entry(session, int(row.hold.split(":")[1]))
        return lists.standing_acts(session, entry, row.reason, ending=True)
    message, contract, kind, summary = _act(session, desk, parties, row)
    return [desk.prepare(f"lift_{row.kind}", contract, kind, message, signers=(), summary=summary)]


def sign_lift(desk: Desk, parties: Parties, lists: Lists, lift_id: str, by: str, signature: bytes) -> HoldLift:
    """One operator signs; several acts are signed one after the other. The second signature carries it to the ledger.

    Raises Problem `operator_needed`, `unknown_lift`, `lift_over`, `same_operator` when the first signs again,
    `signature_not_of_signer`, `lift_signed_again` when the first signature became void and this one took its place.
    """
    with desk.session() as session:
        member = require_operator(session, by)
    finished(desk, lists, lift_id)
    with desk.session() as session:
        row = lift_of(session, lift_id)
        if row.state != "open":
            raise Problem("lift_over", state=row.state)
        acts = typed(session, desk, parties, lists, row)
        parts = _parts(signature, len(acts))
        for act, part in zip(acts, parts, strict=True):
            desk.require_signature(act.contract, act.primary_type, act.message, member.key, part)
        nonce, first = int(acts[0].message["nonce"]), row.first_signature
        if first is None or row.nonce != nonce:
            row.first_by, row.first_signature, row.nonce = by, signature.hex(), nonce
            session.add(row)
            return row
        if row.first_by == by:
            raise Problem("same_operator")
        calls = [
            (_reference(row.id, nonce + place), _call(desk, row, act.message, sort_signatures(act.digest, [one, part])))
            for place, (act, one, part) in enumerate(
                zip(acts, _parts(bytes.fromhex(first), len(acts)), parts, strict=True)
            )
        ]
        row.second_by = by
        session.add(row)
    desk.relay(calls, check=len(calls) == 1)
    return finished(desk, lists, lift_id)


def _parts(signature: bytes, count: int) -> list[bytes]:
    """The signature of each act. Raises Problem `signatures_missing`."""
    if count > 1 and len(signature) != count * _SIGNATURE_BYTES:
        raise Problem("signatures_missing", act="lift", needed=count, given=len(signature) // _SIGNATURE_BYTES)
    if count == 1:
        return [signature]
    return [signature[place * _SIGNATURE_BYTES : (place + 1) * _SIGNATURE_BYTES] for place in range(count)]


def lift_of(session: Session, lift_id: str) -> HoldLift:
    """One lift. Raises Problem `unknown_lift`."""
    row = session.get(HoldLift, lift_id)
    if row is None:
        raise Problem("unknown_lift", lift=lift_id[:40])
    return row


def finished(desk: Desk, lists: Lists, lift_id: str) -> HoldLift:
    """One lift, marked as done where its acts stand on the ledger. Raises Problem `unknown_lift`."""
    with desk.session() as session:
        row = lift_of(session, lift_id)
        if row.state != "open" or row.second_by is None or row.nonce is None:
            return row
        count = len(lists.members_of_entry(session, row.hold)) if row.kind == "standing" else 1
        references = [_reference(row.id, row.nonce + place) for place in range(count)]
    done = [desk.sent(reference) for reference in references]
    with desk.session() as session:
        row = lift_of(session, lift_id)
        last = done[-1]
        if last is not None and all(one is not None for one in done):
            row.state, row.done_at, row.transaction = "done", last.timestamp, last.transaction_hash
            session.add(row)
            if row.kind == "standing":
                lists.ended(session, int(row.hold.split(":")[1]), row.words, last.timestamp)
        return row


def lifts(session: Session, *, hold: str | None = None) -> list[HoldLift]:
    """Lifts, those under way first, then the newest; those of one hold with `hold`."""
    query = select(HoldLift).order_by(col(HoldLift.state).desc(), col(HoldLift.opened_at).desc(), col(HoldLift.id))
    return list(session.exec(query.where(HoldLift.hold == hold) if hold else query))


def turn_of(session: Session, parties: Parties, row: HoldLift) -> dict[str, str]:
    """Whose turn it is, in one sentence a language."""
    if row.state == "done":
        return {
            "en": "Nobody's: two operators signed, and it is done.",
            "zh-CN": "无需操作：两名运营人员已签署并执行。",
        }
    if row.first_by is None:
        return {"en": "Two operators have to sign.", "zh-CN": "等待两名运营人员签署。"}
    seat = seat_of(session, parties, row.first_by)
    return {
        "en": f"A second operator has to sign; {seat} signed.",
        "zh-CN": f"{seat} 已签署，等待第二名运营人员签署。",
    }


def seat_of(session: Session, parties: Parties, address: str) -> str:
    """What an operator is called: its duty at the platform."""
    found = [one.duty for one in parties.participants(session) if one.address == address]
    return found[0] if found else parties.name_of(session, address)


def require_operator(session: Session, who: str) -> Member:
    """The operator at an address. Raises Problem `operator_needed`."""
    member = session.get(Member, who)
    if member is None or not Role(member.roles) & Role.OPERATOR:
        raise Problem("operator_needed")
    return member


def _divided(
    session: Session, hold: Hold, out: int | None, back: int | None, in_favour_of: str | None
) -> tuple[int, int]:
    if hold.kind != "dispute":
        return 0, 0
    if out is None and back is None and in_favour_of is not None:
        payer = entrusted_queries.account(session, int(hold.id.split(":")[1])).payer
        return (0, hold.amount_minor) if in_favour_of == payer else (hold.amount_minor, 0)
    release, refund = out or 0, back or 0
    if min(release, refund) < 0 or not 0 < release + refund <= hold.amount_minor:
        raise Problem("lift_divides_wrongly", held=format_money(hold.amount_minor, hold.currency))
    return release, refund


def _act(
    session: Session, desk: Desk, parties: Parties, row: HoldLift
) -> tuple[dict[str, Any], str, str, dict[str, str]]:
    read, about = desk.ledger, row.hold.split(":")
    if row.kind == "dispute":
        account, stage = int(about[1]), int(about[2])
        out, back = (format_money(minor, row.currency) for minor in (row.to_release_minor, row.to_refund_minor))
        message: dict[str, Any] = {
            "accountId": account,
            "stage": stage,
            "toRelease": row.to_release_minor,
            "toRefund": row.to_refund_minor,
            "reason": row.reason,
            "nonce": int(desk.contracts.entrusted.read(read, "quorumNonce")),
        }
        words = {
            "en": f"You decide the dispute on stage {stage + 1} of account {account}: {out} is released, {back} goes "
            f"back. {row.words}",
            "zh-CN": f"您就账户 {account} 第 {stage + 1} 阶段的争议作出决定：释放 {out}，退回 {back}。{row.words}",
        }
        return message, "EntrustedAccounts", "ResolveByQuorum", words
    if row.kind == "frozen":
        message = {
            "noteId": int(about[1], 16),
            "frozenStatus": False,
            "reason": row.reason,
            "nonce": int(desk.contracts.receivables.read(read, "quorumNonce")),
        }
        words = {
            "en": f"You unfreeze note {about[1][:12]}…. {row.words}",
            "zh-CN": f"您解除凭证 {about[1][:12]}… 的冻结。{row.words}",
        }
        return message, "Receivables", "SetFrozen", words
    name = parties.name_of(session, about[1])
    message = {
        "obligor": about[1],
        "evidence": "0x" + row.evidence_id,
        "nonce": int(desk.contracts.members.read(read, "quorumNonce")),
    }
    words = {"en": f"You let {name} issue again. {row.words}", "zh-CN": f"您恢复 {name} 的开立资格。{row.words}"}
    return message, "Members", "Cure", words


def _call(desk: Desk, row: HoldLift, message: Mapping[str, Any], signatures: list[bytes]) -> Call:
    contract, function, *fields = _CALLS[row.kind]
    handle = {"EntrustedAccounts": desk.contracts.entrusted, "Receivables": desk.contracts.receivables}
    return handle.get(contract, desk.contracts.members).call(function, *(message[name] for name in fields), signatures)


_CALLS: Mapping[str, tuple[str, ...]] = {
    "dispute": (
        "EntrustedAccounts", "resolveByQuorum", "accountId", "stage", "toRelease", "toRefund", "reason",
    ),
    "frozen": ("Receivables", "setFrozenTokens", "noteId", "frozenStatus", "reason"),
    "halt": ("Members", "cure", "obligor", "evidence"),
    "standing": ("Members", "setStanding", "member", "standing", "reason"),
}  # fmt: skip
"""Kind -> contract, function, fields of the message before the signatures."""


def _reference(lift_id: str, nonce: int) -> str:
    return f"lift:{lift_id}:{nonce}"
