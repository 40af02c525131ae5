"""The page of holds: those it concerns read why and appeal, two operators decide and sign, strangers see nothing."""

from __future__ import annotations

import re

from tests.api.conftest import As
from tests.api.installation import LOTUS, STONE, Installation

from scf.api import reads
from scf.entrusted import queries
from scf.kernel.money import format_money


def test_a_dispute_is_appealed_decided_and_ended_on_its_page(demo: Installation, act_as: As) -> None:
    app, play = demo.app, demo.story.play
    with app.desk.session() as session:
        stage = next(one for one in queries.stages(session, 1) if one.released_minor < one.amount_minor)
        payer = queries.account(session, 1).payer
    held = app.entrusted.prepare_dispute(1, stage.stage, payer, 1_00, "one crate is wet")
    app.entrusted.submit("dispute", held.message, play.sign(held), key="hold page", caller="t")
    name = f"dispute:1:{stage.stage}"
    payee, stranger = act_as("pine"), act_as("measure")
    page = payee.get("/holds").text
    assert "one crate is wet" in page and "Part in dispute" in page and "CNY\u00a01.00" in page
    assert "one crate is wet" not in stranger.get("/holds").text
    assert stranger.post("/holds", data={"act": "appeal", "hold": name, "words": "mine"}).status_code == 404
    assert payee.post("/holds", data={"act": "appeal", "hold": name, "words": " "}).status_code == 422
    assert "Your appeal is in" in payee.post("/holds", data={"act": "appeal", "hold": name, "words": "it is dry"}).text
    first, second = (act_as("operator", f"operator-{n}") for n in (1, 2))
    appeal = re.search(r'name="appeal" value="(APL[^"]+)"', first.get("/holds").text)
    assert appeal and 'name="appeal"' not in payee.get("/holds").text
    decision = {"act": "uphold", "appeal": appeal.group(1), "words": "the photographs show it dry"}
    assert payee.post("/holds", data=decision).status_code == 403
    proposed = first.post("/holds", data=decision).text
    assert "A second operator has to agree." in proposed and 'value="agree"' not in proposed
    change = re.search(r'name="change" value="([^"]+)"', second.get("/holds").text)
    assert change
    decided = second.post("/holds", data={"act": "agree", "change": change.group(1)}).text
    assert "A hold is being ended" in decided and "Two operators have to sign." in decided
    lift = re.search(r'name="lift" value="(LFT[^"]+)"', decided)
    assert lift
    assert payee.post("/holds", data={"act": "sign", "lift": lift.group(1)}).status_code == 403
    once = first.post("/holds", data={"act": "sign", "lift": lift.group(1)}).text
    assert "A second operator has to sign" in once and 'value="sign"' not in once
    with app.desk.session() as session:
        assert queries.stage(session, 1, stage.stage).disputed_minor == 1_00
    done = second.post("/holds", data={"act": "sign", "lift": lift.group(1)}).text
    assert "one crate is wet" not in done
    with app.desk.session() as session:
        assert queries.stage(session, 1, stage.stage).disputed_minor == 0
    assert "A hold has ended" in payee.get("/notices").text
    assert act_as(LOTUS).get("/holds").status_code == 200


def test_a_firm_on_hold_sees_its_money_and_is_told_before_it_reads_and_signs(demo: Installation, act_as: As) -> None:
    first, second = (act_as("operator", f"operator-{n}") for n in (1, 2))
    firm, note = act_as(STONE), demo.notes[STONE]
    with demo.app.reading() as session:
        organisation = demo.app.parties.organisation_of(session, demo.at(STONE))
        whole = format_money(reads.held_sums(session, {demo.at(STONE)})["CNY"], "CNY").replace(" ", "\u00a0")
    assert organisation is not None and f"/early?note={note}" in firm.get("/").text
    paper = re.search(
        r'name="evidence" required><option value="">—</option><option value="(\w{64})">([^·]+) ·',
        first.get("/holds").text,
    )
    assert paper
    entry = {
        "act": "propose",
        "organisation": organisation.id,
        "reason": "Nobody met the inspector.",
        "authority": "Order 9",
    }
    proposed = first.post(
        "/holds/entries", data={**entry, "evidence": paper.group(1), "until": demo.story.day(90).isoformat()}
    )
    number = re.search(r'id="entry-(\d+)"', proposed.text)
    assert number
    second.post("/holds/entries", data={"act": "agree", "entry": number.group(1)})

    home, holds = firm.get("/").text, firm.get("/holds").text
    assert whole in home and whole in holds, "a hold never hides the balance"
    assert paper.group(2).strip() in holds and firm.get(f"/evidence/{paper.group(1)}").status_code == 200
    for act in (f"/early?note={note}", f"/act/pass?note={note}", f"/act/accept?note={demo.offered}"):
        assert act not in home and act not in firm.get(f"/notes/{note}").text
        refused = firm.get(act)
        assert refused.status_code == 403 and "No money moved" in refused.text
        assert (
            "Your firm is on hold" in refused.text
            and "how to appeal" in refused.text
            and "0x" not in refused.text.split("<main")[1]
        )
    assert f"/act/refuse?note={demo.offered}" in home, "what it does not want it can still refuse"
    assert firm.get(f"/act/refuse?note={demo.offered}").status_code == 200
    assert firm.get("/month").status_code == 200
