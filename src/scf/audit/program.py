"""The verifier as one file that somebody takes away: plain source, the same bytes for the same program anywhere.

`python -m scf.audit.program > scf-verify.pyz` makes it from a checkout, so that its digest can be compared with what a
server shows.
"""

from __future__ import annotations

import hashlib
import io
import sys
import zipfile
from functools import cache
from pathlib import Path

from scf.audit import verifier

FILE_NAME = "scf-verify.pyz"
_MAIN = "import sys\n\nfrom verifier.__main__ import main\n\nsys.exit(main())\n"
_WRITTEN = (1980, 1, 1, 0, 0, 0)


@cache
def program() -> bytes:
    """A zip of the verifier's own files that Python runs: `python scf-verify.pyz BUNDLE --trust FILE`."""
    folder = Path(str(verifier.__file__)).parent
    files = {f"verifier/{path.name}": path.read_bytes() for path in folder.iterdir() if path.suffix in (".py", ".toml")}
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in sorted({**files, "__main__.py": _MAIN.encode()}.items()):
            archive.writestr(zipfile.ZipInfo(name, _WRITTEN), content)
    return out.getvalue()


def program_sha256() -> str:
    """SHA-256 of that file, to be compared with one that did not come from the server."""
    return hashlib.sha256(program()).hexdigest()


if __name__ == "__main__":
    sys.stdout.buffer.write(program())
