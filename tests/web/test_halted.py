"""A halted obligor appeals; two operators decide; the halt ends on the ledger once all is paid, and not before."""

from __future__ import annotations

import re

from tests.api.conftest import As
from tests.api.installation import CORE, HARBOUR, Installation

from scf.parties.models import Member
from scf.receivables import queries

API = "/api/v1"


def test_a_halt_is_appealed_decided_by_two_and_ends_once_nothing_is_overdue(demo: Installation, act_as: As) -> None:
    app, play = demo.app, demo.story.play
    with app.reading() as session:
        row = queries.receivable(session, demo.receivable)
        obligor, maturity = row.obligor, row.maturity
    demo.clock.advance(seconds=maturity + 3 * 86_400 - app.clock.now())
    app.maturity.halt_overdue()
    core, stranger = act_as(CORE, "approver"), act_as(HARBOUR)
    first, second = (act_as("operator", f"operator-{n}") for n in (1, 2))
    hold = f"halt:{obligor}"
    (held,) = [one for one in core.get(f"{API}/holds").json()["items"] if one["id"] == hold]
    assert held["may_appeal"] and "overdue" in held["reason"]["en"] and "two operators" in held["owner"]["en"]
    assert "Issuing halted" in core.get("/holds").text
    assert hold not in stranger.get(f"{API}/holds").text
    key = {"Idempotency-Key": "halt appeal"}
    assert stranger.post(f"{API}/holds/{hold}/appeal", json={"words": "x"}, headers=key).status_code == 404
    said = core.post("/holds", data={"act": "appeal", "hold": hold, "words": "It was paid on Friday."}).text
    assert "It was paid on Friday." in said
    appeal = re.search(r'name="appeal" value="(APL[^"]+)"', first.get("/holds").text)
    assert appeal
    first.post("/holds", data={"act": "uphold", "appeal": appeal.group(1), "words": "The bank's line shows it."})
    change = re.search(r'name="change" value="([^"]+)"', second.get("/holds").text)
    assert change
    second.post("/holds", data={"act": "agree", "change": change.group(1)})
    (lift,) = first.get(f"{API}/lifts").json()["items"]
    assert lift["hold"] == hold and lift["appeal"] == appeal.group(1) and lift["state"] == "open"
    path = f"{API}/lifts/{lift['id']}/sign"
    assert core.post(path, json={"demo": True}, headers=key).status_code == 403
    once = first.post(path, json={"demo": True}, headers=key).json()
    assert len(once["signed_by"]) == 1 and "A second operator" in once["turn"]["en"]
    early = second.post(path, json={"demo": True}, headers=key)
    assert early.status_code >= 400 and early.json()["money_moved"] == "no"
    assert "overdue" in early.json()["detail"], early.text

    with app.reading() as session:
        owed = queries.receivable(session, demo.receivable).outstanding_minor
    play.receivable_act("paid", lambda: app.receivables.prepare_payment(demo.receivable, owed, "LINE-PAID"))
    done = second.post(path, json={"demo": True}, headers=key).json()
    assert done["state"] == "done" and len(done["signed_by"]) == 2 and done["transaction"]
    with app.reading() as session:
        member = session.get(Member, obligor)
        assert member is not None and not member.halted
    assert "Issuing halted" not in core.get("/holds").text
    assert "A hold has ended" in act_as(CORE, "approver").get("/notices").text
