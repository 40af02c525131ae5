"""Fetch the files of others that the pages ship, check them, and write VENDOR.json.

For developers: run it after changing a version here. It uses `npm pack`; users of the program never need npm.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "src" / "scf" / "web" / "static" / "vendor"
MANIFEST = ROOT / "VENDOR.json"


@dataclass(frozen=True, slots=True)
class Asset:
    """One file out of one package: where it lies there, and what it is called here."""

    package: str
    version: str
    licence: str
    member: str
    name: str


NOBLE_HASHES = ("sha3.js", "_u64.js", "utils.js", "scrypt.js", "pbkdf2.js", "hmac.js", "sha2.js", "_md.js", "LICENSE")

ASSETS = (
    Asset("htmx.org", "4.0.1", "0BSD", "package/dist/htmx.min.js", "htmx-4.0.1.min.js"),
    Asset("htmx.org", "4.0.1", "0BSD", "package/LICENSE", "htmx-4.0.1.LICENSE"),
    *(Asset("@noble/hashes", "2.4.0", "MIT", f"package/{name}", f"noble-hashes-2.4.0/{name}") for name in NOBLE_HASHES),
    *(
        Asset("@noble/secp256k1", "3.2.0", "MIT", f"package/{name}", f"noble-secp256k1-3.2.0/{name}")
        for name in ("index.js", "LICENSE")
    ),
)
AXE = Asset("axe-core", "4.14.1", "MPL-2.0", "package/axe.min.js", "axe.min.js")
"""Only run by the browser tests, never shipped."""


def main() -> int:
    """Fetch, or with `--check` only compare the files with VENDOR.json. Exit 1 when something differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; fail when a file differs")
    parser.add_argument("--tests", action="store_true", help="fetch what only the browser tests use, unversioned")
    given = parser.parse_args()
    if given.check:
        return check()
    if given.tests:
        fetch_for_tests()
        return 0
    fetch()
    return 0


def check() -> int:
    """Compare the digest of each vendored file with VENDOR.json."""
    listed = {row["path"]: row["sha256"] for row in json.loads(MANIFEST.read_text(encoding="utf-8"))["files"]}
    present = {path.relative_to(ROOT).as_posix(): _digest(path) for path in FOLDER.rglob("*") if path.is_file()}
    for path in sorted(listed.keys() | present.keys()):
        if listed.get(path) != present.get(path):
            print(f"{path}: differs from VENDOR.json", file=sys.stderr)
    return int(listed != present)


def fetch() -> None:
    """Take the files out of their packages and write VENDOR.json."""
    rows = []
    for asset in ASSETS:
        target = FOLDER / asset.name
        take(asset, target)
        rows.append(
            {
                "path": target.relative_to(ROOT).as_posix(),
                "package": asset.package,
                "version": asset.version,
                "licence": asset.licence,
                "sha256": _digest(target),
            }
        )
    MANIFEST.write_text(json.dumps({"files": rows}, indent=2) + "\n", encoding="utf-8")


def fetch_for_tests() -> None:
    """Fetch axe-core into a folder that git ignores; the accessibility tests skip where it is absent."""
    take(AXE, ROOT / "tests" / "browser" / "node_modules" / "axe-core" / AXE.name)


def take(asset: Asset, target: Path) -> None:
    """Pack a package with npm and take one file out of it. Exits when npm or the file is missing."""
    npm = shutil.which("npm")
    if npm is None:
        raise SystemExit("npm is needed to fetch files of others")
    with tempfile.TemporaryDirectory() as folder:
        command = [npm, "pack", "--silent", f"{asset.package}@{asset.version}"]
        packed = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout.split()[-1]
        with tarfile.open(Path(folder) / packed) as archive:
            source = archive.extractfile(asset.member)
            if source is None:
                raise SystemExit(f"{asset.package} has no {asset.member}")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(source.read())


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


if __name__ == "__main__":
    raise SystemExit(main())
