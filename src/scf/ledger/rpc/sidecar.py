"""anvil beside the service as a faster machine, with one SQLite file of signed transactions as the durable truth.

Every block is written to the file before anvil sees it (signed transactions and time), and its roots after. anvil keeps
nothing: on start the file is replayed and every root compared, so a killed anvil, service or machine loses nothing that
was acknowledged. Reads of old states are not offered; the embedded engine has them, and can take over the same file's
transactions by a replay.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

import httpx

from scf.kernel.clock import Clock
from scf.kernel.problems import Problem
from scf.ledger.hashing import keccak
from scf.ledger.protocol import NotAccepted
from scf.ledger.rpc.engine import RpcLedger
from scf.ledger.rpc.sidecar_file import SidecarFile
from scf.ledger.rpc.transport import RpcError
from scf.ledger.signing import checksum
from scf.ledger.transactions import Transaction, UnreadableTransactionError, decode_transaction
from scf.ledger.types import Block, Call, Header, Log, Proof, Receipt

GAS_LIMIT = 1_000_000_000
MOST_TRANSACTIONS = 400


class SidecarLedger:
    """An anvil process of our own behind the ledger protocol.

    Args:
        path: the SQLite file of signed transactions.
        clock: gives the block time.
        binary: anvil; None looks for it in `SCF_ANVIL`, the build folder of a checkout, and the search path.

    Raises Problem `ledger_network_unsupported` when anvil is not there, what `SidecarFile` raises, and
    `ledger_replay_differs` when the file does not replay to its own roots.
    """

    def __init__(
        self, path: str | Path, clock: Clock, *, chain_id: int | None = None, binary: str | None = None
    ) -> None:
        self.path = str(path)
        self._clock = clock
        self._binary = binary or find_anvil()
        self._lock = threading.RLock()
        self._file = SidecarFile(Path(path), clock.now(), chain_id)
        try:
            self._process, url = self._start(self._file.chain_id, self._file.genesis_timestamp)
            self._node = RpcLedger([url], clock, chain_id=self._file.chain_id)
            self._replay()
        except BaseException:
            self.close()
            raise

    def _start(self, chain_id: int, timestamp: int) -> tuple[subprocess.Popen[bytes], str]:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        command = [
            *(self._binary, "--host", "127.0.0.1", "--port", str(port), "--chain-id", str(chain_id), "--silent"),
            *("--base-fee", "0", "--gas-price", "0", "--disable-min-priority-fee", "--order", "fifo", "--no-mining"),
            *("--hardfork", "paris", "--gas-limit", str(GAS_LIMIT), "--timestamp", str(timestamp), "--prune-history"),
        ]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        url = f"http://127.0.0.1:{port}"
        for _ in range(200):
            try:
                body = {"jsonrpc": "2.0", "id": 1, "method": "eth_chainId", "params": []}
                httpx.post(url, json=body, trust_env=False, timeout=2)
                return process, url
            except httpx.HTTPError:
                time.sleep(0.05)
        process.kill()
        raise Problem("ledger_unreachable", detail="anvil did not start")

    def _replay(self) -> None:
        for number, timestamp, raws, roots in self._file.blocks():
            try:
                header = self._mine(raws, timestamp)
            except (NotAccepted, RpcError) as error:
                raise self._file.corrupt(number) from error
            found = header.transactions_root + header.receipts_root
            if not roots:  # written before the crash, mined only now
                self._file.mined(number, timestamp, raws, found)
            elif roots != found:
                raise Problem(
                    "ledger_replay_differs", number=number, what="roots", expected=roots.hex(), found=found.hex()
                )

    def _mine(self, raws: Sequence[bytes], timestamp: int) -> Header:
        self._node.request("evm_setNextBlockTimestamp", timestamp)
        self._node.offer(raws)
        self._node.request("evm_mine")
        header = self._node.head()
        if header.timestamp != timestamp:
            raise Problem("ledger_bad_answer", function="evm_mine", detail=f"block {header.number} has another time")
        return header

    def submit(self, raws: Sequence[bytes]) -> list[Receipt]:
        """See `Ledger.submit`."""
        hashes = [keccak(raw) for raw in raws]
        with self._lock:
            found = self._node.receipts(hashes)
            queue, reasons = self._sound([raw for raw, key in zip(raws, hashes, strict=True) if key not in found])
            for start in range(0, len(queue), MOST_TRANSACTIONS):
                part = queue[start : start + MOST_TRANSACTIONS]
                head = self._node.head()
                timestamp = max(self._clock.now(), head.timestamp + 1)
                block = [transaction.raw for transaction in part]
                self._file.add(head.number + 1, timestamp, block)
                # Durable from here on: whatever fails now is finished by the replay on the next start.
                header = self._mine(block, timestamp)
                roots = header.transactions_root + header.receipts_root
                self._file.mined(header.number, timestamp, block, roots)
            found |= self._node.receipts([transaction.hash for transaction in queue])
        if reasons:
            raise NotAccepted(found, reasons)
        return [found[key] for key in hashes]

    def _sound(self, raws: Sequence[bytes]) -> tuple[list[Transaction], dict[bytes, str]]:
        """Those that can surely be mined in this order; what is written to the file must never be refused later."""
        sound: list[Transaction] = []
        reasons: dict[bytes, str] = {}
        nonces: dict[bytes, int] = {}
        for raw in dict.fromkeys(raws):
            try:
                transaction = decode_transaction(raw)
            except UnreadableTransactionError as error:
                reasons[keccak(raw)] = str(error)
                continue
            expected = nonces.get(transaction.sender)
            if expected is None:
                expected = self._node.nonce(checksum(transaction.sender))
            if transaction.chain_id != self._node.chain_id:
                reasons[transaction.hash] = f"signed for chain {transaction.chain_id}"
            elif transaction.nonce != expected:
                reasons[transaction.hash] = f"nonce {transaction.nonce} where {expected} is next"
            elif not transaction.intrinsic_gas <= transaction.gas <= GAS_LIMIT // 40 or transaction.value:
                reasons[transaction.hash] = "gas limit out of range, or a value is sent"
            else:
                sound.append(transaction)
                expected += 1
            nonces[transaction.sender] = expected
        return sound, reasons

    @property
    def chain_id(self) -> int:
        """EIP-155 chain id."""
        return self._node.chain_id

    def now(self) -> int:
        """See `Ledger.now`: the time of the next block, if it were made at this moment."""
        return max(self._clock.now(), self._node.head().timestamp + 1)

    def head(self) -> Header:
        """See `Ledger.head`."""
        return self._node.head()

    def header(self, number: int) -> Header:
        """See `Ledger.header`."""
        return self._node.header(number)

    def block(self, number: int) -> Block:
        """See `Ledger.block`."""
        return self._node.block(number)

    def receipt(self, transaction_hash: bytes) -> Receipt | None:
        """See `Ledger.receipt`."""
        return self._node.receipt(transaction_hash)

    def receipts(self, transaction_hashes: Sequence[bytes]) -> dict[bytes, Receipt]:
        """See `Ledger.receipts`."""
        return self._node.receipts(transaction_hashes)

    def call(self, call: Call, *, sender: str | None = None, at: int | None = None) -> bytes:
        """See `Ledger.call`; only the newest state is there, and without `at` the next block's time."""
        timestamp = self.now() if at is None else None
        return self._node.call(call, sender=sender, at=at, timestamp=timestamp)

    def logs(self, first: int, last: int, addresses: Collection[str] | None = None) -> Iterator[Log]:
        """See `Ledger.logs`."""
        return self._node.logs(first, last, addresses)

    def proof(self, address: str, slots: Sequence[int] = (), at: int | None = None) -> Proof:
        """See `Ledger.proof`; only the newest state is there."""
        return self._node.proof(address, slots, at)

    def code(self, address: str) -> bytes:
        """See `Ledger.code`."""
        return self._node.code(address)

    def nonce(self, address: str) -> int:
        """See `Ledger.nonce`."""
        return self._node.nonce(address)

    def close(self) -> None:
        """End anvil and let go of the file."""
        with self._lock:
            if hasattr(self, "_node"):
                self._node.close()
            if hasattr(self, "_process"):
                self._process.kill()
                self._process.wait()
            self._file.close()

    def __enter__(self) -> SidecarLedger:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def find_anvil() -> str:
    """Path of the anvil binary itself, not of npm's launcher, so that ending the process ends the node.

    Raises Problem `ledger_network_unsupported`.
    """
    chosen = os.environ.get("SCF_ANVIL", "")
    if chosen and Path(chosen).exists():
        return chosen
    checkout = Path(__file__).resolve().parents[4]
    for place in ("build/anvil/node_modules", "node_modules"):
        for binary in (checkout / place / "@foundry-rs").glob("anvil-*/bin/anvil"):
            return str(binary)
    found = shutil.which("anvil")
    if found is None:
        raise Problem("ledger_network_unsupported", method="anvil (scripts/network/install_anvil.sh)")
    return found
