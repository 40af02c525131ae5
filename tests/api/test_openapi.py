"""The OpenAPI document is the integrator's product: complete, with examples that fit."""

from __future__ import annotations

from typing import Any

import pytest
from tests.api.conftest import As
from tests.api.test_refusals import API

from scf.api import acts
from scf.api.messages import read_message, read_signatures
from scf.api.shapes import Amount, amount
from scf.kernel.problems import Problem


def test_every_operation_has_a_summary_and_every_act_an_example(act_as: As) -> None:
    document = act_as().get(f"{API}/openapi.json").json()
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            assert operation.get("summary"), f"{method} {path}"
            if path.startswith("/acts/"):
                content = operation["requestBody"]["content"]["application/json"]
                assert content.get("examples") or "SubmitBody" in str(content), path
                assert operation["responses"]["200"]["content"]["application/json"]["example"] is not None, path


@pytest.mark.parametrize("name", [*acts.SIGNED, *acts.PLAIN])
def test_the_example_of_an_act_is_a_request_it_takes(name: str) -> None:
    act: Any = acts.SIGNED.get(name) or acts.PLAIN[name]
    act.body.model_validate(act.example)


def test_an_amount_is_read_from_either_form_and_never_from_two_that_differ() -> None:
    assert Amount(minor="123450", currency="CNY").read() == 123450
    assert Amount(text="1,234.50", currency="CNY").read() == 123450
    assert Amount(text="1234", currency="JPY").read() == 1234
    assert Amount(**amount(123450, "CNY")).read() == 123450
    for bad in ({"minor": "1", "text": "1.00"}, {}, {"text": "-1"}, {"text": "1e3"}):
        with pytest.raises(Problem):
            Amount(currency="CNY", **bad).read()


def test_messages_come_back_as_the_types_that_are_signed() -> None:
    big = str(2**200)
    read = read_message("Receivables", "Accept", {"noteId": big, "deadline": 5})
    assert read == {"noteId": 2**200, "deadline": 5}
    bad: list[dict[str, Any]] = [
        {"noteId": 1},
        {"noteId": 1, "deadline": 2, "x": 3},
        {"noteId": "x", "deadline": 1},
        {"noteId": 1, "deadline": 2**40},
        {"noteId": True, "deadline": 1},
        {"noteId": -1, "deadline": 1},
    ]
    for message in bad:
        with pytest.raises(Problem) as refused:
            read_message("Receivables", "Accept", message)
        assert refused.value.code == "ledger_bad_message"


def test_signatures_are_grouped_by_signer() -> None:
    assert read_signatures(["0x01", "02"], "issue", 1) == [[b"\x01", b"\x02"]]
    assert read_signatures([["01"], ["02", "03"]], "open", 2) == [[b"\x01"], [b"\x02", b"\x03"]]
    with pytest.raises(Problem):
        read_signatures(["01"], "open", 2)
    with pytest.raises(Problem):
        read_signatures(["zz"], "accept", 1)
