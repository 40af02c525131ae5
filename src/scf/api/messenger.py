"""Messages to people: e-mail and text messages, each only where it is set up; nothing is ever sent otherwise.

E-mail goes through `SCF_SMTP` (host:port) from `SCF_MAIL_FROM`. A text message is handed to the gateway at
`SCF_SMS_URL` as JSON `{"to": "+86…", "text": "…"}`, signed with `SCF_SMS_SECRET` in the way of Standard Webhooks; any
answer 2xx means that the gateway took it.
"""

from __future__ import annotations

import json
import os
import secrets
import smtplib
from collections.abc import Mapping
from datetime import UTC, datetime
from email.message import EmailMessage

import httpx
import structlog
from standardwebhooks.webhooks import Webhook

from scf.identity.contacts import is_mail

_TIMEOUT_SECONDS = 10
_log = structlog.get_logger("scf.messenger")


def reaches(contact: str, settings: Mapping[str, str] = os.environ) -> bool:
    """Whether this installation can send something to an e-mail address or a phone number."""
    names = ("SCF_SMTP", "SCF_MAIL_FROM") if is_mail(contact) else ("SCF_SMS_URL", "SCF_SMS_SECRET")
    return all(settings.get(name) for name in names)


def send(to: str, subject: str, text: str, settings: Mapping[str, str] = os.environ) -> bool:
    """Send one message; False when nothing is set up for this contact or nobody took it.

    A phone gets the text without the subject.
    """
    if not reaches(to, settings):
        return False
    try:
        if is_mail(to):
            _mail(to, subject, text, settings)
        else:
            _text(to, text, settings)
    except (OSError, smtplib.SMTPException, httpx.HTTPError, ValueError, RuntimeError) as error:
        _log.warning("message not sent", kind=type(error).__name__, way="mail" if is_mail(to) else "sms")
        return False
    return True


def _mail(to: str, subject: str, text: str, settings: Mapping[str, str]) -> None:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = settings["SCF_MAIL_FROM"], to, subject
    message.set_content(text)
    host, _, port = settings["SCF_SMTP"].partition(":")
    with smtplib.SMTP(host, int(port or 25), timeout=_TIMEOUT_SECONDS) as server:
        server.send_message(message)


def _text(to: str, text: str, settings: Mapping[str, str]) -> None:
    body = json.dumps({"to": to, "text": text}, ensure_ascii=False, separators=(",", ":"))
    number, now = "msg_" + secrets.token_hex(16), datetime.now(UTC)
    headers = {
        "content-type": "application/json",
        "webhook-id": number,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(settings["SCF_SMS_SECRET"]).sign(number, now, body),
    }
    answer = httpx.post(settings["SCF_SMS_URL"], content=body.encode(), headers=headers, timeout=_TIMEOUT_SECONDS)
    answer.raise_for_status()
