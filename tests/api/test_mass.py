"""A mass pass over the API: prepared from a list, taken by its recipients alone, seen by its giver alone."""

from __future__ import annotations

from typing import Any

from tests.api.conftest import As
from tests.api.installation import CORE, LOTUS, PINE, RIVER, STONE, Installation
from tests.api.test_refusals import API

from scf.receivables import queries
from scf.receivables.models import Dossier


def post(client: Any, act: str, body: dict[str, Any], key: str) -> Any:
    return client.post(f"{API}/acts/{act}/demo", json=body, headers={"Idempotency-Key": key})


def body_of(demo: Installation, **shares: str) -> dict[str, Any]:
    """A list from Lotus's note, backed by the papers of its pass to Pine."""
    with demo.app.reading() as session:
        note = queries.note(session, demo.notes[PINE])
        parent = note.parent_id
        dossier = session.get(Dossier, note.evidence)
        assert dossier is not None
    rows = "".join(f"{demo.at(code)},{text}\n" for code, text in shares.items())
    return {
        "note": parent,
        "list": "recipient,amount\n" + rows,
        "evidence": dossier.evidence_ids.split(","),
        "delivered_on": dossier.delivered_on,
    }


def test_from_the_list_to_the_note_and_back(demo: Installation, act_as: As) -> None:
    lotus, river, stone = act_as(LOTUS), act_as(RIVER), act_as(STONE)
    body = body_of(demo, river="120.00", stone="80.50")
    prepared = lotus.post(f"{API}/acts/mass_pass/prepare", json=body)
    assert prepared.status_code == 200, prepared.text
    assert "CNY 200.50" in prepared.json()["summary"]["en"]
    done = post(lotus, "mass_pass", body, "mass-1")
    assert done.status_code == 200, done.text
    mass = done.json()["note"]
    again = post(lotus, "mass_pass", body, "mass-1")
    assert again.json() == done.json()

    (share,) = [one for one in river.get(f"{API}/shares").json()["items"] if one["note"] == mass]
    assert (share["amount"]["text"], share["to"], len(share["proof"])) == ("120.00", demo.at(RIVER), 1)
    assert any("120.00" in str(one) for one in river.get(f"{API}/notices").json()["items"])
    refused = post(act_as(PINE), "claim", {"note": mass}, "claim-pine")
    assert refused.json()["code"] == "mass_no_share"
    refused = post(act_as(PINE), "claim", {"note": mass, "to": demo.at(RIVER)}, "claim-for-river")
    assert (refused.status_code, refused.json()["code"]) == (403, "not_your_act")
    taken = post(river, "claim", {"note": mass}, "claim-1")
    assert taken.status_code == 200, taken.text
    note = river.get(f"{API}/notes/{taken.json()['note']}").json()
    assert (note["amount"]["text"], note["state"], note["mine"]) == ("120.00", "held", True)
    assert post(river, "claim", {"note": mass}, "claim-2").json()["code"] == "mass_share_taken"

    seen = lotus.get(f"{API}/notes/{mass}/recipients?limit=1").json()
    assert (seen["taken"], seen["recipients"], seen["left"]["text"], seen["next"]) == (1, 2, "80.50", 0)
    assert seen["items"][0]["note"] == taken.json()["note"]
    assert lotus.get(f"{API}/notes/{mass}/recipients?after=0").json()["items"][0]["note"] is None

    early = post_plain(lotus, mass, "back-0")
    assert early.json()["code"] == "mass_still_open"
    with demo.app.reading() as session:
        demo.clock.move_to(queries.note(session, mass).offer_until)
    assert stone.get(f"{API}/shares").json()["items"] == []
    assert post(stone, "claim", {"note": mass}, "claim-late").json()["code"] == "mass_closed"
    assert post_plain(act_as(RIVER), mass, "back-river").json()["code"] == "mass_not_found"
    back = post_plain(lotus, mass, "back-1")
    assert back.json()["returned"]["text"] == "80.50", back.text
    assert post_plain(lotus, mass, "back-1").json() == back.json()


def post_plain(client: Any, note: str, key: str) -> Any:
    return client.post(f"{API}/acts/reclaim", json={"note": note}, headers={"Idempotency-Key": key})


def test_nobody_but_the_holder_passes_its_note_to_a_list(demo: Installation, act_as: As) -> None:
    body = body_of(demo, river="1.00")
    for who in (CORE, PINE, RIVER):
        answer = act_as(who).post(f"{API}/acts/mass_pass/prepare", json=body)
        assert (answer.status_code, answer.json()["code"]) == (403, "not_your_act")


def test_a_list_with_a_stranger_says_which_line(demo: Installation, act_as: As) -> None:
    body = body_of(demo, river="1.00")
    body["list"] += f"0x{'77' * 20},5.00\n"
    answer = act_as(LOTUS).post(f"{API}/acts/mass_pass/prepare?lang=en", json=body)
    problem = answer.json()
    assert (answer.status_code, problem["code"], problem["facts"]["line"]) == (422, "mass_row_refused", "3")
    assert "is not a participant here yet" in problem["detail"] and problem["money_moved"] == "no"
