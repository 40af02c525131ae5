"""Who takes part: registered once, enrolled by two operators, named everywhere, and never by a key of the service."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlmodel import select
from tests.installation import Installation, signed_by

from scf.app import rebuild_books
from scf.demo.cast import CIVIC, CORE, CORE_KEYS, FIRMS, LOTUS, PINE, demo_signers, enrol_cast, firm
from scf.installation import OPERATOR_NAMES
from scf.kernel.identifiers import make_uscc
from scf.kernel.problems import Problem
from scf.ledger.intents import quorum_digest
from scf.parties.keys import KeyRing, demo_key
from scf.parties.models import Member, Organisation
from scf.parties.service import Enrolment, Role

OPERATORS = [demo_key(name) for name in OPERATOR_NAMES]
NEW = demo_key("a new firm")


def enrol(at: Installation, *enrolments: Enrolment, keys: list[bytes] | None = None, key: str = "k") -> object:
    prepared = at.app.parties.prepare_enrolment(enrolments)
    signatures = quorum_digest(keys or [one.private for one in OPERATORS[:2]], prepared.digest)
    return at.app.parties.enrol(key, "operator", prepared.message, signatures)


def a_firm(at: Installation, name: str = "New firm") -> int:
    with at.app.desk.session() as session:
        return at.app.parties.register(session, name, uscc=make_uscc("91310000MA1FL9999")).id


def test_a_new_firm_takes_part(installation: Installation) -> None:
    at = installation
    number = a_firm(at)
    with at.app.desk.session() as session:
        at.app.parties.seat(session, NEW.address, number, "account")
    enrol(at, Enrolment(NEW.address, number, Role.SUPPLIER))
    with at.app.reading() as session:
        member = at.app.parties.member(session, NEW.address)
        assert (member.organisation_id, member.roles, member.limit_minor) == (number, Role.SUPPLIER, 0)
        assert at.app.parties.name_of(session, NEW.address) == "New firm"
        assert at.app.parties.names(session)[NEW.address] == "New firm"
    trade = at.trade("INV-1", 100_00)
    reply = at.submit(at.app.receivables.prepare_issue(at.request(trade, 100_00, creditor=LOTUS)))
    assert reply["receivable"] == 1
    assert rebuild_books(at.app, check=True)[0] == []


def test_enrolling_again_under_the_same_key_changes_nothing(installation: Installation) -> None:
    at = installation
    number = a_firm(at)
    prepared = at.app.parties.prepare_enrolment([Enrolment(NEW.address, number, Role.SUPPLIER)])
    signatures = quorum_digest([one.private for one in OPERATORS[:2]], prepared.digest)
    first = at.app.parties.enrol("k", "operator", prepared.message, signatures)
    with at.nothing_written():
        assert at.app.parties.enrol("k", "operator", prepared.message, signatures) == first
    at.refused(
        "ledger_members_not_operator",
        lambda: at.app.parties.enrol("k2", "operator", prepared.message, signatures),
    )


@pytest.mark.parametrize(
    ("keys", "code"),
    [
        ([OPERATORS[0].private], "ledger_members_too_few_signatures"),
        ([OPERATORS[0].private, demo_key("pine-account").private], "ledger_members_not_operator"),
        ([demo_key("pine-account").private, demo_key("lotus-account").private], "ledger_members_not_operator"),
    ],
)
def test_no_single_person_enrols(installation: Installation, keys: list[bytes], code: str) -> None:
    number = a_firm(installation)
    installation.refused(code, lambda: enrol(installation, Enrolment(NEW.address, number, Role.SUPPLIER), keys=keys))


def test_one_operator_signing_twice_is_one(installation: Installation) -> None:
    at = installation
    prepared = at.app.parties.prepare_enrolment([Enrolment(NEW.address, a_firm(at), Role.SUPPLIER)])
    twice = [signed_by(prepared, OPERATORS[0].private)] * 2
    at.refused(
        "ledger_members_signers_not_sorted", lambda: at.app.parties.enrol("k", "operator", prepared.message, twice)
    )


def test_who_cannot_be_registered(shared_installation: Installation) -> None:
    at = shared_installation

    def register(code: str) -> None:
        with at.app.desk.session() as session:
            at.app.parties.register(session, "Firm", uscc=code)

    known = make_uscc(FIRMS[0].uscc17)
    at.refused("organisation_exists", lambda: register(known))
    at.refused("organisation_exists", lambda: register(known.lower()))
    wrong = known[:-1] + ("0" if known[-1] != "0" else "1")
    at.refused("wrong_check_digit", lambda: register(wrong))
    at.refused(
        "unknown_organisation",
        lambda: at.app.parties.prepare_enrolment([Enrolment(NEW.address, 999, Role.SUPPLIER)]),
    )


def test_who_is_not_a_member(shared_installation: Installation) -> None:
    at = shared_installation

    def ask(who: str) -> None:
        with at.app.reading() as session:
            at.app.parties.member(session, who)

    for who in (NEW.address, "", "0x", "Lotus", LOTUS):
        at.refused("unknown_participant", lambda who=who: ask(who))  # type: ignore[misc]


def test_the_cast(shared_installation: Installation) -> None:
    at = shared_installation
    with at.app.reading() as session:
        members = session.exec(select(Member)).all()
        assert len(session.exec(select(Organisation)).all()) == len(FIRMS)
        everyone = at.app.parties.participants(session)
        assert {one.address for one in everyone} == {row.address for row in members}
        obligors = [row for row in members if row.roles & Role.OBLIGOR]
        assert [(row.address, row.limit_minor) for row in obligors] == [(at.who(CORE), firm(CORE).limit_minor)]
        assert obligors[0].paying_bank == at.who(CIVIC)
    with at.nothing_written():
        enrol_cast(at.app)


def test_the_core_enterprise_signs_with_two_keys(shared_installation: Installation) -> None:
    at = shared_installation
    assert [key.name for key in demo_signers(at.app, at.who(CORE))] == list(CORE_KEYS)
    assert [key.address for key in demo_signers(at.app, at.who(PINE))] == [at.who(PINE)]
    with pytest.raises(Problem, match="not a participant"):
        demo_signers(at.app, NEW.address)


# Keys -----------------------------------------------------------------------------------------------------------------


def test_a_key_ring(tmp_path: Path) -> None:
    ring = KeyRing(tmp_path / "keys", "a passphrase")
    made = ring.make("relayer")
    assert ring.names() == ["relayer"]
    assert ring.address("relayer") == made.address
    assert ring.get("relayer").private == made.private
    assert made.private.hex() not in (tmp_path / "keys" / "relayer.json").read_text(encoding="utf-8")
    for act, code in (
        (lambda: ring.make("relayer"), "key_exists"),
        (lambda: ring.get("other"), "unknown_key"),
        (lambda: ring.address("../relayer"), "unknown_key"),
        (lambda: ring.make("../other"), "key_name_unfit"),
        (lambda: KeyRing(tmp_path / "keys", "wrong").get("relayer"), "wrong_passphrase"),
    ):
        with pytest.raises(Problem) as caught:
            act()
        assert caught.value.code == code


def test_a_damaged_key_file_is_refused_in_words(tmp_path: Path) -> None:
    ring = KeyRing(tmp_path, "p")
    (tmp_path / "relayer.json").write_text("{}", encoding="utf-8")
    for act in (ring.get, ring.address):
        with pytest.raises(Problem) as caught:
            act("relayer")
        assert caught.value.code == "key_damaged"


def test_private_keys_are_never_shown() -> None:
    pair = demo_key("somebody")
    assert pair.private.hex() not in repr(pair) + str(pair) + f"{pair}"
