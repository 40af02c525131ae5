"""Which kinds of evidence a document is: what a stage asks for by name has to be shown by what was vouched for.

A document counts for what it says itself. One that nobody's reader understands counts for nothing; so does a plan, a
withdrawn event, and goods found unfit.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from scf.kernel.problems import Problem
from scf.reconciliation.convert import Origin, from_event
from scf.standards.reading import read
from scf.standards.records import Delivery, DespatchAdvice, LogisticsEvent

_STEPS: Mapping[str, frozenset[str]] = {
    "loading": frozenset({"despatch"}),
    "shipping": frozenset({"despatch"}),
    "departing": frozenset({"despatch"}),
    "arriving": frozenset({"arrival"}),
    "unloading": frozenset({"arrival"}),
    "receiving": frozenset({"arrival", "delivery"}),
    "accepting": frozenset({"arrival", "delivery", "inspection"}),
    "inspecting": frozenset({"inspection"}),
}
"""EPCIS business steps (CBV 2.0) and the evidence each is."""
_ACTIONS: Mapping[str, frozenset[str]] = {
    "LOAD": frozenset({"despatch"}),
    "DISC": frozenset({"arrival"}),
    "STRP": frozenset({"arrival", "delivery"}),
    "INSP": frozenset({"inspection"}),
}
"""DCSA equipment events."""


def kinds_of(raw: bytes) -> frozenset[str]:
    """What a document shows of despatch, arrival, delivery and inspection; nothing where it cannot be read."""
    try:
        records = read(raw).records
    except Problem:
        return frozenset()
    return frozenset().union(*(_of(record) for record in records))


def _of(record: object) -> frozenset[str]:
    match record:
        case DespatchAdvice():
            return frozenset({"despatch"})
        case Delivery():
            return frozenset({"arrival", "delivery"})
        case LogisticsEvent():
            return _of_event(record)
    return frozenset()


def _of_event(event: LogisticsEvent) -> frozenset[str]:
    if event.classifier != "ACT" or event.error_declaration is not None:
        return frozenset()
    if event.syntax == "DCSA":
        return _ACTIONS.get(event.action or "", frozenset())
    word = re.split(r"[:/#-]", event.biz_step or "")[-1].lower()
    shown = _STEPS.get(word, frozenset())
    try:
        fact = from_event(event, Origin("paper", 2, "0" * 64))
    except Problem:
        return frozenset()
    unfit = fact is not None and fact.passed is False
    return shown - {"inspection"} if unfit else shown
