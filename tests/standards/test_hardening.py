"""Hostile files: entities, bombs, huge depth and lies about the encoding end in one sentence, quickly."""

from __future__ import annotations

import pytest

from scf.kernel.problems import Problem
from scf.standards import json_text, xml

LAUGHS = (
    '<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY lol "lol">'
    + "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10 if n else "&lol;"}">' for n in range(9))
    + "]><lolz>&l8;</lolz>"
)
EXTERNAL = '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>'
REMOTE = '<!DOCTYPE a SYSTEM "http://192.0.2.1/a.dtd"><a/>'


@pytest.mark.timeout(10)
@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (LAUGHS.encode(), "document_has_doctype"),
        (LAUGHS.encode("utf-16"), "document_has_doctype"),
        (EXTERNAL.encode(), "document_has_doctype"),
        (REMOTE.encode(), "document_has_doctype"),
        (b"<!-- x --><?y z?>\n" + REMOTE.encode(), "document_has_doctype"),
        (b"<!DOCTYPE a>" + REMOTE.encode(), "document_has_doctype"),
        (b"<!DOCTYPE a> <!-- x --> <!DOCTYPE a><a/>", "document_has_doctype"),
        (b"<!DOCTYPE a []><a/>", "document_has_doctype"),
        (b"<!DOCTYPE a SYSTEM 'a.dtd'><a/>", "document_has_doctype"),
        (b"\xef\xbb\xbf" + EXTERNAL.encode(), "document_has_doctype"),
        (EXTERNAL.encode("utf-16-le"), "document_not_xml"),
        (b"<a>&x;</a>", "document_not_xml"),
        (b"<a>" * 101 + b"</a>" * 101, "document_too_deep"),
        (b"<a>" * 100_000, "document_too_deep"),
        (b"<a", "document_not_xml"),
        (b"<a/><b/>", "document_not_xml"),
        (b"  ", "document_empty"),
        (b"", "document_empty"),
        (b"<a>\xff</a>", "document_encoding_unreadable"),
        (b'<?xml version="1.0" encoding="utf-7"?><a/>', "document_encoding_unreadable"),
        (b'<?xml version="1.0" encoding="cp037"?><a/>', "document_encoding_unreadable"),
        (b"<a>" + b"x" * (xml.MAX_BYTES + 1), "document_too_large"),
        (b"<a>" + b"<b/>" * (xml.MAX_ELEMENTS + 1) + b"</a>", "document_too_large"),
        (b"<a\x00/>", "document_not_xml"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_hostile_xml_is_refused(raw: bytes, code: str) -> None:
    with pytest.raises(Problem) as caught:
        xml.parse(raw)
    assert caught.value.code == code
    assert caught.value.facts["place"]


def test_a_document_type_that_only_names_the_root_declares_nothing_and_is_read() -> None:
    assert xml.parse(b'<?xml version="1.0"?>\n<!-- x --><!DOCTYPE project>\n<a>1</a>').text == "1"


def test_the_text_of_chinese_encodings_is_read() -> None:
    for encoding in ("gbk", "gb2312", "gb18030"):
        raw = f'<?xml version="1.0" encoding="{encoding}"?><a>发票</a>'.encode(encoding)
        assert xml.parse(raw).text == "发票"
    assert xml.parse("<a>发票</a>".encode("utf-16")).text == "发票"


@pytest.mark.timeout(10)
@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"[" * 101 + b"]" * 101, "document_too_deep"),
        (b'{"a":' * 1_000_000, "document_too_deep"),
        (b'{"a":1,"a":2}', "document_element_repeated"),
        (b"{", "document_not_json"),
        (b"NaN", "document_not_json"),
        (b"[" + b"9" * 5000 + b"]", "document_not_json"),
        (b"[1e999999999999999999999]", "document_not_json"),
        (b"\xff\xff", "document_encoding_unreadable"),
        (b"", "document_empty"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_hostile_json_is_refused(raw: bytes, code: str) -> None:
    with pytest.raises(Problem) as caught:
        json_text.parse(raw)
    assert caught.value.code == code


def test_brackets_in_strings_are_no_depth() -> None:
    assert json_text.parse(b'["' + b"[" * 500 + b'"]') == ["[" * 500]
