"""The summary page of a bulk run: what went in, what agrees, what does not, as bars. One file, nothing loaded."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Any

import duckdb

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:56rem;margin:2rem auto;padding:0 1rem;color:#1c2430}"
    "table{border-collapse:collapse;width:100%}"
    "td,th{padding:.3rem .5rem;border-bottom:1px solid #d9dee5;text-align:left;overflow-wrap:anywhere}"
    "td.n{text-align:right;font-variant-numeric:tabular-nums}svg{width:100%;height:auto}h1{font-size:1.5rem}"
    "h2{font-size:1.15rem;margin-top:2rem}small{color:#5a6675}"
)
_COLOURS = {"matches": "#2f7d4f", "expected": "#8a93a0", "exceptions": "#b5532a"}


def write_page(out: Path, summary: dict[str, Any], *, samples: int = 40) -> None:
    """Write summary.html beside the files of a run."""
    cases = summary["references"]
    inputs = "".join(
        f"<tr><td>{escape(name)}</td><td>{escape(str(side['file'] or '–'))}</td><td class=n>{side['rows']:,}</td>"
        f"<td class=n>{side['amount_minor']:,}</td></tr>"
        for name, side in summary["inputs"].items()
    )
    page = (
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>"
        f"<title>Reconciliation</title><style>{_STYLE}</style><h1>Reconciliation · 对账结果</h1>"
        f"<p>{sum(cases.values()):,} order references, {cases['matches']:,} matched, "
        f"{cases['exceptions']:,} exceptions, {cases['expected']:,} not due yet. "
        f"Rule {escape(summary['rule'])} version {summary['rule_version']}, "
        f"{summary['seconds']} s on {escape(summary['engine'])}.</p>"
        f"<p lang=zh-CN>共 {sum(cases.values()):,} 个订单编号：{cases['matches']:,} 个相符，"
        f"{cases['exceptions']:,} 个异常，"
        f"{cases['expected']:,} 个未到期。规则 {escape(summary['rule'])} 第 {summary['rule_version']} 版，"
        f"用时 {summary['seconds']} 秒（{escape(summary['engine'])}）。</p>"
        f"{_bars([(name, count, _COLOURS[name]) for name, count in cases.items()])}"
        f"<h2>What does not agree · 异常类别</h2>"
        f"{_bars([(name, count, _COLOURS['exceptions']) for name, count in _most(summary['exceptions'])])}"
        f"<h2>What went in · 输入</h2><table><tr><th>table · 表<th>file · 文件<th>rows · 行数"
        f"<th>amount (minor units) · 金额（最小货币单位）</tr>{inputs}</table>"
        "<p><small>Every row and every minor unit of the input is found again in exactly one of the output files; the "
        "run stops otherwise.<br><span lang=zh-CN>输入的每一行、每一分钱都恰好出现在一个输出文件中，否则运行中止。"
        "</span></small></p>"
        f"<h2>Examples · 示例</h2><table>{_examples(out, samples)}</table></html>"
    )
    (out / "summary.html").write_text(page, encoding="utf-8")


def _most(counts: dict[str, int]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def _bars(rows: list[tuple[str, int, str]]) -> str:
    """Horizontal bars, each with its name and number; the longest fills the width."""
    if not rows:
        return "<p>None.</p>"
    most = max(count for _, count, _ in rows) or 1
    drawn = []
    for place, (name, count, colour) in enumerate(rows):
        top, width = place * 30, max(1, round(420 * count / most)) if count else 0
        drawn.append(
            f"<text x=0 y={top + 20} font-size=14>{escape(name)}</text>"
            f"<rect x=220 y={top + 6} width={width} height=18 rx=3 fill='{colour}'/>"
            f"<text x={230 + width} y={top + 20} font-size=14>{count:,}</text>"
        )
    title = ", ".join(f"{name}: {count}" for name, count, _ in rows)
    return (
        f"<svg viewBox='0 0 760 {len(rows) * 30}' role=img xmlns='http://www.w3.org/2000/svg'>"
        f"<title>{escape(title)}</title>{''.join(drawn)}</svg>"
    )


def _examples(out: Path, samples: int) -> str:
    query = (
        "SELECT reason, sentence_en, sentence_zh FROM (SELECT *, row_number() OVER (PARTITION BY reason "
        f"ORDER BY order_reference) AS n FROM read_parquet('{out / 'exceptions.parquet'}')) WHERE n <= 3 "
        f"LIMIT {samples}"
    )
    rows = duckdb.execute(query).fetchall()
    return "".join(
        f"<tr><td>{escape(reason)}</td><td>{escape(english)}<br>{escape(chinese)}</td></tr>"
        for reason, english, chinese in rows
    )
