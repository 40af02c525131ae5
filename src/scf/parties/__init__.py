"""Floor 3: who takes part — organisations, their keys, roles, limits and standing."""
