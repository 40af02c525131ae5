"""Every error says whether money moved: each refusal there is, on the API, the pages and the command line."""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from typing import Any, get_args
from unittest.mock import patch

import pytest
from fastapi import FastAPI
from rich.console import Console
from tests.installation import Installation

from scf import terminal
from scf.api import problems
from scf.api.access import Sessions
from scf.demo.cast import PINE
from scf.kernel.problems import MoneyMoved, Problem
from scf.kernel.sentences import catalogue
from scf.ledger.embedded.engine import EmbeddedLedger
from scf.receivables import queries
from scf.receivables.service import PassRequest
from scf.web.pages import Pages

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from starlette.requests import Request
    from starlette.testclient import TestClient

CODES = sorted(catalogue())
MOVED: Sequence[MoneyMoved] = get_args(MoneyMoved)
ON_THE_TERMINAL = {
    ("no", "en"): "Money moved: no.",
    ("yes", "en"): "Money moved: yes.",
    ("unknown", "en"): "Money moved: not known yet.",
    ("no", "zh-CN"): "资金是否变动：否。",
    ("yes", "zh-CN"): "资金是否变动：是。",
    ("unknown", "zh-CN"): "资金是否变动：尚不确定。",
}


@pytest.mark.parametrize("moved", MOVED)
def test_every_refusal_on_the_api(moved: MoneyMoved) -> None:
    api = FastAPI()
    problems.install(api)

    @api.get("/{code}")
    def refuse(code: str) -> None:
        raise Problem(code, money_moved=moved)

    client = TestClient(api, raise_server_exceptions=False)
    assert len(CODES) > 200
    for code in CODES:
        answer = client.get(f"/{code}", headers={"Accept-Language": "zh-CN"})
        body = answer.json()
        assert (body["code"], body["money_moved"]) == (code, moved)
        assert answer.status_code == body["status"] == catalogue()[code].status
        assert any("\u4e00" <= letter <= "\u9fff" for letter in body["detail"]), code


@pytest.mark.parametrize("language", ["en", "zh-CN"])
@pytest.mark.parametrize("moved", MOVED)
def test_every_refusal_on_the_command_line(moved: MoneyMoved, language: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCF_LANG", language)
    for code in CODES:
        said = io.StringIO()
        monkeypatch.setattr(terminal, "errors", Console(file=said, highlight=False, soft_wrap=True))
        terminal.refuse(Problem(code, money_moved=moved))
        assert ON_THE_TERMINAL[moved, language] in said.getvalue(), code
        assert f"({code})" in said.getvalue()


@pytest.mark.parametrize("moved", MOVED)
def test_every_refusal_as_a_page(moved: MoneyMoved, shared_installation: Installation) -> None:
    """What happened to the money is the heading."""
    pages = Pages(shared_installation.app, Sessions(shared_installation.folder))
    heading = {"no": "No money moved", "yes": "Money moved", "unknown": "It is not known whether money moved"}[moved]
    scope: dict[str, Any] = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "scheme": "http"}
    scope["headers"] = [(b"accept-language", b"en")]
    for code in CODES[::10]:
        html = bytes(pages.problem(Request(scope), Problem(code, money_moved=moved)).body).decode()
        assert f"<h1>{heading}</h1>" in html, code


def test_once_a_transaction_is_stored_nobody_says_that_no_money_moved(installation: Installation) -> None:
    """The disk fills, or the node goes away, after the act was stored: it will be sent again, so it is not known."""
    at = installation
    prepared = at.app.receivables.prepare_issue(at.request(at.trade("INV-1", 1_000_00), 1_000_00))

    def fails(*_: object) -> None:
        raise Problem("ledger_disk_full", path="ledger.db")

    with patch.object(EmbeddedLedger, "submit", fails), pytest.raises(Problem) as caught:
        at.submit(prepared, key="once")
    assert caught.value.code == "ledger_disk_full"
    assert caught.value.money_moved == "unknown"
    reply = at.submit(prepared, key="once")
    assert at.submit(prepared, key="once") == reply
    with at.app.reading() as session:
        assert len(queries.all_receivables(session)) == 1


def test_a_batch_of_which_one_act_failed_says_that_the_others_stand(installation: Installation) -> None:
    at = installation
    _, root = at.issued(at.trade("INV-1", 1_000_00), 1_000_00)
    document = at.trade("INV-2", 1_000_00).document
    prepared = at.app.receivables.prepare_pass(PassRequest(root, at.who(PINE), 1_00, document))
    call = at.app.receivables.call("pass", prepared.message, at.sign(prepared)[0][0])
    with pytest.raises(Problem) as caught:
        at.app.desk.relay([("first", call), ("the same again", call)])
    assert (caught.value.code, caught.value.money_moved) == ("act_failed_on_ledger", "yes")
    with at.app.reading() as session:
        assert queries.note(session, root).children == 1
