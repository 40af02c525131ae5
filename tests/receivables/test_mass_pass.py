"""A note passed to many at once: what each recipient takes is in the books, and its id proves its descent from them."""

from __future__ import annotations

from tests.contracts.sumtree import SumTree
from tests.installation import Installation

from scf.demo.cast import LOTUS, PINE, RIVER, seat_key
from scf.ledger.intents import sign
from scf.ledger.notes import note_id
from scf.receivables import queries
from scf.receivables.books import hex32
from scf.receivables.models import Note, NoteState
from scf.store.projection import quarantine

EVIDENCE = b"\x11" * 32


def test_materialised_notes_prove_their_descent_from_the_books(installation: Installation) -> None:
    app, world = installation.app, installation
    number, root_note = world.issued(world.trade("INV-MASS", 1_000_00), 1_000_00)
    rows = [(world.who(PINE), 300_00), (world.who(RIVER), 200_00)]
    tree, now = SumTree(rows), app.clock.now()
    intent = {
        "parentId": int(root_note, 16),
        "childIndex": 0,
        "root": tree.root,
        "count": len(rows),
        "evidence": EVIDENCE,
        "offerUntil": (now // 3600 + 48) * 3600,
        "deadline": now + 3600,
    }
    contract = app.contracts.receivables
    signature = sign(seat_key(LOTUS).private, app.contracts, "Receivables", "MassPass", intent)
    (done,) = app.desk.relay([("mass", contract.call("passMass", intent, signature))])
    mass = done.event("MassPassed").args["massId"]
    taken = {"massId": mass, "leaf": 1, "to": rows[1][0], "amount": rows[1][1], "deadline": now + 3600}
    signature = sign(seat_key(RIVER).private, app.contracts, "Receivables", "Materialise", taken)
    call = contract.call("materialise", mass, 1, *rows[1], tree.proof(1), now + 3600, signature)
    app.desk.relay([("take", call)])
    with app.desk.session() as session:
        (note,) = [row for row in queries.notes_held(session, rows[1][0]) if row.receivable_id == number]
        assert note.amount_minor == rows[1][1]
        path = queries.path_of(note)
        evidence = path["evidence"].to_bytes(32, "big")
        assert hex32(note_id(number, path["parentId"], path["childIndex"], evidence)) == note.id
        waiting = session.get(Note, hex32(mass))
        assert waiting is not None
        assert (waiting.state, waiting.amount_minor) == (NoteState.MASS, rows[0][1])
        assert queries.conservation(session, number) == (1_000_00, 1_000_00)
        assert not quarantine(session)
