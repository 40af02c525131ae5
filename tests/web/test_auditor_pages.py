"""An auditor's desk: a record proved, a sample drawn twice, a confirmation only its respondent can sign."""

from __future__ import annotations

import csv
import hashlib
import io
import re
import subprocess
import sys
from pathlib import Path

from sqlmodel import Session
from tests.api.conftest import As
from tests.api.installation import CORE, LOTUS, Installation

from scf.audit.confirmations import Confirmation
from scf.audit.records import prove
from scf.entrusted.models import EntrustedAccount
from scf.kernel.money import format_plain
from scf.receivables import queries
from scf.receivables.models import Note


def test_a_record_says_what_was_proved_to_what_level_and_what_not(demo: Installation, act_as: As) -> None:
    auditor = act_as("audit")
    page = auditor.get(f"/records/{demo.receivable}").text
    assert "at level L0" in page and "Download the proof" in page
    assert act_as(LOTUS).get(f"/records/{demo.receivable}").status_code == 403
    proof = auditor.get(f"/records/{demo.receivable}.json").json()
    assert proof["level"] == "L0" and len(proof["notes"]) >= 5
    with demo.app.reading() as session:
        found = prove(session, demo.app.desk, demo.receivable)
    assert {one.check: one.result for one in found.checks} | {"evidence": ""} == {
        "conservation": "pass",
        "lineage": "pass",
        "ledger": "pass",
        "evidence": "",
    }


def test_a_book_changed_behind_the_ledgers_back_is_a_contradiction(demo: Installation) -> None:
    with Session(demo.app.engine) as session:
        note = session.get(Note, demo.notes[LOTUS])
        assert note is not None
        note.amount_minor += 1
        session.add(note)
        session.flush()
        found = {one.check: one.result for one in prove(session, demo.app.desk, demo.receivable).checks}
        session.rollback()
    assert found["conservation"] == found["ledger"] == "fail"


def test_a_sample_is_drawn_kept_and_drawn_again(demo: Installation, act_as: As) -> None:
    auditor = act_as("audit")
    assert "Population" in auditor.get("/samples").text
    form = {"seed": "thrown dice 4 2", "method": "monetary_unit", "size": "1", "of": "issued"}
    made = auditor.post("/samples", data=form)
    assert "the same items" in made.text and "thrown dice 4 2" in made.text
    rows = list(csv.DictReader(io.StringIO(auditor.get(made.url.path + ".csv").text.lstrip("\ufeff"))))
    assert len(rows) == 1 and rows[0]["seed"] == "thrown dice 4 2"
    assert act_as("operator", "operator-1").post("/samples", data=form).status_code == 403
    assert auditor.post("/samples", data={**form, "size": "99999"}).status_code == 422


def test_a_confirmation_is_answered_by_its_own_key_and_differences_come_first(demo: Installation, act_as: As) -> None:
    auditor, core = act_as("audit"), act_as(CORE)
    asked = {"matter": ["owed", "held", "locked"]}
    sent = auditor.post("/confirmations", data=asked)
    assert "have to answer" in sent.text
    assert auditor.post("/confirmations", data=asked).text.count("By the books") == sent.text.count("By the books"), (
        "asked once"
    )
    page = core.get("/confirmations").text
    found = re.search(r'action="/confirmations/(\d+)"', page)
    assert found and "By the books" not in page, "the respondent is not told our figure"
    assert act_as(LOTUS).post(f"/confirmations/{found.group(1)}", data={"figure": "1"}).status_code == 404
    answered = core.post(f"/confirmations/{found.group(1)}", data={"figure": "1,000.00", "remark": "By our books."})
    assert "Signed and answered" in answered.text
    shown = auditor.get("/confirmations").text
    assert "differs" in shown and "CNY\u00a01,000.00" in shown and "By our books." in shown
    again = core.post(f"/confirmations/{found.group(1)}", data={"figure": "5"})
    assert again.status_code == 409
    with demo.app.desk.session() as session:
        row = session.get(Confirmation, int(found.group(1)))
        assert row is not None and row.signature
        from scf.audit.confirmations import Confirmations

        room = Confirmations(demo.app.desk)
        parts = [bytes.fromhex(part) for part in row.signature.split(",")]
        assert room._signed_by(
            session, row.respondent, room.statement(session, row, 1_000_00, "By our books.").digest, parts
        )
        assert not room._signed_by(
            session, row.respondent, room.statement(session, row, 1_000_01, "By our books.").digest, parts
        )
        assert not room._signed_by(
            session, row.respondent, room.statement(session, row, 1_000_00, "By our books.").digest, parts[:1]
        )


def test_holders_and_banks_are_asked_too_and_answer_what_they_see(demo: Installation, act_as: As) -> None:
    auditor, holder, bank = act_as("audit"), act_as(LOTUS), act_as("civic")
    assert auditor.post("/confirmations", data={"matter": "nobody"}).status_code == 422
    auditor.post("/confirmations", data={"matter": ["owed", "held", "locked"]})
    rows = list(csv.DictReader(io.StringIO(auditor.get("/confirmations.csv").text.lstrip("\ufeff"))))
    with demo.app.reading() as session:
        held = sum(note.amount_minor for note in queries.notes_held(session, demo.at(LOTUS)) if note.state == "held")
        account = session.get(EntrustedAccount, demo.account)
        assert account is not None
        kept = account.locked_minor - account.released_minor - account.refunded_minor
        names = demo.app.parties.names(session)
    expected = {(names[demo.at(LOTUS)], "held"): held, (names[demo.at("civic")], f"locked {demo.account}"): kept}
    books = {(row["respondent"], row["about"]): row["books"] for row in rows}
    assert all(books[key] == format_plain(minor, "CNY") for key, minor in expected.items())
    for client, words, minor in ((holder, "asks what you hold", held), (bank, "asks what is locked", kept)):
        page = client.get("/confirmations").text
        found = re.search(r'action="/confirmations/(\d+)"', page)
        assert found and words in page and "By the books" not in page
        done = client.post(f"/confirmations/{found.group(1)}", data={"figure": format_plain(minor, "CNY")})
        assert "Signed and answered" in done.text, done.text[-1500:]
    shown = list(csv.DictReader(io.StringIO(auditor.get("/confirmations.csv").text.lstrip("\ufeff"))))
    agreed = {(row["respondent"], row["about"]): row["difference"] for row in shown if row["answer"]}
    assert all(agreed[key] == "0.00" for key in expected)


def test_the_verifier_is_taken_away_and_proves_a_bundle_without_this_program(
    demo: Installation, act_as: As, tmp_path: Path
) -> None:
    client = act_as("audit")
    page, taken = client.get("/verify").text, client.get("/verify/program")
    digest = hashlib.sha256(taken.content).hexdigest()
    assert digest in page and "proves nothing against the operator" in page
    again = subprocess.run([sys.executable, "-m", "scf.audit.program"], capture_output=True, check=True).stdout
    assert hashlib.sha256(again).hexdigest() == digest
    (tmp_path / "scf-verify.pyz").write_bytes(taken.content)
    (tmp_path / "bundle.zip").write_bytes(client.get("/verify/bundle").content)
    alone = (
        "import runpy, sys\n"
        "class Wall:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'scf' or name.startswith(('scf.', 'web3', 'socket', 'ssl')):\n"
        "            raise ImportError(name)\n"
        "sys.meta_path.insert(0, Wall())\n"
        "sys.argv = ['scf-verify.pyz', 'bundle.zip']\n"
        "runpy.run_path('scf-verify.pyz', run_name='__main__')\n"
    )
    done = subprocess.run([sys.executable, "-c", alone], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "L0" in done.stdout.splitlines()[0]
