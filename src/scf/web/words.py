"""Words for what the records hold as codes: states, roles, duties, acts. Each is translated where it is shown."""

from __future__ import annotations

from scf.web.i18n import N_

STATES = {
    "offered": N_("offered"),
    "held": N_("held"),
    "live": N_("live"),
    "locked": N_("locked for financing"),
    "mass": N_("passed in bulk"),
    "returned": N_("returned"),
    "settled": N_("paid"),
    "cancelled": N_("cancelled"),
    "closed": N_("paid and closed"),
    "overdue": N_("overdue"),
    "several": N_("several"),
    "financed": N_("financed"),
    "frozen": N_("on hold"),
    "open": N_("open"),
    "expired": N_("expired"),
}
ROLES = {
    "obligor": N_("core enterprise"),
    "supplier": N_("supplier"),
    "financier": N_("financier"),
    "bank": N_("paying bank"),
    "attestor": N_("attestor"),
    "approver": N_("approver"),
    "operator": N_("operator"),
    "auditor": N_("auditor"),
    "regulator": N_("regulator"),
}
DUTIES = {
    "account": N_("firm account"),
    "approver": N_("release approver"),
    "maker": N_("maker"),
    "checker": N_("checker"),
    "credit-officer": N_("credit officer"),
    "operator-1": N_("first operator"),
    "operator-2": N_("second operator"),
    "operator-3": N_("third operator"),
}
SEVERITIES = {
    "stop": N_("stops money"),
    "act": N_("somebody has to act"),
    "watch": N_("for information"),
}
OWNERS = {
    "operator": N_("operator"),
    "finance": N_("finance"),
    "purchasing": N_("purchasing"),
    "logistics": N_("logistics"),
    "supplier": N_("supplier"),
}
DECISIONS = {
    "accept": N_("Accept the difference"),
    "reject": N_("Reject"),
    "correct": N_("Have it corrected"),
    "refer": N_("Refer to the parties"),
}
NEEDS = {
    "despatch": N_("despatch"),
    "arrival": N_("arrival"),
    "inspection": N_("inspection"),
    "delivery": N_("delivery"),
}
METHODS = {
    "demo": N_("demo identity"),
    "token": N_("API token"),
    "link": N_("one-time link"),
    "passkey": N_("passkey"),
    "oidc": N_("through your organisation"),
    "join": N_("joined by an invitation"),
    "switch": N_("changed firm"),
}
JOININGS = {"waiting": N_("waiting"), "enrolled": N_("enrolled"), "refused": N_("refused")}
STAGES = {
    "open": N_("link sent"),
    "expired": N_("expired"),
    "withdrawn": N_("taken back"),
    "joined": N_("joined"),
    "passed": N_("passed on"),
}
ACTS = {
    "issue": N_("Issue a receivable"),
    "accept": N_("Accept a note"),
    "refuse": N_("Refuse a note"),
    "withdraw": N_("Take an offer back"),
    "pass": N_("Pass a note on"),
    "payment": N_("Attest a payment"),
    "quote": N_("Quote a firm price"),
    "accept_quote": N_("Get paid early"),
    "complete_financing": N_("Confirm that the money was paid"),
    "open": N_("Open an entrusted account"),
    "confirm_locked": N_("Confirm that the money is locked"),
    "attest": N_("Vouch for evidence"),
    "approve": N_("Approve a release"),
    "confirm_released": N_("Confirm an executed release"),
    "confirm_refunded": N_("Confirm an executed refund"),
    "dispute": N_("Hold a part of a stage"),
    "ask": N_("Ask for money"),
    "register": N_("Register a financing"),
    "settle": N_("Pay the holders out"),
    "lapse": N_("Return lapsed offers"),
}
DONE = {
    "issue": N_("Signed and on the ledger. The creditor can accept now."),
    "accept": N_("Accepted. The note is yours."),
    "refuse": N_("Refused. The value went back, and what they owe you stays owed."),
    "withdraw": N_("Taken back. The value is with you again."),
    "pass": N_("Offered. It is theirs once they accept."),
    "payment": N_("The payment stands on the ledger."),
    "quote": N_("Your price was sent to the holder."),
    "accept_quote": N_("Signed. The note is locked for this financier until the money arrives."),
    "complete_financing": N_("Confirmed. The financier holds the note now."),
    "open": N_("Opened. The bank has to confirm that the money is locked."),
    "confirm_locked": N_("Confirmed. The money is locked."),
    "attest": N_("Your word stands on the ledger."),
    "approve": N_("Approved."),
    "confirm_released": N_("The release stands on the ledger."),
    "confirm_refunded": N_("The refund stands on the ledger."),
    "dispute": N_("Held. The undisputed rest goes on."),
    "ask": N_("Asked. Firm prices appear here as they come."),
    "register": N_("Registered."),
    "settle": N_("Paid out to every holder."),
    "lapse": N_("Lapsed offers went back."),
    "import": N_("Imported."),
    "proposed": N_("Proposed. A checker of your firm has it now; nothing is owed yet."),
    "approved": N_("Signed by two people. It stands on the ledger now."),
    "declined": N_("Declined. The holder can read your reason."),
    "asked_change": N_("Asked. It holds once a second person of your firm agrees."),
    "change_agreed": N_("Agreed. It holds from now on."),
    "sent_back": N_("Sent back to its maker, with your reason."),
    "decide": N_("Decided."),
    "enrolled": N_("Enrolled. The firm was told."),
    "refused": N_("Refused. The firm reads your reason."),
    "invite": N_("Show the code, or send the link."),
    "uninvite": N_("Taken back. Nothing left your note."),
    "joined": N_("Welcome: your firm is on the ledger. Read what is offered, then accept it or refuse."),
    "reminded": N_("They were told and can send you a new link."),
}
