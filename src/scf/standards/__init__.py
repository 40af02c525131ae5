"""Floor 2: bytes to typed records and back; pure functions, and refusals with place and reason."""
