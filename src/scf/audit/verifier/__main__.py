"""The verifier as a command of its own: `python -m scf.audit.verifier BUNDLE [--trust FILE] …`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from .report import LANGUAGES, USAGE
from .run import LEVELS, verify


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        sys.stderr.write(f"{message}\n")
        raise SystemExit(USAGE)


def main(arguments: Sequence[str] | None = None) -> int:
    """Verify a bundle and return the exit code: 0 proved, 1 contradiction, 2 not provable, 3 malformed, 64 usage."""
    parser = _Parser(prog="scf audit verify", description="Verify an audit bundle offline.")
    parser.add_argument("bundle", type=Path, help="folder or zip of format scf-audit/1")
    parser.add_argument("--trust", type=Path, help="JSON file with what the auditor knows from elsewhere")
    parser.add_argument("--since", type=Path, help="report or head of the last audit")
    parser.add_argument("--require", choices=LEVELS, default="L0", help="level that must be reached")
    parser.add_argument("--re-execute", action="store_true", help="run every transaction again in a fresh EVM")
    parser.add_argument("--report", type=Path, help="write the report as JSON")
    parser.add_argument("--lang", choices=LANGUAGES, default="en", help="language of the summary")
    options = parser.parse_args(arguments)
    report = verify(
        options.bundle, options.trust, options.since, require=options.require, re_execute=options.re_execute
    )
    if options.report is not None:
        options.report.write_text(report.to_json(), encoding="utf-8")
    sys.stdout.write(report.summary(options.lang))
    return report.exit_code


if __name__ == "__main__":
    raise SystemExit(main())
