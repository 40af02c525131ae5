"""Identifiers of firms, short references that survive bank fields, and what is kept of a secret."""

from __future__ import annotations

import hashlib
import secrets

from scf.kernel.problems import Problem

_USCC_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_USCC_WEIGHTS = (1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28)
_BASE32 = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def uscc_check_digit(first17: str) -> str:
    """Check character of a unified social credit code (GB 32100-2015): (31 - weighted sum) mod 31."""
    total = sum(_USCC_ALPHABET.index(char) * weight for char, weight in zip(first17, _USCC_WEIGHTS, strict=True))
    return _USCC_ALPHABET[(31 - total) % 31]


def parse_uscc(text: str) -> str:
    """A valid unified social credit code, upper case, without blanks.

    Codes may begin with a letter: N2110106MF60261036 is a village collective. Raises Problem `wrong_check_digit`.
    """
    plain = text.strip().upper().replace(" ", "")
    if (
        len(plain) != 18
        or any(char not in _USCC_ALPHABET for char in plain)
        or uscc_check_digit(plain[:17]) != plain[17]
    ):
        raise Problem("wrong_check_digit", kind="USCC / 统一社会信用代码", text=text.strip()[:24])
    return plain


def make_uscc(first17: str) -> str:
    """Complete seventeen characters to a valid code (fixtures, demo)."""
    return first17 + uscc_check_digit(first17)


def new_reference(prefix: str = "") -> str:
    """A random reference of 20 Crockford base-32 characters after `prefix`; fits every 35-character bank field."""
    return prefix + "".join(secrets.choice(_BASE32) for _ in range(20))


def reference_of(digest: bytes, prefix: str = "") -> str:
    """A reference of 20 base-32 characters derived from `digest` (at least 13 bytes), so that a retry gets the same."""
    number = int.from_bytes(digest[:13], "big")
    return prefix + "".join(_BASE32[(number >> (5 * place)) & 31] for place in range(20))


def secret_digest(secret: str) -> str:
    """What is kept of a link's or a code's secret: it is recognised, and cannot be read back."""
    return hashlib.sha256(secret.encode()).hexdigest()
