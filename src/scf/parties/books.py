"""How ledger events become rows of the books of members."""

from __future__ import annotations

from scf.ledger.contracts import Event
from scf.parties.models import Member
from scf.store.books import Batch
from scf.store.projection import Handler

HALTED = 4


def _address(value: str) -> str | None:
    return None if int(value, 16) == 0 else value


def _enrolled(books: Batch, event: Event) -> None:
    args = event.args
    if books.get(Member, args["member"]) is not None:
        books.delete(Member, args["member"])
    books.insert(
        Member,
        address=args["member"],
        key=args["key"],
        organisation_id=args["organisation"],
        roles=args["roles"],
        limit_minor=args["limit"],
        paying_bank=_address(args["payingBank"]),
        identity="0x" + args["identity"].hex(),
        enrolled_at=event.timestamp,
    )


def _standing_set(books: Batch, event: Event) -> None:
    standing = event.args["standing"]
    books.update(Member, event.args["member"], standing=standing, halted=bool(standing & HALTED))


def _limit_set(books: Batch, event: Event) -> None:
    books.update(Member, event.args["obligor"], limit_minor=event.args["limit"])


def _paying_bank_set(books: Batch, event: Event) -> None:
    books.update(Member, event.args["obligor"], paying_bank=_address(event.args["payingBank"]))


def _set_halted(books: Batch, obligor: str, halted: bool) -> None:
    standing = books.require(Member, obligor)["standing"]
    books.update(Member, obligor, halted=halted, standing=standing | HALTED if halted else standing & ~HALTED)


def _halted(books: Batch, event: Event) -> None:
    _set_halted(books, event.args["obligor"], True)


def _cured(books: Batch, event: Event) -> None:
    _set_halted(books, event.args["obligor"], False)


def _key_rotated(books: Batch, event: Event) -> None:
    books.update(Member, event.args["member"], key=event.args["newKey"])


HANDLERS: dict[str, Handler[Event]] = {
    "Members.Enrolled": _enrolled,
    "Members.StandingSet": _standing_set,
    "Members.LimitSet": _limit_set,
    "Members.PayingBankSet": _paying_bank_set,
    "Members.Halted": _halted,
    "Members.Cured": _cured,
    "Members.KeyRotated": _key_rotated,
}
