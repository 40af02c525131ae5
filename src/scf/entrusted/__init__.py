"""Floor 5: entrusted-payment accounts — lock, stages, evidence, release, refund."""
