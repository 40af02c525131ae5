"""Webhooks: what a firm is told goes to its own systems too, signed (Standard Webhooks) and tried again for days.

Off until the installation names the hosts that may be called (`SCF_WEBHOOK_HOSTS`, host or host:port, comma-separated);
a demo installation may call this machine alone. Secrets are derived from a key in the key folder, so that the database
holds none. Each webhook has a queue of its own: one that fails holds up no other.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import sqlalchemy as sa
from sqlalchemy import Engine
from sqlmodel import Field, Session, SQLModel, col, select
from standardwebhooks.webhooks import Webhook as Signer

from scf.jobs.models import Notice
from scf.jobs.notices import proof_of
from scf.kernel.clock import Clock
from scf.kernel.dates import from_unix
from scf.kernel.identifiers import new_reference
from scf.kernel.problems import Problem
from scf.parties.keys import own_secret
from scf.store import outbox
from scf.store.engine import BIG
from scf.store.outbox import Message, OutboxRow

TIMEOUT_SECONDS = 10
MOST = 10
"""Webhooks a firm may have."""
_LOCAL = ("127.0.0.1", "localhost")


class Webhook(SQLModel, table=True):
    """An address of a firm's own system. Its secret is derived, not stored. Times in unix seconds."""

    __tablename__ = "webhook"

    id: str = Field(primary_key=True, max_length=24)
    organisation_id: int = Field(index=True)
    url: str = Field(max_length=300)
    made_by: str = Field(max_length=42)
    made_at: int = Field(sa_type=BIG)
    ended_at: int | None = Field(default=None, sa_type=BIG)


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message to one webhook: `state` is waiting, sent, failing (tried again later) or given_up."""

    id: int
    kind: str
    put_at: int
    state: str
    attempts: int
    error: str | None
    next_at: int


class Webhooks:
    """The door to webhooks."""

    def __init__(
        self,
        engine: Engine,
        clock: Clock,
        folder: Path,
        hosts: Collection[str],
        organisation_of: Callable[[Session, str], int | None],
        *,
        client: httpx.Client | None = None,
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._folder = folder
        self._hosts = frozenset(host.strip().lower() for host in hosts if host.strip())
        self._organisation_of = organisation_of
        self._client = client

    @property
    def are_on(self) -> bool:
        """Whether any host may be called."""
        return bool(self._hosts)

    def add(self, session: Session, organisation_id: int, url: str, made_by: str) -> tuple[Webhook, str]:
        """A new webhook and its secret, shown this once.

        Raises Problem `webhooks_off`, `webhook_address`, `webhook_host` or `webhooks_too_many`.
        """
        self._require_allowed(url)
        if len(self.of(session, organisation_id)) >= MOST:
            raise Problem("webhooks_too_many", most=MOST)
        row = Webhook(
            id=new_reference("W"),
            organisation_id=organisation_id,
            url=url.strip(),
            made_by=made_by,
            made_at=self._clock.now(),
        )
        session.add(row)
        session.flush()
        return row, self._secret(row.id)

    def of(self, session: Session, organisation_id: int) -> Sequence[Webhook]:
        """A firm's webhooks, oldest first."""
        query = select(Webhook).where(Webhook.organisation_id == organisation_id, col(Webhook.ended_at).is_(None))
        return session.exec(query.order_by(col(Webhook.made_at), col(Webhook.id))).all()

    def end(self, session: Session, organisation_id: int, webhook_id: str) -> None:
        """End a webhook; what waits for it is dropped. Raises Problem `unknown_webhook`."""
        row = self._own(session, organisation_id, webhook_id)
        row.ended_at = self._clock.now()
        session.add(row)
        session.exec(
            sa.delete(OutboxRow).where(col(OutboxRow.kind) == _queue(webhook_id), col(OutboxRow.done_at).is_(None))
        )

    def tell_all(self, session: Session, notices: Sequence[Notice]) -> None:
        """Queue notices for every webhook of the firms they go to, in the transaction that keeps them."""
        if not self.are_on:
            return
        query = select(Webhook).where(col(Webhook.ended_at).is_(None)).order_by(col(Webhook.made_at), col(Webhook.id))
        hooks: dict[int, list[Webhook]] = {}
        for row in session.exec(query):
            hooks.setdefault(row.organisation_id, []).append(row)
        if not hooks:
            return
        firms = {who: self._organisation_of(session, who) for who in {one.recipient for one in notices}}
        queued: dict[str, list[tuple[dict[str, object], str]]] = {}
        for notice in notices:
            for row in hooks.get(firms[notice.recipient] or 0, []):
                queued.setdefault(row.id, []).append((_told(notice), notice.key[:128]))
        for webhook_id, messages in queued.items():
            outbox.put_many(session, _queue(webhook_id), messages, at=self._clock.now())

    def test(self, session: Session, organisation_id: int, webhook_id: str) -> None:
        """Queue a message that says it is a test. Raises Problem `unknown_webhook`."""
        row = self._own(session, organisation_id, webhook_id)
        now = self._clock.now()
        body = {"type": "test", "timestamp": _moment(now), "data": {"webhook": row.id}}
        outbox.put(session, _queue(row.id), body, at=now)

    def redeliver(self, session: Session, organisation_id: int, webhook_id: str, message_id: int) -> None:
        """Let a message that failed, or was given up, go again at once.

        Raises Problem `unknown_webhook` or `unknown_delivery`.
        """
        self._own(session, organisation_id, webhook_id)
        row = session.get(OutboxRow, message_id)
        if row is None or row.kind != _queue(webhook_id) or row.done_at is not None:
            raise Problem("unknown_delivery", delivery=message_id)
        outbox.revive(session, message_id, at=self._clock.now())

    def deliveries(self, session: Session, webhook_id: str, *, limit: int = 20) -> list[Delivery]:
        """The latest messages to a webhook, those that fail first."""
        query = select(OutboxRow).where(OutboxRow.kind == _queue(webhook_id))
        failing_first = sa.and_(col(OutboxRow.done_at).is_(None), col(OutboxRow.attempts) > 0).desc()
        rows = session.exec(query.order_by(failing_first, col(OutboxRow.id).desc()).limit(limit)).all()
        return [
            Delivery(
                id=int(row.id or 0),
                kind=str(json.loads(row.body)["type"]),
                put_at=row.put_at,
                state=_state(row),
                attempts=row.attempts,
                error=row.last_error,
                next_at=row.not_before,
            )
            for row in rows
        ]

    def deliver(self) -> int:
        """Send what is due to every webhook; returns how many were taken. Failures wait longer each time."""
        if not self.are_on:
            return 0
        with Session(self._engine) as session:
            due = sa.and_(col(OutboxRow.done_at).is_(None), col(OutboxRow.not_before) <= self._clock.now())
            kinds = select(OutboxRow.kind).where(col(OutboxRow.kind).startswith(_queue("")), due).distinct()
            waiting = session.exec(kinds).all()
            rows = {kind: session.get(Webhook, kind.removeprefix(_queue(""))) for kind in waiting}
        return sum(
            outbox.deliver(self._engine, kind, partial(self._send, row), clock=self._clock)
            for kind, row in rows.items()
            if row is not None and row.ended_at is None
        )

    def _send(self, row: Webhook, message: Message) -> None:
        self._require_allowed(row.url)
        number, at = f"msg_{row.id}_{message.id}", from_unix(self._clock.now())
        body = json.dumps(message.body, ensure_ascii=False, separators=(",", ":"))
        headers = {
            "Content-Type": "application/json",
            "webhook-id": number,
            "webhook-timestamp": str(int(at.timestamp())),
            "webhook-signature": Signer(self._secret(row.id)).sign(number, at, body),
        }
        post = self._client.post if self._client is not None else httpx.post
        answer = post(row.url, content=body.encode(), headers=headers, timeout=TIMEOUT_SECONDS, follow_redirects=False)
        if not 200 <= answer.status_code < 300:
            raise Problem(f"webhook_answer_{answer.status_code}")

    def _require_allowed(self, url: str) -> None:
        if not self.are_on:
            raise Problem("webhooks_off")
        parts = urlsplit(url.strip())
        if parts.scheme not in ("https", "http") or not parts.hostname or parts.username or len(url) > 300:
            raise Problem("webhook_address")
        host = parts.hostname.lower()
        if not self._hosts & {host, parts.netloc.lower()} or (parts.scheme == "http" and host not in _LOCAL):
            raise Problem("webhook_host", host=host[:80])

    def _own(self, session: Session, organisation_id: int, webhook_id: str) -> Webhook:
        row = session.get(Webhook, webhook_id)
        if row is None or row.organisation_id != organisation_id or row.ended_at is not None:
            raise Problem("unknown_webhook")
        return row

    def _secret(self, webhook_id: str) -> str:
        digest = hmac.new(own_secret(self._folder, "webhook"), webhook_id.encode(), hashlib.sha256).digest()
        return "whsec_" + base64.b64encode(digest).decode()


def hosts_from(settings: Mapping[str, str], *, demo: bool) -> list[str]:
    """Hosts that may be called: `SCF_WEBHOOK_HOSTS`; in a demo installation this machine, unless it says otherwise."""
    given = settings.get("SCF_WEBHOOK_HOSTS")
    if given is not None:
        return given.split(",")
    return list(_LOCAL) if demo else []


def _told(notice: Notice) -> dict[str, object]:
    return {
        "type": f"notice.{notice.kind}",
        "timestamp": _moment(notice.made_at),
        "data": {
            "key": notice.key,
            "recipient": notice.recipient,
            "en": notice.en,
            "zh-CN": notice.zh,
            "proof": proof_of(notice),
        },
    }


def _queue(webhook_id: str) -> str:
    return f"webhook:{webhook_id}"


def _state(row: OutboxRow) -> str:
    if row.done_at is not None:
        return "sent"
    if row.attempts >= outbox.MAX_ATTEMPTS:
        return "given_up"
    return "failing" if row.last_error else "waiting"


def _moment(seconds: int) -> str:
    moment: datetime = from_unix(seconds)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
