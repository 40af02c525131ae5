"""E-mail to people, where `SCF_SMTP` (host:port) and `SCF_MAIL_FROM` are set; nothing is ever sent otherwise."""

from __future__ import annotations

import os
import smtplib
from collections.abc import Mapping
from email.message import EmailMessage

import structlog

_TIMEOUT_SECONDS = 10
_log = structlog.get_logger("scf.mail")


def is_set_up(settings: Mapping[str, str] = os.environ) -> bool:
    """Whether this installation can send e-mail."""
    return bool(settings.get("SCF_SMTP") and settings.get("SCF_MAIL_FROM"))


def send(to: str, subject: str, text: str, settings: Mapping[str, str] = os.environ) -> bool:
    """Send one message; False when nothing is set up or the server did not take it."""
    if not is_set_up(settings):
        return False
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = settings["SCF_MAIL_FROM"], to, subject
    message.set_content(text)
    host, _, port = settings["SCF_SMTP"].partition(":")
    try:
        with smtplib.SMTP(host, int(port or 25), timeout=_TIMEOUT_SECONDS) as server:
            server.send_message(message)
    except (OSError, smtplib.SMTPException) as error:
        _log.warning("mail not sent", kind=type(error).__name__)
        return False
    return True
