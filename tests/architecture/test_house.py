"""The house keeps its shape: floors, doors, sizes, names; money has no floats, time is handed in, no call goes out."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from importlinter.cli import lint_imports

import scf

SOURCE = Path(scf.__file__).parent
REPOSITORY = SOURCE.parents[1]
MODULES = sorted(SOURCE.rglob("*.py"))
LINES_AT_MOST = 450
CATALOGUES = {"standards/records.py"}
"""Lists of record types, which nobody is helped by cutting up."""
DOMAIN = (
    "desk", "parties", "rulebook", "receivables", "reconciliation", "bank", "entrusted", "financing", "risk",
    "documents",
)  # fmt: skip
DOORS = [room for room in (*DOMAIN, "audit") if room != "risk"]
NETWORK = {"requests", "urllib.request", "urllib3", "http.client", "socket", "smtplib", "ftplib", "aiohttp", "httpx"}
MAY_CALL_OUT = ("ledger/rpc/", "jobs/notices", "jobs/webhooks", "api/messenger", "web/views_oidc")
"""Where a configured node, mail server, hook or provider of identities is spoken to; all else needs no network."""


def name_of(module: Path) -> str:
    return module.relative_to(SOURCE).as_posix()


@cache
def tree_of(module: Path) -> ast.Module:
    return ast.parse(module.read_text(encoding="utf-8"))


def domain_modules() -> Iterator[Path]:
    for module in MODULES:
        if name_of(module).split("/")[0] in DOMAIN:
            yield module


def imported_at_once(tree: ast.Module) -> set[str]:
    """Names of modules imported when this one is, outside functions and TYPE_CHECKING."""
    found: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def calls(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """(line, dotted name) of every call."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield node.lineno, ast.unparse(node.func)


def test_imports_point_down(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(REPOSITORY)
    assert lint_imports(config_filename=str(REPOSITORY / "pyproject.toml"), no_cache=True) == 0


def test_every_room_has_one_door() -> None:
    assert [room for room in DOORS if not (SOURCE / room / "service.py").is_file()] == []


def test_modules_are_short() -> None:
    lengths = {name_of(module): len(module.read_text(encoding="utf-8").splitlines()) for module in MODULES}
    assert {name: lines for name, lines in lengths.items() if lines > LINES_AT_MOST and name not in CATALOGUES} == {}


def test_modules_are_named_after_what_they_do() -> None:
    vague = {"utils", "util", "helpers", "helper", "common", "misc", "base", "stuff"}
    assert [name_of(module) for module in MODULES if vague & {module.stem, *module.relative_to(SOURCE).parts}] == []


def test_money_has_no_floats() -> None:
    used = [
        f"{name_of(module)}:{line}"
        for module in [*domain_modules(), *SOURCE.glob("kernel/*.py")]
        for line, name in calls(tree_of(module))
        if name == "float"
    ]
    assert used == []


def test_time_is_handed_in() -> None:
    forbidden = {"time.time", "datetime.now", "datetime.utcnow", "date.today", "datetime.today"}
    asked = [
        f"{name_of(module)}:{line}" for module in domain_modules() for line, name in calls(tree_of(module))
        if name in forbidden
    ]  # fmt: skip
    assert asked == []


def test_only_the_store_commits() -> None:
    committing = [
        f"{name_of(module)}:{line}"
        for module in MODULES
        for line, name in calls(tree_of(module))
        if name.endswith((".commit", ".rollback"))
        and not name_of(module).startswith(("store/", "ledger/", "reconciliation/bulk"))
    ]
    assert committing == []


def test_nothing_can_call_out_that_is_not_configured_to() -> None:
    reaching = [
        f"{name_of(module)}: {name}"
        for module in MODULES
        if not name_of(module).startswith(MAY_CALL_OUT)
        for name in imported_at_once(tree_of(module)) & NETWORK
    ]
    assert reaching == []


def test_services_speak_no_http_and_routers_no_sql() -> None:
    spoken = [
        f"{name_of(module)}: {name}"
        for module in domain_modules()
        for name in imported_at_once(tree_of(module))
        if name.split(".")[0] in ("fastapi", "starlette", "typer", "rich", "jinja2")
    ]
    assert spoken == []


def test_nothing_is_left_to_do() -> None:
    marks = ("TO" + "DO", "FIX" + "ME", "XX" + "X ")
    left = [name_of(module) for module in MODULES if any(mark in module.read_text(encoding="utf-8") for mark in marks)]
    assert left == []


def test_every_package_says_what_it_is() -> None:
    silent = [name_of(module) for module in MODULES if not ast.get_docstring(tree_of(module)) and module.stat().st_size]
    assert silent == []
