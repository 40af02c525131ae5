"""The price and its acceptance in words: what is shown is what is hashed and signed."""

from __future__ import annotations

import json

from scf.financing.models import QuoteOffer
from scf.financing.price import Price, format_rate
from scf.kernel.money import format_money

_RECOURSE = {
    "en": ("Without recourse to you.", "With recourse: you may be asked to buy it back."),
    "zh-CN": ("无追索权。", "有追索权：可能要求您回购。"),
}


def terms(figures: Price, *, recourse: bool) -> dict[str, str]:
    """The full price in words, in both languages; its hash is signed with the quote."""
    discount, fees, net = (
        format_money(amount, figures.currency)
        for amount in (figures.discount_minor, figures.fees_minor, figures.net_minor)
    )
    apr, effective = format_rate(figures.apr_ppm), format_rate(figures.effective_ppm)
    return {
        "en": f"{figures.days} days at {format_rate(figures.rate_ppm)}: discount {discount}, fees {fees}, you "
        f"receive {net}. All-in {apr} a year (effective {effective}). " + _RECOURSE["en"][recourse],
        "zh-CN": f"{figures.days} 天，年贴现率 {format_rate(figures.rate_ppm)}："
        f"贴现息 {discount}，费用 {fees}，实收 {net}。"
        f"综合年化 {apr}（有效年利率 {effective}）。" + _RECOURSE["zh-CN"][recourse],
    }


def acceptance(offer: QuoteOffer, financier: str) -> dict[str, str]:
    """What the seller agrees to when it takes a quote, in both languages."""
    figures, signed = json.loads(offer.price), json.loads(offer.message)
    code = str(figures["currency"])
    face, net = format_money(figures["face_minor"], code), format_money(offer.net_minor, code)
    account = int(signed["entrustedAccount"])
    return {
        "en": f"You sell {face} to {financier} and receive {net}. All-in {format_rate(offer.apr_ppm)} a year. "
        + _RECOURSE["en"][bool(signed["recourse"])]
        + (f" The money is paid into locked account {account}, not to you." if account else ""),
        "zh-CN": f"您将 {face} 转让给 {financier}，实收 {net}，综合年化 {format_rate(offer.apr_ppm)}。"
        + _RECOURSE["zh-CN"][bool(signed["recourse"])]
        + (f"款项支付至受托账户 {account}，不直接付给您。" if account else ""),
    }
