"""The embedded ledger: what all threads submit is gathered into blocks, each block is one durable SQL transaction."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from scf.kernel.clock import Clock
from scf.kernel.problems import Problem
from scf.ledger.embedded.evm import (
    BlockRun,
    Context,
    NodeStore,
    Outcome,
    RefusedError,
    genesis_header,
    make_header,
    run_call,
)
from scf.ledger.embedded.lock import FileLock
from scf.ledger.embedded.proofs import prove
from scf.ledger.embedded.reader import Reader
from scf.ledger.embedded.store import SCHEMA_VERSION, Connection, NodeReader, clear_sentences, commit_block
from scf.ledger.hashing import keccak
from scf.ledger.merkle import ordered_root
from scf.ledger.protocol import NotAccepted, Reverted
from scf.ledger.transactions import Transaction, UnreadableTransactionError, decode_transaction
from scf.ledger.types import Block, Call, Header, Log, Proof, Receipt

GAS_LIMIT = 1_000_000_000
"""Gas limit of a block; half of it may be used."""
MOST_TRANSACTIONS = 400
"""Transactions a block takes at most, so that a long submission becomes durable step by step."""


class _Submission:
    """What one thread handed in and what became of it."""

    def __init__(self, raws: Sequence[bytes]) -> None:
        self.raws = list(raws)
        self.hashes = [keccak(raw) for raw in self.raws]
        self.reasons: dict[bytes, str] = {}
        self.error: BaseException | None = None
        self.done = threading.Event()


class EmbeddedLedger:
    """An EVM chain in this process and one SQLite file.

    Args:
        path: the file, created where absent; `:memory:` for a chain that is gone on exit.
        clock: block time is `clock.now()`, but always later than the block before.
        chain_id: EIP-155 chain id; must equal the file's. None takes the file's own, or 20260 for a new file.
        read_only: read beside a writing process; `submit` is refused.

    Raises Problem `ledger_in_use`, `ledger_wrong_chain`, `ledger_file_corrupt`, `ledger_file_unreadable`,
    `ledger_other_version`, `ledger_disk_full`.
    """

    def __init__(
        self,
        path: str | Path,
        clock: Clock,
        *,
        chain_id: int | None = None,
        gas_limit: int = GAS_LIMIT,
        read_only: bool = False,
    ) -> None:
        self.path = str(path)
        self._clock = clock
        self._read_only = read_only
        self._lock: FileLock | None = None
        in_memory = self.path == ":memory:"
        if not in_memory and not read_only:
            Path(self.path).parent.mkdir(parents=True, exist_ok=True)
            self._lock = FileLock(Path(self.path))
        try:
            self._writer = Connection(self.path, read_only=read_only)
            self._chain_id, self._genesis = self._open_chain(chain_id, gas_limit)
            connection = self._writer if in_memory else Connection(self.path, read_only=True)
        except BaseException:
            if self._lock:
                self._lock.release()
            raise
        self._write_lock = threading.RLock()
        self._read_lock = self._write_lock if in_memory else threading.RLock()
        self._waiting: deque[_Submission] = deque()
        self._store = NodeStore(NodeReader(self._writer))
        self._reader = Reader(connection, self._read_lock)
        self._call_nodes = NodeReader(connection)
        self._head, self._gas_limit = self._reader.head()
        self._closed = False
        self._check_head()

    def _open_chain(self, chain_id: int | None, gas_limit: int) -> tuple[int, bytes]:
        meta = self._writer.meta()
        if not meta:
            if self._read_only:
                raise Problem("ledger_file_unreadable", path=self.path, detail="no chain in it")
            chosen = 20_260 if chain_id is None else chain_id
            header = genesis_header(chosen, self._clock.now(), gas_limit)
            self._writer.create()
            sql = self._writer.sql
            with clear_sentences(self.path):
                sql.execute("BEGIN IMMEDIATE")
                facts = {"version": SCHEMA_VERSION, "chain_id": chosen, "genesis": header.hash.hex()}
                sql.executemany("INSERT INTO meta VALUES(?,?)", [(key, str(value)) for key, value in facts.items()])
                sql.execute("INSERT INTO block VALUES(?,?,?,?,?)", (0, header.hash, header.rlp, header.timestamp, 0))
                sql.execute("COMMIT")
            return chosen, header.hash
        if meta.get("version") != str(SCHEMA_VERSION):
            version = meta.get("version", "?")
            raise Problem("ledger_other_version", path=self.path, found=version, expected=SCHEMA_VERSION)
        try:
            found, genesis = int(meta["chain_id"]), bytes.fromhex(meta["genesis"])
        except (KeyError, ValueError) as error:
            raise Problem("ledger_file_corrupt", path=self.path, detail="its chain id or genesis") from error
        if chain_id is not None and found != chain_id:
            raise Problem("ledger_wrong_chain", found=found, expected=chain_id)
        return found, genesis

    def _check_head(self) -> None:
        first = self._reader.header(0)
        if first.hash != self._genesis:
            raise Problem("ledger_other_genesis", found=first.hash.hex(), expected=self._genesis.hex())
        if self._head.number and self._call_nodes.get(self._head.state_root) is None:
            raise Problem("ledger_file_corrupt", path=self.path, detail=f"state of block {self._head.number}")

    @property
    def chain_id(self) -> int:
        """EIP-155 chain id."""
        return self._chain_id

    @property
    def genesis_hash(self) -> bytes:
        """Hash of block 0."""
        return self._genesis

    @property
    def gas_limit(self) -> int:
        """Gas limit of every block."""
        return self._gas_limit

    def now(self) -> int:
        """See `Ledger.now`: the time of the next block, if it were made at this moment."""
        return max(self._clock.now(), self.head().timestamp + 1)

    def head(self) -> Header:
        """See `Ledger.head`."""
        if self._read_only:
            self._head, _ = self._reader.head()
        return self._head

    def header(self, number: int) -> Header:
        """See `Ledger.header`."""
        return self._reader.header(number)

    def block(self, number: int) -> Block:
        """See `Ledger.block`."""
        return self._reader.block(number)

    def number_of(self, block_hash: bytes) -> int | None:
        """Number of the block with this hash."""
        return self._reader.number_of(block_hash)

    def transaction(self, transaction_hash: bytes) -> tuple[int, int, bytes] | None:
        """(block number, position, raw bytes) of a mined transaction."""
        return self._reader.transaction(transaction_hash)

    def receipt(self, transaction_hash: bytes) -> Receipt | None:
        """See `Ledger.receipt`."""
        return self._reader.receipts([transaction_hash]).get(transaction_hash)

    def receipts(self, transaction_hashes: Sequence[bytes]) -> dict[bytes, Receipt]:
        """Receipts of those transactions that are mined, by hash."""
        return self._reader.receipts(transaction_hashes)

    def logs(self, first: int, last: int, addresses: Collection[str] | None = None) -> Iterator[Log]:
        """See `Ledger.logs`."""
        return self._reader.logs(first, last, addresses)

    def nonce(self, address: str) -> int:
        """See `Ledger.nonce`."""
        return self.proof(address).nonce

    def code(self, address: str) -> bytes:
        """Code at an address; empty where there is no contract."""
        hash_of_code = self.proof(address).code_hash
        with self._read_lock:
            return self._call_nodes.get(hash_of_code) or b""

    def proof(self, address: str, slots: Sequence[int] = (), at: int | None = None) -> Proof:
        """See `Ledger.proof`."""
        with self._read_lock:
            header = self.head() if at is None else self._reader.header(at)
            return prove(self._call_nodes, header, address, slots)

    def call(self, call: Call, *, sender: str | None = None, at: int | None = None) -> bytes:
        """See `Ledger.call`."""
        succeeded, output, _ = self.try_call(call.to, call.data, sender=sender, at=at)
        if not succeeded:
            raise Reverted(output)
        return output

    def try_call(
        self, to: str, data: bytes, *, sender: str | None = None, at: int | None = None
    ) -> tuple[bool, bytes, int]:
        """Run a call (or, with `to` empty, creation code) and keep nothing: (succeeded, output, gas used)."""
        with self._read_lock:
            if at is None:
                context = self._next_context(self.head())
            else:
                header, gas_limit = self._reader.header_and_limit(at)
                context = Context(
                    self._chain_id,
                    header.number,
                    header.timestamp,
                    header.parent_hash,
                    header.state_root,
                    gas_limit,
                    self._reader.ancestors(header.number - 1),
                )
            return run_call(NodeStore(self._call_nodes), context, to=to, data=data, sender=sender)

    def submit(self, raws: Sequence[bytes]) -> list[Receipt]:
        """See `Ledger.submit`. Threads that submit at the same time share blocks."""
        if self._read_only:
            raise Problem("ledger_read_only", path=self.path)
        submission = _Submission(raws)
        self._waiting.append(submission)
        with self._write_lock:
            if not submission.done.is_set():
                self._work()
        if submission.error is not None:
            raise submission.error
        receipts = self.receipts(submission.hashes)
        if submission.reasons:
            raise NotAccepted(receipts, submission.reasons)
        return [receipts[key] for key in submission.hashes]

    def _work(self) -> None:
        """Mine everything that waits. Called by whoever holds the writer lock, for all that queued up behind it."""
        batch: list[_Submission] = []
        while self._waiting:
            batch.append(self._waiting.popleft())
        try:
            if self._closed:
                raise Problem("ledger_closed", path=self.path)
            self._mine(batch)
        except BaseException as error:
            for submission in batch:
                submission.error = error
            if not isinstance(error, Problem):
                raise
        finally:
            for submission in batch:
                submission.done.set()

    def _mine(self, batch: list[_Submission]) -> None:
        known = self.receipts([key for submission in batch for key in submission.hashes])
        queue: deque[Transaction] = deque()
        reasons: dict[bytes, str] = {}
        seen: set[bytes] = set(known)
        for submission in batch:
            for raw, key in zip(submission.raws, submission.hashes, strict=True):
                if key in seen:
                    continue
                seen.add(key)
                try:
                    queue.append(decode_transaction(raw))
                except UnreadableTransactionError as error:
                    reasons[key] = str(error)
        try:
            while queue:
                self._mine_block(queue, reasons)
        finally:
            for submission in batch:
                submission.reasons = {key: reasons[key] for key in submission.hashes if key in reasons}

    def mine_exactly(self, raws: Sequence[bytes], timestamp: int) -> tuple[Header, list[Receipt]]:
        """Mine these transactions as one block with this time, for a replay.

        Raises `NotAccepted` and writes nothing when one of them cannot be part of it.
        """
        with self._write_lock:
            if self._read_only:
                raise Problem("ledger_read_only", path=self.path)
            if timestamp <= self._head.timestamp:
                raise Problem("ledger_replay_not_fresh", path=self.path, number=self._head.number)
            context = self._next_context(self._head, timestamp)
            run = BlockRun(self._store, context)
            mined: list[tuple[Transaction, Outcome]] = []
            try:
                for raw in raws:
                    try:
                        transaction = decode_transaction(raw)
                        mined.append((transaction, run.apply(transaction)))
                    except (RefusedError, UnreadableTransactionError) as error:
                        raise NotAccepted({}, {keccak(raw): str(error)}) from error
                self._commit(context, run.finish(), mined)
            finally:
                self._store.new.clear()
        receipts = self.receipts([transaction.hash for transaction, _ in mined])
        return self._head, [receipts[transaction.hash] for transaction, _ in mined]

    def _next_context(self, head: Header, timestamp: int | None = None) -> Context:
        return Context(
            self._chain_id,
            head.number + 1,
            max(self._clock.now(), head.timestamp + 1) if timestamp is None else timestamp,
            head.hash,
            head.state_root,
            self._gas_limit,
            self._reader.ancestors(head.number),
        )

    def _mine_block(self, queue: deque[Transaction], reasons: dict[bytes, str]) -> None:
        context = self._next_context(self._head)
        run = BlockRun(self._store, context)
        mined: list[tuple[Transaction, Outcome]] = []
        try:
            while queue and len(mined) < MOST_TRANSACTIONS and run.fits(queue[0]):
                transaction = queue.popleft()
                try:
                    mined.append((transaction, run.apply(transaction)))
                except RefusedError as error:
                    reasons[transaction.hash] = str(error)
            if mined:
                self._commit(context, run.finish(), mined)
        finally:
            self._store.new.clear()

    def _commit(self, context: Context, state_root: bytes, mined: list[tuple[Transaction, Outcome]]) -> None:
        bloom = 0
        for _, outcome in mined:
            bloom |= outcome.bloom
        header = make_header(
            context,
            state_root=state_root,
            transactions_root=ordered_root([transaction.raw for transaction, _ in mined]),
            receipts_root=ordered_root([outcome.receipt for _, outcome in mined]),
            bloom=bloom,
            gas_used=mined[-1][1].cumulative_gas,
        )
        number = header.number
        transactions = [
            (number, at, t.hash, t.raw, o.receipt, int(o.succeeded), o.gas_used, o.created, o.revert_data)
            for at, (t, o) in enumerate(mined)
        ]
        logs = [
            (number, position, at, address, b"".join(topics), data)
            for position, (at, (address, topics, data)) in enumerate(
                (at, log) for at, (_, outcome) in enumerate(mined) for log in outcome.logs
            )
        ]
        nodes = list(self._store.new.items())
        row = (number, header.hash, header.rlp, header.timestamp, header.gas_used)
        commit_block(self._writer, row, nodes, transactions, logs)
        for key, body in nodes:
            self._store.reader.remember(key, body)
        self._head = header

    def backup(self, target: str | Path) -> None:
        """Copy the whole chain to another file while this ledger goes on working (SQLite online backup)."""
        self._reader.backup(target)

    def close(self) -> None:
        """See `Ledger.close`."""
        with self._write_lock, self._read_lock:
            if self._closed:
                return
            self._closed = True
            self._reader.close()
            self._writer.close()
            if self._lock:
                self._lock.release()

    def __enter__(self) -> EmbeddedLedger:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
