"""From an invitation to an offered note: what happens between a link and the first acceptance.

Each step is safe to repeat, so that a broken line or a restart between two of them loses nothing: the link is used up
and the firm registered in one transaction, the enrolment and the pass have keys of their own.
"""

from __future__ import annotations

from dataclasses import dataclass
from threading import Lock
from typing import Any

from pydantic import Field
from sqlmodel import Session

from scf.api import office, shapes
from scf.api.access import Caller
from scf.api.acts_receivables import file_trade
from scf.app import App
from scf.demo.cast import joined_key, operator_signatures
from scf.identity.contacts import parse_contact
from scf.kernel.dates import day_of
from scf.kernel.money import format_money
from scf.kernel.problems import Problem
from scf.ledger.signing import canonical, checksum
from scf.parties.onboarding import Application, check_uscc
from scf.receivables import queries
from scf.receivables.invitations import DAYS, Invitation, Stage, Wish

_TRIES = 5
_enrolling = Lock()


class InvitationBody(shapes.Trade, shapes.NoteBody):
    """Invite a firm that is not a member yet to receive a part of a note."""

    amount: shapes.Amount
    to_name: str = Field(default="", max_length=120, description="Whom you have in mind; only you see it")
    days: int = Field(default=7, description=f"For how many days the link is good: {DAYS}")
    sign_at_once: bool = Field(default=False, description="Demo installations: sign the pass once the firm is enrolled")


class JoinBody(shapes.Shape):
    """What an invited firm says of itself."""

    uscc: str = Field(max_length=40, description="Unified social credit code")
    name: str = Field(max_length=120, description="Name of the firm")
    contact: str = Field(max_length=120, description="E-mail address or phone number")
    address: str = Field(default="", max_length=42, description="Ledger address; demo installations make a key")


@dataclass(frozen=True, slots=True)
class Joined:
    """What became of a join: `waiting` for the operators, `member` before, or `enrolled` now; the note once offered."""

    state: str
    invitation: Invitation
    address: str
    firm: str
    note: str | None = None
    person_id: str | None = None


def invite(app: App, caller: Caller, body: InvitationBody) -> tuple[Invitation, str]:
    """Keep the caller's wish; returns it with the link's secret. Raises what would refuse the pass."""
    with app.desk.session() as session:
        note = queries.note(session, body.note.lower())
        if note.holder not in caller.addresses:
            raise Problem("unknown_note", note=body.note)
        code = queries.receivable(session, note.receivable_id).currency
        document = file_trade(app, session, body, code)
        trade = body.model_dump(mode="json", exclude_none=True, include=set(shapes.Trade.model_fields))
        wish = Wish(
            note_id=note.id,
            amount_minor=body.amount.read_in(code),
            document=document,
            trade=trade,
            to_name=body.to_name,
            days=body.days,
            sign_at_once=body.sign_at_once and app.settings.demo,
        )
        return app.invitations.invite(session, caller.addresses, wish)


def join(app: App, secret: str, body: JoinBody, *, language: str = "zh-CN") -> Joined:
    """A firm takes an invitation. Raises what stands in the way; nothing is written then."""
    contact, uscc = parse_contact(body.contact), check_uscc(body.uscc)
    with app.desk.session() as session:
        invitation = app.invitations.find(session, secret)
        _require_open(app, session, invitation)
        inviter = app.parties.organisation_of(session, invitation.inviter)
        firm = app.onboarding.known(session, uscc)
        if firm is not None and inviter is not None and firm.id == inviter.id:
            raise Problem("invitation_to_self")
        if firm is not None:
            return _known_firm(app, session, invitation, firm.id)
        address = joined_key(uscc).address if app.settings.demo else own_address(body.address)
        application = app.onboarding.apply(session, body.name, uscc, contact, address)
        app.invitations.take(session, invitation, address, application.id)
        is_new = app.people.by_contact(session, contact) is None
        person = app.people.add(session, body.name, contact, language=language)
        app.people.seat(session, person, address)
        _tell_joined(app, session, invitation, application.evidence_id)
    if app.settings.demo:
        enrol_with_demo_keys(app, application.id)
        after_enrolment(app, application.id)
    return standing(app, invitation.id, person_id=person.id if is_new else None)


def join_as(app: App, secret: str, caller: Caller) -> Joined:
    """A firm that is a member, and is signed in, takes an invitation. Raises what stands in the way."""
    with app.desk.session() as session:
        invitation = app.invitations.find(session, secret)
        _require_open(app, session, invitation)
        if invitation.inviter in caller.addresses:
            raise Problem("invitation_to_self")
        _known_firm(app, session, invitation, caller.organisation_id)
    return standing(app, invitation.id)


def standing(app: App, invitation_id: str, *, person_id: str | None = None) -> Joined:
    """How far an invitation has come; signs the pass where its holder's demo key was told to."""
    with app.desk.session() as session:
        app.onboarding.catch_up(session)
        invitation = app.invitations.get(session, invitation_id)
        address = str(invitation.joined_as)
        firm = app.parties.name_of(session, address)
        application = session.get(Application, invitation.application_id) if invitation.application_id else None
        state = application.state if application else "member"
        note = app.invitations.passed(session, invitation)
        stage = app.invitations.stage(session, invitation)
    found = note.id if note else None
    if found is None and stage is Stage.JOINED and state in ("enrolled", "member") and invitation.sign_at_once:
        found = sign_pass(app, invitation)
    return Joined(state, invitation, address, firm, found, person_id)


def sign_pass(app: App, invitation: Invitation) -> str | None:
    """Sign and send the pass with the holder's demo key, once; None when it is refused now (the holder can retry)."""
    caller = f"member:{invitation.inviter}"
    try:
        prepared = app.invitations.prepare_pass(invitation)
        signatures = office.sign_with_demo_keys(app, list(prepared.signers), prepared.digest)
        reply = app.receivables.submit(
            "pass", prepared.message, signatures[0], key=f"invitation:{invitation.id}", caller=caller
        )
    except Problem:
        return None
    return str(reply["note"])


def enrol_with_demo_keys(app: App, application_id: str) -> None:
    """Enrol an applicant with two operators' demo keys. Raises Problem `demo_only` and what the ledger refuses."""
    if not app.settings.demo:
        raise Problem("demo_only")
    with _enrolling:  # the quorum's counter is in what is signed: one enrolment at a time
        for attempt in range(_TRIES):
            prepared = app.onboarding.prepare(application_id)
            try:
                app.onboarding.enrol(
                    application_id, prepared.message, operator_signatures(prepared.digest), caller="operators"
                )
                return
            except Problem:
                if attempt == _TRIES - 1:
                    raise


def pass_answers(app: App, invitation: Invitation) -> list[tuple[str, Any]]:
    """The form of a pass as the invitation already answers it, for the holder to read and sign."""
    trade = app.invitations.trade_of(invitation)
    answers: list[tuple[str, Any]] = [
        ("note", invitation.note_id),
        ("to", str(invitation.joined_as)),
        ("currency", invitation.currency),
        ("amount", shapes.amount(invitation.amount_minor, invitation.currency)["text"]),
        *(("evidence", one) for one in trade.pop("evidence")),
    ]
    return answers + [(name, str(value)) for name, value in trade.items() if not isinstance(value, dict)]


def after_enrolment(app: App, application_id: str) -> None:
    """What follows once operators enrolled a firm: passes that were told to sign themselves, and the holders' news."""
    with app.desk.session() as session:
        rows = list(app.invitations.of_application(session, application_id))
        application = app.onboarding.get(session, application_id)
        for row in (one for one in rows if not one.sign_at_once):
            _tell_enrolled(app, session, row, application.evidence_id)
    for row in rows:
        standing(app, row.id)


def ask_again(app: App, secret: str) -> None:
    """Tell the holder of an expired invitation that the firm wishes a new one, once a day."""
    with app.desk.session() as session:
        row = app.invitations.find(session, secret)
        if app.invitations.stage(session, row) is not Stage.EXPIRED:
            return
        whom = {"en": row.to_name or "The invited firm", "zh-CN": row.to_name or "受邀企业"}
        words = {
            "en": f"{whom['en']} opened your expired invitation of {_money(row)} and asks for a new link.",
            "zh-CN": f"{whom['zh-CN']}打开了您已过期的邀请（{_money(row)}），希望获取新链接。",
        }
        key = f"again:{row.id}:{day_of(app.clock.now())}"
        app.notices.tell(session, key, row.inviter, "invitation", words, evidence_id=row.evidence_id)


def _require_open(app: App, session: Session, invitation: Invitation) -> None:
    stage = app.invitations.stage(session, invitation)
    if stage is Stage.EXPIRED:
        raise Problem("invitation_expired")
    if stage is not Stage.OPEN:
        raise Problem("invitation_over")
    facts = app.invitations.facts(session, invitation)
    if not facts["there"]:
        raise Problem("invitation_not_covered", inviter=facts["inviter"])


def _known_firm(app: App, session: Session, invitation: Invitation, organisation_id: int) -> Joined:
    """The offer goes to the firm's own account; whoever typed its code gets no session for it."""
    account = app.onboarding.account_of(session, organisation_id)
    application = app.onboarding.of_organisation(session, organisation_id)
    if account is not None:
        address, application_id = account.address, None
    elif application is not None:
        address, application_id = application.address, application.id
    else:
        raise Problem("firm_cannot_receive")
    app.invitations.take(session, invitation, address, application_id)
    _tell_joined(app, session, invitation, invitation.evidence_id)
    state = application.state if account is None and application is not None else "member"
    return Joined(state, invitation, address, app.parties.name_of(session, address))


def own_address(text: str) -> str:
    """The ledger address a firm gave as its own, checksummed. Raises Problem `ledger_address_needed`."""
    try:
        return checksum(canonical(text.strip()))
    except Problem as error:
        raise Problem("ledger_address_needed") from error


def _tell_joined(app: App, session: Session, invitation: Invitation, evidence_id: str) -> None:
    firm = app.parties.name_of(session, str(invitation.joined_as))
    words = {
        "en": f"{firm} took your invitation of {_money(invitation)}.",
        "zh-CN": f"{firm} 已接受您的邀请，金额 {_money(invitation)}。",
    }
    app.notices.tell(
        session, f"joined:{invitation.id}", invitation.inviter, "invitation", words, evidence_id=evidence_id
    )


def _tell_enrolled(app: App, session: Session, invitation: Invitation, evidence_id: str) -> None:
    firm = app.parties.name_of(session, str(invitation.joined_as))
    words = {
        "en": f"{firm} is enrolled. Sign the pass of {_money(invitation)} you invited it for.",
        "zh-CN": f"{firm} 已入网，请签署您邀请时约定的 {_money(invitation)} 流转。",
    }
    app.notices.tell(
        session, f"enrolled:{invitation.id}", invitation.inviter, "invitation", words, evidence_id=evidence_id
    )


def _money(invitation: Invitation) -> str:
    return format_money(invitation.amount_minor, invitation.currency)


def shape(app: App, session: Session, row: Invitation) -> dict[str, Any]:
    """An invitation as its holder sees it."""
    facts = app.invitations.facts(session, row)
    application = session.get(Application, row.application_id) if row.application_id else None
    note = app.invitations.passed(session, row) if row.joined_as else None
    return {
        "id": row.id,
        "stage": str(app.invitations.stage(session, row)),
        "note": row.note_id,
        "to_name": row.to_name,
        "amount": shapes.amount(row.amount_minor, row.currency),
        "obligor": facts["obligor"],
        "maturity": facts["maturity"],
        "expires_on": facts["expires_on"],
        "there": facts["there"],
        "firm": app.parties.name_of(session, row.joined_as) if row.joined_as else None,
        "ready": row.joined_as is not None and (application is None or application.state == "enrolled"),
        "turn": app.onboarding.turn(application) if application else None,
        "passed": note.id if note else None,
    }
