"""Who may see what. The whole policy is here, as functions of plain facts; nothing else decides.

- Auditor, operator, regulator: everything.
- Paying bank of the obligor: the receivable and all notes with names; it pays them.
- Obligor: the receivable, every amount and state; names only of itself and its own creditor.
- Holder or giver of a note, now or past: the terms; its own notes; the notes it passed on, with whom; upwards only that
  they exist, with the names of its own giver and of the obligor.
- Financier invited to quote, paying bank of a financing: the terms and the note in question, with the seller's name.
- Anyone else: nothing; the answer is the same as for a record that does not exist.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum

from scf.api.access import Caller
from scf.entrusted.models import EntrustedAccount, Stage
from scf.kernel.problems import Problem
from scf.receivables.models import Financing, Note, Receivable


class Sight(IntEnum):
    """How much of a receivable a caller sees."""

    NONE = 0
    BRANCH = 1
    """Its own notes, what it passed on, and the way up to the root."""
    SUM = 2
    """All amounts; names only down to its own creditor."""
    ALL = 3


@dataclass(frozen=True, slots=True)
class NoteSight:
    """What of one note may be shown: `amounts` and the two names; state, tier and descent always are."""

    note: Note
    amounts: bool
    holder: bool
    giver: bool
    mine: bool = False


@dataclass(frozen=True, slots=True)
class Circle:
    """Relations of a receivable that do not stand in its own row."""

    paying_bank: str | None = None
    financings: Sequence[Financing] = ()
    invited: Mapping[str, Collection[str]] = field(default_factory=dict)
    """Addresses of invited financiers by note id."""


def receivable_sight(caller: Caller, row: Receivable, notes: Sequence[Note], circle: Circle) -> Sight:
    """How much of a receivable the caller sees."""
    mine = caller.addresses
    if caller.sees_all or circle.paying_bank in mine:
        return Sight.ALL
    if row.obligor in mine:
        return Sight.SUM
    if any(note.holder in mine or note.giver in mine for note in notes) or _asked(caller, circle):
        return Sight.BRANCH
    return Sight.NONE


def note_sights(caller: Caller, row: Receivable, notes: Sequence[Note], circle: Circle) -> list[NoteSight]:
    """The notes the caller may see, in the order given, each with what of it may be shown."""
    sight = receivable_sight(caller, row, notes, circle)
    mine = caller.addresses
    if sight is Sight.NONE:
        return []
    if sight is Sight.ALL:
        return [NoteSight(note, True, True, True, note.holder in mine) for note in notes]
    if sight is Sight.SUM:
        known = mine | {row.obligor, row.creditor}
        return [
            NoteSight(
                note, True, note.parent_id is None or note.holder in mine, note.giver in known, note.holder in mine
            )
            for note in notes
        ]
    return _branch(caller, notes, circle)


def _branch(caller: Caller, notes: Sequence[Note], circle: Circle) -> list[NoteSight]:
    mine, by_id = caller.addresses, {note.id: note for note in notes}
    shown: dict[str, NoteSight] = {}
    asked = _asked(caller, circle)
    for note in notes:
        if note.holder in mine:
            shown[note.id] = NoteSight(note, True, True, True, mine=True)
        elif note.giver in mine or note.id in asked:
            shown[note.id] = NoteSight(note, True, True, note.giver in mine)
    for note_id in list(shown):
        if note_id not in asked and not shown[note_id].mine:
            continue
        above = by_id[note_id].parent_id
        while above is not None and above in by_id:
            giver = by_id[note_id].giver
            shown.setdefault(above, NoteSight(by_id[above], False, by_id[above].holder == giver, False))
            above = by_id[above].parent_id
    return [shown[note.id] for note in notes if note.id in shown]


def _asked(caller: Caller, circle: Circle) -> set[str]:
    """Ids of notes the caller was asked to finance, finances or pays for."""
    ids = {note_id for note_id, invited in circle.invited.items() if caller.addresses & set(invited)}
    for financing in circle.financings:
        if caller.addresses & {financing.financier, financing.paying_bank, financing.seller}:
            ids.add(financing.note_id)
    return ids


def stage_sights(
    caller: Caller,
    row: EntrustedAccount,
    stages: Sequence[Stage],
    duties: Collection[str],
    financiers: Collection[str] = (),
) -> list[Stage]:
    """The stages of an entrusted account the caller may see; none when it has no relation to the account.

    Payer, beneficiary, bank, attestors, approvers and the financier whose money it is see all; a payee its own stages.
    """
    parties = {row.payer, row.beneficiary, row.bank, *duties, *financiers}
    if caller.sees_all or caller.addresses & parties:
        return list(stages)
    return [stage for stage in stages if stage.payee in caller.addresses]


def may_open_evidence(caller: Caller, sender: str, parties: Collection[str]) -> bool:
    """Whether raw bytes may be opened: by who sent them, both sides of the trade or hold they prove, and overseers."""
    return caller.sees_all or sender in caller.senders or bool(caller.addresses & set(parties))


def require_signer(caller: Caller, act: str, signers: Collection[str]) -> None:
    """An act is prepared for and sent by its own parties. Raises Problem `not_your_act`, which names nobody else."""
    if not caller.addresses & set(signers):
        raise Problem("not_your_act", act=act, caller=caller.name)
