"""Sentences of templates and code against the catalogue.

`python -m scf.web.messages` adds new sentences to the catalogue and drops those nobody says any more.
"""

from __future__ import annotations

from importlib import resources
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import write_po
from jinja2.ext import babel_extract

from scf.web.i18n import LOCALES, catalogue

_HEADER = "# What the pages say in Chinese; the message ids are what they say in English."
_KEYWORDS = {"_": None, "gettext": None, "ngettext": (1, 2), "N_": None}


def from_template(file: BytesIO, keywords: object, comments: object, options: object) -> object:
    """Babel's extractor for templates."""
    return babel_extract(
        file, list(_KEYWORDS), (), {"trimmed": "true", "extensions": "jinja2.ext.i18n", "silent": "false"}
    )


def extracted() -> Catalog:
    """Every sentence the pages can say."""
    found = Catalog(charset="utf-8")
    folder = Path(str(resources.files("scf.web")))
    methods = [("**.py", "python"), ("templates/**.html", from_template)]
    for name, line, message, _, context in extract_from_dir(folder, methods, keywords=_KEYWORDS):  # type: ignore[arg-type]
        found.add(message, None, [(name, line)], context=context)
    return found


def missing(language: str) -> list[str]:
    """Sentences without a translation in a language, and translations of sentences nobody says any more."""
    known, said = catalogue(language), extracted()
    untranslated = [str(message.id) for message in said if message.id and not _string(known, message.id)]
    unsaid = [str(message.id) for message in known if message.id and said.get(message.id) is None]
    return untranslated + unsaid


def update(language: str) -> int:
    """Bring the catalogue file up to date, keeping translations; returns how many are untranslated."""
    path = Path(str(resources.files("scf.web").joinpath("locale", LOCALES[language], "LC_MESSAGES", "messages.po")))
    known = catalogue(language) if path.exists() else Catalog(locale=LOCALES[language])
    fresh = Catalog(locale=LOCALES[language], header_comment=_HEADER, fuzzy=False, charset="utf-8")
    count = 0
    for message in sorted((m for m in extracted() if m.id), key=lambda m: str(m.id)):
        string = _string(known, message.id)
        count += not string
        fresh.add(message.id, string)
    with path.open("wb") as file:
        write_po(file, fresh, no_location=True, width=120)
    return count


def _string(known: Catalog, id_: object) -> str:
    found = known.get(id_)  # type: ignore[arg-type]
    return str(found.string or "") if found is not None else ""


if __name__ == "__main__":
    for name in LOCALES:
        print(f"{name}: {update(name)} sentences without a translation")
