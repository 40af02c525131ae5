"""Who is let in: sessions, tokens, and no other site."""

from __future__ import annotations

from tests.api.conftest import As
from tests.api.installation import LOTUS, Installation
from tests.api.test_refusals import API

from scf.api.access import SESSION_COOKIE, Sessions
from scf.api.language import accepted


def test_nothing_is_shown_to_nobody(act_as: As) -> None:
    client = act_as()
    for path in ("receivables", "notes", "notes/offered", "entrusted", "participants", "exceptions", "me", "tokens"):
        answer = client.get(f"{API}/{path}")
        assert (answer.status_code, answer.json()["code"]) == (401, "sign_in_needed"), path
    assert client.get(f"{API}/status").status_code == 200
    assert "totals" not in client.get(f"{API}/status").json()


def test_a_forged_or_foreign_session_is_nobody(demo: Installation, act_as: As) -> None:
    client = act_as(LOTUS)
    sealed = client.cookies[SESSION_COOKIE]
    client.cookies.set(SESSION_COOKIE, sealed[:-4] + "0000")
    assert client.get(f"{API}/me").status_code == 401
    other = Sessions(demo.app.settings.data / "elsewhere").seal({"address": demo.at(LOTUS)})
    client.cookies.set(SESSION_COOKIE, other)
    assert client.get(f"{API}/me").status_code == 401


def test_a_session_ends(demo: Installation) -> None:
    sessions = Sessions(demo.app.settings.data)
    sealed = sessions.seal({"address": "x"})
    assert sessions.open(sealed) is not None
    assert sessions.open(sealed, seconds=-1) is None


def test_a_token_acts_as_its_seat_until_revoked(demo: Installation, act_as: As) -> None:
    owner, program = act_as(LOTUS), act_as()
    secret = owner.post(f"{API}/tokens", json={"name": "erp"}).json()["token"]
    bearer = {"Authorization": f"Bearer {secret}"}
    assert program.get(f"{API}/me", headers=bearer).json()["address"] == demo.at(LOTUS)
    listed = owner.get(f"{API}/tokens").json()["items"][0]
    assert secret not in str(listed)
    assert secret.encode() not in (demo.app.settings.data / "scf.db").read_bytes()
    assert act_as("pine").delete(f"{API}/tokens/{listed['id']}").json()["code"] == "token_not_valid"
    assert owner.delete(f"{API}/tokens/{listed['id']}").status_code == 200
    answer = program.get(f"{API}/me", headers=bearer)
    assert (answer.status_code, answer.json()["code"]) == (401, "token_not_valid")


def test_another_site_cannot_use_a_session(demo: Installation, act_as: As) -> None:
    client = act_as("stone")
    for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "null"}):
        answer = client.post(
            f"{API}/acts/accept/demo", json={"note": demo.offered}, headers={"Idempotency-Key": "x", **headers}
        )
        assert (answer.status_code, answer.json()["code"]) == (403, "other_origin")


def test_accepted_language_follows_weights() -> None:
    assert accepted("en;q=0.3, zh-CN;q=0.9") == "zh-CN"
    assert accepted("fr, en-GB;q=0.8") == "en"
    assert accepted("zh-TW") == "zh-CN"
    assert accepted("en;q=0") is None
    assert accepted("fr") is None
    assert accepted("en;q=x") is None
