"""A permissioned network of four validators on one machine: geth 1.13.15, Clique proof of authority, free gas.

    scripts/network/build_geth.sh
    python scripts/network/clique.py [--passes 200] [--folder DIR] [--json]

Starts the network, runs the receivables' main job on it through the JSON-RPC engine, then stops one validator (work
goes on), two (work waits, nothing is lost), starts them again (they catch up), cuts one off and heals it. Every
validator listens on 127.0.0.1 alone. Exit code 0: all as it should be; 1: not; 3: skipped, with the reason.
"""

from __future__ import annotations

import argparse
import json
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "src"), str(ROOT)]

import httpx  # noqa: E402
from tests.ledger.programme import Programme  # noqa: E402

from scf.kernel.problems import Problem  # noqa: E402
from scf.ledger.journal import MemoryJournal  # noqa: E402
from scf.ledger.relayer import Relayer  # noqa: E402
from scf.ledger.rpc.engine import RpcLedger  # noqa: E402
from scf.ledger.signing import address_of, canonical  # noqa: E402

GETH = ROOT / "build" / "network" / "bin" / "geth"
CHAIN_ID = 20_260
GAS_LIMIT = 1_000_000_000
_FORKS = (
    "homesteadBlock",
    "eip150Block",
    "eip155Block",
    "eip158Block",
    "byzantiumBlock",
    "constantinopleBlock",
    "petersburgBlock",
    "istanbulBlock",
    "berlinBlock",
    "londonBlock",
)


def genesis(signers: list[str], *, period_s: int = 1, timestamp: int | None = None) -> dict[str, Any]:
    """Genesis of a Clique network: London rules, which cost the same gas as the embedded ledger's, base fee zero.

    The base fee stays zero as long as no block uses more than half of the (large) gas limit.
    """
    extra = bytes(32) + b"".join(sorted(canonical(signer) for signer in signers)) + bytes(65)
    return {
        "config": {
            "chainId": CHAIN_ID,
            **dict.fromkeys(_FORKS, 0),
            "clique": {"period": period_s, "epoch": 30_000},
        },
        "timestamp": hex(int(time.time()) if timestamp is None else timestamp),
        "difficulty": "0x1",
        "gasLimit": hex(GAS_LIMIT),
        "baseFeePerGas": "0x0",
        "extraData": "0x" + extra.hex(),
        "alloc": {},
    }


def free_port() -> int:
    """A port nobody uses at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Validator:
    """One node of the network."""

    folder: Path
    key: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    node_key: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    http_port: int = field(default_factory=free_port)
    peer_port: int = field(default_factory=free_port)
    engine_port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """The sealing address."""
        return address_of(self.key)

    @property
    def url(self) -> str:
        """Where it answers JSON-RPC."""
        return f"http://127.0.0.1:{self.http_port}"

    @property
    def enode(self) -> str:
        """How peers name it."""
        from eth_keys.main import KeyAPI

        public = KeyAPI().PrivateKey(self.node_key).public_key.to_bytes().hex()
        return f"enode://{public}@127.0.0.1:{self.peer_port}?discport=0"

    def prepare(self, genesis_path: Path, peers: list[str]) -> None:
        """Write keys and configuration, initialise the chain."""
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "geth").mkdir(exist_ok=True)
        (self.folder / "geth" / "nodekey").write_text(self.node_key.hex())
        (self.folder / "password").write_text("local")
        (self.folder / "key").write_text(self.key.hex())
        nodes = ", ".join(f'"{peer}"' for peer in peers if peer != self.enode)
        (self.folder / "config.toml").write_text(
            f'[Node.P2P]\nListenAddr = "127.0.0.1:{self.peer_port}"\nNoDiscovery = true\nMaxPeers = 10\n'
            f"StaticNodes = [{nodes}]\n"
        )
        self._run("init", "--datadir", str(self.folder), str(genesis_path))
        self._run(
            *("account", "import", "--datadir", str(self.folder), "--lightkdf"),
            *("--password", str(self.folder / "password"), str(self.folder / "key")),
        )
        (self.folder / "key").unlink()

    def _run(self, *arguments: str) -> None:
        run = subprocess.run([str(GETH), *arguments], capture_output=True, text=True, check=False)
        if run.returncode:
            raise RuntimeError(run.stderr[-1500:])

    def start(self) -> None:
        """Start validating."""
        command = [
            *(str(GETH), "--datadir", str(self.folder), "--config", str(self.folder / "config.toml")),
            *("--networkid", str(CHAIN_ID), "--syncmode", "full", "--gcmode", "archive", "--nat", "none"),
            *("--http", "--http.addr", "127.0.0.1", "--http.port", str(self.http_port)),
            *(
                "--http.api",
                "eth,net,web3,admin,clique,txpool",
                "--ipcdisable",
                "--authrpc.port",
                str(self.engine_port),
            ),
            *("--mine", "--miner.etherbase", self.address, "--miner.gasprice", "0"),
            *(
                "--miner.gaslimit",
                str(GAS_LIMIT),
                "--unlock",
                self.address,
                "--password",
                str(self.folder / "password"),
            ),
            *("--allow-insecure-unlock", "--netrestrict", "127.0.0.0/8", "--verbosity", "3"),
            *("--txpool.globalslots", "20000", "--txpool.accountslots", "20000", "--txpool.accountqueue", "5000"),
            *("--cache", "64"),
        ]
        log = (self.folder / "log.txt").open("ab")
        self.process = subprocess.Popen(command, stdout=log, stderr=log)
        log.close()

    def ask(self, method: str, *params: Any) -> Any:
        """One JSON-RPC request."""
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}
        return httpx.post(self.url, json=body, trust_env=False, timeout=5).json()["result"]

    def stop(self) -> None:
        """Stop it as an operator would."""
        if self.process:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self.process = None


class Network:
    """All validators."""

    def __init__(self, folder: Path, validators: int = 4) -> None:
        self.validators = [Validator(folder / f"validator{number}") for number in range(validators)]
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "genesis.json"
        path.write_text(json.dumps(genesis([validator.address for validator in self.validators])))
        enodes = [validator.enode for validator in self.validators]
        for validator in self.validators:
            validator.prepare(path, enodes)

    @property
    def urls(self) -> list[str]:
        """JSON-RPC addresses of all validators."""
        return [validator.url for validator in self.validators]

    def start(self) -> None:
        """Start all and wait until they make blocks together."""
        for validator in self.validators:
            validator.start()
        wait_until(lambda: all(self.height(validator) >= 2 for validator in self.validators), 90, "first blocks")

    def height(self, validator: Validator) -> int:
        """Newest block of one validator; -1 while it does not answer."""
        try:
            return int(validator.ask("eth_blockNumber"), 16)
        except (httpx.HTTPError, KeyError, ValueError):
            return -1

    def agree(self) -> bool:
        """Whether all running validators have the same block three below the lowest head."""
        running = [validator for validator in self.validators if validator.process]
        low = min(self.height(validator) for validator in running) - 3
        found = {str(v.ask("eth_getBlockByNumber", hex(max(low, 0)), False)["hash"]) for v in running}
        return len(found) == 1

    def cut_off(self, validator: Validator) -> None:
        """Part one validator from all others."""
        for other in self.validators:
            if other is not validator:
                other.ask("admin_removePeer", validator.enode)
                validator.ask("admin_removePeer", other.enode)

    def heal(self, validator: Validator) -> None:
        """Join it again."""
        for other in self.validators:
            if other is not validator:
                other.ask("admin_addPeer", validator.enode)
                validator.ask("admin_addPeer", other.enode)

    def stop(self) -> None:
        """Stop all."""
        for validator in self.validators:
            validator.stop()


def wait_until(happened: Callable[[], bool], seconds: float, what: str) -> float:
    """Wait for something; returns how long it took. Raises TimeoutError."""
    started = time.monotonic()
    while not happened():
        if time.monotonic() - started > seconds:
            raise TimeoutError(f"{what} did not happen within {seconds:.0f} s")
        time.sleep(0.25)
    return round(time.monotonic() - started, 1)


@contextmanager
def network(folder: Path, validators: int = 4) -> Iterator[Network]:
    """A running network that is stopped at the end."""
    made = Network(folder, validators)
    try:
        made.start()
        yield made
    finally:
        made.stop()


class Work:
    """The main job on the network: acts go in, and at the end every one must be there once."""

    def __init__(self, net: Network) -> None:
        self.ledger = RpcLedger(net.urls, chain_id=CHAIN_ID, confirmations=2, mining_s=120, patience_s=30, poll_s=0.2)
        self.relayer = Relayer(self.ledger, secrets.token_bytes(32), MemoryJournal())
        self.programme = Programme.start(self.relayer)
        self.note = self.programme.issue(1_000_000, "NETWORK-1")
        self.done = 0

    def passes(self, count: int) -> None:
        """Pass on `count` parts of the note, one after the other in one submission."""
        receipts = self.relayer.send(self.programme.pass_calls(self.note, count, first=self.done))
        if not all(receipt.succeeded for receipt in receipts):
            raise RuntimeError("a pass failed on the network")
        self.done += count

    def check(self) -> None:
        """Nothing lost, nothing doubled."""
        view = self.programme.contracts.receivables.read(self.ledger, "noteOf", self.note)
        if (view.children, view.amount) != (self.done, 1_000_000 - self.done):
            raise RuntimeError(f"{view} after {self.done} passes")


def exercise(net: Network, passes: int, tell: Callable[[str], None]) -> dict[str, Any]:
    """All of the story; returns what was measured."""
    found: dict[str, Any] = {"validators": len(net.validators)}
    work = Work(net)
    started = time.monotonic()
    work.passes(passes)
    found["passes_per_s"] = round(passes / (time.monotonic() - started), 1)
    work.check()
    tell(f"main job done: {passes} passes, {found['passes_per_s']} a second")

    net.validators[1].stop()
    work.passes(20)
    work.check()
    tell("one validator stopped: work goes on")

    net.validators[2].stop()
    stalled = net.height(net.validators[0])
    failure: list[BaseException] = []

    def wait_for_it() -> None:
        try:
            work.passes(20)
        except BaseException as error:
            failure.append(error)

    waiting = threading.Thread(target=wait_for_it)
    waiting.start()
    time.sleep(8)
    found["blocks_with_two_stopped"] = net.height(net.validators[0]) - stalled
    if not waiting.is_alive():
        raise RuntimeError(f"work did not wait: {failure}")
    tell(f"two validators stopped: {found['blocks_with_two_stopped']} more blocks, work waits")

    net.validators[1].start()
    net.validators[2].start()
    waiting.join(120)
    if waiting.is_alive() or failure:
        raise RuntimeError(f"the waiting work was lost: {failure}")
    work.check()
    target = net.height(net.validators[0])
    found["caught_up_s"] = wait_until(
        lambda: min(net.height(validator) for validator in net.validators) >= target, 60, "catching up"
    )
    tell("both back: the waiting work is there, once; they caught up")

    net.cut_off(net.validators[3])
    behind = net.height(net.validators[3])
    work.passes(20)
    found["blocks_cut_off"] = net.height(net.validators[3]) - behind
    net.heal(net.validators[3])
    target = net.height(net.validators[0])
    found["healed_s"] = wait_until(lambda: net.height(net.validators[3]) >= target, 90, "healing")
    wait_until(net.agree, 60, "agreement")
    work.passes(20)
    work.check()
    if found["blocks_cut_off"] > 2:
        raise RuntimeError("the validator was not cut off")
    tell("one cut off and healed: all agree")
    found["passes"] = work.done
    found["blocks"] = work.ledger.head().number
    work.ledger.close()
    return found


def main() -> int:
    """Run the story."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--passes", type=int, default=200)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if not GETH.exists():
        print("skipped: geth is not built; run scripts/network/build_geth.sh (needs Go)", file=sys.stderr)
        return 3
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        try:
            with network(folder) as net:
                found = exercise(net, options.passes, lambda line: print(line, file=sys.stderr, flush=True))
        except (TimeoutError, RuntimeError, Problem) as error:
            print(f"failed: {error}", file=sys.stderr)
            return 1
    print(json.dumps(found) if options.json else found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
