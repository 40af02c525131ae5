"""Signing in through a provider of identities: its answer is believed only when every part of it is right."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey
from tests.api.conftest import As
from tests.api.installation import PINE, Installation

CLIENT = "scf-of-pine"
KEY = RSAKey.generate_key(2048, parameters={"kid": "one", "use": "sig"}, private=True)
OTHER = RSAKey.generate_key(2048, parameters={"kid": "one", "use": "sig"}, private=True)


@dataclass
class Provider:
    """A provider on this machine; `claims` and `key` are what its next ID token says and is signed with."""

    issuer: str = ""
    challenge: str = ""
    claims: dict[str, Any] = field(default_factory=dict)
    key: RSAKey = field(default_factory=lambda: KEY)
    metadata: Any = None

    def answer(self, path: str, form: dict[str, list[str]]) -> Any:
        """What one of its addresses says; None for a refusal."""
        if path.endswith("/openid-configuration"):
            places = {"authorization_endpoint": "/authorize", "token_endpoint": "/token", "jwks_uri": "/keys"}
            known = {"issuer": self.issuer, **{name: self.issuer + place for name, place in places.items()}}
            return known if self.metadata is None else self.metadata
        if path == "/keys":
            return {"keys": [KEY.as_dict(private=False)]}
        digest = hashlib.sha256(form["code_verifier"][0].encode()).digest()
        if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != self.challenge or form["code"] != ["good"]:
            return None
        token = jwt.encode({"alg": "RS256", "kid": "one"}, self.claims, self.key)
        return {"access_token": "x", "token_type": "Bearer", "id_token": token}


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[Provider]:
    known = Provider()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._reply({})

        def do_POST(self) -> None:
            self._reply(parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode()))

        def _reply(self, form: dict[str, list[str]]) -> None:
            said = known.answer(urlsplit(self.path).path, form)
            body = json.dumps(said if said is not None else {"error": "invalid_grant"}).encode()
            self.send_response(200 if said is not None else 400)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    known.issuer = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setenv("SCF_OIDC_ISSUER", known.issuer)
    monkeypatch.setenv("SCF_OIDC_CLIENT_ID", CLIENT)
    monkeypatch.setenv("SCF_OIDC_CLIENT_SECRET", "a secret of the test")
    yield known
    server.shutdown()
    server.server_close()


def leave(browser: Any, provider: Provider, email: str) -> str:
    """Go to the provider; returns the state it is to send back. The token it will give is an honest one."""
    asked = browser.get("/sign-in/oidc?next=/receivables", follow_redirects=False)
    assert asked.status_code == 303 and asked.headers["location"].startswith(provider.issuer + "/authorize?")
    query = {name: values[0] for name, values in parse_qs(urlsplit(asked.headers["location"]).query).items()}
    assert query["code_challenge_method"] == "S256" and "openid" in query["scope"]
    provider.challenge = query["code_challenge"]
    now = int(time.time())
    provider.claims = {"iss": provider.issuer, "aud": CLIENT, "sub": "7", "nonce": query["nonce"], "iat": now}
    provider.claims |= {"exp": now + 300, "email": email, "email_verified": True}
    return str(query["state"])


@pytest.fixture
def email(demo: Installation) -> str:
    with demo.app.desk.session() as session:
        address = f"p{time.monotonic_ns()}@pine.example"
        one = demo.app.people.add(session, "Somebody of Pine", address)
        demo.app.people.seat(session, one, demo.at(PINE))
    return address


def test_a_known_person_enters_and_is_known_by_its_subject_from_then_on(
    act_as: As, provider: Provider, email: str
) -> None:
    browser = act_as()
    state = leave(browser, provider, email)
    entered = browser.get(f"/sign-in/oidc/back?code=good&state={state}")
    assert entered.url.path == "/receivables" and "Pine Creek" in entered.text
    later = act_as()
    state = leave(later, provider, "moved@elsewhere.example")
    assert "Pine Creek" in later.get(f"/sign-in/oidc/back?code=good&state={state}").text


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"nonce": "another"}, 401),
        ({"aud": "somebody-else"}, 401),
        ({"iss": "https://else.example"}, 401),
        ({"exp": 1_000_000}, 401),
        ({"email": "nobody@nowhere.example", "sub": "8"}, 403),
        ({"email_verified": False, "sub": "9"}, 403),
    ],
)
def test_a_token_that_says_something_else_lets_nobody_in(
    act_as: As, provider: Provider, email: str, changed: dict[str, Any], status: int
) -> None:
    browser = act_as()
    state = leave(browser, provider, email)
    provider.claims |= {"sub": f"s{time.monotonic_ns()}"} | changed
    answer = browser.get(f"/sign-in/oidc/back?code=good&state={state}")
    assert answer.status_code == status
    assert browser.get("/").url.path == "/sign-in"


def test_a_token_signed_by_another_key_lets_nobody_in(act_as: As, provider: Provider, email: str) -> None:
    browser = act_as()
    state = leave(browser, provider, email)
    provider.key = OTHER
    assert browser.get(f"/sign-in/oidc/back?code=good&state={state}").status_code == 401


@pytest.mark.parametrize(
    "back", ["code=good&state=wrong", "code=good&state=%C3%A9", "code=bad&state={}", "error=access_denied&state={}", ""]
)
def test_an_answer_to_another_question_lets_nobody_in(act_as: As, provider: Provider, email: str, back: str) -> None:
    browser = act_as()
    state = leave(browser, provider, email)
    assert browser.get("/sign-in/oidc/back?" + back.format(state)).status_code == 401


@pytest.mark.parametrize("metadata", [[], {}, {"issuer": "https://else.example"}])
def test_a_provider_that_answers_nonsense_is_refused_in_a_sentence(
    act_as: As, provider: Provider, metadata: Any
) -> None:
    provider.metadata = metadata
    answer = act_as().get("/sign-in/oidc")
    assert answer.status_code == 401 and "could not be trusted" in answer.text


def test_without_a_provider_there_is_no_such_door(act_as: As) -> None:
    assert act_as().get("/sign-in/oidc").status_code == 404
    assert "oidc" not in act_as().get("/sign-in").text
