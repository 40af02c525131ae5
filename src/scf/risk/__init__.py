"""Floor 5: what is suspicious about a trade, with evidence; how concentrated a book is; who is on a list and why."""
