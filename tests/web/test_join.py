"""From an invitation to an offered note: the journey, and every way it can end otherwise."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from tests.api.conftest import As
from tests.api.installation import LOTUS, PINE, RIVER, Installation
from tests.api.test_refusals import trade

from scf.api import joining
from scf.kernel.identifiers import make_uscc
from scf.kernel.problems import Problem
from scf.receivables import queries
from scf.receivables.invitations import Invitation

VILLAGE = "N2110106MF60261036"  # a village collective: its code begins with a letter
ANSWERS = {"name": "青石村经济合作社", "contact": "138 0000 1234"}


def invite(demo: Installation, client: Any, amount: str = "12.00", **more: str) -> str:
    """Invite by the form as Lotus; returns the path of the link."""
    answers = {
        "note": demo.notes[LOTUS],
        "currency": "CNY",
        "amount": amount,
        "delivered_on": demo.story.day(4).isoformat(),
        "evidence": trade(demo)["evidence"],
        "sign_at_once": "yes",
        **more,
    }
    page = client.post("/invite", data=answers)
    assert page.status_code == 200, page.text
    found = re.search(r'value="[a-z]+://[^/]+(/join/[\w-]+)"', page.text)
    assert found and "<svg" in page.text, page.text
    return found.group(1)


def row_of(demo: Installation, path: str) -> Invitation:
    with demo.app.reading() as session:
        return demo.app.invitations.find(session, path.removeprefix("/join/"))


def test_a_village_collective_joins_with_three_answers_and_accepts(demo: Installation, act_as: As) -> None:
    lotus, phone = act_as(LOTUS), act_as(language="zh-CN")
    path = invite(demo, lotus, "1,200.00", to_name="The village")
    assert path.removeprefix("/join/").encode() not in (demo.app.settings.data / "scf.db").read_bytes()
    page = phone.get(path).text
    assert "CNY\u00a01,200.00" in page and "北桥汽车" in page and "莲塘铸造" in page
    assert len(re.findall(r"<input (?!type=\"hidden\")[^>]*required", page)) == 3
    accept = phone.post(path, data={"uscc": VILLAGE.lower(), **ANSWERS})
    assert accept.status_code == 200 and accept.url.path == "/act/accept", accept.text
    assert "青石村经济合作社" in accept.text and "1,200.00" in accept.text
    sealed = re.search(r'name="sealed" value="([^"]+)"', accept.text)
    assert sealed
    boxes = {f"clause_{place}": "yes" for place in range(3)}
    done = phone.post("/confirm", data={"sealed": sealed.group(1), **boxes})
    assert done.url.path.startswith("/notes/") and "已签收" in done.text, done.text
    with demo.app.reading() as session:
        note = queries.note(session, done.url.path.removeprefix("/notes/"))
        assert note.original_minor == 1_200_00 and note.state == "held"
        assert demo.app.parties.name_of(session, note.holder) == "青石村经济合作社"
    assert "took your invitation" in lotus.get("/notices").text
    assert phone.get(path).url.path == f"/notes/{note.id}"
    again = act_as().post(path, data={"uscc": make_uscc("91440000MA1FL0991"), "name": "Late", "contact": "a@b.example"})
    assert again.status_code == 410 and "works once" in again.text


@pytest.mark.parametrize(
    ("uscc", "said"),
    [
        ("91310000MA1FL0", "has 14"),
        ("9131000OMA1FL00017", "“O” (place 8)"),
        ("N2110106MF60261063", "last character does not fit"),
        ("", "has 0"),
    ],
)
def test_a_mistyped_code_is_explained_beside_its_field_and_uses_nothing_up(
    uscc: str, said: str, demo: Installation, act_as: As
) -> None:
    path = invite(demo, act_as(LOTUS))
    page = act_as().post(path, data={"uscc": uscc, "name": "Firm", "contact": "a@b.example"})
    assert page.status_code == 422 and said in page.text and 'aria-invalid="true"' in page.text
    assert 'value="Firm"' in page.text and 'value="a@b.example"' in page.text
    assert row_of(demo, path).joined_as is None
    nobody = act_as().post(path, data={"uscc": VILLAGE, "name": "Firm", "contact": "call me"})
    assert nobody.status_code == 422 and "neither an e-mail address nor a phone number" in nobody.text


def test_a_member_gets_the_offer_and_a_stranger_with_its_code_gets_nothing(demo: Installation, act_as: As) -> None:
    path = invite(demo, act_as(LOTUS), "13.00")
    with demo.app.reading() as session:
        river = demo.app.parties.organisation_of(session, demo.at(RIVER))
    stranger = act_as()
    page = stranger.post(path, data={"uscc": str(river and river.uscc), "name": "x y", "contact": "x@y.example"})
    assert page.status_code == 200 and "River Bend" in page.text and 'href="/sign-in"' in page.text
    assert stranger.get("/").url.path == "/sign-in"
    assert row_of(demo, path).joined_as == demo.at(RIVER)


def test_a_member_that_is_signed_in_takes_it_with_one_press(demo: Installation, act_as: As) -> None:
    path = invite(demo, act_as(LOTUS), "14.00")
    steel = act_as("steel")
    assert "Take it for" in steel.get(path).text
    page = steel.post(f"{path}/as-member")
    assert page.url.path == "/act/accept" and "14.00" in page.text
    assert act_as(LOTUS).post(f"{path}/as-member").status_code == 410


def test_the_inviter_cannot_invite_itself(demo: Installation, act_as: As) -> None:
    lotus = act_as(LOTUS)
    path = invite(demo, lotus, "1.00")
    assert lotus.post(f"{path}/as-member").status_code == 422
    with demo.app.reading() as session:
        own = demo.app.parties.organisation_of(session, demo.at(LOTUS))
    page = act_as().post(path, data={"uscc": str(own and own.uscc), "name": "x y", "contact": "x@y.example"})
    assert page.status_code == 422 and "the firm that sent the invitation" in page.text


def test_without_the_holders_word_the_pass_waits_for_one_press(demo: Installation, act_as: As) -> None:
    lotus, phone = act_as(LOTUS), act_as()
    path = invite(demo, lotus, "15.00", sign_at_once="")
    page = phone.post(
        path, data={"uscc": make_uscc("91440000MA1FL0992"), "name": "Waiting Co", "contact": "w@w.example"}
    )
    assert page.url.path == path and "has to sign the pass" in page.text
    number = row_of(demo, path).id
    assert f"/invitations/{number}" in lotus.get("/").text
    confirm = lotus.post(f"/invitations/{number}/pass")
    assert "Read and confirm" in confirm.text and "Waiting Co" in confirm.text and "15.00" in confirm.text
    sealed = re.search(r'name="sealed" value="([^"]+)"', confirm.text)
    assert sealed
    lotus.post("/confirm", data={"sealed": sealed.group(1), **{f"clause_{place}": "yes" for place in range(3)}})
    assert phone.get(path).url.path.startswith("/notes/")
    assert f"/invitations/{number}" not in lotus.get("/").text


def test_taken_back_renewed_and_expired(demo: Installation, act_as: As) -> None:
    lotus = act_as(LOTUS)
    path = invite(demo, lotus, "16.00")
    number = row_of(demo, path).id
    renewed = lotus.post(f"/invitations/{number}/link").text
    assert act_as().get(path).status_code == 404  # the old link
    path = re.findall(r'value="[a-z]+://[^/]+(/join/[\w-]+)"', renewed)[0]
    with demo.app.desk.session() as session:
        row = demo.app.invitations.get(session, number)
        row.expires_at = demo.clock.now()
        session.add(row)
    late = act_as()
    page = late.get(path)
    assert page.status_code == 410 and "has expired" in page.text and "Lotus Pond" in page.text
    refused = late.post(path, data={"uscc": VILLAGE, **ANSWERS})
    assert refused.status_code == 410
    late.post(f"{path}/remind")
    assert "asks for a new link" in lotus.get("/notices").text
    lotus.post(f"/invitations/{number}/withdraw")
    assert "was taken back" in act_as().get(path).text
    assert act_as(PINE).post(f"/invitations/{number}/withdraw").status_code == 404
    assert act_as(PINE).get(f"/invitations/{number}").status_code == 404
    assert act_as().get("/join/nothing").status_code == 404


def test_no_more_is_promised_than_the_note_carries(demo: Installation, act_as: As) -> None:
    lotus = act_as(LOTUS)
    with demo.app.reading() as session:
        carries = queries.note(session, demo.notes[LOTUS]).amount_minor
        promised = demo.app.invitations.promised(session, demo.notes[LOTUS])
    answers = {
        "note": demo.notes[LOTUS],
        "currency": "CNY",
        "amount": f"{(carries - promised + 1) // 100}.{(carries - promised + 1) % 100:02}",
        "delivered_on": demo.story.day(4).isoformat(),
        "evidence": trade(demo)["evidence"],
    }
    page = lotus.post("/invite", data=answers)
    assert page.status_code == 422 and "You can invite with at most" in page.text
    assert act_as(PINE).post("/invite", data=answers).status_code == 404


def test_a_barred_firm_reads_why_and_the_link_stays_good(
    demo: Installation, act_as: As, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = invite(demo, act_as(LOTUS), "17.00")

    def barred(session: object, organisation_id: int) -> None:
        raise Problem("firm_barred", firm="Barred Co")

    monkeypatch.setattr(demo.app.onboarding, "account_of", barred)
    with demo.app.reading() as session:
        river = demo.app.parties.organisation_of(session, demo.at(RIVER))
    page = act_as().post(path, data={"uscc": str(river and river.uscc), "name": "x y", "contact": "x@y.example"})
    assert page.status_code == 403 and "to appeal" in page.text and "Barred Co" in page.text
    assert row_of(demo, path).joined_as is None


def test_one_link_among_many_at_once_lets_one_firm_in(demo: Installation, act_as: As) -> None:
    path = invite(demo, act_as(LOTUS), "18.00").removeprefix("/join/")

    def take(place: int) -> str:
        code = make_uscc(f"9144000{place}MA1FL0993")
        body = joining.JoinBody(uscc=code, name="Racing Co", contact=f"r{place}@r.example")
        try:
            return joining.join(demo.app, path, body).state
        except Problem as problem:
            return problem.code

    with ThreadPoolExecutor(4) as pool:
        outcomes = sorted(pool.map(take, range(4)))
    assert outcomes == ["enrolled", "invitation_over", "invitation_over", "invitation_over"]


def test_a_program_invites_and_takes_back_and_never_sees_the_link_again(demo: Installation, act_as: As) -> None:
    lotus = act_as(LOTUS)
    body = {
        "note": demo.notes[LOTUS],
        "amount": {"text": "19.00", "currency": "CNY"},
        "evidence": [trade(demo)["evidence"]] if isinstance(trade(demo)["evidence"], str) else trade(demo)["evidence"],
        "delivered_on": demo.story.day(4).isoformat(),
    }
    made = lotus.post("/api/v1/invitations", json=body).json()
    path = "/join/" + made["link"].split("/join/")[1]
    assert act_as().get(path).status_code == 200
    items = lotus.get("/api/v1/invitations").json()["items"]
    mine = next(item for item in items if item["id"] == made["id"])
    assert mine["stage"] == "open" and "link" not in mine
    assert made["id"] not in str(act_as(PINE).get("/api/v1/invitations").json())
    assert act_as(PINE).delete(f"/api/v1/invitations/{made['id']}").status_code == 404
    assert lotus.delete(f"/api/v1/invitations/{made['id']}").status_code == 200
    assert act_as().get(path).status_code == 410
    assert act_as(PINE).post("/api/v1/invitations", json=body).json()["code"] == "unknown_note"
