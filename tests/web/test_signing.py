"""Without demo keys: what is to be signed is taken away as documents, signed elsewhere, and brought back."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import select
from starlette.testclient import TestClient
from tests.api.conftest import server
from tests.api.installation import PINE, STONE, Installation
from tests.web.desk_data import fill
from typer.testing import CliRunner

from scf.api.access import issue_token
from scf.cli import app as cli
from scf.demo.cast import demo_signers
from scf.installation import OPERATOR_NAMES
from scf.ledger.hashing import keccak
from scf.ledger.signing import recover_digest
from scf.ledger.statements import digest_of
from scf.parties.keys import KeyRing, demo_key
from scf.parties.signing_file import documents_in, sign_documents
from scf.store import evidence
from scf.store.commands import canonical_json
from scf.store.evidence import Evidence

BOTH = {"clause_0": "yes", "clause_1": "yes"}
Person = Callable[[str], TestClient]


@pytest.fixture
def person(demo: Installation, monkeypatch: pytest.MonkeyPatch) -> Person:
    """A person of the core enterprise in an installation that keeps no key of theirs."""
    monkeypatch.setattr(demo.app, "settings", replace(demo.app.settings, demo=False))

    def enter(name: str) -> TestClient:
        if name.startswith("core-"):
            address = demo_key(name).address
        else:
            address = name if name.startswith("0x") else demo.at(name)
        token = issue_token(demo.app, address, "test")
        return TestClient(server(), headers={"Accept-Language": "en", "Authorization": f"Bearer {token}"})

    return enter


def hidden(html: str, name: str = "sealed") -> str:
    found = re.search(rf'name="{name}" value="([^"]+)"', html)
    assert found, html[-1500:]
    return found.group(1)


def taken(client: TestClient, sealed: str) -> list[dict[str, Any]]:
    """The file behind the download button."""
    answer = client.post("/to-sign", data={"sealed": sealed})
    assert answer.status_code == 200 and "attachment" in answer.headers["content-disposition"]
    return documents_in(answer.content)


def signed(documents: list[dict[str, Any]], name: str) -> str:
    return "\n".join("0x" + one.hex() for one in sign_documents(documents, demo_key(name).private))


def test_two_people_accept_with_keys_the_server_never_sees(demo: Installation, person: Person) -> None:
    fill(demo, 4)
    maker, checker = person("core-maker"), person("core-checker")
    page = maker.get("/to-accept").text
    picks = re.findall(r'name="pick" value="(\d+)"', page)
    shown = maker.post("/to-accept", data={"pick": picks}).text
    assert shown.count("<audio") == 2, "a batch has its voice as a single act has"
    read = {"sealed": hidden(shown), "heard_0": "yes", "after_1": "5200", **BOTH}
    asked = maker.post("/to-accept/propose", data=read).text
    assert "Download what to sign" in asked and f"{len(picks) + 1} signatures are needed" in asked
    documents = taken(maker, hidden(asked))
    assert [one["primaryType"] for one in documents] == ["Issue"] * len(picks) + ["Reading"]

    wrong = maker.post(
        "/to-accept/propose", data={"sealed": hidden(asked), "signatures": signed(documents, "core-checker")}
    )
    assert wrong.status_code in (403, 422) and "No money moved" in wrong.text and "Download what to sign" in wrong.text
    few = maker.post(
        "/to-accept/propose", data={"sealed": hidden(asked), "signatures": signed(documents[:1], "core-maker")}
    )
    assert few.status_code == 422
    proposed = maker.post(
        "/to-accept/propose", data={"sealed": hidden(asked), "signatures": signed(documents, "core-maker")}
    )
    assert proposed.url.path == "/to-approve", proposed.text[-2000:]

    page = checker.get("/to-approve").text
    ids = re.findall(r'name="pick" value="(0x[0-9a-f]{64})"', page)
    assert len(ids) == len(picks) and page.count("<audio") == 2
    form = {"pick": ids, "shown": hidden(page, "shown"), "decision": "approve", **BOTH}
    asked = checker.post("/to-approve", data=form).text
    documents = taken(checker, hidden(asked))
    answer = {"decision": "approve", "sealed": hidden(asked), "signatures": signed(documents, "core-checker")}
    done = checker.post("/to-approve", data=answer)
    assert "Signed by two people" in done.text, done.text[-2000:]
    assert person("core-maker").post("/to-sign", data={"sealed": hidden(asked)}).status_code == 409

    with demo.app.reading() as session:
        rows = session.exec(select(Evidence).where(Evidence.kind == "reading")).all()
        kept = [json.loads(evidence.raw_bytes(session, row.evidence_id)) for row in rows]
    for name, act in (("core-maker", "propose_batch"), ("core-checker", "approve_batch")):
        (one,) = [row for row in kept if row["reading"]["act"] == act]
        said = one["statement"]
        assert said["message"]["reading"] == "0x" + keccak(canonical_json(one["reading"])).hex()
        assert said["message"]["acts"] == "0x" + keccak(b"".join(map(bytes.fromhex, one["signed_digests"]))).hex()
        assert recover_digest(digest_of(said), bytes.fromhex(one["signature"])) == demo_key(name).address
        text = one["reading"]["text"]
        assert one["reading"]["text_sha256"] == hashlib.sha256("\n".join(text).encode()).hexdigest()
        assert len(one["signed_digests"]) == len(picks) and one["reading"]["language"] == "en"
    (first,) = [row["reading"] for row in kept if row["reading"]["act"] == "propose_batch"]
    assert first["clauses"][0]["sound"] == "played" and first["clauses"][1]["ticked_after_ms"] == 5200


def test_a_single_act_is_signed_by_the_same_file(demo: Installation, person: Person) -> None:
    stone = person(STONE)
    key = demo_signers(demo.app, demo.at(STONE))[0]
    page = stone.get(f"/act/accept?note={demo.offered}").text
    (document,) = taken(stone, hidden(page))
    assert document["primaryType"] == "Accept" and int(document["message"]["noteId"]) == int(demo.offered, 16)
    form = {"sealed": hidden(page), "clause_2": "yes", **BOTH}
    (signature,) = sign_documents([document], key.private)
    done = stone.post("/confirm", data={**form, "signature_0": signature.hex()})
    assert done.url.path == f"/notes/{demo.offered}", done.text[-1500:]
    assert person("harbour").post("/to-sign", data={"sealed": hidden(page)}).status_code == 409


def test_the_command_line_shows_and_signs_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCF_PASSPHRASE", "correct horse")
    made = KeyRing(tmp_path / "keys", "correct horse").make("me")
    document = {
        "types": {
            "EIP712Domain": [{"name": "name", "type": "string"}],
            "Reading": [{"name": "acts", "type": "bytes32"}],
        },
        "primaryType": "Reading",
        "domain": {"name": "scf statements"},
        "message": {"acts": "0x" + "11" * 32},
    }
    (tmp_path / "to-sign.json").write_text(json.dumps({"documents": [document, document]}))
    asked = ["keys", "sign", str(tmp_path / "to-sign.json"), "--key", "me", "--data", str(tmp_path)]
    answer = CliRunner().invoke(cli, asked)
    lines = answer.stdout.split()
    assert answer.exit_code == 0 and len(lines) == 2 and "acts: 0x1111" in answer.stderr
    assert recover_digest(digest_of(document), bytes.fromhex(lines[0][2:])) == made.address
    (tmp_path / "to-sign.json").write_text('{"documents": [{"message": {}}]}')
    assert CliRunner().invoke(cli, asked).exit_code != 0


def test_an_auditor_is_answered_with_a_key_the_server_never_sees(demo: Installation, person: Person) -> None:
    person("audit").post("/confirmations", data={"matter": "held"})
    holder, key = person(PINE), demo_signers(demo.app, demo.at(PINE))[0]
    found = re.search(r'action="(/confirmations/\d+)"', holder.get("/confirmations").text)
    assert found
    asked = holder.post(found.group(1), data={"figure": "12.34", "remark": "one note"}).text
    (document,) = taken(holder, hidden(asked))
    assert document["primaryType"] == "Confirmation" and document["domain"]["name"] == "scf statements"
    assert (document["message"]["answer"], document["message"]["about"]) == (1234, "held")
    (wrong,) = sign_documents([document], demo_key("core-maker").private)
    refused = holder.post(found.group(1), data={"sealed": hidden(asked), "signatures": wrong.hex()})
    assert refused.status_code in (403, 422) and "Download what to sign" in refused.text
    (signature,) = sign_documents([document], key.private)
    done = holder.post(found.group(1), data={"sealed": hidden(asked), "signatures": signature.hex()})
    assert "Signed and answered" in done.text, done.text[-1500:]


def test_two_operators_sign_an_entry_of_the_blacklist_with_their_own_keys(demo: Installation, person: Person) -> None:
    one, two = (demo_key(name) for name in OPERATOR_NAMES[:2])
    first, second = (person(key.address) for key in (one, two))
    paper = re.search(r'<option value="([0-9a-f]{64})"', first.get("/holds").text)
    assert paper
    facts = {"organisation": "11", "reason": "Forged.", "evidence": paper.group(1), "authority": "Court order 4"}
    first.post("/holds/entries", data={"act": "propose", **facts, "until": demo.story.day(90).isoformat()})
    entry = re.search(r'name="entry" value="(\d+)"', second.get("/holds").text)
    assert entry
    asked = second.post("/holds/entries", data={"act": "agree", "entry": entry.group(1)}).text
    documents = taken(second, hidden(asked))
    assert {document["primaryType"] for document in documents} == {"SetStanding"}
    assert f"{2 * len(documents)} signatures are needed" in asked
    alone = "\n".join(part.hex() for document in documents for part in sign_documents([document] * 2, two.private))
    refused = second.post("/holds/entries", data={"act": "agree", "sealed": hidden(asked), "signatures": alone})
    assert refused.status_code >= 400 and "Download what to sign" in refused.text
    both = "\n".join(
        part.hex() for document in documents for key in (one, two) for part in sign_documents([document], key.private)
    )
    done = second.post("/holds/entries", data={"act": "agree", "sealed": hidden(asked), "signatures": both})
    assert done.url.path == "/holds" and "signed by two operators" in done.text, done.text[-1500:]
