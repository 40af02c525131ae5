"""Between floors 2 and 3: the desk takes a signed act once, relays it to the ledger and brings the books up to date."""
