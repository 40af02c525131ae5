"""Floor 7: the HTTP interface under `/api/v1`. Routers hold no rules; they hand typed data out and signed acts in."""
