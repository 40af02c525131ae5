"""Floor 5: limits, exposure and early warning."""
