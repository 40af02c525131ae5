"""The process's collector is as it was after every replay, however many run at once and however they end."""

from __future__ import annotations

import gc
import threading

import pytest

from scf.store.collector import collected_seldom


def test_it_is_put_back_by_the_last_one():
    usual, inside, leave = gc.get_threshold(), threading.Event(), threading.Event()

    def stay() -> None:
        with collected_seldom():
            inside.set()
            leave.wait(30)

    other = threading.Thread(target=stay)
    other.start()
    assert inside.wait(30)
    with pytest.raises(ValueError, match="broken off"), collected_seldom():
        raise ValueError("broken off")
    assert gc.get_threshold() > usual
    leave.set()
    other.join()
    assert gc.get_threshold() == usual
