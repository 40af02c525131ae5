"""Guarantees: entered and ended by two operators on evidence, never beyond the guarantor's licence."""

from __future__ import annotations

from typing import Any

import pytest
from tests.installation import Installation

from scf.demo.cast import CORE, HARBOUR, LOTUS
from scf.installation import OPERATOR_NAMES
from scf.kernel.identifiers import make_uscc
from scf.kernel.problems import Problem
from scf.parties.keys import demo_key

FIRST, SECOND = (demo_key(name).address for name in OPERATOR_NAMES[:2])


@pytest.fixture
def given(installation: Installation) -> dict[str, Any]:
    """A registered guarantor, and what a guarantee of it says."""
    at = installation
    at.trade("INV-G", 1_000_00)
    with at.app.desk.session() as session:
        from scf.api.reads import papers_on_file

        evidence = papers_on_file(session)[0].evidence_id
        row = at.app.lists.register_guarantor(
            session,
            name="Harbour Guarantee",
            uscc=make_uscc("91310000MA1FL0000"),
            licence="L-1",
            licence_until="2026-12-31",
            evidence_id=evidence,
            by=FIRST,
        )
        number = row.id
    return {
        "guarantor": number,
        "obligor": at.who(CORE),
        "financier": at.who(HARBOUR),
        "currency": "CNY",
        "limit_minor": 500_000_00,
        "until": "2026-09-30",
        "evidence": evidence,
    }


def asked(at: Installation, body: dict[str, Any], kind: str = "enter_guarantee", by: str = FIRST) -> str:
    with at.app.desk.session() as session:
        return at.app.changes.request(session, kind, body, by).id


def test_it_holds_once_a_second_operator_agrees_and_ends_the_same_way(
    installation: Installation, given: dict[str, Any]
) -> None:
    at = installation

    def approve(change: str, by: str) -> None:
        with at.app.desk.session() as session:
            at.app.changes.approve(session, change, by)

    change = asked(at, given)
    with at.app.reading() as session:
        assert at.app.guarantees.all(session) == []
    at.refused("same_person", lambda: approve(change, FIRST))
    approve(change, SECOND)
    with at.app.reading() as session:
        (one,) = at.app.guarantees.all(session)
        assert (one.row.limit_minor, one.row.until, one.guarantor.name) == (
            500_000_00,
            "2026-09-30",
            "Harbour Guarantee",
        )
        assert at.app.lists.guarantors(session)[0][2] == 500_000_00
        assert at.app.guarantees.all(session, financiers=[at.who(LOTUS)]) == []
    end = {"guarantee": one.row.id, "until": "2026-04-30"}
    at.refused("guarantee_unfit", lambda: asked(at, {**end, "until": "2026-10-30"}, "end_guarantee"))
    approve(asked(at, end, "end_guarantee", SECOND), FIRST)
    at.clock.advance(days=90)
    with at.app.reading() as session:
        assert [one.left < 0 for one in at.app.guarantees.all(session)] == [True]
        assert at.app.lists.guarantors(session)[0][2] == 0, "what is over is not counted any more"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"guarantor": 99}, "guarantor_unknown"),
        ({"until": "2027-01-01"}, "guarantor_licence_over"),
        ({"until": "2026-01-01"}, "guarantor_licence_over"),
        ({"until": "soon"}, "unreadable_date"),
        ({"limit_minor": 0}, "guarantee_unfit"),
        ({"evidence": "ab" * 32}, "list_entry_evidence"),
    ],
)
def test_what_cannot_stand_is_refused(
    change: dict[str, Any], code: str, installation: Installation, given: dict[str, Any]
) -> None:
    installation.refused(code, lambda: asked(installation, {**given, **change}))


def test_only_an_operator_asks_and_only_for_the_right_sides(installation: Installation, given: dict[str, Any]) -> None:
    at = installation
    at.refused("not_of_firm", lambda: asked(at, given, by=at.who(HARBOUR)))
    at.refused("guarantee_unfit", lambda: asked(at, {**given, "financier": at.who(LOTUS)}))
    with at.app.desk.session() as session, pytest.raises(Problem):
        at.app.changes.approve(session, "CHG-NONE", SECOND)
