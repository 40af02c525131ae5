"""Floor 4: receivables and notes — issue, accept, pass, refuse, pay, settle; and their books."""
