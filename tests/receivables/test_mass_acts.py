"""A mass pass from the list to each recipient's note and back: what is filed, signed, told, refused, returned."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tests.installation import Installation

from scf.app import rebuild_books
from scf.audit import service as audit
from scf.demo.cast import CORE, LOTUS, PINE, RIVER, STONE, firm, operator_signatures
from scf.desk.service import Prepared
from scf.kernel.dates import day_of
from scf.kernel.problems import Problem
from scf.ledger.intents import digest
from scf.ledger.sumtree import MOST_LEAVES
from scf.parties.models import Member
from scf.receivables import queries
from scf.receivables.mass import MassRequest
from scf.receivables.mass_list import list_bytes, read_list
from scf.receivables.models import Dossier, Note, NoteState
from scf.store import evidence
from scf.store.projection import quarantine

FACE = 1_000_000_00
SHARES = {PINE: 300_000_00, RIVER: 200_000_01, STONE: 99_999_99}
TOTAL = 600_000_00
WEEK = 7 * 86_400


def csv_of(world: Installation, shares: dict[str, int]) -> bytes:
    rows = [f"{world.who(code)},{minor // 100}.{minor % 100:02d}" for code, minor in shares.items()]
    return ("recipient,amount\n" + "\n".join(rows) + "\n").encode()


def request(world: Installation, note: str, shares: dict[str, int] = SHARES, number: str = "INV-M2") -> MassRequest:
    trade = world.trade(number, FACE, seller=PINE, buyer=LOTUS)
    with world.app.reading() as session:
        dossier = session.get(Dossier, trade.document)
        assert dossier is not None
        papers, delivered = dossier.evidence_ids.split(","), dossier.delivered_on
    return MassRequest(note, csv_of(world, shares), papers, firm(LOTUS).name, {"delivered_on": delivered})


def passed(world: Installation) -> tuple[int, str, str]:
    """A receivable, its root, and the mass note of 600,000.00 to three."""
    number, root = world.issued(world.trade("INV-M1", FACE), FACE)
    reply = world.submit(world.app.mass.prepare_pass(request(world, root)))
    return number, root, str(reply["note"])


def claim(world: Installation, mass: str, code: str) -> Prepared:
    return world.app.mass.prepare_claim(mass, world.who(code))


def balanced(world: Installation, number: int) -> None:
    """Nothing lost, nothing quarantined, and the books are those that a rebuild gives."""
    with world.app.desk.session() as session:
        assert queries.conservation(session, number) == (FACE, FACE)
        assert not quarantine(session)
    assert rebuild_books(world.app, check=True)[0] == []


def note(world: Installation, note_id: str) -> Note:
    with world.app.reading() as session:
        return queries.note(session, note_id)


def amounts_on_ledger(world: Installation, *ids: str) -> list[int]:
    read = world.app.contracts.receivables.read
    return [int(read(world.app.ledger, "balanceOf", int(one, 16))) for one in ids]


def test_the_list_is_filed_before_it_is_signed_and_what_is_signed_commits_to_it(installation: Installation) -> None:
    world = installation
    _, root = world.issued(world.trade("INV-M1", FACE), FACE)
    prepared = world.app.mass.prepare_pass(request(world, root))
    assert int(prepared.message["root"]) & (2**64 - 1) == TOTAL
    assert prepared.signers == (world.who(LOTUS),)
    assert "CNY 600,000.00" in prepared.summary["en"] and "CNY 600,000.00" in prepared.summary["zh-CN"]
    with world.app.reading() as session:
        dossier = session.get(Dossier, prepared.message["evidence"])
        assert dossier is not None
        listed = evidence.raw_bytes(session, dossier.evidence_ids.split(",")[-1])
    assert listed == list_bytes([(world.who(code), minor) for code, minor in SHARES.items()])


def test_each_recipient_is_told_takes_its_share_and_can_pass_it_on(installation: Installation) -> None:
    world = installation
    number, root, mass = passed(world)
    assert amounts_on_ledger(world, root, mass) == [FACE - TOTAL, TOTAL]
    with world.app.reading() as session:
        for code, minor in SHARES.items():
            (told,) = [one for one in world.app.notices.of(session, world.who(code)) if one.kind == "share"]
            assert firm(LOTUS).name in told.en and f"{minor / 100:,.2f}" in told.en and "(UTC+8)" in told.zh
            assert told.transaction_hash
        assert [one for one in world.app.notices.of(session, world.who(LOTUS)) if one.kind == "share"] == []
        (mine,) = world.app.mass.open_shares(session, [world.who(RIVER)])
    assert (mine.amount_minor, mine.giver) == (SHARES[RIVER], world.who(LOTUS))
    asked = claim(world, mass, RIVER)
    with world.app.reading() as session:
        day = day_of(queries.receivable(session, number).maturity).isoformat()
    assert day in asked.summary["en"] and day in asked.summary["zh-CN"], "the day it is paid by the clock in Beijing"
    taken = str(world.submit(asked)["note"])
    row = note(world, taken)
    assert (row.holder, row.amount_minor, row.state, row.giver) == (
        world.who(RIVER), SHARES[RIVER], NoteState.HELD, world.who(LOTUS),
    )  # fmt: skip
    on_ledger = world.app.contracts.receivables.read(world.app.ledger, "noteOf", int(taken, 16))
    assert row.tier == on_ledger.tier == 2
    assert amounts_on_ledger(world, mass, taken) == [TOTAL - SHARES[RIVER], SHARES[RIVER]]
    with world.app.reading() as session:
        assert world.app.mass.open_shares(session, [world.who(RIVER)]) == []
        progress = world.app.mass.progress(session, mass)
    assert (progress.taken, progress.taken_minor, progress.left_minor) == (1, SHARES[RIVER], TOTAL - SHARES[RIVER])
    world.refused("mass_share_taken", lambda: claim(world, mass, RIVER))
    further = world.trade("INV-M3", 100_00, seller=STONE, buyer=RIVER)
    child = world.passed(taken, STONE, 100_00, further)
    assert note(world, child).tier == 3
    balanced(world, number)


def test_the_rest_comes_back_after_the_deadline_and_not_before(installation: Installation) -> None:
    world = installation
    number, root, mass = passed(world)
    world.submit(claim(world, mass, PINE))
    late = claim(world, mass, STONE)
    world.refused("mass_still_open", lambda: world.app.mass.reclaim(mass, key="r0", caller="test"))
    world.clock.move_to(note(world, mass).offer_until)
    world.refused("mass_closed", lambda: claim(world, mass, RIVER))
    world.refused("ledger_refused", lambda: world.submit(late))
    done = world.app.mass.reclaim(mass, key="r1", caller="test")
    left = TOTAL - SHARES[PINE]
    assert done["returned_minor"] == left
    assert world.app.mass.reclaim(mass, key="r1", caller="test")["returned_minor"] == left
    assert world.app.mass.reclaim(mass, key="r2", caller="someone else")["returned_minor"] == left
    assert amounts_on_ledger(world, root, mass) == [FACE - TOTAL + left, 0]
    world.refused("mass_closed", lambda: claim(world, mass, RIVER))
    assert note(world, mass).state == NoteState.RETURNED
    assert world.app.receivables.lapse_due() == []
    balanced(world, number)


def test_the_hourly_job_returns_the_rest_and_leaves_what_was_all_taken_alone(installation: Installation) -> None:
    world = installation
    number, root, mass = passed(world)
    for code in SHARES:
        world.submit(claim(world, mass, code))
    second = world.app.mass.prepare_pass(request(world, root, {PINE: 5_00}, "INV-M4"))
    other = str(world.submit(second)["note"])
    world.clock.move_to(note(world, other).offer_until)
    (done,) = world.app.receivables.lapse_due()
    assert done.event("Returned").args["amount"] == 5_00
    assert world.app.receivables.lapse_due() == []
    world.refused("mass_nothing_left", lambda: world.app.mass.reclaim(mass, key="r", caller="test"))
    balanced(world, number)


def test_a_debt_paid_early_reaches_takers_at_once_and_the_rest_its_giver(
    installation: Installation, tmp_path: Path
) -> None:
    """A mass pass keeps its time: paying early neither ends it nor pays anybody twice."""
    world, app = installation, installation.app
    number, root, mass = passed(world)
    world.submit(claim(world, mass, PINE))
    world.submit(app.receivables.prepare_payment(number, FACE, "LINE-M"))
    app.receivables.settle(number)
    assert note(world, root).settled_minor == FACE - TOTAL
    late = str(world.submit(claim(world, mass, RIVER))["note"])
    app.receivables.settle(number)
    assert note(world, late).settled_minor == SHARES[RIVER]
    balanced(world, number)
    world.clock.move_to(note(world, mass).offer_until)
    app.receivables.lapse_due()
    app.receivables.settle(number)
    balanced(world, number)
    with app.reading() as session:
        paid = {one.payee: 0 for one in queries.settlements_of(session, number)}
        for one in queries.settlements_of(session, number):
            paid[one.payee] += one.principal_minor
    assert paid == {
        world.who(LOTUS): FACE - TOTAL + SHARES[STONE],
        world.who(PINE): SHARES[PINE],
        world.who(RIVER): SHARES[RIVER],
    }
    assert app.contracts.receivables.read(app.ledger, "roundOf", number, 0).principalLeft == 0
    audit.export(app.ledger, app.contracts, tmp_path / "paid", engine=app.engine)
    assert audit.verify(tmp_path / "paid").exit_code == 0


def test_an_auditor_verifies_a_bundle_with_an_open_and_a_returned_mass_pass(
    installation: Installation, tmp_path: Path
) -> None:
    world, app = installation, installation.app
    number, _, mass = passed(world)
    world.submit(claim(world, mass, PINE))
    audit.export(app.ledger, app.contracts, tmp_path / "open", engine=app.engine)
    assert audit.verify(tmp_path / "open").exit_code == 0
    world.clock.move_to(note(world, mass).offer_until)
    app.mass.reclaim(mass, key="r", caller="test")
    audit.export(app.ledger, app.contracts, tmp_path / "closed", engine=app.engine)
    assert audit.verify(tmp_path / "closed").exit_code == 0
    balanced(world, number)


def test_every_row_the_ledger_would_not_take_is_refused_before_anything_is_signed(installation: Installation) -> None:
    world, app = installation, installation.app
    trade = world.trade("INV-M1", FACE)
    issue = replace(world.request(trade, FACE), min_minor=50_00, max_tier=2)
    root = str(world.submit(app.receivables.prepare_issue(issue))["note"])
    good = request(world, root, {PINE: 100_00})
    pine, stone = world.who(PINE), world.who(STONE)
    with app.desk.session() as session:
        member = session.get(Member, stone)
        assert member is not None
        assert member.standing == 0

    def refuse(code: str, text: str, line: int | None = None) -> None:
        problem = world.refused(code, lambda: app.mass.prepare_pass(replace(good, list_csv=text.encode())))
        assert line is None or problem.facts["line"] == line, problem

    refuse("mass_row_refused", f"recipient,amount\n{pine},100\n0x{'12' * 20},100\n", 3)
    refuse("mass_row_refused", f"recipient,amount\n{pine},100\n\n{stone},50\n{pine.lower()},60\n", 5)
    refuse("mass_row_refused", f"recipient,amount\n{firm(LOTUS).name},100\n", 2)
    refuse("mass_row_refused", f"recipient,amount\n{world.who(CORE)},100\n", 2)
    for amount in ("0", "-5", "1.005", "ten", "", "1e3"):
        refuse("mass_row_refused", f"recipient,amount\n{pine},{amount}\n", 2)
    refuse("mass_share_too_small", f"recipient,amount\n{pine},49.99\n", 2)
    refuse("amount_above_note", f"recipient,amount\n{pine},999999.99\n{stone},50.00\n")
    for text in ("", "recipient,amount\n", "who,much\na,1\n", "recipient,recipient,amount\na,b,1\n"):
        refuse("mass_list_unreadable", text)
    assert world.submit(app.mass.prepare_pass(good))["note"]
    taken = str(world.submit(claim(world, _only_mass(world), PINE))["note"])
    deeper = replace(good, note_id=taken, list_csv=f"recipient,amount\n{stone},60\n".encode())
    world.refused("mass_too_deep", lambda: app.mass.prepare_pass(deeper))


def _only_mass(world: Installation) -> str:
    with world.app.reading() as session:
        (share,) = world.app.mass.open_shares(session, [world.who(PINE)])
    return share.mass_id


def test_a_suspended_recipient_is_refused_when_listed_and_when_it_takes(installation: Installation) -> None:
    world, app = installation, installation.app
    _, root, mass = passed(world)
    ready = claim(world, mass, STONE)
    message = {"member": world.who(STONE), "standing": 1, "reason": b"\1" * 32}
    nonce = app.contracts.members.read(app.ledger, "quorumNonce")
    signed = operator_signatures(digest(app.contracts, "Members", "SetStanding", {**message, "nonce": nonce}))
    app.desk.relay([("stop", app.contracts.members.call("setStanding", *message.values(), signed))])
    world.refused("participant_not_in_standing", lambda: claim(world, mass, STONE))
    with pytest.raises(Problem) as refused:
        world.submit(ready)
    assert refused.value.code in ("participant_not_in_standing", "ledger_erc7943_cannot_transact")
    again = request(world, root, {STONE: 5_00}, "INV-M4")
    problem = world.refused("mass_row_refused", lambda: app.mass.prepare_pass(again))
    assert problem.facts["line"] == 2


def test_nobody_takes_anothers_share_or_more_than_its_own(installation: Installation) -> None:
    world, app = installation, installation.app
    _, _, mass = passed(world)
    world.refused("mass_no_share", lambda: claim(world, mass, CORE))
    world.refused("mass_no_share", lambda: claim(world, "0x" + "00" * 31 + "07", PINE))
    mine = claim(world, mass, PINE)
    for change in ({"amount": SHARES[PINE] + 1}, {"leaf": 1}, {"leaf": 7}, {"to": world.who(STONE)}):
        forged = app.desk.prepare(
            "claim",
            "Receivables",
            "Materialise",
            {**mine.message, **change},
            signers=mine.signers,
            summary=mine.summary,
        )
        with pytest.raises(Problem):
            world.submit(forged)
    assert amounts_on_ledger(world, mass) == [TOTAL]
    world.submit(mine)


def test_a_root_that_is_not_the_filed_lists_is_refused(installation: Installation) -> None:
    world, app = installation, installation.app
    _, root = world.issued(world.trade("INV-M1", FACE), FACE)
    prepared = app.mass.prepare_pass(request(world, root))
    plain = world.trade("INV-M9", FACE, seller=PINE, buyer=LOTUS)
    for change in ({"root": prepared.message["root"] + 1}, {"count": 4}, {"evidence": plain.document}):
        forged = app.desk.prepare(
            "mass_pass", "Receivables", "MassPass", {**prepared.message, **change},
            signers=prepared.signers, summary=prepared.summary,
        )  # fmt: skip
        world.refused("mass_list_missing", lambda act=forged: world.submit(act))


def test_recipients_are_found_by_address_name_or_code(installation: Installation) -> None:
    world = installation
    _, root = world.issued(world.trade("INV-M1", FACE), FACE)
    good = request(world, root)
    with world.app.reading() as session:
        river = world.app.parties.organisation_of(session, world.who(RIVER))
        assert river is not None and river.uscc
        code = river.uscc.lower()
    text = f'\ufeff备注,金额,收款方\r\na,"1,000.00",{firm(PINE).name}\r\nb,2.5,{code}\r\n'
    prepared = world.app.mass.prepare_pass(replace(good, list_csv=text.encode()))
    assert prepared.message["count"] == 2
    assert int(prepared.message["root"]) & (2**64 - 1) == 1_000_00 + 2_50


def test_a_list_of_more_than_the_tree_can_hold_is_refused() -> None:
    row = "0x" + "11" * 20 + ",1\n"
    assert len(read_list(("recipient,amount\n" + row * MOST_LEAVES).encode())) == MOST_LEAVES
    with pytest.raises(Problem) as refused:
        read_list(("recipient,amount\n" + row * (MOST_LEAVES + 1)).encode())
    assert refused.value.code == "mass_list_unreadable"


def test_the_same_request_again_has_one_effect(installation: Installation) -> None:
    world = installation
    number, _ = world.issued(world.trade("INV-M1", FACE), FACE)
    with world.app.reading() as session:
        root = queries.receivable(session, number).root_note_id
    prepared = world.app.mass.prepare_pass(request(world, root))
    first = world.submit(prepared, key="one")
    assert world.submit(prepared, key="one") == first
    taking = claim(world, str(first["note"]), PINE)
    assert world.submit(taking, key="two") == world.submit(taking, key="two")
    assert amounts_on_ledger(world, root) == [FACE - TOTAL]


def test_trade_documents_are_asked_for(installation: Installation) -> None:
    world = installation
    _, root = world.issued(world.trade("INV-M1", FACE), FACE)
    good = request(world, root)
    world.refused("rule_unknown", lambda: world.app.mass.prepare_pass(replace(good, evidence_ids=[], trade={})))
