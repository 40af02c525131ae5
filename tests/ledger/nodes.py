"""Starts an anvil node for tests where its binary is installed (`scripts/network/install_anvil.sh`)."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).resolve().parents[2]
_PLACES = ("build/anvil/node_modules", "node_modules")


def anvil_binary() -> str:
    """Path of anvil; skips the test where it is not installed."""
    chosen = os.environ.get("SCF_ANVIL", "")
    if chosen and Path(chosen).exists():
        return chosen
    for place in _PLACES:  # the binary itself, not npm's launcher, so that ending the process ends the node
        for binary in (ROOT / place / "@foundry-rs").glob("anvil-*/bin/anvil"):
            return str(binary)
    found = shutil.which("anvil")
    if not found:
        pytest.skip("anvil is not installed (scripts/network/install_anvil.sh)")
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def anvil(
    *, port: int | None = None, chain_id: int = 20_260, extra: Sequence[str] = ()
) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """A free-gas anvil at Paris rules on a port of its own; yields its URL and process."""
    port = port or free_port()
    command = [
        anvil_binary(),
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        "--chain-id",
        str(chain_id),
        "--base-fee",
        "0",
        "--gas-price",
        "0",
        "--disable-min-priority-fee",
        "--order",
        "fifo",
        "--hardfork",
        "paris",
        "--gas-limit",
        "1000000000",
        "--silent",
        *extra,
    ]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(200):
            try:
                httpx.post(
                    url, json={"jsonrpc": "2.0", "id": 1, "method": "eth_chainId", "params": []}, trust_env=False
                )
                break
            except httpx.HTTPError:
                time.sleep(0.05)
        yield url, process
    finally:
        process.kill()
        process.wait()


def geth_binary() -> str:
    """Path of geth 1.13; skips the test where it is not built (`scripts/network/build_geth.sh`)."""
    for place in (os.environ.get("SCF_GETH", ""), str(ROOT / "build/network/bin/geth")):
        if place and Path(place).exists():
            return place
    pytest.skip("geth is not built (scripts/network/build_geth.sh)")
