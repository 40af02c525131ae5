"""Floor 7: server-rendered pages over the same services as the API. Pages hold no rules."""
