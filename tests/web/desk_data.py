"""Business that fills the desks: invoices a core enterprise has not confirmed yet."""

from __future__ import annotations

from tests.api.installation import CORE, LOTUS, PINE, Installation

from scf.demo.cast import FAIRWAY, firm
from scf.demo.papers import invoice, logistics_event, net_of
from scf.demo.papers import order as purchase
from scf.kernel.clock import today
from scf.kernel.dates import next_day
from scf.store.evidence import Trust


def fill(demo: Installation, count: int = 6, *, tag: str = "", more_minor: int = 0) -> list[str]:
    """Deliveries to the core enterprise with invoices it has not confirmed, the last one without its delivery."""
    day = today(demo.app.clock)
    numbers = []
    for place in range(count):
        seller, number = (LOTUS, PINE)[place % 2], f"INV-DESK{tag}-{place:03d}"
        order, gross = (
            f"PO-DESK{tag}-{place:03d}",
            1_130_00 * (place + 1) + 565_00 * len(tag) * (tag == "N") + more_minor,
        )
        since = next_day(day, -(place % 10) * 3)
        papers = [
            (purchase(order, CORE, seller, "Parts", net_of(gross), 1, since), CORE, Trust.T2),
            (invoice(number, seller, CORE, order, "Parts", gross, since, next_day(since, 55)), seller, Trust.T1),
        ]
        if place < count - 1:
            at = demo.app.clock.now() - (place % 10) * 3 * 86_400
            event = logistics_event(order, "receiving", at, quantity=1, goods="parts", despatch=f"DN-{order}")
            papers.append((event, FAIRWAY, Trust.T3))
        for paper, code, trust in papers:
            name = firm(code).name
            demo.app.documents.import_file(paper.raw, paper.name, source=name, sender=name, trust=trust)
        numbers.append(number)
    return numbers
