"""The whole job at a bank where everything comes late, twice, in any order: it ends as it would at a quiet one."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlmodel import Session, col, select

from scf.bank.chaos import Chaos
from scf.bank.gateway import SimulatedGateway
from scf.bank.models import BankAccount, BankInstruction, BankLine, BankStatement, InstructionState
from scf.bank.service import prove_balance
from scf.bank.simulator import SimulatedBank
from scf.demo.bankside import BIC, BankSide
from scf.demo.play import Play, Silence
from scf.demo.run import demo_settings, open_demo, tell_story
from scf.demo.story import Story
from scf.entrusted.models import EntrustedAccount
from scf.jobs.locked_proof import prove_locked
from scf.kernel.clock import VirtualClock
from scf.receivables import queries
from scf.receivables.models import Receivable
from scf.store.engine import open_engine


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", [2, 4])
def test_the_story_ends_exact_at_a_chaotic_bank(tmp_path: Path, seed: int) -> None:
    """Delays, files twice, late and shuffled, statements again; the seeds keep the story in its days."""
    chaos = Chaos(seed, reject_ppm=0, bounce_ppm=0, delay_ppm=150_000, duplicate_ppm=500_000, reissue_ppm=400_000)
    clock = VirtualClock(0)
    with open_demo(demo_settings(tmp_path / "data"), clock) as app:
        start = app.ledger.head().timestamp
        clock.move_to(start)
        play = Play(app, clock, start, Silence())
        side = BankSide(play)
        engine = open_engine(f"sqlite:///{app.settings.data / 'bank.db'}")
        side.simulator = SimulatedBank(engine, clock, bic=BIC, chaos=chaos)
        side.gateway = SimulatedGateway(side.simulator)
        tell_story(play, Story(play, side))
        for _ in range(4):  # what was held back comes, and comes again
            clock.advance(days=1)
            side.catch_up()
        assert side.simulator.faults() == []
        with app.desk.session() as session:
            for row in session.exec(select(Receivable)):
                held, face = queries.conservation(session, row.id)
                assert held == face
            for account in session.exec(select(EntrustedAccount)):
                assert account.locked_minor == account.released_minor + account.refunded_minor > 0
            _, alarms = prove_locked(session, now=clock.now())
            assert alarms == []
            for mirror in session.exec(select(BankAccount)).all():
                if any_statement(session, mirror.number):  # an account nobody used has none
                    prove_balance(session, mirror.number)
                lines = session.exec(
                    select(BankLine.bank_reference).where(
                        BankLine.account == mirror.number,
                        ~col(BankLine.is_superseded),
                    )
                ).all()
                assert len(lines) == len(set(lines)), "no line is booked twice"
            states = {row.end_to_end_id: row.state for row in session.exec(select(BankInstruction))}
        assert states and set(states.values()) == {InstructionState.EXECUTED}


def any_statement(session: Session, number: str) -> bool:
    """Whether the bank ever sent a statement of this account."""
    return session.exec(select(BankStatement.id).where(BankStatement.account == number)).first() is not None
