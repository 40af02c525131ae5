"""Whose turn it is on a locked account, in one sentence a language."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlmodel import Session

from scf.entrusted import queries
from scf.entrusted.opening import NEEDS
from scf.entrusted.shapes import StageView
from scf.kernel.dates import day_of
from scf.kernel.money import format_money
from scf.parties.service import Parties


def turn_words(session: Session, parties: Parties, account_id: int, view: Callable[[int], StageView]) -> dict[str, str]:
    """Who has to act on the first stage that is not finished; a held part names both sides, who may end the hold."""
    row = queries.account(session, account_id)
    if row.locked_at is None:
        bank, since = parties.name_of(session, row.bank), day_of(row.opened_at).isoformat()
        return {
            "en": f"{bank} has to confirm that the money is locked, since {since}.",
            "zh-CN": f"自 {since} 起等待 {bank} 确认资金已锁定。",
        }
    for stage in queries.stages(session, account_id):
        left = stage.amount_minor - stage.released_minor - stage.refunded_minor
        if not left:
            continue
        number = stage.stage + 1
        if left == stage.disputed_minor:
            payer, beneficiary = (parties.name_of(session, who) for who in (row.payer, row.beneficiary))
            held = format_money(stage.disputed_minor, row.currency)
            last = queries.last_dispute(session, account_id, stage.stage)
            if last is not None and last.is_return:
                return {
                    "en": f"Stage {number}: a payment came back; {payer} and {beneficiary} have to agree to pay the "
                    f"{held} again, or back.",
                    "zh-CN": f"第 {number} 阶段：有款项被退回；等待 {payer} 与 {beneficiary} 就 {held} 同意"
                    "再次支付或退回付款方。",
                }
            return {
                "en": f"Stage {number}: {payer} and {beneficiary} have to agree on the {held} in dispute.",
                "zh-CN": f"第 {number} 阶段：等待 {payer} 与 {beneficiary} 就争议金额 {held} 达成一致。",
            }
        seen = view(stage.stage)
        if seen.refundable_minor and not seen.releasable_minor:
            back = format_money(seen.refundable_minor, row.currency)
            bank, payer = (parties.name_of(session, who) for who in (row.bank, row.payer))
            return {
                "en": f"Stage {number}: its deadline is over; {bank} has to pay the remaining {back} back to {payer}.",
                "zh-CN": f"第 {number} 阶段：期限已过，等待 {bank} 将余额 {back} 退回 {payer}。",
            }
        if seen.missing:
            return {
                "en": f"Stage {number}: {seen.missing['en']}.",
                "zh-CN": f"第 {number} 阶段：{seen.missing['zh-CN']}。",
            }
        if not seen.releasable_minor:
            rest = format_money(left - stage.disputed_minor, row.currency)
            return {
                "en": f"Stage {number}: evidence and approvals for the remaining {rest} are missing.",
                "zh-CN": f"第 {number} 阶段：其余 {rest} 尚缺证据与批准。",
            }
        return {
            "en": f"Stage {number}: the bank has to execute the release.",
            "zh-CN": f"第 {number} 阶段：等待银行执行放款。",
        }
    return {"en": "Everything was released or paid back.", "zh-CN": "款项已全部释放或退回。"}


def missing_words(
    session: Session, parties: Parties, attested: Sequence[str], approved: Sequence[str], wanting: Sequence[str] = ()
) -> dict[str, str]:
    """What a release still needs: evidence of each kind asked for and of two organisations, approval of two people.

    Empty when nothing.
    """
    organisations = {
        organisation.id
        for organisation in (parties.organisation_of(session, who) for who in attested)
        if organisation is not None
    }
    evidence, people = 2 - len(organisations), 2 - len(set(approved))
    english, chinese = [], []
    if evidence > 0:
        english.append(f"evidence of {evidence} more {'organisation' if evidence == 1 else 'organisations'}")
        chinese.append(f"还需 {evidence} 家机构的证据")
    for need in wanting if attested else ():
        english.append(f"evidence of {NEEDS[need]['en'] if need in NEEDS else need}")
        chinese.append(f"还需{NEEDS[need]['zh-CN'] if need in NEEDS else need}证据")
    if people > 0:
        english.append(f"{people} more {'approval' if people == 1 else 'approvals'}")
        chinese.append(f"还需 {people} 人批准")
    return {"en": " and ".join(english) + " missing", "zh-CN": "，".join(chinese)} if english else {}
