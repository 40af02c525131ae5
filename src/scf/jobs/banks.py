"""Which banks an installation speaks with: folders that connectors fill and empty, or the simulated bank of a demo."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from sqlmodel import Session, select

from scf.bank.gateway import FolderGateway, Gateway, SimulatedGateway
from scf.bank.models import REPAYMENT, BankAccount
from scf.bank.simulator import SimulatedBank
from scf.kernel.clock import Clock
from scf.kernel.problems import Problem
from scf.store.engine import open_engine

_BIC = re.compile(r"[A-Z]{6}[A-Z0-9]{2}(?:[A-Z0-9]{3})?")

__all__ = ["REPAYMENT", "exchange_all", "gateways_from", "repayment_accounts", "simulated"]


def gateways_from(text: str) -> list[Gateway]:
    """Gateways of `SCF_BANKS`: `BIC=FOLDER`, several separated by commas.

    Orders are written to FOLDER/out, answers read from FOLDER/in. Raises Problem `bank_setting_unreadable`, and
    `bank_folder_unusable` where the folders cannot be made.
    """
    found: list[Gateway] = []
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        bic, _, folder = part.partition("=")
        if not _BIC.fullmatch(bic) or not folder:
            raise Problem("bank_setting_unreadable", part=part[:80])
        found.append(FolderGateway(bic, Path(folder) / "out", Path(folder) / "in"))
    return found


def simulated(data: Path, bic: str, clock: Clock) -> Gateway:
    """The simulated bank a demonstration keeps in its own folder."""
    return SimulatedGateway(SimulatedBank(open_engine(f"sqlite:///{data / 'bank.db'}"), clock, bic=bic))


def exchange_all(gateways: Sequence[Gateway], exchange: Callable[[Gateway], int]) -> int:
    """Speak with every bank; one that cannot be reached stops no other. Returns how many lines are new.

    Raises the first Problem met, after all banks were tried.
    """
    lines, first = 0, None
    for gateway in gateways:
        try:
            lines += exchange(gateway)
        except Problem as problem:
            first = first or problem
    if first is not None:
        raise first
    return lines


def repayment_accounts(session: Session) -> Sequence[str]:
    """Numbers of the accounts obligors pay to."""
    query = select(BankAccount.number).where(BankAccount.purpose == REPAYMENT).order_by(BankAccount.number)
    return session.exec(query).all()
