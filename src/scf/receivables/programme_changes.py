"""Changes of programmes and limits as one person asks for them and another of the same firm decides.

Limits are on the ledger and move by two operators' signatures (`scf.parties.limits`); a financier's two people may ask
the operators for another of its own. A programme is the core enterprise's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlmodel import Session

from scf.kernel.money import currency as currency_of
from scf.kernel.money import format_money
from scf.kernel.problems import Problem
from scf.parties.changes import Asked, ChangeKind
from scf.parties.limits import Limits, limit_of
from scf.parties.service import Parties, Role
from scf.receivables.programmes import RANGES, Programme, Programmes

_TERMS = (*RANGES, "wording_en", "wording_zh")


def programme_changes(programmes: Programmes, parties: Parties, limits: Limits) -> Sequence[ChangeKind]:
    """`open_programme`, `close_programme` and `set_limit`."""

    def look_open(session: Session, body: Mapping[str, Any]) -> Asked:
        obligor, code = str(body["obligor"]), currency_of(str(body["currency"])).code
        member = parties.member(session, obligor)
        if not Role(member.roles) & Role.OBLIGOR:
            raise Problem("unknown_participant", who=obligor)
        for who in body.get("financiers", ()):
            parties.member(session, str(who))
        programmes.check_terms(body)
        known = programmes.of(session, obligor, code)
        if known is not None:
            raise Problem("programme_exists", who=parties.name_of(session, obligor), currency=code)
        name = str(body["name"])
        return Asked(
            {
                "en": f"Open the programme “{name}” in {code} with the terms shown.",
                "zh-CN": f"按所示条款开设 {code} 项目“{name}”。",
            },
            obligor,
            None,
        )

    def apply_open(session: Session, body: Mapping[str, Any], maker: str, checker: str) -> None:
        terms = {name: body[name] for name in _TERMS if body.get(name) is not None}
        programmes.open(
            session,
            name=str(body["name"]),
            obligor=str(body["obligor"]),
            currency=str(body["currency"]),
            financiers=tuple(map(str, body.get("financiers", ()))),
            **terms,
        )

    def look_close(session: Session, body: Mapping[str, Any]) -> Asked:
        row = session.get(Programme, int(body["programme"]))
        if row is None or row.closed_at is not None:
            raise Problem("unknown_programme", programme=body["programme"])
        return Asked(
            {
                "en": f"Close the programme “{row.name}”; what was issued under it goes on.",
                "zh-CN": f"关闭项目“{row.name}”；已开立的凭证继续有效。",
            },
            row.obligor,
            row.closed_at,
        )

    def apply_close(session: Session, body: Mapping[str, Any], maker: str, checker: str) -> None:
        programmes.close(session, int(body["programme"]))

    def look_limit(session: Session, body: Mapping[str, Any]) -> Asked:
        kind, subject, code = str(body["kind"]), str(body["subject"]), currency_of(str(body["currency"])).code
        limit = int(body["limit_minor"])
        if kind != "financier" or limit < 0:
            raise Problem("limit_not_a_firms_own", kind=kind)
        who = parties.name_of(session, subject)
        parties.member(session, subject)
        known = limit_of(session, kind, subject, code)
        before = None if known is None else format_money(known, code)
        amount = format_money(limit, code)
        return Asked(
            {
                "en": f"Ask the operators to set the limit of {who} to {amount} "
                f"({f'now {before}' if before else 'there is none'}); two of them sign it on the ledger.",
                "zh-CN": f"请求运营方将 {who} 的限额设为 {amount}（{f'现为 {before}' if before else '现无限额'}），"
                "由两名运营人员在账本上签署。",
            },
            subject,
            [known, sorted(one.id for one in limits.all(session, subject=subject, waiting=True))],
            amount_minor=limit,
            currency=code,
        )

    def apply_limit(session: Session, body: Mapping[str, Any], maker: str, checker: str) -> None:
        subject, minor = str(body["subject"]), int(body["limit_minor"])
        limits.open(
            session, kind="financier", subject=subject, by=checker, currency=str(body["currency"]), limit_minor=minor
        )

    return (
        ChangeKind("open_programme", look_open, apply_open),
        ChangeKind("close_programme", look_close, apply_close),
        ChangeKind("set_limit", look_limit, apply_limit),
    )
