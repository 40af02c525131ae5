"""Four geth validators (Clique proof of authority, free gas) as processes on this machine, on 127.0.0.1 alone."""

from __future__ import annotations

import json
import secrets
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from eth_keys.main import KeyAPI
from network.sealing import EPOCH, extra_of, genesis_hash, write_sealed

from scf.ledger.interchange import LONDON_FORKS
from scf.ledger.protocol import Ledger
from scf.ledger.signing import address_of, canonical

ROOT = Path(__file__).resolve().parents[2]
GETH = ROOT / "build" / "network" / "bin" / "geth"
CHAIN_ID = 20_260
GAS_LIMIT = 1_000_000_000
STUCK_S = 15.0
"""Seconds without a block, with enough validators running, after which the keeper looks for two branches."""


def genesis(signers: list[str], *, period_s: int = 1, timestamp: int | None = None) -> dict[str, Any]:
    """Genesis of a Clique network: London rules, which cost the same gas as the embedded ledger's, base fee zero.

    The base fee stays zero as long as no block uses more than half of the (large) gas limit.
    """
    return {
        "config": {
            "chainId": CHAIN_ID,
            **dict.fromkeys(LONDON_FORKS, 0),
            "clique": {"period": period_s, "epoch": EPOCH},
        },
        "timestamp": hex(int(time.time()) if timestamp is None else timestamp),
        "difficulty": "0x1",
        "gasLimit": hex(GAS_LIMIT),
        "baseFeePerGas": "0x0",
        "extraData": "0x" + (extra_of(signers) + bytes(65)).hex(),
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
        public = KeyAPI().PrivateKey(self.node_key).public_key.to_bytes().hex()
        return f"enode://{public}@127.0.0.1:{self.peer_port}?discport=0"

    def prepare(self, genesis_path: Path, peers: list[str], history: Path | None = None) -> None:
        """Write keys and configuration, initialise the chain, and let geth execute a history of sealed blocks."""
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
        if history is not None:
            told = self._run("import", "--datadir", str(self.folder), "--gcmode", "archive", str(history))
            if "invalid" in told.lower() or "bad block" in told.lower():
                raise RuntimeError(told[-1500:])
        self._run(
            *("account", "import", "--datadir", str(self.folder), "--lightkdf"),
            *("--password", str(self.folder / "password"), str(self.folder / "key")),
        )
        (self.folder / "key").unlink()

    def _run(self, *arguments: str) -> str:
        run = subprocess.run([str(GETH), *arguments], capture_output=True, text=True, check=False)
        if run.returncode:
            raise RuntimeError(run.stderr[-1500:])
        return run.stderr

    def start(self, peers: int = 2) -> None:
        """Start, and validate once so many peers are connected: who seals alone forks from the first block."""
        command = [
            *(str(GETH), "--datadir", str(self.folder), "--config", str(self.folder / "config.toml")),
            *("--networkid", str(CHAIN_ID), "--syncmode", "full", "--gcmode", "archive", "--nat", "none"),
            *("--http", "--http.addr", "127.0.0.1", "--http.port", str(self.http_port)),
            *(
                "--http.api",
                "eth,net,web3,admin,clique,debug,miner,txpool",
                "--ipcdisable",
                "--authrpc.port",
                str(self.engine_port),
            ),
            *("--miner.etherbase", self.address, "--miner.gasprice", "0"),
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
        if peers:
            self.validate(peers)

    def validate(self, peers: int) -> None:
        """Begin to seal blocks once so many peers are connected."""
        wait_until(lambda: self.peers() >= peers, 60, f"{peers} peers of {self.folder.name}")
        self.ask("miner_start")

    def peers(self) -> int:
        """How many validators it is connected to; -1 while it does not answer."""
        try:
            return int(self.ask("net_peerCount"), 16)
        except (httpx.HTTPError, KeyError, ValueError):
            return -1

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

    def kill(self) -> None:
        """End it as a power cut would."""
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None


class Network:
    """All validators.

    Args:
        folder: where their data live.
        history: a ledger whose blocks the network takes over before it starts; None starts with an empty genesis.
    """

    def __init__(self, folder: Path, validators: int = 4, *, history: Ledger | None = None) -> None:
        self.validators = sorted(
            (Validator(folder / f"validator{number}") for number in range(validators)),
            key=lambda validator: canonical(validator.address),
        )
        folder.mkdir(parents=True, exist_ok=True)
        self.unstuck = 0
        self._over = threading.Event()
        self._keeper = threading.Thread(target=self._keep, daemon=True, name="network-keeper")
        self.imported = 0 if history is None else history.head().number
        timestamp = None if history is None else history.header(0).timestamp
        path, chain = folder / "genesis.json", None
        path.write_text(json.dumps(genesis([v.address for v in self.validators], timestamp=timestamp)))
        if history is not None:
            chain = folder / "history.rlp"
            parent = genesis_hash(history.header(0).timestamp, GAS_LIMIT, [v.address for v in self.validators])
            with chain.open("wb") as out:
                write_sealed(history, parent, [validator.key for validator in self.validators], out)
        enodes = [validator.enode for validator in self.validators]
        for validator in self.validators:
            validator.prepare(path, enodes, chain)

    @property
    def urls(self) -> list[str]:
        """JSON-RPC addresses of all validators."""
        return [validator.url for validator in self.validators]

    def start(self) -> None:
        """Start all and wait until they make blocks together."""
        self._keeper.start()
        for validator in self.validators:
            validator.start(peers=0)
        for validator in self.validators:
            validator.validate(peers=len(self.validators) - 1)
        first = self.imported + 3
        wait_until(lambda: all(self.height(validator) >= first for validator in self.validators), 180, "first blocks")

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

    def _keep(self) -> None:
        """Do what an operator of a Clique network does when it stands still on two branches of equal weight."""
        best, since = -1, time.monotonic()
        while not self._over.wait(2):
            running = [validator for validator in self.validators if validator.process]
            height = max((self.height(validator) for validator in running), default=-1)
            if height != best or len(running) <= len(self.validators) // 2:
                best, since = height, time.monotonic()
            elif time.monotonic() - since > STUCK_S:
                with suppress(httpx.HTTPError, KeyError, TypeError, ValueError, TimeoutError):
                    self._join_branches(running)
                since = time.monotonic()

    def _join_branches(self, running: list[Validator]) -> None:
        """Take the validators of the smaller branch back a few blocks, so that they follow the other one.

        Clique (EIP-225) lets a signer sign again only after others did; two validators on each of two branches have all
        signed, and nobody may go on (EIP-3436 describes it).
        """
        heads = {v.http_port: str(v.ask("eth_getBlockByNumber", "latest", False)["hash"]) for v in running}
        if len(set(heads.values())) == 1:
            return
        kept = max(sorted(set(heads.values())), key=list(heads.values()).count)
        for validator in running:
            if heads[validator.http_port] == kept:
                continue
            validator.ask("miner_stop")
            validator.ask("debug_setHead", hex(max(self.imported, self.height(validator) - 3)))
            validator.stop()
            validator.start(peers=len(running) - 1)  # meets its peers anew, and so learns that they are ahead
        self.unstuck += 1

    def stop(self) -> None:
        """Stop all."""
        self._over.set()
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
def network(folder: Path, validators: int = 4, *, history: Ledger | None = None) -> Iterator[Network]:
    """A running network that is stopped at the end."""
    made = Network(folder, validators, history=history)
    try:
        made.start()
        yield made
    finally:
        made.stop()
