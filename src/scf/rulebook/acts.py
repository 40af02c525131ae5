"""The acts rules may be about: the only ones anybody asks about, so that a rule about another can never be read."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

ACTS: Mapping[str, str] = MappingProxyType(
    {
        "issue": "an obligor issues a receivable",
        "accept": "a recipient accepts an offered note",
        "pass": "a holder passes a part of its note on",
        "confirm": "an obligor looks at what its suppliers wait for, and confirms one of them",
        "payment_term": "a holder sees beside a price when the law has it paid in cash",
        "finance": "a holder asks for prices",
        "quote": "a financier quotes a price, with or without recourse",
        "fee": "a quote names a fee",
        "complete_financing": "the paying bank attests that the price was paid",
        "drawdown": "the paying bank attests that the price was paid, into a locked account or not",
        "open_entrusted": "payer and beneficiary agree on a locked account",
        "release": "the bank is told to pay a stage out, or a payer asks for it urgently",
        "dispute": "a party holds a part of a stage back",
        "late_interest": "late interest is charged with a payment",
        "settle_claim": "a payment is attested for those who hold the receivable",
    }
)
"""Act -> when it is judged."""
