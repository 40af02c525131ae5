"""The acts of a receivable's life: which typed data each party signs and which call carries it to the ledger."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from scf.ledger.contracts import Contracts
from scf.ledger.types import Call

Message = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ActKind:
    """One kind of act: its EIP-712 primary type and how message and signature become a call."""

    contract: str
    primary_type: str
    call: Callable[[Contracts, Message, bytes], Call]


ACTS: dict[str, ActKind] = {
    "issue": ActKind("Receivables", "Issue", lambda c, m, s: c.receivables.call("issue", m, s)),
    "accept": ActKind(
        "Receivables", "Accept", lambda c, m, s: c.receivables.call("accept", m["noteId"], m["deadline"], s)
    ),
    "accept_many": ActKind(
        "Receivables", "AcceptMany", lambda c, m, s: c.receivables.call("acceptMany", m["noteIds"], m["deadline"], s)
    ),
    "refuse": ActKind(
        "Receivables",
        "Refuse",
        lambda c, m, s: c.receivables.call("refuse", *m["path"], m["reason"], m["deadline"], s),
    ),
    "withdraw": ActKind(
        "Receivables",
        "Withdraw",
        lambda c, m, s: c.receivables.call("withdraw", *m["path"], m["deadline"], s),
    ),
    "pass": ActKind("Receivables", "Pass", lambda c, m, s: c.receivables.call("pass", m, s)),
    "pass_many": ActKind("Receivables", "PassMany", lambda c, m, s: c.receivables.call("passMany", m, s)),
    "mass_pass": ActKind("Receivables", "MassPass", lambda c, m, s: c.receivables.call("passMass", m, s)),
    "claim": ActKind(
        "Receivables",
        "Materialise",
        lambda c, m, s: c.receivables.call(
            "materialise", m["massId"], m["leaf"], m["to"], m["amount"], m["proof"], m["deadline"], s
        ),
    ),
    "payment": ActKind("Receivables", "Payment", lambda c, m, s: c.receivables.call("recordPayment", m, s)),
}
"""Acts by name. Calls of `refuse` and `withdraw` also need the note's path, `claim` a proof; see `Receivables.call`."""
