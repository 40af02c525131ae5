"""Which of the two languages an answer is written in."""

from __future__ import annotations

from starlette.requests import Request

LANGUAGES = ("zh-CN", "en")
COOKIE = "scf_language"


def known(text: str | None) -> str | None:
    """`zh-CN` or `en` for a language tag, None when it is neither."""
    plain = (text or "").strip().lower().replace("_", "-")
    if plain == "zh" or plain.startswith("zh-"):
        return "zh-CN"
    if plain == "en" or plain.startswith("en-"):
        return "en"
    return None


def accepted(header: str | None) -> str | None:
    """The better liked of the two languages in an `Accept-Language` header (RFC 9110, 12.5.4)."""
    best: tuple[float, int, str] | None = None
    for place, part in enumerate((header or "").split(",")):
        tag, _, weight = part.partition(";")
        language = known(tag)
        if language is None:
            continue
        try:
            quality = float(weight.strip().removeprefix("q=")) if weight.strip() else 1.0
        except ValueError:
            continue
        if quality > 0 and (best is None or (quality, -place) > best[:2]):
            best = (quality, -place, language)
    return best[2] if best else None


def language_of(request: Request, default: str = "en") -> str:
    """`?lang=`, then the cookie of the pages, then `Accept-Language`, then `default`."""
    return (
        known(request.query_params.get("lang"))
        or known(request.cookies.get(COOKIE))
        or accepted(request.headers.get("accept-language"))
        or default
    )
