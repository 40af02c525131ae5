"""Floor 2, the store room: database engine, unit of work, idempotent commands, outbox, evidence log and books."""
