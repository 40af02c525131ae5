"""Changes of programmes and limits as one person asks for them and another of the same firm decides.

An obligor's own limit is on the ledger and moves by two operators' signatures; a group's limit is set by operators,
a financier's its own, a programme the core enterprise's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlmodel import Session, select

from scf.kernel.money import currency as currency_of
from scf.kernel.money import format_money
from scf.kernel.problems import Problem
from scf.parties.changes import Asked, ChangeKind
from scf.parties.models import Member
from scf.parties.service import Parties, Role
from scf.receivables.programmes import ExposureLimit, Programme, Programmes

_TERMS = ("tenor_months", "tenor_days", "max_tier", "min_minor", "max_children", "wording_en", "wording_zh")


def programme_changes(programmes: Programmes, parties: Parties) -> Sequence[ChangeKind]:
    """`open_programme`, `close_programme` and `set_limit`."""

    def look_open(session: Session, body: Mapping[str, Any]) -> Asked:
        obligor, code = str(body["obligor"]), currency_of(str(body["currency"])).code
        member = parties.member(session, obligor)
        if not Role(member.roles) & Role.OBLIGOR:
            raise Problem("unknown_participant", who=obligor)
        for who in body.get("financiers", ()):
            parties.member(session, str(who))
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
        if kind not in ("group", "financier") or limit < 0:
            raise Problem("unknown_limit_kind", kind=kind)
        if kind == "group":
            owner, who = _an_operator(session), subject
        else:
            owner, who = subject, parties.name_of(session, subject)
            parties.member(session, subject)
        known = session.get(ExposureLimit, (kind, subject, code))
        before = format_money(known.limit_minor, code) if known else None
        amount = format_money(limit, code)
        return Asked(
            {
                "en": f"Set the limit of {who} to {amount} ({f'was {before}' if before else 'there was none'}).",
                "zh-CN": f"将 {who} 的限额设为 {amount}（{f'原为 {before}' if before else '原无限额'}）。",
            },
            owner,
            known.limit_minor if known else None,
            amount_minor=limit,
            currency=code,
        )

    def apply_limit(session: Session, body: Mapping[str, Any], maker: str, checker: str) -> None:
        limit = int(body["limit_minor"])
        programmes.set_limit(session, str(body["kind"]), str(body["subject"]), str(body["currency"]), limit)

    return (
        ChangeKind("open_programme", look_open, apply_open),
        ChangeKind("close_programme", look_close, apply_close),
        ChangeKind("set_limit", look_limit, apply_limit),
    )


def _an_operator(session: Session) -> str:
    for member in session.exec(select(Member).order_by(Member.address)):
        if Role(member.roles) & Role.OPERATOR:
            return member.address
    raise Problem("unknown_participant", who="operator")
