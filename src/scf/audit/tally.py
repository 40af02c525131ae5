"""Control totals for the manifest, counted from the ledger's decoded events.

Counted here with the ledger room's decoder and by plain addition; the verifier arrives at the same figures by another
way, from its own decoder and a rebuilt register.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from scf.ledger.contracts import Event

HELD, OFFERED, LOCKED = "held", "offered", "locked"
FIELDS = (
    "face_issued",
    "cancelled",
    "paid",
    "outstanding",
    "settled",
    "interest_settled",
    HELD,
    OFFERED,
    LOCKED,
    "financed",
    "financed_net",
    "entrusted_agreed",
    "entrusted_locked",
    "entrusted_released",
    "entrusted_refunded",
    "entrusted_held",
)


class Tally:
    """Sums per currency (ISO 4217 numeric), in minor units, and counts."""

    def __init__(self) -> None:
        self.events = 0
        self.anchors = 0
        self.payments = 0
        self._sums: dict[int, dict[str, int]] = {}
        self._currency: dict[int, int] = {}  # of a receivable
        self._notes: dict[int, list[Any]] = {}  # id -> [amount, where it counts]
        self._quotes: dict[int, Mapping[str, Any]] = {}
        self._accounts: dict[int, tuple[int, int]] = {}  # currency, agreed amount
        self._paid: dict[tuple[int, bytes], str] = {}  # (account, payment id) -> what it counted as
        self._members: set[str] = set()

    def add(self, event: Event) -> None:
        """Count one event."""
        self.events += 1
        handler = _HANDLERS.get(f"{event.contract}.{event.name}")
        if handler is not None:
            handler(self, event.args)

    def totals(self) -> dict[str, dict[str, str]]:
        """Sums as decimal text by currency."""
        result = {}
        for code in sorted(self._sums):
            sums = dict(self._sums[code])
            sums["outstanding"] = sums["face_issued"] - sums["cancelled"] - sums["paid"]
            sums["entrusted_held"] = sums["entrusted_locked"] - sums["entrusted_released"] - sums["entrusted_refunded"]
            result[str(code)] = {name: str(sums[name]) for name in FIELDS}
        return result

    def counts(self, blocks: int, transactions: int) -> dict[str, int]:
        """How many of each."""
        return {
            "blocks": blocks,
            "transactions": transactions,
            "events": self.events,
            "members": len(self._members),
            "receivables": len(self._currency),
            "notes": len(self._notes),
            "payments": self.payments,
            "entrusted_accounts": len(self._accounts),
            "anchors": self.anchors,
        }

    def _plus(self, currency: int, field: str, amount: int) -> None:
        self._sums.setdefault(currency, dict.fromkeys(FIELDS, 0))[field] += amount

    def _set(self, note: int, amount: int, where: str) -> None:
        currency = self._currency[note >> 192]
        before = self._notes.get(note)
        if before is not None:
            self._plus(currency, before[1], -before[0])
        self._notes[note] = [amount, where]
        self._plus(currency, where, amount)

    def _spend(self, note: int, amount: int) -> None:
        self._set(note, self._notes[note][0] - amount, self._notes[note][1])

    def _issued(self, args: Mapping[str, Any]) -> None:
        self._currency[args["receivableId"]] = args["currency"]
        self._plus(args["currency"], "face_issued", args["face"])
        self._set(args["noteId"], args["face"], OFFERED)

    def _accepted(self, args: Mapping[str, Any]) -> None:
        self._set(args["noteId"], self._notes[args["noteId"]][0], HELD)

    def _passed(self, args: Mapping[str, Any]) -> None:
        self._spend(args["parentId"], args["amount"])
        self._set(args["noteId"], args["amount"], OFFERED if args["offerUntil"] else HELD)

    def _returned(self, args: Mapping[str, Any]) -> None:
        self._set(args["noteId"], 0, HELD)
        if args["parentId"]:
            self._spend(args["parentId"], -args["amount"])
        else:
            self._plus(self._currency[args["noteId"] >> 192], "cancelled", args["amount"])

    def _mass_passed(self, args: Mapping[str, Any]) -> None:
        amount = args["root"] & (2**64 - 1)
        self._spend(args["parentId"], amount)
        self._set(args["massId"], amount, OFFERED)

    def _materialised(self, args: Mapping[str, Any]) -> None:
        self._spend(args["massId"], args["amount"])
        self._set(args["noteId"], args["amount"], HELD)

    def _locked(self, args: Mapping[str, Any]) -> None:
        quote = args["quote"]
        self._quotes[args["noteId"]] = quote
        self._spend(args["parentId"], quote["amount"])
        self._set(args["noteId"], quote["amount"], LOCKED)

    def _completed(self, args: Mapping[str, Any]) -> None:
        note, quote = args["noteId"], self._quotes[args["noteId"]]
        self._set(note, self._notes[note][0], HELD)
        self._plus(self._currency[note >> 192], "financed", quote["amount"])
        self._plus(self._currency[note >> 192], "financed_net", quote["net"])

    def _payment(self, args: Mapping[str, Any]) -> None:
        self.payments += 1
        self._plus(self._currency[args["receivableId"]], "paid", args["principal"])

    def _settled(self, args: Mapping[str, Any]) -> None:
        currency = self._currency[args["noteId"] >> 192]
        self._spend(args["noteId"], args["principal"])
        self._plus(currency, "settled", args["principal"])
        self._plus(currency, "interest_settled", args["interest"])

    def _forced(self, args: Mapping[str, Any]) -> None:
        amount = self._notes[args["tokenId"]][0]
        self._spend(args["tokenId"], amount)
        self._set(args["noteId"], amount, HELD)

    def _opened(self, args: Mapping[str, Any]) -> None:
        self._accounts[args["accountId"]] = (args["currency"], args["amount"])
        self._plus(args["currency"], "entrusted_agreed", args["amount"])

    def _entrusted(self, field: str, args: Mapping[str, Any]) -> None:
        self._plus(self._accounts[args["accountId"]][0], field, args["amount"])
        if "paymentId" in args:
            self._paid[args["accountId"], args["paymentId"]] = field

    def _came_back(self, args: Mapping[str, Any]) -> None:
        field = self._paid[args["accountId"], args["paymentId"]]
        self._plus(self._accounts[args["accountId"]][0], field, -args["amount"])

    def _enrolled(self, args: Mapping[str, Any]) -> None:
        self._members.add(args["member"])

    def _anchored(self, args: Mapping[str, Any]) -> None:
        self.anchors += 1


_HANDLERS: Mapping[str, Callable[[Tally, Mapping[str, Any]], None]] = {
    "Members.Enrolled": Tally._enrolled,
    "Receivables.Issued": Tally._issued,
    "Receivables.Accepted": Tally._accepted,
    "Receivables.Passed": Tally._passed,
    "Receivables.Returned": Tally._returned,
    "Receivables.MassPassed": Tally._mass_passed,
    "Receivables.Materialised": Tally._materialised,
    "Receivables.FinancingLocked": Tally._locked,
    "Receivables.FinancingCompleted": Tally._completed,
    "Receivables.PaymentRecorded": Tally._payment,
    "Receivables.Settled": Tally._settled,
    "Receivables.ForcedTransfer": Tally._forced,
    "EntrustedAccounts.Opened": Tally._opened,
    "EntrustedAccounts.FundsLocked": lambda tally, args: tally._entrusted("entrusted_locked", args),
    "EntrustedAccounts.ReleaseExecuted": lambda tally, args: tally._entrusted("entrusted_released", args),
    "EntrustedAccounts.RefundExecuted": lambda tally, args: tally._entrusted("entrusted_refunded", args),
    "EntrustedAccounts.PaymentReturned": Tally._came_back,
    "EvidenceLog.Anchored": Tally._anchored,
}
