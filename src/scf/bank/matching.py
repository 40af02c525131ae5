"""Which line proves which payment: by end-to-end id, then by reference and amount found exactly once.

Only lines from the bank's own feed count. The debit of the payer's account proves execution; the same payment seen on
the payee's account is tied to it too; money that comes back makes it returned or reversed. A payment takes one line of
each kind: a second debit under the same id is money paid twice and stays untied, for a person to see.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from sqlmodel import Session, col, select

from scf.bank.models import BankInstruction, BankLine, InstructionState
from scf.store.evidence import Trust

_CHUNK = 500
_WORD = re.compile(r"[A-Za-z0-9./-]{1,35}")
_UNDONE = (InstructionState.RETURNED, InstructionState.REVERSED)
_OPEN = (InstructionState.SENT, InstructionState.ACCEPTED)


def match_lines(session: Session, lines: Sequence[BankLine], *, now: int) -> int:
    """Tie lines to payments and carry the payments' states forward; returns how many lines were tied."""
    waiting = [line for line in lines if line.matched is None and line.trust >= Trust.T3 and not line.is_superseded]
    named = _instructions(session, {line.end_to_end_id for line in waiting if line.end_to_end_id})
    taken = _taken(session, named)
    tied = 0
    for line in sorted(waiting, key=lambda line: line.id or 0):
        instruction = named.get(line.end_to_end_id or "")
        kind = "end_to_end"
        if instruction is None:
            instruction, kind = _by_reference(session, line), "reference"
        elif not _fits(line, instruction) or _role(line, instruction) in taken:
            continue
        if instruction is not None:
            _tie(line, instruction, kind, now)
            taken.add(_role(line, instruction))
            tied += 1
    session.flush()
    return tied


def match_waiting(session: Session, instruction: BankInstruction, *, now: int) -> bool:
    """Tie lines that came before their instruction; True when the payment turns out to be executed already."""
    query = select(BankLine).where(
        BankLine.end_to_end_id == instruction.end_to_end_id,
        col(BankLine.matched).is_(None),
        BankLine.trust >= Trust.T3,
        ~col(BankLine.is_superseded),
    )
    taken: set[tuple[str, str, bool]] = set()
    for line in session.exec(query.order_by(col(BankLine.id))).all():
        if _fits(line, instruction) and _role(line, instruction) not in taken:
            _tie(line, instruction, "end_to_end", now)
            taken.add(_role(line, instruction))
    return instruction.state != InstructionState.WRITTEN


def _instructions(session: Session, names: Iterable[str]) -> dict[str, BankInstruction]:
    listed = sorted(names)
    found: dict[str, BankInstruction] = {}
    for start in range(0, len(listed), _CHUNK):
        query = select(BankInstruction).where(col(BankInstruction.end_to_end_id).in_(listed[start : start + _CHUNK]))
        found |= {row.end_to_end_id: row for row in session.exec(query)}
    return found


def _taken(session: Session, names: Iterable[str]) -> set[tuple[str, str, bool]]:
    """What the lines tied so far say of these payments: payment, account, whether money came in."""
    listed = sorted(names)
    found: set[tuple[str, str, bool]] = set()
    for start in range(0, len(listed), _CHUNK):
        query = select(BankLine).where(col(BankLine.matched).in_(listed[start : start + _CHUNK]))
        found |= {(line.matched or "", line.account, line.amount_minor > 0) for line in session.exec(query)}
    return found


def _role(line: BankLine, instruction: BankInstruction) -> tuple[str, str, bool]:
    return instruction.end_to_end_id, line.account, line.amount_minor > 0


def _fits(line: BankLine, instruction: BankInstruction) -> bool:
    """Whether account, amount and currency are those of the payment, going either way."""
    own = line.account in (instruction.debtor_account, instruction.creditor_account)
    return own and abs(line.amount_minor) == instruction.amount_minor and line.currency == instruction.currency


def _by_reference(session: Session, line: BankLine) -> BankInstruction | None:
    """The one open payment of this amount from this account that the line's text names; None where none or several."""
    if line.amount_minor >= 0:
        return None
    words = set(_WORD.findall(f"{line.remittance} {line.structured_reference or ''}"))
    if not words:
        return None
    query = select(BankInstruction).where(
        BankInstruction.debtor_account == line.account,
        BankInstruction.amount_minor == -line.amount_minor,
        BankInstruction.currency == line.currency,
        col(BankInstruction.state).in_(_OPEN),
        col(BankInstruction.bank_reference).is_(None),
    )
    found = [row for row in session.exec(query) if words & {row.end_to_end_id, row.uetr, *row.remittance.split()}]
    exact = [row for row in found if row.end_to_end_id in words]
    candidates = exact or found
    return candidates[0] if len(candidates) == 1 else None


def _tie(line: BankLine, instruction: BankInstruction, kind: str, now: int) -> None:
    line.matched = instruction.end_to_end_id
    line.match_kind = kind
    if line.account != instruction.debtor_account:
        return
    if line.amount_minor > 0:
        instruction.state = InstructionState.REVERSED if line.is_reversal else InstructionState.RETURNED
        instruction.reason_code = line.return_reason or instruction.reason_code
    else:
        if instruction.state not in _UNDONE:  # the way back may be seen before the way out
            instruction.state = InstructionState.EXECUTED
        instruction.bank_reference = line.bank_reference or line.key[:80]
        instruction.executed_on = line.booked_on
    instruction.changed_at = now
