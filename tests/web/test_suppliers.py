"""A core enterprise invites its first supplier: a link, three answers, and the firm is in."""

from __future__ import annotations

import re
from typing import Any

from starlette.testclient import TestClient
from tests.api.conftest import As
from tests.api.installation import CORE, PINE, Installation
from tests.web.test_join import ANSWERS, VILLAGE

API = "/api/v1/supplier-invitations"


def _link(core: TestClient, name: str = "") -> str:
    page = core.post("/suppliers", data={"to_name": name})
    found = re.search(r'value="[a-z]+://[^/]+(/welcome/[\w-]+)"', page.text)
    assert page.status_code == 200 and found and "<svg" in page.text, page.text
    return found.group(1)


def test_a_supplier_joins_by_the_link_of_the_enterprise(demo: Installation, act_as: As) -> None:
    core, phone = act_as(CORE), act_as(language="zh-CN")
    assert 'href="/suppliers"' in core.get("/").text
    path = _link(core, "The village")
    assert path.removeprefix("/welcome/").encode() not in (demo.app.settings.data / "scf.db").read_bytes()
    page = phone.get(path)
    assert page.status_code == 200 and "邀请贵司加入" in page.text
    assert len(re.findall(r"<input (?!type=\"hidden\")[^>]*required", page.text)) == 3
    wrong = phone.post(path, data={"uscc": VILLAGE[:-1] + "9", **ANSWERS})
    assert wrong.status_code == 422 and 'aria-invalid="true"' in wrong.text
    home = phone.post(path, data={"uscc": VILLAGE, **ANSWERS})
    assert home.url.path == "/" and ANSWERS["name"] in home.text, home.text
    mine = _row(core, "The village")
    assert mine["stage"] == "joined" and mine["ready"] and mine["firm"] == ANSWERS["name"]
    assert "took your invitation" in core.get("/notices").text
    assert ANSWERS["name"] in core.get("/act/issue").text, "it can be issued to"
    again = act_as().post(path, data={"uscc": "91440000MA1FL0991", "name": "Late", "contact": "a@b.example"})
    assert again.status_code in (410, 422)


def test_a_member_is_told_apart_and_gives_no_session(act_as: As) -> None:
    core, stranger = act_as(CORE), act_as()
    code = act_as(PINE).get("/api/v1/me").json()
    path = _link(core)
    with_own = core.post(path, data={"uscc": _code(core, CORE), "name": "Core", "contact": "a@b.example"})
    assert with_own.status_code in (409, 422), with_own.text
    page = stranger.post(path, data={"uscc": _code(core, PINE), "name": "Pine", "contact": "a@b.example"})
    assert page.status_code == 200 and code["name"] in page.text.replace("&amp;", "&")
    assert stranger.get("/api/v1/me").status_code == 401


def test_taken_back_and_not_for_others(demo: Installation, act_as: As) -> None:
    core = act_as(CORE)
    path = _link(core, "Nobody")
    row = _row(core, "Nobody")
    assert act_as(PINE).delete(f"{API}/{row['id']}").status_code == 404
    assert act_as(PINE).get("/suppliers").status_code == 403
    assert act_as(PINE).post(API, json={}).status_code == 403
    assert "opens nothing" in core.post(f"/suppliers/{row['id']}/withdraw").text
    assert act_as().get(path).status_code == 410
    made = core.post(API, json={"to_name": "By program"}).json()
    path = "/welcome/" + made["link"].split("/welcome/")[1]
    assert act_as().get(path).status_code == 200
    demo.clock.advance(days=15)
    assert act_as().get(path).status_code == 410
    late = act_as().post(path, data={"uscc": VILLAGE, "name": "Late", "contact": "late@b.example"})
    assert late.status_code in (409, 410)


def _row(core: TestClient, name: str) -> dict[str, Any]:
    (row,) = [one for one in core.get(API).json()["items"] if one["to_name"] == name]
    return dict(row)


def _code(client: TestClient, code: str) -> str:
    from scf.demo.cast import firm
    from scf.kernel.identifiers import make_uscc

    return make_uscc(firm(code).uscc17)
