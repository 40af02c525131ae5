"""Sentences of the pages: English is written in the templates, Chinese comes from a gettext catalogue.

Catalogues are compiled in memory when the server starts; nothing compiled is kept in the repository.
"""

from __future__ import annotations

import gettext
import io
import re
from functools import cache
from importlib import resources

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

_CHINESE = "[\u3001-\u303f\u4e00-\u9fff\uff00-\uff60]"
_BETWEEN_CHINESE = re.compile(f"(?<={_CHINESE}) (?={_CHINESE})")

LOCALES = {"zh-CN": "zh_CN"}
"""Languages with a catalogue; English is the language of the message ids."""


def N_(message: str) -> str:  # noqa: N802  gettext's own name for "translate this later"
    """Mark a sentence that is translated where it is shown."""
    return message


@cache
def catalogue(language: str) -> Catalog:
    """The catalogue of a language as written. Raises KeyError for English, which has none."""
    source = resources.files("scf.web").joinpath("locale", LOCALES[language], "LC_MESSAGES", "messages.po")
    with source.open("rb") as file:
        return read_po(file, locale=LOCALES[language])


@cache
def translations(language: str) -> gettext.NullTranslations:
    """Translations of a language; an untranslated sentence is shown in English."""
    if language not in LOCALES:
        return gettext.NullTranslations()
    compiled = io.BytesIO()
    write_mo(compiled, catalogue(language))
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)


def closed_up(sentence: str) -> str:
    """A sentence without the single spaces between Chinese characters that names put into it leave behind."""
    return _BETWEEN_CHINESE.sub("", sentence)


def translate(language: str, message: str) -> str:
    """One sentence in a language."""
    return translations(language).gettext(message)
