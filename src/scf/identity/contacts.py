"""E-mail addresses and phone numbers as people type them."""

from __future__ import annotations

import re

from scf.kernel.problems import Problem

_MAIL = re.compile(r"[^@\s<>\"',;:]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")
_PHONE = re.compile(r"\+?\d{7,15}")
_CHINESE_MOBILE = re.compile(r"1[3-9]\d{9}")


def parse_contact(text: str) -> str:
    """An e-mail address in lower case, or a phone number with its country; eleven digits alone are a Chinese mobile.

    Raises Problem `contact_unreadable`.
    """
    plain = text.strip()
    if len(plain) <= 120 and _MAIL.fullmatch(plain):
        return plain.lower()
    digits = re.sub(r"[\s().-]", "", plain)
    if _CHINESE_MOBILE.fullmatch(digits):
        return "+86" + digits
    if _PHONE.fullmatch(digits):
        return digits if digits.startswith("+") else "+" + digits
    raise Problem("contact_unreadable", text=plain[:60])


def is_mail(contact: str) -> bool:
    """Whether a contact is an e-mail address."""
    return "@" in contact


def masked(contact: str) -> str:
    """A contact as others may see it: enough to recognise one's own."""
    if is_mail(contact):
        name, _, host = contact.partition("@")
        return f"{name[:1]}…@{host}"
    return f"{contact[:3]}…{contact[-2:]}"
