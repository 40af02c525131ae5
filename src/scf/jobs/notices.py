"""Notices: kept in the installation for each member, each with its proof; sent outside only where configured."""

from __future__ import annotations

import hashlib
import json
import smtplib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from email.message import EmailMessage
from textwrap import shorten
from typing import Protocol

import httpx
import sqlalchemy as sa
from sqlalchemy import Engine
from sqlmodel import Session, col, select
from standardwebhooks.webhooks import EmptyWebhookSecretError, Webhook

from scf.desk.told import Told
from scf.jobs.models import Notice, NoticeDelivery
from scf.kernel.clock import Clock
from scf.kernel.dates import from_unix
from scf.kernel.problems import Problem
from scf.store import outbox
from scf.store.session import run

_TIMEOUT_SECONDS = 10
_KEYS_AT_ONCE = 500
_SUBJECT_CHARACTERS = 78


class Channel(Protocol):
    """A way to the outside. `name` distinguishes it; `send` raises OSError or `httpx.HTTPError` when it fails."""

    @property
    def name(self) -> str:
        """Short name, the same every time."""
        ...

    def send(self, notice: Notice) -> None:
        """Hand the notice over, or raise."""
        ...


@dataclass(frozen=True, slots=True)
class MailChannel:
    """E-mail through an SMTP server to the addresses given for members; others are passed over.

    `languages` says in which language a member reads (`zh-CN` or `en`); without it both are sent. A message carries
    the same id each time it is sent, and a whole link to its proof where the site is known.
    """

    host: str
    port: int
    sender: str
    addresses: Mapping[str, str]
    site: str = ""
    languages: Mapping[str, str] = field(default_factory=dict)
    name: str = "mail"

    def send(self, notice: Notice) -> None:
        """Send one message."""
        to = self.addresses.get(notice.recipient)
        if to is None:
            return
        message = EmailMessage()
        tongue = self.languages.get(notice.recipient, "")
        said = {"en": (notice.en,), "zh-CN": (notice.zh,)}.get(tongue, (notice.zh, notice.en))
        message["From"], message["To"] = self.sender, to
        message["Subject"] = shorten(said[0], _SUBJECT_CHARACTERS, placeholder="…")
        message["Message-ID"] = f"<{message_id(notice.key)}@{self.sender.rpartition('@')[2] or 'scf'}>"
        message.set_content("\n".join((*said, "", f"{self.site}{proof_of(notice)}", "")))
        with smtplib.SMTP(self.host, self.port, timeout=_TIMEOUT_SECONDS) as server:
            server.send_message(message)


@dataclass(frozen=True, slots=True)
class WebhookChannel:
    """JSON by POST to one address, signed as Standard Webhooks say; the notice's key tells a repeat.

    The receiver checks `webhook-signature` with the secret it shares with this installation.
    """

    url: str
    secret: str = field(repr=False)
    clock: Clock
    name: str = "webhook"

    def send(self, notice: Notice) -> None:
        """Post one notice, signed now."""
        body = json.dumps(notice.model_dump(exclude={"read_at"}) | {"proof": proof_of(notice)}, ensure_ascii=False)
        message, at = message_id(notice.key), self.clock.now()
        answer = httpx.post(
            self.url,
            content=body.encode(),
            headers={
                "Content-Type": "application/json",
                "Idempotency-Key": message,
                "webhook-id": message,
                "webhook-timestamp": str(at),
                "webhook-signature": Webhook(self.secret).sign(message, from_unix(at), body),
            },
            timeout=_TIMEOUT_SECONDS,
        )
        answer.raise_for_status()


class Notices:
    """The door to notices. Without channels nothing ever leaves the installation."""

    def __init__(self, engine: Engine, clock: Clock, channels: Sequence[Channel] = ()) -> None:
        self._engine = engine
        self._clock = clock
        self._channels = tuple(channels)
        self.listeners: list[Callable[[Session, Sequence[Notice]], None]] = []
        """Asked in the transaction that keeps notices; what they write is kept or lost with it."""

    def tell(
        self,
        session: Session,
        key: str,
        recipient: str,
        kind: str,
        words: Mapping[str, str],
        *,
        transaction_hash: str | None = None,
        evidence_id: str | None = None,
    ) -> bool:
        """Keep a notice and queue it for every channel; False when this key was told before.

        Raises Problem `notice_without_proof`.
        """
        told = Told(key, recipient, kind, words, transaction_hash, evidence_id)
        return self.tell_all(session, [told]) == 1

    def tell_all(self, session: Session, told: Sequence[Told]) -> int:
        """Keep many notices at once, each under its key once, and queue them; returns how many were not told before.

        Everything is written as sets of rows in the caller's transaction. Raises Problem `notice_without_proof`.
        """
        wanted: dict[str, Told] = {}
        for one in told:
            if one.transaction_hash is None and one.evidence_id is None:
                raise Problem("notice_without_proof", notice=one.key)
            wanted.setdefault(one.key, one)
        for key in _known(session, list(wanted)):
            del wanted[key]
        if not wanted:
            return 0
        now = self._clock.now()
        notices = [
            Notice(
                key=one.key,
                recipient=one.recipient,
                kind=one.kind,
                en=one.words["en"],
                zh=one.words["zh-CN"],
                transaction_hash=one.transaction_hash,
                evidence_id=one.evidence_id,
                made_at=now,
            )
            for one in wanted.values()
        ]
        session.execute(sa.insert(Notice), [one.model_dump() for one in notices])
        for channel in self._channels:
            rows = [{"key": key, "channel": channel.name, "state": "waiting", "attempts": 0} for key in wanted]
            session.execute(sa.insert(NoticeDelivery), rows)
            messages = [({"key": key}, message_id(key)) for key in wanted]
            outbox.put_many(session, _outbox_kind(channel), messages, at=now)
        for listen in self.listeners:
            listen(session, notices)
        return len(notices)

    def of(self, session: Session, recipient: str, *, unread: bool = False, limit: int = 50) -> Sequence[Notice]:
        """A member's notices, newest first."""
        query = select(Notice).where(Notice.recipient == recipient)
        if unread:
            query = query.where(col(Notice.read_at).is_(None))
        return session.exec(query.order_by(col(Notice.made_at).desc(), col(Notice.key)).limit(limit)).all()

    def of_firm(
        self, session: Session, recipients: Collection[str], *, unread: bool = False, limit: int = 100
    ) -> Sequence[Notice]:
        """The notices of all seats of a firm: those nobody read first, newest first."""
        query = select(Notice).where(col(Notice.recipient).in_(recipients))
        if unread:
            query = query.where(col(Notice.read_at).is_(None))
        order = (col(Notice.read_at).is_not(None), col(Notice.made_at).desc(), col(Notice.key))
        return session.exec(query.order_by(*order).limit(limit)).all()

    def count_unread(self, session: Session, recipients: Collection[str]) -> int:
        """How many notices of these members nobody has read."""
        query = select(sa.func.count()).select_from(Notice)
        return session.exec(query.where(col(Notice.recipient).in_(recipients), col(Notice.read_at).is_(None))).one()

    def count(self, session: Session) -> int:
        """How many notices there are in all; it grows whenever anybody is told anything."""
        return session.exec(select(sa.func.count()).select_from(Notice)).one()

    def read_all(self, session: Session, recipients: Collection[str]) -> int:
        """Mark every notice of these members as read; returns how many were not."""
        query = sa.update(Notice).where(col(Notice.recipient).in_(recipients), col(Notice.read_at).is_(None))
        return int(session.exec(query.values(read_at=self._clock.now())).rowcount)

    def read(self, session: Session, key: str, recipient: str) -> None:
        """Mark a member's own notice as read. Raises Problem `unknown_notice`."""
        row = session.get(Notice, key)
        if row is None or row.recipient != recipient:
            raise Problem("unknown_notice", notice=key)
        row.read_at = row.read_at or self._clock.now()
        session.add(row)

    def deliver(self) -> int:
        """Send what waits for a channel; a failure is tried again, longer apart each time, ten times at most.

        A crash between sending and ticking off sends again; the receiver tells repeats by the message id.
        """
        return sum(
            outbox.deliver(
                self._engine,
                _outbox_kind(channel),
                lambda message, to=channel: self._send(to, str(message.body["key"])),  # type: ignore[misc]
                clock=self._clock,
            )
            for channel in self._channels
        )

    def _send(self, channel: Channel, key: str) -> None:
        with Session(self._engine, expire_on_commit=False) as session:
            notice = session.get(Notice, key)
        if notice is None:
            return
        error: Exception | None = None
        try:
            channel.send(notice)
        except (OSError, httpx.HTTPError) as failure:
            error = failure

        def note(session: Session) -> None:
            row = session.get(NoticeDelivery, (key, channel.name))
            if row is not None:
                row.attempts += 1
                row.state, row.error = ("failed", type(error).__name__) if error else ("sent", None)
                row.sent_at = None if error else self._clock.now()
                session.add(row)

        run(self._engine, note)
        if error is not None:
            raise error


def message_id(key: str) -> str:
    """How a notice is called outside: the same each time it is sent, and nothing of its contents."""
    return "msg_" + hashlib.sha256(key.encode()).hexdigest()[:32]


def _known(session: Session, keys: Sequence[str]) -> Iterator[str]:
    for start in range(0, len(keys), _KEYS_AT_ONCE):
        query = select(Notice.key).where(col(Notice.key).in_(keys[start : start + _KEYS_AT_ONCE]))
        yield from session.exec(query).all()


def _outbox_kind(channel: Channel) -> str:
    return f"notice {channel.name}"


def proof_of(notice: Notice) -> str:
    """Where the proof behind a notice is."""
    if notice.transaction_hash:
        return f"/proof/transaction/{notice.transaction_hash}"
    return f"/proof/evidence/{notice.evidence_id}"


def channels_from(settings: Mapping[str, str], clock: Clock) -> list[Channel]:
    """Channels the settings name; none of them set: no channel, and nothing is ever sent.

    `SCF_WEBHOOK_URL` with `SCF_WEBHOOK_SECRET` (`whsec_` and base64); `SCF_SMTP` (host:port) with `SCF_MAIL_FROM` and
    `SCF_MAIL_TO` (address=mail,… or address=mail=zh-CN,…), and `SCF_ORIGIN` (https://…), where its pages are read.

    Raises Problem `webhook_secret_missing`.
    """
    found: list[Channel] = []
    if settings.get("SCF_WEBHOOK_URL"):
        secret = settings.get("SCF_WEBHOOK_SECRET", "")
        try:
            Webhook(secret)
        except (ValueError, RuntimeError, EmptyWebhookSecretError) as error:
            raise Problem("webhook_secret_missing") from error
        found.append(WebhookChannel(settings["SCF_WEBHOOK_URL"], secret, clock))
    if settings.get("SCF_SMTP") and settings.get("SCF_MAIL_FROM"):
        host, _, port = settings["SCF_SMTP"].partition(":")
        given = [pair.strip().split("=") for pair in settings.get("SCF_MAIL_TO", "").split(",") if "=" in pair]
        addresses = {who: to for who, to, *_ in given}
        languages = {who: tongue[0] for who, _, *tongue in given if tongue}
        site = settings.get("SCF_ORIGIN", "").rstrip("/")
        found.append(MailChannel(host, int(port or 25), settings["SCF_MAIL_FROM"], addresses, site, languages))
    return found
