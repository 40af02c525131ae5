"""Notices: unread first, each with its proof, read by the firm it went to and by nobody else."""

from __future__ import annotations

import re

from tests.api.conftest import As
from tests.api.installation import LOTUS, PINE, Installation

from scf.ledger.hashing import keccak
from scf.store import evidence
from scf.store.evidence import Trust


def tell(demo: Installation, key: str, to: str, words: str) -> str:
    with demo.app.desk.session() as session:
        kept = evidence.record(
            session,
            f"what {key} is about".encode(),
            kind="reminder",
            source="scf",
            sender="scf",
            trust=Trust.T2,
            received_at=demo.clock.now(),
        )
        words_of = {"en": words, "zh-CN": f"通知：{words}"}
        demo.app.notices.tell(session, key, demo.at(to), "reminder", words_of, evidence_id=kept.evidence_id)
    return kept.evidence_id


def test_a_notice_is_told_shown_with_its_proof_and_read_once(demo: Installation, act_as: As) -> None:
    proof = tell(demo, "test-notice-1", PINE, "The first thing to know.")
    pine, lotus = act_as(PINE), act_as(LOTUS)
    page = pine.get("/notices").text
    assert "The first thing to know." in page and f'href="/proof/evidence/{proof}"' in page
    assert re.search(r'class="badge">\d+', pine.get("/").text)
    shown = pine.get(f"/proof/evidence/{proof}")
    assert shown.status_code == 200 and proof in shown.text and "evidence log" in shown.text
    assert lotus.get(f"/proof/evidence/{proof}").status_code == 404
    assert "The first thing to know." not in lotus.get("/notices").text
    assert lotus.post("/notices/read", data={"key": "test-notice-1"}).status_code == 404
    assert "The first thing to know." in pine.get("/notices?show=unread").text
    pine.post("/notices/read", data={"key": "test-notice-1"})
    assert "The first thing to know." not in pine.get("/notices?show=unread").text
    assert "The first thing to know." in pine.get("/notices").text


def test_all_are_read_at_once_and_the_badge_goes(demo: Installation, act_as: As) -> None:
    tell(demo, "test-notice-2", PINE, "One.")
    tell(demo, "test-notice-3", PINE, "Two.")
    pine = act_as(PINE, language="zh-CN")
    assert "通知：Two." in pine.get("/notices").text
    pine.post("/notices/read")
    assert 'class="badge"' not in pine.get("/").text
    assert "没有未读通知" in pine.get("/notices?show=unread").text


def test_a_transaction_nobody_told_you_of_is_not_there(demo: Installation, act_as: As) -> None:
    block = demo.app.ledger.block(demo.app.ledger.head().number)
    found = "0x" + keccak(block.transactions[0]).hex()
    assert act_as(LOTUS).get(f"/proof/transaction/{found}").status_code == 404
    assert act_as("audit").get(f"/proof/transaction/{found}").status_code == 200
    assert act_as("audit").get("/proof/transaction/0xzz").status_code == 404
