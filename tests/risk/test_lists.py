"""The blacklist: two operators, reason, evidence, authority, end and appeal; it holds acts, never balances."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from tests.installation import Installation, signed_by

from scf.demo.cast import CORE, HARBOUR, PINE
from scf.desk.service import Prepared
from scf.installation import OPERATOR_NAMES
from scf.kernel.identifiers import make_uscc
from scf.parties.keys import KeyPair, demo_key
from scf.parties.models import Member
from scf.receivables import queries
from scf.risk.models import ListEntry

FIRST, SECOND, THIRD = (demo_key(name) for name in OPERATOR_NAMES)
PINE_NUMBER = 3


def sign(acts: Sequence[Prepared]) -> list[list[bytes]]:
    return [[signed_by(act, FIRST.private), signed_by(act, SECOND.private)] for act in acts]


def paper(at: Installation) -> str:
    at.trade("INV-LIST", 1_000_00)
    with at.app.reading() as session:
        from sqlmodel import select

        from scf.store.evidence import Evidence

        return session.exec(select(Evidence.evidence_id).limit(1)).one()


def proposed(at: Installation, **other: str) -> ListEntry:
    given = {"reason": "Papers were forged.", "evidence_id": "", "authority": "Court order 12", "until": "2026-05-01"}
    given |= {"evidence_id": other.pop("evidence_id", None) or paper(at), **other}
    with at.app.desk.session() as session:
        row = at.app.lists.propose(session, PINE_NUMBER, by=FIRST.address, **given)  # type: ignore[arg-type]
        session.expunge(row)
    return row


@pytest.mark.parametrize(
    ("missing", "code"),
    [
        ({"reason": " "}, "list_entry_incomplete"),
        ({"authority": ""}, "list_entry_incomplete"),
        ({"until": ""}, "list_entry_incomplete"),
        ({"evidence_id": "0" * 64}, "list_entry_evidence"),
        ({"until": "2026-03-02"}, "list_entry_until"),
        ({"until": "2031-01-01"}, "list_entry_until"),
    ],
)
def test_an_entry_without_one_of_its_parts_is_refused(
    missing: dict[str, str], code: str, installation: Installation
) -> None:
    given = {"evidence_id": paper(installation), **missing}
    installation.refused(code, lambda: proposed(installation, **given))


def test_only_two_different_operators_list_anybody(installation: Installation) -> None:
    at = installation
    row = proposed(at)
    assert row.id is not None
    entry = row.id
    at.refused("same_operator", lambda: at.app.lists.agree(entry, FIRST.address, sign))
    at.refused("operator_needed", lambda: at.app.lists.agree(entry, at.who(HARBOUR), sign))
    at.refused("list_entry_exists", lambda: proposed(at, evidence_id=row.evidence_id))
    with at.app.reading() as session:
        assert not at.app.lists.is_held(session, PINE_NUMBER)
        assert session.get(Member, at.who(PINE)).standing == 0  # type: ignore[union-attr]
    at.app.lists.agree(entry, SECOND.address, sign)
    with at.app.reading() as session:
        assert at.app.lists.is_held(session, PINE_NUMBER)
        assert session.get(Member, at.who(PINE)).standing == 2  # type: ignore[union-attr]


def test_a_listed_firm_keeps_its_note_does_nothing_new_and_comes_off_by_appeal(installation: Installation) -> None:
    at = installation
    trade = at.trade("INV-HELD", 50_000_00, seller=PINE, buyer=CORE)
    request = at.request(trade, 50_000_00, creditor=PINE)
    note = str(at.submit(at.app.receivables.prepare_issue(request))["note"])
    at.submit(at.app.receivables.prepare_accept(note))
    row = proposed(at)
    assert row.id is not None
    at.app.lists.agree(row.id, SECOND.address, sign)
    fresh = at.request(at.trade("INV-NEW", 1_00, seller=PINE), 1_00, creditor=PINE)
    at.refused("participant_not_in_standing", lambda: at.app.receivables.prepare_issue(fresh))
    with at.app.reading() as session:
        held = queries.note(session, note)
        assert (held.holder, held.amount_minor, held.state) == (at.who(PINE), 50_000_00, "held")

    hold = f"standing:{row.id}"
    with at.app.desk.session() as session:
        appeal = at.app.holds.appeal(session, hold, at.who(PINE), "They were real.").id
        body = {"appeal": appeal, "outcome": "upheld", "words": "The court lifted it."}
        change = at.app.changes.request(session, "decide_appeal", body, THIRD.address).id

    def agree(who: str) -> None:
        with at.app.desk.session() as session:
            at.app.changes.approve(session, change, who)

    at.refused("same_person", lambda: agree(THIRD.address))
    agree(SECOND.address)
    with at.app.reading() as session:
        (lift,) = [one.id for one in at.app.holds.lifts(session, hold=hold)]

    def sign_lift(key: KeyPair) -> None:
        with at.app.reading() as session:
            acts = at.app.holds.lift_acts(session, lift)
        at.app.holds.sign_lift(lift, key.address, b"".join(signed_by(act, key.private) for act in acts))

    sign_lift(FIRST)
    at.refused("same_operator", lambda: sign_lift(FIRST))
    sign_lift(THIRD)
    with at.app.reading() as session:
        assert not at.app.lists.is_held(session, PINE_NUMBER)
        assert session.get(Member, at.who(PINE)).standing == 0  # type: ignore[union-attr]
        assert hold not in {one.id for one in at.app.holds.of(session, [at.who(PINE)])}


def test_an_entry_of_a_firm_with_two_seats_ends_for_both_at_once(installation: Installation) -> None:
    """Several acts are signed one after the other; a signature missing is refused and ends nothing."""
    at = installation
    evidence = paper(at)
    with at.app.desk.session() as session:
        house = at.app.parties.organisation_id(session, at.who(HARBOUR))
        assert house is not None
        entry = at.app.lists.propose(
            session, house, reason="r", evidence_id=evidence, authority="a", until="2026-05-01", by=FIRST.address
        ).id
    assert entry is not None
    at.app.lists.agree(entry, SECOND.address, sign)
    seats = (at.who(HARBOUR), at.who(HARBOUR, "credit-officer"))
    with at.app.desk.session() as session:
        assert {session.get(Member, seat).standing for seat in seats} == {2}  # type: ignore[union-attr]
        lift = at.app.holds.open_lift(
            session, f"standing:{entry}", FIRST.address, words="the order was lifted", evidence_id=evidence
        ).id

    def parts(key: KeyPair) -> list[bytes]:
        with at.app.reading() as session:
            return [signed_by(act, key.private) for act in at.app.holds.lift_acts(session, lift)]

    assert len(parts(FIRST)) == 2
    at.refused("signatures_missing", lambda: at.app.holds.sign_lift(lift, FIRST.address, parts(FIRST)[0]))
    for key in (FIRST, SECOND):
        at.app.holds.sign_lift(lift, key.address, b"".join(parts(key)))
    with at.app.reading() as session:
        assert {session.get(Member, seat).standing for seat in seats} == {0}  # type: ignore[union-attr]
        assert not at.app.lists.is_held(session, house)


def test_another_firm_cannot_appeal_and_a_guarantor_needs_a_licence(installation: Installation) -> None:
    at = installation
    row = proposed(at)
    assert row.id is not None
    at.app.lists.agree(row.id, SECOND.address, sign)

    def appeal() -> None:
        with at.app.desk.session() as session:
            at.app.holds.appeal(session, f"standing:{row.id}", at.who(CORE), "x")

    at.refused("unknown_hold", appeal)

    def register(licence: str, until: str) -> None:
        with at.app.desk.session() as session:
            at.app.lists.register_guarantor(
                session,
                name="担保公司",
                uscc=make_uscc("91310000MA1FL0099"),
                licence=licence,
                licence_until=until,
                evidence_id=row.evidence_id,
                by=FIRST.address,
            )

    at.refused("guarantor_without_licence", lambda: register("", "2027-01-01"))
    at.refused("guarantor_without_licence", lambda: register("L-1", ""))
    at.refused("guarantor_licence_over", lambda: register("L-1", "2026-01-01"))
    register("L-1", "2027-01-01")
    at.refused("guarantor_exists", lambda: register("L-1", "2027-01-01"))
    with at.app.reading() as session:
        assert [guarantor.name for guarantor, _, _ in at.app.lists.guarantors(session)] == ["担保公司"]
