"""The first firms of an installation, whom nobody invites: enrolled once, by two operators, with one key or two."""

from __future__ import annotations

from dataclasses import replace

from tests.installation import Installation

from scf.installation import OPERATOR_NAMES
from scf.kernel.identifiers import make_uscc
from scf.parties.enrolling import Newcomer, enrol_firm
from scf.parties.keys import demo_key
from scf.parties.models import Member
from scf.parties.service import Role

OPERATORS = [demo_key(name).private for name in OPERATOR_NAMES[:2]]
KEYS = tuple(demo_key(name).address for name in ("new maker", "new checker"))
FIRM = Newcomer("新桥汽车", make_uscc("91310000MA1FL9998"), KEYS[:1], ("obligor", "supplier"), limit_minor=1_000_00)


def test_a_firm_with_one_key_takes_part_and_the_same_again_changes_nothing(installation: Installation) -> None:
    app = installation.app
    address = enrol_firm(app.desk, app.parties, FIRM, OPERATORS)
    assert address == KEYS[0]
    with installation.nothing_written():
        assert enrol_firm(app.desk, app.parties, FIRM, OPERATORS) == address
    with app.reading() as session:
        member = session.get(Member, address)
        assert member and (member.roles, member.limit_minor) == (Role.OBLIGOR | Role.SUPPLIER, 1_000_00)


def test_two_keys_become_an_account_that_needs_both_and_a_seat_for_each_person(installation: Installation) -> None:
    app = installation.app
    two = replace(FIRM, keys=KEYS)
    address = enrol_firm(app.desk, app.parties, two, OPERATORS)
    assert address not in KEYS and enrol_firm(app.desk, app.parties, two, OPERATORS) == address
    with app.reading() as session:
        duties = {one.address: one.duty for one in app.parties.people(session) if one.address in KEYS}
        assert sorted(duties.values()) == ["checker", "maker"]
        firms = {app.parties.organisation_id(session, one) for one in (address, *KEYS)}
        assert len(firms) == 1
    third = (demo_key("third").address,)
    second = replace(FIRM, keys=third, roles=("approver",), duty="credit-officer", limit_minor=0)
    with app.reading() as session:
        assert app.parties.organisation_id(session, enrol_firm(app.desk, app.parties, second, OPERATORS)) in firms


def test_what_is_no_role_or_too_many_keys_or_one_operator_enrols_nobody(installation: Installation) -> None:
    app = installation.app
    installation.refused(
        "unknown_role", lambda: enrol_firm(app.desk, app.parties, replace(FIRM, roles=("king",)), OPERATORS)
    )
    three = replace(FIRM, keys=(*KEYS, demo_key("third").address))
    installation.refused("two_keys_at_most", lambda: enrol_firm(app.desk, app.parties, three, OPERATORS))
    typo = replace(FIRM, uscc="91310000MA1FL99980")
    installation.refused("uscc_mistyped", lambda: enrol_firm(app.desk, app.parties, typo, OPERATORS))
