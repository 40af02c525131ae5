"""Entrusted money moves only by evidence and agreement, also for a message that nobody prepared here."""

from __future__ import annotations

from typing import Any

from tests.entrusted.test_release import FIRST, Scene, opened
from tests.installation import Installation

from scf.demo.cast import CORE, FAIRWAY
from scf.desk.service import Prepared


def by_hand(scene: Scene, prepared: Prepared, **changes: Any) -> Prepared:
    """The same act with other fields, as somebody with a wallet alone would write it."""
    return scene.at.app.desk.prepare(
        prepared.act,
        prepared.contract,
        prepared.primary_type,
        {**prepared.message, **changes},
        signers=prepared.signers,
        summary={},
    )


def test_an_approval_signed_without_the_four_way_question_is_not_relayed(installation: Installation) -> None:
    scene = opened(installation, order="PO-9")
    asked = installation.app.entrusted
    free = opened(installation)
    approval = asked.prepare_approve(free.account, 0, installation.who(CORE, "approver"), FIRST, "hurry")
    forged = by_hand(scene, approval, accountId=scene.account)
    installation.refused("goods_and_money_disagree", lambda: installation.submit_entrusted(forged))
    installation.submit_entrusted(approval)


def test_an_attestation_of_papers_nobody_filed_or_the_applicant_brought_is_not_relayed(
    installation: Installation,
) -> None:
    scene = opened(installation)
    good = installation.app.entrusted.prepare_attest(scene.account, 0, installation.who(FAIRWAY), FIRST, scene.carrier)
    unfiled = by_hand(scene, good, evidence="0x" + "ab" * 32)
    own = by_hand(scene, good, evidence="0x" + scene.applicant)
    installation.refused("evidence_not_filed", lambda: installation.submit_entrusted(unfiled))
    installation.refused("evidence_not_independent", lambda: installation.submit_entrusted(own))
    installation.submit_entrusted(good)
