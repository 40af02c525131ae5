"""For whoever connects a firm's own systems: keys, the last calls, webhooks, and the API described on own pages."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from starlette.responses import Response

from scf.api import access
from scf.api.access import Caller, current
from scf.kernel.problems import Problem
from scf.web.doors import Fresh, PagesDoor, Signed
from scf.web.pages import Pages, go

router = APIRouter()
_FAILED = ("failing", "given_up")


@router.get("/developers")
def developers(request: Request, pages: PagesDoor, caller: Signed) -> Response:
    """Keys of the caller's seat, webhooks of its firm, and what its programs called last."""
    return _page(request, pages, caller)


@router.post("/developers")
def new_token(request: Request, pages: PagesDoor, caller: Fresh, name: Annotated[str, Form()] = "token") -> Response:
    """A new key, shown this once."""
    secret = access.issue_token(pages.app, caller.address, name)
    return _page(request, pages, caller, secret=secret)


@router.post("/developers/revoke")
def revoke(pages: PagesDoor, caller: Signed, digest: Annotated[str, Form()]) -> Response:
    """End a key."""
    access.revoke_token(pages.app, caller, digest)
    return go("/developers", done="revoked")


@router.post("/developers/webhooks")
def add_webhook(request: Request, pages: PagesDoor, caller: Signed, url: Annotated[str, Form()] = "") -> Response:
    """A new webhook; its secret is shown this once."""
    try:
        with pages.app.desk.session() as session:
            _, secret = pages.app.webhooks.add(session, caller.organisation_id, url, caller.address)
    except Problem as problem:
        return _page(request, pages, caller, problem=problem, url=url)
    return _page(request, pages, caller, hook_secret=secret)


@router.post("/developers/webhooks/{webhook_id}/end")
def end_webhook(pages: PagesDoor, caller: Signed, webhook_id: str) -> Response:
    """End a webhook."""
    with pages.app.desk.session() as session:
        pages.app.webhooks.end(session, caller.organisation_id, webhook_id)
    return go("/developers", done="hook_ended")


@router.post("/developers/webhooks/{webhook_id}/test")
def test_webhook(pages: PagesDoor, caller: Signed, webhook_id: str) -> Response:
    """Send a test message now; the list shows what came of it."""
    with pages.app.desk.session() as session:
        pages.app.webhooks.test(session, caller.organisation_id, webhook_id)
    pages.app.webhooks.deliver()
    return go("/developers")


@router.post("/developers/webhooks/{webhook_id}/redeliver")
def redeliver(pages: PagesDoor, caller: Signed, webhook_id: str, message: Annotated[int, Form()]) -> Response:
    """Send a message that failed again now."""
    with pages.app.desk.session() as session:
        pages.app.webhooks.redeliver(session, caller.organisation_id, webhook_id, message)
    pages.app.webhooks.deliver()
    return go("/developers")


@router.post("/developers/redeliver")
def redeliver_all(pages: PagesDoor, caller: Signed) -> Response:
    """Send every message again now that failed on a webhook of the caller's firm."""
    app = pages.app
    with app.desk.session() as session:
        for row in app.webhooks.of(session, caller.organisation_id):
            for one in app.webhooks.deliveries(session, row.id):
                if one.state in _FAILED and one.id is not None:
                    app.webhooks.redeliver(session, caller.organisation_id, row.id, one.id)
    app.webhooks.deliver()
    return go("/developers")


@router.get("/developers/api")
def described(request: Request, pages: PagesDoor) -> Response:
    """Every operation of the API with an example, drawn from its own OpenAPI document; no other host is asked."""
    document = request.app.state.api.openapi()
    caller = current(pages.app, pages.sessions, request)
    groups: dict[str, list[dict[str, Any]]] = {}
    for operation in _operations(document, pages.origin(request)):
        groups.setdefault(operation["tag"], []).append(operation)
    return pages.render(request, "api.html", caller, groups=groups, version=document["info"]["version"])


def _page(
    request: Request,
    pages: Pages,
    caller: Caller,
    *,
    secret: str | None = None,
    hook_secret: str | None = None,
    problem: Problem | None = None,
    url: str = "",
) -> Response:
    app, calls = pages.app, request.app.state.api.state.calls
    calls.write()
    with app.reading() as session:
        tokens = access.tokens_of(session, caller)
        names = {row.digest[:16]: row.name for row in tokens}
        hooks: list[dict[str, Any]] = [
            {"row": row, "deliveries": app.webhooks.deliveries(session, row.id)}
            for row in app.webhooks.of(session, caller.organisation_id)
        ]
        made = [{"row": row, "key": names.get(row.token, row.token[:8])} for row in calls.of(session, caller.address)]
    return pages.render(
        request,
        "developers.html",
        caller,
        status=problem.status if problem else 200,
        tokens=tokens,
        secret=secret,
        hooks=hooks,
        failed=sum(one.state in _FAILED for hook in hooks for one in hook["deliveries"]),
        good=sum(not row.revoked_at and row.expires_at > app.clock.now() for row in tokens),
        hooks_on=app.webhooks.are_on,
        hook_secret=hook_secret,
        url=url,
        calls=made,
        now=app.clock.now(),
        origin=pages.origin(request),
        problem=problem,
    )


def _operations(document: Mapping[str, Any], origin: str) -> Iterator[dict[str, Any]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            body = _body_example(document, operation)
            curl = [f"curl {origin}/api/v1{path}", '-H "Authorization: Bearer $SCF_TOKEN"']
            if method != "get":
                curl[0] = f"curl -X {method.upper()} {origin}/api/v1{path}"
                if any(one["name"] == "Idempotency-Key" for one in operation.get("parameters", ())):
                    curl.append('-H "Idempotency-Key: $(uuidgen)"')
            if body is not None:
                curl.append(f"--json '{json.dumps(body, ensure_ascii=False)}'")
            yield {
                "tag": (operation.get("tags") or ["other"])[0],
                "method": method.upper(),
                "path": path,
                "title": operation.get("summary", ""),
                "about": operation.get("description", ""),
                "parameters": [
                    {"name": one["name"], "in": one["in"], "about": one.get("description", "")}
                    for one in operation.get("parameters", ())
                ],
                "curl": " \\\n  ".join(curl),
                "body": json.dumps(body, indent=2, ensure_ascii=False) if body is not None else None,
                "answer": _answer_example(operation),
            }


def _body_example(document: Mapping[str, Any], operation: Mapping[str, Any]) -> Any:
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    if "example" in content:
        return content["example"]
    for example in content.get("examples", {}).values():
        return example.get("value")
    schema = content.get("schema", {})
    if "$ref" in schema:
        schema = document["components"]["schemas"].get(schema["$ref"].rpartition("/")[2], {})
    for example in schema.get("examples", ()):
        return example
    properties = schema.get("properties", {})
    return {name: part.get("example", f"<{part.get('type', name)}>") for name, part in properties.items()} or None


def _answer_example(operation: Mapping[str, Any]) -> str | None:
    content = operation.get("responses", {}).get("200", {}).get("content", {}).get("application/json", {})
    example = content.get("example")
    return json.dumps(example, indent=2, ensure_ascii=False) if example else None
