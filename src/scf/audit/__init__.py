"""Proof for people who do not trust us: the bundle writer, and the verifier that needs nothing but the bundle."""
