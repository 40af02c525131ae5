"""Keys this installation holds: encrypted keystores in the data folder, or demo keys derived from a public seed.

Parties keep their own keys. The service needs only its relayer's; in demo mode it also holds the demo firms' keys and
says so on every page.
"""

from __future__ import annotations

import json
import re
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eth_account import Account

from scf.kernel.problems import Problem
from scf.ledger.hashing import keccak
from scf.ledger.signing import address_of, canonical, checksum

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A named secp256k1 key; the private part never appears in a representation."""

    name: str
    address: str
    private: bytes

    def __repr__(self) -> str:
        return f"KeyPair({self.name!r}, {self.address})"


def key_pair(name: str, private: bytes) -> KeyPair:
    """The pair of a private key of 32 bytes."""
    return KeyPair(name, address_of(private), private)


def demo_key(name: str) -> KeyPair:
    """The key anyone can compute: it protects nothing and is for demonstrations only."""
    return key_pair(name, keccak(f"scf demo key: {name}".encode()))


class KeyRing:
    """A folder of encrypted keystores (Web3 Secret Storage), opened with one passphrase."""

    def __init__(self, folder: Path, passphrase: str) -> None:
        self._folder = folder
        self._passphrase = passphrase

    def names(self) -> list[str]:
        """Names of the keys in the folder."""
        return sorted(path.stem for path in self._folder.glob("*.json"))

    def address(self, name: str) -> str:
        """The address of a key, read without the passphrase. Raises Problem `unknown_key` or `key_damaged`."""
        return checksum(canonical("0x" + str(self._stored(name)["address"]).removeprefix("0x")))

    def make(self, name: str) -> KeyPair:
        """Make and store a new key. Raises Problem `key_exists` or `key_name_unfit`."""
        return self.store(name, secrets.token_bytes(32))

    def store(self, name: str, private: bytes) -> KeyPair:
        """Store a key encrypted; the file appears whole or not at all.

        Raises Problem `key_exists` when the name is taken, `key_name_unfit` when it cannot name a file.
        """
        if not _NAME.fullmatch(name):
            raise Problem("key_name_unfit", name=name[:64])
        path = self._folder / f"{name}.json"
        if path.exists():
            raise Problem("key_exists", name=name)
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        temporary = path.with_suffix(".part")
        temporary.write_text(json.dumps(Account.encrypt(private, self._passphrase)), encoding="utf-8")
        temporary.chmod(0o600)
        temporary.rename(path)
        return key_pair(name, private)

    def get(self, name: str) -> KeyPair:
        """Open a stored key. Raises Problem `unknown_key`, `key_damaged` or `wrong_passphrase`."""
        return key_pair(name, self._open(name))

    def _open(self, name: str) -> bytes:
        stored = self._stored(name)
        try:
            return bytes(Account.decrypt(stored, self._passphrase))
        except (KeyError, TypeError, NotImplementedError) as error:
            raise Problem("key_damaged", name=name) from error
        except ValueError as error:
            raise Problem("wrong_passphrase", name=name) from error

    def _stored(self, name: str) -> dict[str, Any]:
        path = self._path(name)
        try:
            stored = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise Problem("key_damaged", name=name) from error
        if not isinstance(stored, dict) or not isinstance(stored.get("address"), str):
            raise Problem("key_damaged", name=name)
        return stored

    def _path(self, name: str) -> Path:
        path = self._folder / f"{name}.json"
        if not _NAME.fullmatch(name) or not path.is_file():
            raise Problem("unknown_key", name=name)
        return path


def own_secret(data: Path, name: str) -> bytes:
    """32 random bytes for one purpose of this installation: made once, kept in a file, never in the database.

    The file is `keys/NAME.key` below `data`, readable by the service's own user alone.
    """
    path = data / "keys" / f"{name}.key"
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        temporary = path.with_suffix(".part")
        temporary.unlink(missing_ok=True)
        temporary.touch(mode=0o600)
        temporary.write_text(secrets.token_hex(32), encoding="ascii")
        temporary.rename(path)
    return bytes.fromhex(path.read_text(encoding="ascii"))
