"""Files come in whole or not at all, once, and only those concerned may open them."""

from __future__ import annotations

from tests.api.conftest import As
from tests.api.installation import CORE, LOTUS, PINE, STONE, Installation
from tests.api.test_refusals import API

from scf.demo.papers import invoice


def test_the_same_file_twice_changes_nothing(demo: Installation, act_as: As) -> None:
    paper = invoice("INV-DOC-1", PINE, LOTUS, "PO-DOC", "Parts", 123_45, demo.story.day(1), demo.story.day(50))
    client = act_as(PINE)
    first = client.post(f"{API}/documents", files={"file": (paper.name, paper.raw, "application/xml")}).json()
    again = client.post(f"{API}/documents", files={"file": (paper.name, paper.raw, "application/xml")}).json()
    assert first["is_new"] is True and again["is_new"] is False
    assert first["evidence_id"] == again["evidence_id"]
    shown = client.get(f"{API}/evidence/{first['evidence_id']}").json()
    assert [record["trust"] for record in shown["records"]] == ["T1"]
    raw = client.get(f"{API}/evidence/{first['evidence_id']}/raw")
    assert raw.content == paper.raw
    assert raw.headers["content-disposition"].startswith("attachment")
    assert raw.headers["x-content-type-options"] == "nosniff"
    assert act_as(STONE).get(f"{API}/evidence/{first['evidence_id']}").json()["code"] == "evidence_unknown"
    assert act_as("audit").get(f"{API}/evidence/{first['evidence_id']}").status_code == 200


def test_documents_behind_a_trade_are_open_to_both_its_sides(demo: Installation, act_as: As) -> None:
    with demo.app.reading() as session:
        from scf.receivables import queries
        from scf.receivables.models import Dossier

        row = queries.receivable(session, demo.receivable)
        dossier = session.get(Dossier, row.document)
        assert dossier is not None
        paper = dossier.evidence_ids.split(",")[0]
    assert act_as(CORE).get(f"{API}/evidence/{paper}").status_code == 200
    assert act_as(LOTUS).get(f"{API}/evidence/{paper}/raw").status_code == 200
    assert act_as(PINE).get(f"{API}/evidence/{paper}/raw").status_code == 404


def test_the_bundle_is_for_overseers_and_verifies(demo: Installation, act_as: As) -> None:
    import tempfile
    from pathlib import Path

    from scf.audit import service as audit

    assert act_as(LOTUS).get(f"{API}/audit/bundle").json()["code"] == "role_needed"
    answer = act_as("audit").get(f"{API}/audit/bundle")
    assert answer.status_code == 200
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bundle.zip"
        path.write_bytes(answer.content)
        assert audit.verify(path).exit_code == 0
