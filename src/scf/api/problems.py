"""Every refusal as `application/problem+json` (RFC 9457): what happened, and whether money moved; no stack trace."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from typing import Any

import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from scf.api.language import language_of
from scf.api.limits import retry_after
from scf.kernel.identifiers import new_reference
from scf.kernel.problems import Problem
from scf.kernel.sentences import catalogue

MEDIA_TYPE = "application/problem+json"
_RETRY_SECONDS = 2
_TITLES: Mapping[int, tuple[str, str]] = {
    400: ("The request lacks something", "请求缺少必要内容"),
    401: ("Sign in first", "请先登录"),
    403: ("Not allowed", "无权操作"),
    404: ("Not found", "未找到"),
    405: ("Not offered", "不支持该方法"),
    409: ("In conflict with what stands", "与现有状态冲突"),
    413: ("Too large", "内容过大"),
    422: ("Refused", "已拒绝"),
    429: ("Too many requests", "请求过多"),
    500: ("An error on our side", "系统内部错误"),
    501: ("Not offered here", "暂不提供"),
    502: ("An answer cannot be read", "上游应答异常"),
    503: ("Busy, try again", "系统繁忙，请重试"),
    507: ("No room left", "存储空间不足"),
}
_log = structlog.get_logger("scf.api")


def title_of(status: int, language: str) -> str:
    """The short title of a status."""
    english, chinese = _TITLES.get(status, _TITLES[500] if status >= 500 else _TITLES[422])
    return chinese if language == "zh-CN" else english


def body_of(problem: Problem, language: str) -> dict[str, Any]:
    """The members of the problem document."""
    return {
        "type": f"/problems/{problem.code}",
        "title": title_of(problem.status, language),
        "status": problem.status,
        "detail": problem.sentence(language),
        "code": problem.code,
        "money_moved": problem.money_moved,
        "facts": {name: _plain(value) for name, value in problem.facts.items()},
    }


def respond(problem: Problem, request: Request) -> JSONResponse:
    """The answer to a refused request, in the caller's language."""
    language = language_of(request)
    headers = {"Content-Language": language, "Cache-Control": "no-store"}
    if problem.status in (429, 503):
        headers["Retry-After"] = retry_after(problem) or str(_RETRY_SECONDS)
    if problem.status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="scf"'
    body = body_of(problem, language)
    return JSONResponse(body, status_code=problem.status, headers=headers, media_type=MEDIA_TYPE)


def problem_of(error: Exception, request: Request) -> Problem:
    """Any error as a problem; one nobody foresaw is logged under a reference and says that money may have moved."""
    path = request.url.path
    if isinstance(error, Problem):
        if error.code not in catalogue():
            _log.error("problem without a sentence", code=error.code)
            return Problem("unexpected_error", money_moved="unknown", reference=error.code)
        return error
    if isinstance(error, RequestValidationError):
        first = error.errors()[0] if error.errors() else {"loc": ("body",), "msg": "unreadable"}
        place = ".".join(str(part) for part in first["loc"]) or "body"
        return Problem("request_not_readable", place=place, reason=str(first["msg"]))
    if isinstance(error, HTTPException):
        if error.status_code == 404:
            return Problem("address_unknown", path=path)
        if error.status_code == 405:
            return Problem("method_not_offered", path=path, method=request.method)
        return Problem("request_refused", reason=str(error.detail))
    reference = new_reference("E")
    moved: Any = "no" if request.method in ("GET", "HEAD", "OPTIONS") else "unknown"
    trace = "".join(traceback.format_exception(error))  # without local variables: keys may be among them
    _log.error("unexpected error", reference=reference, method=request.method, path=path, trace=trace)
    return Problem("unexpected_error", money_moved=moved, reference=reference)


def install(api: FastAPI) -> None:
    """Answer every error of `api` with a problem document."""

    async def answer(request: Request, error: Exception) -> Response:
        return respond(problem_of(error, request), request)

    for kind in (Problem, RequestValidationError, HTTPException, Exception):
        api.add_exception_handler(kind, answer)


def _plain(value: object) -> Any:
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, bytes):
        return "0x" + value.hex()
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    return str(value)
