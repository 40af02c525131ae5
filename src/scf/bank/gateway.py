"""How files reach a bank and come back: one small protocol, a simulated bank behind it or a pair of drop folders.

A gateway carries bytes and understands none. Sending the same order again and collecting the same file again are both
harmless: banks tell repeats by the message id, and what is imported twice changes nothing. That is why a file is
acknowledged only after it was imported.
"""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from scf.bank.simulator import SimulatedBank
from scf.kernel.problems import Problem

MAX_FILE_BYTES = 64 * 2**20
_FIT_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")


@dataclass(frozen=True, slots=True)
class BankFile:
    """A file from the bank; `token` is the gateway's own handle for `acknowledge`."""

    name: str
    raw: bytes
    token: str


class Gateway(Protocol):
    """The way to one bank. `bank` is its BIC: it names the source of everything collected here."""

    bank: str

    def instruct(self, name: str, raw: bytes) -> None:
        """Hand a payment order (pain.001 bytes) over; the same order again has no further effect."""
        ...

    def collect(self) -> list[BankFile]:
        """Files that were not acknowledged yet."""
        ...

    def acknowledge(self, file: BankFile) -> None:
        """This file is safely imported and need not come again."""
        ...


class SimulatedGateway:
    """The simulated bank in the same process, spoken to in files only."""

    def __init__(self, bank: SimulatedBank) -> None:
        self.bank = bank.bic
        self._bank = bank

    def instruct(self, name: str, raw: bytes) -> None:
        """Hand a payment order over."""
        self._bank.receive(raw)

    def collect(self) -> list[BankFile]:
        """Let the bank do what is due and take what it has to say."""
        self._bank.tick()
        return [BankFile(file.name, file.raw, str(file.id)) for file in self._bank.files()]

    def acknowledge(self, file: BankFile) -> None:
        """Tell the bank that the file arrived."""
        self._bank.acknowledge(int(file.token))


class FolderGateway:
    """Two folders that a bank's connector (EBICS, SFTP, host-to-host) fills and empties.

    Orders are written to `outgoing` under their final name only when complete. Files in `incoming` are moved to its
    subfolder `done` once imported; names that begin with a dot or end in `.part` are still being written.
    """

    def __init__(self, bank: str, outgoing: Path, incoming: Path) -> None:
        """Raises Problem `bank_folder_unusable` when the folders cannot be made."""
        self.bank = bank
        self._outgoing = outgoing
        self._incoming = incoming
        self._done = incoming / "done"
        try:
            for folder in (outgoing, incoming, self._done):
                folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise Problem("bank_folder_unusable", reason=error.strerror or "no access") from error

    def instruct(self, name: str, raw: bytes) -> None:
        """Write the order as a file; again writes the same bytes under the same name."""
        _write_whole(self._outgoing, name, raw)

    def collect(self) -> list[BankFile]:
        """Files the connector left, oldest name first; links, folders and oversized files are left alone."""
        found = []
        for path in sorted(self._incoming.iterdir()):
            if path.name.startswith(".") or path.suffix == ".part" or path.is_symlink() or not path.is_file():
                continue
            if path.stat().st_size <= MAX_FILE_BYTES:
                found.append(BankFile(path.name, path.read_bytes(), path.name))
        return found

    def acknowledge(self, file: BankFile) -> None:
        """Move the file to `done`, under a name of its own when another of that name lies there."""
        path = self._incoming / file.token
        if not path.is_file():
            return
        target = self._done / file.token
        if target.exists() and target.read_bytes() != file.raw:
            target = self._done / f"{hashlib.sha256(file.raw).hexdigest()[:12]}-{file.token}"
        path.replace(target)


class FolderBank:
    """The bank's end of a `FolderGateway`, for a simulated bank that runs in a process of its own."""

    def __init__(self, bank: SimulatedBank, orders: Path, answers: Path) -> None:
        self._bank = bank
        self._orders = orders
        self._answers = answers
        self._taken = orders / "taken"
        for folder in (orders, answers, self._taken):
            folder.mkdir(parents=True, exist_ok=True)

    def work(self) -> int:
        """Take in all orders, do what is due, leave all answers; returns how many answers were left."""
        for path in sorted(self._orders.glob("*.xml")):
            self._bank.receive(path.read_bytes())
            path.replace(self._taken / path.name)
        self._bank.tick()
        waiting = self._bank.files()
        for file in waiting:
            _write_whole(self._answers, file.name, file.raw)
            self._bank.acknowledge(file.id)
        return len(waiting)


def _write_whole(folder: Path, name: str, raw: bytes) -> None:
    """Write a file so that it is there whole or not at all, also after a power cut."""
    if not _FIT_NAME.fullmatch(name):
        raise ValueError("a file name of letters, digits, dot, dash and underscore is needed")
    part = folder / f".{name}.part"
    with part.open("wb") as stream:
        stream.write(raw)
        stream.flush()
        os.fsync(stream.fileno())
    part.replace(folder / name)
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
