"""Before something of weight is signed, whoever has an older session proves again who they are.

A stolen or borrowed phone that is signed in can look; within minutes of the last proof, or with a passkey or a code at
hand, it can sign. Programs come with a token and each act's own signature; demo identities prove nothing.
"""

from __future__ import annotations

import time

from scf.api import messenger
from scf.api.access import Caller
from scf.app import App
from scf.identity.contacts import masked
from scf.identity.models import SignedIn
from scf.identity.service import CODE_SECONDS
from scf.kernel.problems import Problem

FRESH_SECONDS = 5 * 60
"""For how long a proof is enough."""


def is_fresh(app: App, caller: Caller) -> bool:
    """Whether the caller may sign without proving again who they are."""
    if app.settings.demo or caller.session_id is None:
        return True
    if time.time() - caller.proved_at <= FRESH_SECONDS:
        return True
    with app.reading() as session:  # proved, perhaps, since this request began
        row = session.get(SignedIn, caller.session_id)
        return row is not None and time.time() - app.people.proved_at(session, row) <= FRESH_SECONDS


def require_fresh(app: App, caller: Caller) -> None:
    """Raise Problem `proof_needed` where the last proof is too old."""
    if not is_fresh(app, caller):
        raise Problem("proof_needed", minutes=FRESH_SECONDS // 60)


def code_goes_to(app: App, caller: Caller) -> str | None:
    """Where a code would be sent, masked; None where it cannot be."""
    contact = _contact(app, caller)
    return masked(contact) if contact and messenger.reaches(contact) else None


def send_code(app: App, caller: Caller, language: str) -> str:
    """Send six digits to the person of this session; returns to where, masked.

    Raises Problem `proof_needs_session` or `code_cannot_be_sent`.
    """
    contact = _contact(app, caller)
    if caller.session_id is None or contact is None:
        raise Problem("proof_needs_session")
    if not messenger.reaches(contact):
        raise Problem("code_cannot_be_sent", contact=masked(contact))
    with app.desk.session() as session:
        code = app.people.make_code(session, caller.session_id, at=int(time.time()))
    minutes = CODE_SECONDS // 60
    if language == "zh-CN":
        subject, text = "scf 验证码", f"验证码 {code}，{minutes} 分钟内有效，用于签署前验证身份。切勿告知他人。"
    else:
        subject = "Your scf code"
        text = f"{code} is your code to confirm before signing, good for {minutes} minutes. Never tell it to anybody."
    if not messenger.send(contact, subject, text):
        raise Problem("code_cannot_be_sent", contact=masked(contact))
    return masked(contact)


def prove_by_code(app: App, caller: Caller, code: str) -> None:
    """Take the six digits. Raises Problem `code_wrong`, `code_over` or `proof_needs_session`."""
    if caller.session_id is None:
        raise Problem("proof_needs_session")
    with app.desk.session() as session:
        right = app.people.use_code(session, caller.session_id, code, at=int(time.time()))
    if not right:
        raise Problem("code_wrong")


def _contact(app: App, caller: Caller) -> str | None:
    if caller.person_id is None:
        return None
    with app.reading() as session:
        return app.people.person(session, caller.person_id).contact
