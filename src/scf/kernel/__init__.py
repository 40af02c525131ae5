"""Floor 1: what every room speaks — money, dates, identifiers, clock, problems and sentences."""
