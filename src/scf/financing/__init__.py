"""Floor 5: financing — firm quotes, price and fees, lock and pay, recourse, maturity, overdue."""
