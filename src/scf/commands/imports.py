"""`scf import`: take files in at once, or look first, apply, and take back for 24 hours.

Exit codes: 0 all was done; 1 something was refused, and every line of standard error says what (the other files stand);
2 the command was called wrongly.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scf import terminal
from scf.commands.import_paths import Found, documents_at
from scf.kernel.problems import Problem

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from scf.app import App
    from scf.documents.service import ImportView

SHOWN_ROWS = 20
Told = Callable[[int, int], None]
"""Told while facts are joined: how many are, of how many."""
_STANDINGS = {
    "new": ("new", "新增"),
    "changed": ("changed", "变更"),
    "duplicate": ("duplicate", "重复"),
    "rejected": ("rejected", "拒绝"),
    "noted": ("kept as evidence only", "仅留存为证据"),
}


def import_files(
    files: Annotated[
        list[Path] | None,
        typer.Argument(help="Invoices, events, statements, tables; folders and zip archives of them."),
    ] = None,
    data: Annotated[Path, typer.Option("--data", help="The data folder.", envvar="SCF_DATA")] = Path("data"),
    source: Annotated[str, typer.Option(help="Who brought the files.")] = "upload",
    trust: Annotated[int, typer.Option(min=0, max=4, help="How far the source is trusted: 0 typed … 4 registry.")] = 1,
    mapping: Annotated[
        str | None, typer.Option(help="Column mapping for tables: a saved name, or a TOML or JSON file.")
    ] = None,
    preview: Annotated[bool, typer.Option("--preview", help="Say what each file would do; join nothing.")] = False,
    apply: Annotated[list[int] | None, typer.Option("--apply", help="Apply a preview by its number.")] = None,
    leave_rejected: Annotated[
        bool, typer.Option("--leave-rejected", help="With --apply: take the good rows without the rejected ones.")
    ] = False,
    undo: Annotated[list[int] | None, typer.Option("--undo", help="Take an import back, within 24 hours.")] = None,
) -> None:
    """Import documents: each file is taken whole or refused whole, with place and reason.

    A folder stands for its files, and a zip archive for its members. With several files, each stands for itself: a
    refused one does not stop or undo the others, and the exit code is 1.
    """
    from scf.app import open_app
    from scf.installation import Settings

    if not (files or apply or undo):
        raise typer.BadParameter("name files, or --apply or --undo with a number")
    failed = 0
    with open_app(Settings.from_environment(data)) as installation, terminal.progress() as bar:
        text = _mapping_text(mapping)
        for number in undo or []:
            failed += _attempt(f"--undo {number}", lambda number=number: _undo(installation, number))
        for number in apply or []:
            failed += _attempt(
                f"--apply {number}",
                lambda number=number: _apply(installation, number, leave_rejected),
            )
        for path in files or []:
            failed += _attempt(
                str(path), lambda path=path: _walk(installation, bar, path, source, trust, text, preview)
            )
    if failed:
        raise typer.Exit(1)


def _walk(
    installation: App, bar: Progress, path: Path, source: str, trust: int, mapping: str | None, preview: bool
) -> bool:
    """Whether anything at this path, a file, a folder or an archive, was refused or left something to look at."""
    failed = 0
    for found in documents_at(path):
        task = bar.add_task(f"Reading {found.name}", total=None)

        def told(done: int, total: int, task: TaskID = task, name: str = found.name) -> None:
            bar.update(task, description=f"Joining {name}", completed=done, total=total)

        def act(found: Found = found, told: Told = told) -> bool:
            if preview:
                return _preview(installation, found, source, trust, mapping)
            return _import(installation, found, source, trust, mapping, told)

        failed += _attempt(found.label, act)
        bar.remove_task(task)
    return failed > 0


def _attempt(about: str, act: object) -> bool:
    """Whether the act failed or left something to look at; a refusal is said in one line."""
    try:
        return bool(act())  # type: ignore[operator]
    except (Problem, OSError) as error:
        terminal.refuse(terminal.as_problem(error), about=about)
        return True


def _import(installation: App, found: Found, source: str, trust: int, mapping: str | None, told: Told) -> bool:
    path = found.label
    report = installation.documents.import_file(
        found.read(), found.name, source=source, sender=source, trust=trust, mapping=mapping, told=told
    )
    number = f", import {report.import_id}" if report.import_id is not None else ""
    chinese = f"，导入编号 {report.import_id}" if report.import_id is not None else ""
    terminal.say(
        f"{path}: {report.kind}, {report.accepted} records"
        + (f", {report.exceptions} exceptions{number}" if report.is_new else "; imported before, nothing changed"),
        f"{path}：{report.kind}，{report.accepted} 条记录"
        + (f"，{report.exceptions} 个异常{chinese}" if report.is_new else "；此前已导入，未做改动"),
    )
    for notice in report.notices:
        terminal.say(f"  note: {notice['en']}", f"  提示：{notice['zh-CN']}")
    return False


def _preview(installation: App, found: Found, source: str, trust: int, mapping: str | None) -> bool:
    path = found.label
    view = installation.documents.preview(
        found.read(), found.name, source=source, sender=source, trust=trust, mapping=mapping
    )
    if view.state == "needs_mapping" and view.table is not None:
        missing = ", ".join(view.table.missing)
        terminal.say(
            f"{path}: a table nobody has mapped; still to decide: {missing}. Name a mapping with --mapping.",
            f"{path}：尚无映射的表格；仍需确定：{missing}。请用 --mapping 指定映射。",
        )
        return True
    said = _counted(view)
    terminal.say(
        f"{path}: {view.kind}: {said[0]}. Nothing was imported. To apply: scf import --apply {view.id}",
        f"{path}：{view.kind}：{said[1]}。未导入任何内容。应用：scf import --apply {view.id}",
    )
    _show_rows(installation, view)
    return view.counts["rejected"] > 0


def _show_rows(installation: App, view: ImportView) -> None:
    """The rejected and the changed rows, so many as a person reads."""
    with installation.reading() as session:
        for standing in ("rejected", "changed"):
            page = installation.documents.import_rows(
                session, view.id, source=None, standing=standing, limit=SHOWN_ROWS
            )
            for row in page.rows:
                if row.reason is not None:
                    terminal.say(f"  ✗ {row.where}: {row.reason['en']}", f"  ✗ {row.where}：{row.reason['zh-CN']}")
                for one in row.changes:
                    told = f"{row.label} {one.field}: {one.old or '-'} → {one.new or '-'}"
                    terminal.say(f"  ~ {told}", f"  ~ {told}")
            if page.next is not None:
                more = view.counts[standing] - SHOWN_ROWS
                terminal.say(f"  … and {more} more {standing}", f"  …… 另有 {more} 行{_STANDINGS[standing][1]}")


def _apply(installation: App, number: int, leave_rejected: bool) -> bool:
    view = installation.documents.apply(number, source=None, leave_rejected=leave_rejected)
    said = _counted(view)
    terminal.say(
        f"Import {number} is applied: {view.name}: {said[0]}, {view.exceptions} exceptions. No money moved. "
        f"For 24 hours: scf import --undo {number}",
        f"导入 {number} 已应用：{view.name}：{said[1]}，{view.exceptions} 个异常。资金未变动。"
        f"24 小时内可撤销：scf import --undo {number}",
    )
    return False


def _undo(installation: App, number: int) -> bool:
    view = installation.documents.undo(number, source=None)
    terminal.say(
        f"Import {number} is undone: {view.name}. What it brought counts no more; the file stays in the evidence. "
        "No money moved.",
        f"导入 {number} 已撤销：{view.name}。其内容不再计入，文件仍保留在证据中。资金未变动。",
    )
    return False


def _counted(view: ImportView) -> tuple[str, str]:
    parts = [(view.counts[name], *words) for name, words in _STANDINGS.items() if view.counts[name]]
    english = ", ".join(f"{count} {word}" for count, word, _ in parts) or "no rows"
    return english, "，".join(f"{word} {count}" for count, _, word in parts) or "无数据行"


def _mapping_text(mapping: str | None) -> str | None:
    """A mapping's name as it is; the text of a file that is named."""
    if mapping is not None and mapping.lower().endswith((".toml", ".json")):
        return Path(mapping).read_text(encoding="utf-8") + "\n"
    return mapping
