"""How reading a bundle can end early."""

from __future__ import annotations


class Malformed(Exception):
    """The bundle cannot be read as `scf-audit/1`: exit code 3."""

    def __init__(self, place: str, reason: str) -> None:
        self.place = place
        self.reason = reason
        super().__init__(f"{place}: {reason}")


class Absent(Exception):
    """A part the verification needs is not in the bundle: exit code 2."""

    def __init__(self, path: str) -> None:
        self.path = path
        super().__init__(path)
