"""Floor 7: the seeded scenario behind `scf demo`, and the run on a real delivery list."""
