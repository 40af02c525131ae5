"""How ledger events become rows of the books of members."""

from __future__ import annotations

from scf.kernel.money import currency as currency_of
from scf.ledger.contracts import Event
from scf.parties.models import ExposureLimit, Member
from scf.store.books import Batch
from scf.store.projection import Handler

HALTED = 4
MOST_MINOR = 2**63 - 1
"""The largest amount a book holds; the ledger's highest number, 2^64 - 1, is no limit."""
_NO_LIMIT = 2**64 - 1


def _address(value: str) -> str | None:
    return None if int(value, 16) == 0 else value


def _enrolled(books: Batch, event: Event) -> None:
    args = event.args
    known = books.get(Member, args["member"])
    kept = {}
    if known is not None:
        kept = {name: known[name] for name in ("group_number", "standing", "halted")}
        books.delete(Member, args["member"])
    books.insert(
        Member,
        address=args["member"],
        key=args["key"],
        organisation_id=args["organisation"],
        roles=args["roles"],
        limit_minor=min(args["limit"], MOST_MINOR),
        paying_bank=_address(args["payingBank"]),
        identity="0x" + args["identity"].hex(),
        enrolled_at=event.timestamp,
        **kept,
    )


def _standing_set(books: Batch, event: Event) -> None:
    standing = event.args["standing"]
    books.update(Member, event.args["member"], standing=standing, halted=bool(standing & HALTED))


def _limit_set(books: Batch, event: Event) -> None:
    books.update(Member, event.args["obligor"], limit_minor=min(event.args["limit"], MOST_MINOR))


def _group_set(books: Batch, event: Event) -> None:
    books.update(Member, event.args["obligor"], group_number=event.args["group"])


def _group_limit_set(books: Batch, event: Event) -> None:
    _ceiling(books, event, "group", str(event.args["group"]))


def _financier_limit_set(books: Batch, event: Event) -> None:
    _ceiling(books, event, "financier", event.args["financier"])


def _ceiling(books: Batch, event: Event, kind: str, subject: str) -> None:
    limit, code = event.args["limit"], currency_of(event.args["currency"]).code
    if books.get(ExposureLimit, kind, subject, code) is not None:
        books.delete(ExposureLimit, kind, subject, code)
    if limit != _NO_LIMIT:
        books.insert(
            ExposureLimit,
            kind=kind,
            subject=subject,
            currency=code,
            limit_minor=min(limit, MOST_MINOR),
            set_at=event.timestamp,
        )


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
    "Members.GroupSet": _group_set,
    "Members.GroupLimitSet": _group_limit_set,
    "Members.FinancierLimitSet": _financier_limit_set,
    "Members.PayingBankSet": _paying_bank_set,
    "Members.Halted": _halted,
    "Members.Cured": _cured,
    "Members.KeyRotated": _key_rotated,
}
