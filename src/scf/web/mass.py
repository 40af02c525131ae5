"""A mass pass as its giver's page shows it: how much is taken, what is left, and who has taken."""

from __future__ import annotations

from scf.api.routes_mass import progress_shown
from scf.api.shapes import amount
from scf.api.views import Json, Views
from scf.kernel.problems import Problem
from scf.receivables.models import NoteState

ROWS = 100


def mass_of(views: Views, note_id: str) -> Json | None:
    """The list behind a mass note for its giver and who oversees all; None for any other note or reader."""
    room, caller = views.app.mass, views.caller
    try:
        room.require_seen(views.session, note_id, None if caller.sees_all else caller.addresses)
    except Problem:
        return None
    progress = room.progress(views.session, note_id)
    over = progress.until <= views.app.clock.now() and progress.state == NoteState.MASS
    return progress_shown(progress) | {
        "reclaimable": over and progress.left_minor > 0,
        "rows": [
            {
                "recipient": views.name(share.recipient),
                "amount": amount(share.amount_minor, share.currency),
                "note": share.note_id,
            }
            for share in room.shares(views.session, note_id, limit=ROWS)
        ],
    }
