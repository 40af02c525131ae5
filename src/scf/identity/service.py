"""People: the only door to persons, the seats they act from, and the ways they prove who they are.

Proving who one is lets somebody look and prepare; it never signs. Every act still needs the key of the party whose act
it is.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Collection, Sequence

import sqlalchemy as sa
from sqlmodel import Session, col, select

from scf.identity.contacts import parse_contact
from scf.identity.models import (
    Membership,
    OneTimeCode,
    OneTimeLink,
    OutsideIdentity,
    Passkey,
    Person,
    ProvedAgain,
    SignedIn,
)
from scf.kernel.clock import Clock
from scf.kernel.identifiers import new_reference, secret_digest
from scf.kernel.problems import Problem

LINK_SECONDS = 15 * 60
"""How long a one-time link is good for."""
CODE_SECONDS = 10 * 60
"""How long a one-time code is good for."""
_CODE_TRIES = 5
_PROVES = ("link", "passkey", "oidc", "token")
"""Ways to begin a session by which somebody proved who they are."""


class People:
    """Persons of one installation and how they get in."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    # Persons and seats ------------------------------------------------------------------------------------------------

    def person(self, session: Session, person_id: str) -> Person:
        """A person. Raises Problem `unknown_person`."""
        found = session.get(Person, person_id)
        if found is None:
            raise Problem("unknown_person", who=person_id[:24])
        return found

    def by_contact(self, session: Session, contact: str) -> Person | None:
        """The person with this e-mail address or phone number. Raises Problem `contact_unreadable`."""
        return session.exec(select(Person).where(Person.contact == parse_contact(contact))).one_or_none()

    def add(self, session: Session, name: str, contact: str, *, language: str = "zh-CN") -> Person:
        """A new person, or the one known by this contact. Raises Problem `contact_unreadable`."""
        found = self.by_contact(session, contact)
        if found is None:
            found = Person(
                id=new_reference("P"),
                name=name.strip()[:80] or contact,
                contact=parse_contact(contact),
                handle=secrets.token_bytes(32),
                language=language,
                made_at=self._clock.now(),
            )
            session.add(found)
            session.flush()
        return found

    def seat(self, session: Session, person: Person, address: str) -> None:
        """Let a person act from a seat; the same again changes nothing."""
        row = session.get(Membership, (person.id, address))
        if row is None:
            session.add(Membership(person_id=person.id, address=address, since=self._clock.now()))
        elif row.ended_at is not None:
            row.ended_at, row.since = None, self._clock.now()
            session.add(row)
        session.flush()

    def unseat(self, session: Session, person: Person, address: str) -> None:
        """A person no longer acts from a seat; its sessions there end at once."""
        row = session.get(Membership, (person.id, address))
        if row is not None and row.ended_at is None:
            row.ended_at = self._clock.now()
            session.add(row)
        self._end(session, sa.and_(col(SignedIn.person_id) == person.id, col(SignedIn.address) == address))

    def seats(self, session: Session, person_id: str) -> Sequence[str]:
        """Addresses a person acts from, the oldest first."""
        query = select(Membership.address).where(Membership.person_id == person_id, col(Membership.ended_at).is_(None))
        return session.exec(query.order_by(col(Membership.since), col(Membership.address))).all()

    def at(self, session: Session, addresses: Collection[str]) -> Sequence[Person]:
        """People who act from any of these seats, in the order in which they came."""
        query = select(Person).join(Membership, col(Membership.person_id) == col(Person.id)).distinct()
        query = query.where(col(Membership.address).in_(addresses), col(Membership.ended_at).is_(None))
        return session.exec(query.order_by(col(Person.made_at), col(Person.id))).all()

    # One-time links ---------------------------------------------------------------------------------------------------

    def make_link(self, session: Session, person: Person, *, seconds: int = LINK_SECONDS) -> str:
        """The secret of a new one-time link; earlier ones of this person that wait are ended."""
        now = self._clock.now()
        session.exec(
            sa.update(OneTimeLink)
            .where(col(OneTimeLink.person_id) == person.id, col(OneTimeLink.used_at).is_(None))
            .values(expires_at=now)
        )
        secret = secrets.token_urlsafe(24)
        session.add(
            OneTimeLink(digest=secret_digest(secret), person_id=person.id, made_at=now, expires_at=now + seconds)
        )
        session.flush()
        return secret

    def link_owner(self, session: Session, secret: str) -> Person:
        """Whom a link would sign in. Raises Problem `link_not_valid`, `link_used` or `link_expired`."""
        row = session.get(OneTimeLink, secret_digest(secret))
        if row is None:
            raise Problem("link_not_valid")
        if row.used_at is not None:
            raise Problem("link_used")
        if row.expires_at <= self._clock.now():
            raise Problem("link_expired")
        return self.person(session, row.person_id)

    def use_link(self, session: Session, secret: str) -> Person:
        """Use a link up, once among any number at the same moment. Raises as `link_owner`."""
        person = self.link_owner(session, secret)
        used = session.exec(
            sa.update(OneTimeLink)
            .where(col(OneTimeLink.digest) == secret_digest(secret), col(OneTimeLink.used_at).is_(None))
            .values(used_at=self._clock.now())
        )
        if used.rowcount != 1:
            raise Problem("link_used")
        return person

    # Passkeys and outside identities ----------------------------------------------------------------------------------

    def passkeys(self, session: Session, person_id: str) -> Sequence[Passkey]:
        """A person's passkeys, oldest first."""
        query = select(Passkey).where(Passkey.person_id == person_id)
        return session.exec(query.order_by(col(Passkey.made_at))).all()

    def add_passkey(
        self, session: Session, person_id: str, credential_id: bytes, public_key: bytes, *, sign_count: int, name: str
    ) -> Passkey:
        """Keep a verified passkey. Raises Problem `passkey_known` for one that is somebody's already."""
        if session.get(Passkey, credential_id) is not None:
            raise Problem("passkey_known")
        row = Passkey(
            credential_id=credential_id,
            person_id=person_id,
            public_key=public_key,
            sign_count=sign_count,
            name=name.strip()[:80] or "—",
            made_at=self._clock.now(),
        )
        session.add(row)
        session.flush()
        return row

    def passkey(self, session: Session, credential_id: bytes) -> Passkey:
        """A passkey by its id. Raises Problem `passkey_refused`."""
        row = session.get(Passkey, credential_id)
        if row is None:
            raise Problem("passkey_refused")
        return row

    def used_passkey(self, session: Session, row: Passkey, sign_count: int) -> None:
        """Note the use of a passkey."""
        row.sign_count, row.used_at = sign_count, self._clock.now()
        session.add(row)

    def remove_passkey(self, session: Session, person_id: str, credential_id: bytes) -> None:
        """Forget a person's own passkey. Raises Problem `passkey_refused`."""
        row = session.get(Passkey, credential_id)
        if row is None or row.person_id != person_id:
            raise Problem("passkey_refused")
        session.delete(row)

    def by_subject(self, session: Session, issuer: str, subject: str) -> Person | None:
        """The person a provider calls `subject`."""
        row = session.get(OutsideIdentity, (issuer, subject))
        return self.person(session, row.person_id) if row else None

    def know_subject(self, session: Session, issuer: str, subject: str, person: Person) -> None:
        """Remember what a provider calls a person."""
        if session.get(OutsideIdentity, (issuer, subject)) is None:
            row = OutsideIdentity(issuer=issuer, subject=subject, person_id=person.id, made_at=self._clock.now())
            session.add(row)
            session.flush()

    # Sessions ---------------------------------------------------------------------------------------------------------

    def sign_in(
        self, session: Session, address: str, *, method: str, person_id: str | None, device: str, at: int, seconds: int
    ) -> SignedIn:
        """A new session of a browser, `seconds` long from the wall clock's `at`."""
        row = SignedIn(
            id=secrets.token_hex(16),
            person_id=person_id,
            address=address,
            method=method,
            device=device[:60],
            made_at=at,
            expires_at=at + seconds,
        )
        session.add(row)
        session.flush()
        return row

    def signed_in(self, session: Session, session_id: str, at: int) -> SignedIn | None:
        """A session that goes on, or None. One whose person lost the seat is over."""
        row = session.get(SignedIn, session_id)
        if row is None or row.ended_at is not None or row.expires_at <= at:
            return None
        if row.person_id is not None and row.address not in self.seats(session, row.person_id):
            return None
        return row

    def sessions(self, session: Session, one: SignedIn, at: int) -> Sequence[SignedIn]:
        """All sessions that go on of whoever has this one, newest first."""
        query = select(SignedIn).where(_whose(one), col(SignedIn.ended_at).is_(None), col(SignedIn.expires_at) > at)
        return session.exec(query.order_by(col(SignedIn.made_at).desc())).all()

    def sign_out(self, session: Session, one: SignedIn, *, everywhere: bool = False) -> int:
        """End a session, or every session of whoever has it; returns how many."""
        return self._end(session, _whose(one) if everywhere else col(SignedIn.id) == one.id)

    # Proving it again ------------------------------------------------------------------------------------------------

    def proved_at(self, session: Session, one: SignedIn) -> int:
        """When whoever has this session last proved who they are, in unix seconds; 0 for never."""
        row = session.get(ProvedAgain, one.id)
        return max(one.made_at if one.method in _PROVES else 0, row.at if row else 0)

    def proved(self, session: Session, session_id: str, *, method: str, at: int) -> None:
        """Note that somebody proved within a session, at this moment, who they are."""
        session.merge(ProvedAgain(session_id=session_id, method=method, at=at))
        session.flush()

    def make_code(self, session: Session, session_id: str, *, at: int) -> str:
        """Six digits for one session; an earlier code of it ends."""
        code, salt = f"{secrets.randbelow(10**6):06}", secrets.token_hex(16)
        digest = secret_digest(f"{session_id}:{salt}:{code}")
        session.merge(OneTimeCode(session_id=session_id, digest=digest, salt=salt, expires_at=at + CODE_SECONDS))
        session.flush()
        return code

    def use_code(self, session: Session, session_id: str, code: str, *, at: int) -> bool:
        """Whether these digits are the session's code; counts a wrong try, and a right one uses it up.

        A wrong try has to be kept: commit also when the answer is no. Raises Problem `code_over` when no code waits,
        it is too old or was tried too often.
        """
        counted = session.exec(
            sa.update(OneTimeCode)
            .where(
                col(OneTimeCode.session_id) == session_id,
                col(OneTimeCode.expires_at) > at,
                col(OneTimeCode.tries) < _CODE_TRIES,
            )
            .values(tries=OneTimeCode.tries + 1)
        )
        row = session.get(OneTimeCode, session_id, populate_existing=True)
        if counted.rowcount != 1 or row is None:
            raise Problem("code_over")
        plain = "".join(code.split())
        if not hmac.compare_digest(secret_digest(f"{session_id}:{row.salt}:{plain}"), row.digest):
            return False
        session.delete(row)
        self.proved(session, session_id, method="code", at=at)
        return True

    def _end(self, session: Session, which: sa.ColumnElement[bool]) -> int:
        query = sa.update(SignedIn).where(which, col(SignedIn.ended_at).is_(None)).values(ended_at=self._clock.now())
        return int(session.exec(query).rowcount)


def _whose(one: SignedIn) -> sa.ColumnElement[bool]:
    """All sessions of the person; of a demo identity those of the same seat."""
    if one.person_id is not None:
        return col(SignedIn.person_id) == one.person_id
    return sa.and_(col(SignedIn.person_id).is_(None), col(SignedIn.address) == one.address)
