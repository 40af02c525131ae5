"""scf: supply-chain finance on a permissioned ledger, checkable by anyone."""

__version__ = "0.1.0"
