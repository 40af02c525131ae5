"""Floor 5: documents in — detect, parse, keep the raw bytes, hand the facts to the rooms that join them."""
