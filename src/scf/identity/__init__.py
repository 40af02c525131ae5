"""Floor 3: who the people are — persons, the seats they act from, passkeys, one-time links, sessions."""
