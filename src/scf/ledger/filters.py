"""Filters of a node (`eth_newFilter` and its kin): what is new since one asked last, for tools that follow that way."""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from scf.ledger.types import Header

_MOST = 200
"""Filters kept at once; the one that was asked longest ago goes first."""

Json = dict[str, Any]


@dataclass(slots=True)
class _Filter:
    wanted: Json | None  # None follows blocks
    after: int


def filter_methods(
    head: Callable[[], Header],
    block_at: Callable[[Any], int],
    logs: Callable[[Json], list[Json]],
    block_hash: Callable[[int], str],
) -> Mapping[str, Callable[..., Any]]:
    """The filter methods by name, over a node's own head, tags and `eth_getLogs`."""
    kept: OrderedDict[str, _Filter] = OrderedDict()
    lock = threading.Lock()

    def made(wanted: Json | None) -> str:
        after = head().number
        if wanted is not None and wanted.get("fromBlock") not in (None, "latest", "pending"):
            after = block_at(wanted["fromBlock"]) - 1
        identity = hex(secrets.randbits(64))
        with lock:
            kept[identity] = _Filter(wanted, after)
            while len(kept) > _MOST:
                kept.popitem(last=False)
        return identity

    def found(identity: str) -> _Filter:
        with lock:
            if identity not in kept:
                raise ValueError("filter not found")
            kept.move_to_end(identity)
            return kept[identity]

    def changes(identity: str) -> list[Any]:
        chosen, newest = found(identity), head().number
        first, chosen.after = chosen.after + 1, max(newest, chosen.after)
        if first > newest:
            return []
        if chosen.wanted is None:
            return [block_hash(at) for at in range(first, newest + 1)]
        ending = chosen.wanted.get("toBlock")
        last = newest if ending in (None, "latest", "pending") else min(newest, int(str(ending), 16))
        return logs({**chosen.wanted, "fromBlock": hex(first), "toBlock": hex(last)}) if first <= last else []

    def everything(identity: str) -> list[Any]:
        chosen = found(identity)
        if chosen.wanted is None:
            raise ValueError("filter of blocks")
        return logs(chosen.wanted)

    def dropped(identity: str) -> bool:
        with lock:
            return kept.pop(identity, None) is not None

    return {
        "eth_newFilter": lambda wanted: made(dict(wanted)),
        "eth_newBlockFilter": lambda: made(None),
        "eth_getFilterChanges": changes,
        "eth_getFilterLogs": everything,
        "eth_uninstallFilter": dropped,
    }
