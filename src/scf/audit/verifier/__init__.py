"""The offline verifier of `scf-audit/1` bundles. It imports nothing else of the platform and opens no connection.

The folder can be copied out and run alone: `python -m verifier BUNDLE`.
"""

from .report import Report
from .run import verify

__all__ = ["Report", "verify"]
