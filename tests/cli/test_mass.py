"""A mass pass from the command line: prepared, signed elsewhere or here, followed, taken, and the rest given back."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.cli.lending import Ran, lend
from tests.installation import Installation

from scf.demo.cast import LOTUS, PINE, RIVER, demo_signers, firm
from scf.ledger.signing import sign_digest
from scf.ledger.statements import digest_of
from scf.receivables.models import Dossier


@pytest.fixture
def scf(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], installation: Installation
) -> Callable[..., Ran]:
    run = lend(monkeypatch, capsys, installation, "scf.commands.mass._opened")
    return lambda *words: run("mass", *words)


def test_from_the_list_to_the_last_share(scf: Callable[..., Ran], installation: Installation, tmp_path: Path) -> None:
    world = installation
    _, root = world.issued(world.trade("INV-1", 1_000_00), 1_000_00)
    trade = world.trade("INV-2", 1_000_00, seller=PINE, buyer=LOTUS)
    with world.app.reading() as session:
        dossier = session.get(Dossier, trade.document)
        assert dossier is not None
        papers, delivered = dossier.evidence_ids.split(","), dossier.delivered_on
    people, out = tmp_path / "people.csv", tmp_path / "act.json"
    people.write_text(f"recipient,amount\n{firm(PINE).name},300.00\n{world.who(RIVER)},200.00\n", encoding="utf-8")
    given = [part for paper in papers for part in ("--evidence", paper)]
    facts = ["--fact", f"delivered_on={delivered}"]

    people_of_strangers = tmp_path / "strangers.csv"
    people_of_strangers.write_text("recipient,amount\nnobody we know,1.00\n", encoding="utf-8")
    wrong = scf("prepare", root, str(people_of_strangers), *given, *facts, "--out", str(out))
    assert wrong.code == 1 and "line 2" in wrong.said.lower() and not out.exists()
    assert scf("prepare", "0x12", str(people), *given, "--out", str(out)).code == 1

    ready = scf("prepare", root, str(people), *given, *facts, "--out", str(out))
    assert ready.code == 0 and "CNY 500.00" in ready.said and "2 recipients" in ready.said
    document = json.loads(out.read_text())["documents"][0]
    forged = scf("send", str(out), "--signature", "0x" + "11" * 65)
    assert forged.code == 1 and "Money moved: no" in forged.said
    (key,) = demo_signers(world.app, world.who(LOTUS))
    signature = "0x" + sign_digest(key.private, digest_of(document)).hex()
    sent = scf("send", str(out), "--signature", signature)
    assert sent.code == 0, sent.said
    mass = sent.said.split("note ")[1].split(",")[0]
    assert scf("send", str(out), "--signature", signature).said == sent.said, "sent twice is sent once"
    with world.app.reading() as session:
        (told,) = world.app.notices.of(session, world.who(RIVER))
        assert told.kind == "share" and told.transaction_hash is not None

    assert "0 of 2 took" in scf("progress", mass).said
    taken = scf("claim", mass, "--to", world.who(RIVER))
    assert taken.code == 0 and "CNY 200.00" in taken.said
    again = scf("claim", mass, "--to", world.who(RIVER))
    assert again.code == 1 and "mass_share_taken" in again.said
    assert scf("claim", mass, "--to", world.who(LOTUS)).code == 1
    shown = scf("progress", mass, "--recipients")
    assert "1 of 2 took CNY 200.00 of CNY 500.00" in shown.said and firm(PINE).name in shown.said
    early = scf("reclaim", mass)
    assert early.code == 1 and "mass_still_open" in early.said
    world.clock.advance(days=8)
    back = scf("reclaim", mass)
    assert back.code == 0 and "CNY 300.00 is back" in back.said
    assert scf("reclaim", mass).said == back.said
