"""Every page for every role in both languages, strict headers, and acts by plain forms."""

from __future__ import annotations

import re
from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.api.conftest import As
from tests.api.installation import CORE, LOTUS, PINE, RIVER, STONE, Installation
from tests.api.test_refusals import standing, trade

from scf.demo.papers import invoice
from scf.store.evidence import Evidence
from scf.web.server import create_server

SEATS = [
    (CORE, "account"),
    (CORE, "approver"),
    (LOTUS, "account"),
    (STONE, "account"),
    ("steel", "account"),
    ("harbour", "account"),
    ("harbour", "credit-officer"),
    ("farhill", "account"),
    ("civic", "account"),
    ("fairway", "account"),
    ("operator", "operator-1"),
    ("audit", "account"),
]
EVERYONE = ("/", "/receivables", "/entrusted", "/documents", "/exceptions", "/members", "/verify", "/developers")


def records(demo: Installation) -> list[str]:
    """Pages of single records."""
    return [
        f"/receivables/{demo.receivable}",
        f"/entrusted/{demo.account}",
        f"/asks/{demo.ask}",
        f"/notes/{demo.offered}",
        f"/notes/{demo.financed}",
        f"/notes/{demo.notes[PINE]}",
        "/orders/PO-2026-0117",
        "/orders/PO-PC-0042",
    ]


@pytest.mark.parametrize(("code", "seat"), SEATS, ids=[f"{code}-{seat}" for code, seat in SEATS])
@pytest.mark.parametrize("language", ["zh-CN", "en"])
def test_every_page_renders_for_every_role(code: str, seat: str, language: str, demo: Installation, act_as: As) -> None:
    client = act_as(code, seat, language)
    for path in [*EVERYONE, *records(demo)]:
        answer = client.get(path)
        assert answer.status_code == 200 or (answer.status_code == 404 and path not in EVERYONE), path
        assert f'<html lang="{language}">' in answer.text
        assert "Demo keys" in answer.text or "演示密钥" in answer.text
        assert "style=" not in answer.text and "<script>" not in answer.text
        policy = answer.headers["content-security-policy"]
        assert "unsafe" not in policy and "default-src 'none'" in policy
        if language == "zh-CN" and answer.status_code == 200:
            shown = re.sub(r"<[^>]+>", " ", answer.text)
            assert not re.search(r"\b(Your turn|Holder|Receivables|Whose turn)\b", shown), path


def test_a_page_of_another_is_as_if_it_did_not_exist(demo: Installation, act_as: As) -> None:
    stranger = act_as("steel")
    hidden, absent = stranger.get(f"/notes/{demo.offered}"), stranger.get("/notes/0x" + "0" * 64)
    assert hidden.status_code == absent.status_code == 404
    assert "No money moved" in hidden.text
    assert act_as(STONE).get(f"/asks/{demo.ask}").status_code == 404
    assert act_as(STONE).get("/orders/PO-PC-0042").status_code == 404


def test_nobody_signed_in_is_led_to_the_sign_in_page_and_back(demo: Installation, act_as: As) -> None:
    client = act_as()
    answer = client.get("/receivables")
    assert answer.url.path == "/sign-in" and 'value="/receivables"' in answer.text
    entered = client.post("/sign-in", data={"address": demo.at(LOTUS), "next": "/receivables"})
    assert entered.url.path == "/receivables" and "Lotus Pond" in entered.text
    elsewhere = client.post("/sign-in", data={"address": demo.at(LOTUS), "next": "//evil.example"})
    assert elsewhere.url.host == "testserver"
    client.post("/sign-out")
    assert client.get("/").url.path == "/sign-in"


def test_the_language_is_remembered(act_as: As) -> None:
    client = act_as(LOTUS, language="en")
    assert "Available now" in client.get("/").text
    assert "现在可用" in client.get("/language?to=zh-CN&back=/").text
    assert "现在可用" in client.get("/").text
    assert client.get("/language?to=en&back=https://evil.example").url.host == "testserver"


def sealed_of(html: str) -> str:
    found = re.search(r'name="sealed" value="([^"]+)"', html)
    assert found, html[-2000:]
    return found.group(1)


def confirm(client: Any, html: str, *, clauses: int = 3) -> Any:
    boxes = {f"clause_{place}": "yes" for place in range(clauses)}
    return client.post("/confirm", data={"sealed": sealed_of(html), **boxes})


def test_pass_accept_and_ask_by_plain_forms(demo: Installation, act_as: As) -> None:
    lotus, steel = act_as(LOTUS), act_as("steel")
    form = lotus.get(f"/act/pass?note={demo.notes[LOTUS]}")
    assert "Golden Ridge" in form.text and "No documents" not in form.text
    answers = {
        "note": demo.notes[LOTUS],
        "currency": "CNY",
        "to": demo.at("steel"),
        "amount": "1,234.50",
        **trade(demo),
    }
    shown = lotus.post("/act/pass", data=answers)
    assert "1,234.50" in shown.text and "Read and confirm" in shown.text
    done = confirm(lotus, shown.text)
    assert done.status_code == 200 and "Offered. It is theirs once they accept." in done.text
    note = done.url.path.removeprefix("/notes/")
    again = confirm(lotus, shown.text)
    assert again.url.path == done.url.path

    home = steel.get("/")
    assert "1,234.50" in home.text and f"/act/accept?note={note}" in home.text
    accepted = confirm(steel, steel.get(f"/act/accept?note={note}").text)
    assert "Accepted. The note is yours." in accepted.text

    asked = steel.post(
        "/act/ask",
        data={
            "note": note,
            "currency": "CNY",
            "amount": "1000",
            "invited": [demo.at("harbour"), demo.at("farhill")],
            "key": "form-ask",
        },
    )
    assert asked.status_code == 200, re.findall(r"<section class=.refusal.*?</section>", asked.text, re.S)
    assert asked.url.path.startswith("/asks/") and "The financiers you asked have to quote." in asked.text
    _quote_and_take(demo, act_as, asked.url.path)


def _quote_and_take(demo: Installation, act_as: As, path: str) -> None:
    harbour, steel = act_as("harbour"), act_as("steel")
    assert "Quote a firm price" in harbour.get(path).text
    answers = {
        "ask": path.removeprefix("/asks/"),
        "currency": "CNY",
        "rate_ppm": "5.5",
        "fee": "2",
        "paying_bank": demo.at("civic"),
    }
    shown = harbour.post("/act/quote", data=answers)
    said = shown.text.replace("\u00a0", " ")
    figures = re.findall(r"CNY [\d,.]+", said)
    assert "CNY 1,000.00" in figures
    quoted = confirm(harbour, shown.text, clauses=2)
    assert quoted.url.path == path
    sealed = steel.get(path).text.replace("\u00a0", " ")
    assert "Open the firm price" in sealed and figures[0] not in re.findall(r"Take (CNY [\d,.]+)", sealed)
    assert "/act/accept_quote" not in sealed
    assert act_as(STONE).post(path + "/open").status_code == 404
    offer = steel.post(path + "/open").text.replace("\u00a0", " ")
    net = re.search(r"Take (CNY [\d,.]+)", offer)
    link = re.search(r"/act/accept_quote\?quote=0x[0-9a-f]{64}", offer)
    assert net and link and net.group(1) in said
    taking = steel.get(link.group(0)).text
    assert net.group(1) in taking.replace("\u00a0", " ")
    taken = confirm(steel, taking)
    assert "The note is locked for this financier" in taken.text
    assert "Pay out and confirm" in act_as("civic").get("/").text


def test_a_confirmation_that_was_not_read_signs_nothing(demo: Installation, act_as: As) -> None:
    stone = act_as(STONE)
    before = standing(demo)
    page = stone.get(f"/act/accept?note={demo.offered}")
    skipped = stone.post("/confirm", data={"sealed": sealed_of(page.text), "clause_0": "yes"})
    assert skipped.status_code == 422 and "2 statement(s) are not confirmed" in skipped.text
    assert "No money moved" in skipped.text
    forged = stone.post("/confirm", data={"sealed": sealed_of(page.text)[:-2] + "00", "clause_0": "yes"})
    assert forged.status_code == 409
    stolen = act_as(LOTUS).post("/confirm", data={"sealed": sealed_of(page.text)})
    assert stolen.status_code == 409
    stone.app.state.reading_speed = 1.0
    try:
        hasty = confirm(stone, page.text)
    finally:
        stone.app.state.reading_speed = 1e9
    assert hasty.status_code == 422 and "takes at least" in hasty.text
    assert standing(demo) == before


def test_what_was_read_is_kept_as_evidence(demo: Installation, act_as: As) -> None:
    from sqlmodel import select

    stone = act_as(STONE)
    made = act_as(RIVER).post(
        "/api/v1/acts/pass/demo",
        json=trade(demo, note=demo.notes[RIVER], to=demo.at(STONE), amount={"text": "3", "currency": "CNY"}),
        headers={"Idempotency-Key": "reading-pass"},
    )
    page = stone.get(f"/act/refuse?note={made.json()['note']}")
    shown = stone.post("/act/refuse", data={"note": made.json()["note"], "reason": "wrong firm"})
    assert page.status_code == 200 and confirm(stone, shown.text, clauses=1).status_code == 200
    with demo.app.reading() as session:
        kept = session.exec(select(Evidence).where(Evidence.kind == "reading")).all()
    assert any("Stone Bridge" in row.sender for row in kept)


def test_a_refused_form_keeps_what_was_typed_and_says_that_no_money_moved(demo: Installation, act_as: As) -> None:
    answer = act_as(LOTUS).post(
        "/act/pass",
        data={
            "note": demo.notes[LOTUS],
            "currency": "CNY",
            "to": demo.at(PINE),
            "amount": "99,000,000",
            **trade(demo),
        },
    )
    assert answer.status_code == 422
    assert "No money moved" in answer.text and 'value="99,000,000"' in answer.text
    missing = act_as(LOTUS, language="zh-CN").post("/act/pass", data={"note": demo.notes[LOTUS], "currency": "CNY"})
    assert missing.status_code == 422 and "未填写" in missing.text


def test_a_table_for_a_spreadsheet_starts_no_formula(demo: Installation, act_as: As) -> None:
    from scf.web.views_records import _safe

    assert [_safe(cell) for cell in ("=1+1", "+1", "-1", "@x", "plain", 5)] == [
        "'=1+1",
        "'+1",
        "'-1",
        "'@x",
        "plain",
        "5",
    ]
    answer = act_as(CORE).get(f"/receivables/{demo.receivable}.csv")
    assert answer.headers["content-type"].startswith("text/csv")
    assert "River Bend" not in answer.text and "Lotus Pond" in answer.text


def test_an_auditor_downloads_the_bundle_and_checks_it_here(act_as: As) -> None:
    auditor = act_as("audit")
    bundle = auditor.get("/verify/bundle")
    assert bundle.status_code == 200
    checked = auditor.post("/verify", files={"file": ("bundle.zip", bundle.content, "application/zip")})
    assert "Proved" in checked.text
    broken = auditor.post("/verify", files={"file": ("bundle.zip", b"no zip", "application/zip")})
    assert "Malformed" in broken.text or "Not provable" in broken.text
    assert act_as(LOTUS).get("/verify/bundle").status_code == 403


def test_an_operator_decides_an_exception_with_a_reason(demo: Installation, act_as: As) -> None:
    paper = invoice("INV-ODD-1", PINE, LOTUS, "PO-ODD", "Parts", 500_00, demo.story.day(1), demo.story.day(50))
    act_as(PINE).post("/api/v1/documents", files={"file": (paper.name, paper.raw, "application/xml")})
    operator = act_as("operator", "operator-1")
    assert "PO-ODD" in operator.get("/exceptions").text
    page = operator.get("/orders/PO-ODD")
    found = re.search(r'action="/exceptions/(\d+)"', page.text)
    assert found and "<svg" in page.text
    form = {"decision": "accept", "reason": "The order is on paper."}
    assert act_as(LOTUS).post(f"/exceptions/{found.group(1)}", data=form).status_code == 403
    decided = operator.post(f"/exceptions/{found.group(1)}", data=form)
    assert decided.status_code == 200 and "The order is on paper." in decided.text
    empty = operator.post(f"/exceptions/{found.group(1)}", data={"decision": "accept", "reason": ""})
    assert empty.status_code in (409, 422) and "No money moved" in empty.text


def test_refusals_say_first_what_happened_to_the_money_then_what_is_wrong(demo: Installation) -> None:
    server = create_server(demo.app)
    server.add_api_route("/breaks", lambda: 1 // 0)
    client = TestClient(server, raise_server_exceptions=False, headers={"Accept-Language": "zh-CN"})
    client.post("/sign-in", data={"address": demo.at(LOTUS)})
    for path, status, words in (
        ("/nowhere", 404, "找不到此页面"),
        ("/to-accept", 403, "此操作需要“核心企业”角色"),
        ("/breaks", 500, "参考号"),
    ):
        answer = client.get(path)
        assert answer.status_code == status and words in answer.text
        assert answer.text.index("资金未变动") < answer.text.index(words)
        assert "default-src 'none'" in answer.headers["content-security-policy"], "also what nobody caught is under it"


def test_an_offer_that_ran_out_says_so_and_asks_nothing(
    demo: Installation, act_as: As, monkeypatch: pytest.MonkeyPatch
) -> None:
    stone, page = act_as(STONE), f"/notes/{demo.offered}"
    assert "/act/accept" in stone.get(page).text and "Accept or refuse" in stone.get("/").text
    later = demo.app.clock.now() + 30 * 86_400
    monkeypatch.setattr(type(demo.app.clock), "now", lambda clock: later)
    for where in (page, "/"):
        shown = stone.get(where).text
        assert "The offer ran out on" in shown and "/act/accept" not in shown and "/act/refuse" not in shown
    assert "Nothing waits for you." in stone.get("/").text


def test_static_files_are_cached_by_content(act_as: As) -> None:
    html = act_as().get("/sign-in").text
    css = re.search(r"/static/app\.css\?v=[0-9a-f]{12}", html)
    assert css
    answer = act_as().get(css.group(0))
    assert "immutable" in answer.headers["cache-control"]


def test_pages_are_small(demo: Installation, act_as: As) -> None:
    client = act_as("audit")
    client.headers["Accept-Encoding"] = "gzip"
    for path in ["/", f"/receivables/{demo.receivable}", f"/entrusted/{demo.account}"]:
        with client.stream("GET", path) as answer:
            assert len(b"".join(answer.iter_raw())) < 20_000, path


def test_a_live_stream_says_that_something_changed_and_ends_soon(act_as: As, monkeypatch: pytest.MonkeyPatch) -> None:
    from scf.web import views_live

    monkeypatch.setattr(views_live, "_LOOK_SECONDS", 2)
    answer = act_as(LOTUS).get("/live?seen=old")
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert "event: news" in answer.text and answer.text.count("event:") == 1
    assert act_as().get("/live").url.path == "/sign-in"


@pytest.mark.parametrize(
    "path",
    ["/act/attest?account=x&stage=0", "/act/pass?note=zz", "/act/nothing", "/asks/x", "/evidence/zz", "/receivables/x"],
)
def test_a_broken_link_is_a_page_that_says_no_money_moved(path: str, act_as: As) -> None:
    answer = act_as("fairway").get(path)
    assert 400 <= answer.status_code < 500, answer.text
    assert "No money moved" in answer.text
