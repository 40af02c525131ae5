"""`kill -9` between any two of store, sign, send, mined, booked and answered: one effect, on the file and on a node."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.e2e.conftest import environment
from tests.ledger.nodes import ROOT, anvil

POINTS = {
    "stored": ("scf.store.commands", "begin", "after"),
    "signed": ("scf.store.relay_journal:SqlJournal", "reserve", "after"),
    "sent": ("{engine}", "{sending}", "{when}"),
    "mined": ("{engine}", "submit", "after"),
    "noted": ("scf.store.relay_journal:SqlJournal", "mark", "after"),
    "booked": ("scf.store.projection:Projection", "catch_up", "after"),
    "answered": ("scf.store.commands", "finish", "after"),
    "never": ("", "", ""),
}
ENGINES = {  # at "sent" the transaction has left the service: it is with the node, or in the block not yet committed
    "embedded": ("scf.ledger.embedded.engine:EmbeddedLedger", "_commit", "before"),
    "rpc": ("scf.ledger.rpc.engine:RpcLedger", "_send", "after"),
}
_SERVICE = """
import json, os, signal, sys
from importlib import import_module
from pathlib import Path
folder, setting, start, number, point = sys.argv[1:6]
owner, name, when = json.loads(point)
from network.main_job import job_on, settings_for
from scf.app import open_app, rebuild_books
from scf.demo.play import Silence
from scf.kernel.clock import VirtualClock
from scf.receivables.models import Receivable
from sqlmodel import select
clock = VirtualClock(int(start))
with open_app(settings_for(Path(folder), setting), clock) as app:
    job = job_on(app, clock, int(start), Silence())
    job.cast()
    if owner:
        module, _, holder = owner.partition(":")
        place = import_module(module)
        place = getattr(place, holder) if holder else place
        real = getattr(place, name)
        def dying(*args, **kwargs):
            if when == "after":
                real(*args, **kwargs)
            os.kill(os.getpid(), signal.SIGKILL)
        prepared = job.app.receivables.submit
        def submit(*args, **kwargs):
            setattr(place, name, dying)
            return prepared(*args, **kwargs)
        job.app.receivables.submit = submit
    note = job.one_more(int(number))
    app.desk.follow()
    with app.reading() as session:
        rows = session.exec(select(Receivable)).all()
    print(json.dumps({
        "note": note,
        "states": [row.state for row in rows],
        "relayed": app.ledger.nonce(app.relayer.address),
        "differences": len(rebuild_books(app, check=True)[0]),
    }))
"""


def _serve(folder: Path, setting: str, start: int, number: int, point: str) -> subprocess.CompletedProcess[str]:
    engine, sending, when = ENGINES[setting.partition(":")[0]]
    chosen = [part.format(engine=engine, sending=sending, when=when) for part in POINTS[point]]
    path = os.pathsep.join(map(str, (ROOT / "src", ROOT, ROOT / "scripts")))
    command = [sys.executable, "-c", _SERVICE, str(folder), setting, str(start), str(number), json.dumps(chosen)]
    return subprocess.run(
        command,
        cwd=ROOT,
        env=environment({"PYTHONPATH": path}),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@contextmanager
def _ledger(engine: str, folder: Path) -> Iterator[str]:
    if engine == "embedded":
        yield f"embedded:{folder / 'ledger.db'}"
        return
    with anvil() as (url, _):
        yield f"rpc:{url}"


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("engine", ENGINES)
def test_killed_at_every_point(tmp_path: Path, engine: str):
    start, relayed = int(time.time()), 0
    with _ledger(engine, tmp_path / "data") as setting:
        for number, point in enumerate(POINTS, 1):
            killed = _serve(tmp_path / "data", setting, start, number, point)
            assert killed.returncode == (0 if point == "never" else -signal.SIGKILL), killed.stderr
            again = _serve(tmp_path / "data", setting, start, number, "never")
            assert again.returncode == 0, again.stderr
            found = json.loads(again.stdout)
            assert found["states"] == ["live"] * number, point
            assert found["differences"] == 0
            if relayed:
                assert found["relayed"] == relayed + 2, point  # one issue and one acceptance, whatever died
            relayed = found["relayed"]
            repeated = _serve(tmp_path / "data", setting, start, number, "never")
            assert repeated.returncode == 0, f"{point}: {repeated.stderr}"
            assert json.loads(repeated.stdout) == found
