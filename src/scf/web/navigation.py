"""The menu: which places a caller finds there, in the order of what its roles come for."""

from __future__ import annotations

from dataclasses import dataclass

from scf.api.access import Caller
from scf.parties.service import Role
from scf.web.i18n import N_


@dataclass(frozen=True, slots=True)
class Place:
    """One entry of the menu; `roles` are those who find it there, none meaning everybody."""

    path: str
    words: str
    roles: Role | None = None

    def is_open(self, path: str) -> bool:
        """Whether `path` is this place or lies below it."""
        return path == self.path or (self.path != "/" and path.startswith(self.path + "/"))


PLACES: tuple[Place, ...] = (
    Place("/", N_("Home")),
    Place("/notices", N_("Notices")),
    Place("/to-accept", N_("To accept"), Role.OBLIGOR),
    Place("/deals", N_("Deals"), Role.FINANCIER),
    Place("/book", N_("Book"), Role.FINANCIER),
    Place("/to-approve", N_("To approve"), Role.OBLIGOR | Role.FINANCIER | Role.APPROVER),
    Place("/payables", N_("Payables"), Role.OBLIGOR),
    Place("/chain", N_("Our chain"), Role.OBLIGOR),
    Place("/receivables", N_("Receivables")),
    Place("/invitations", N_("Invitations"), Role.SUPPLIER),
    Place("/entrusted", N_("Entrusted accounts")),
    Place("/documents", N_("Documents")),
    Place("/applications", N_("Joining"), Role.OPERATOR | Role.REGULATOR),
    Place("/exceptions", N_("Exceptions")),
    Place("/lists", N_("Blacklist and guarantors"), Role.OPERATOR | Role.AUDITOR | Role.REGULATOR),
    Place("/health", N_("Health"), Role.OPERATOR | Role.AUDITOR | Role.REGULATOR),
    Place("/flow", N_("Concentration and flow"), Role.OPERATOR | Role.AUDITOR | Role.REGULATOR),
    Place("/samples", N_("Samples"), Role.AUDITOR | Role.REGULATOR),
    Place("/confirmations", N_("Confirmations"), Role.AUDITOR | Role.REGULATOR | Role.OBLIGOR),
    Place("/members", N_("Members")),
    Place("/verify", N_("Verify")),
    Place("/developers", N_("Developers")),
)
"""Every place of the menu. A page that is reached from another one needs none."""


def places_of(caller: Caller | None) -> list[Place]:
    """The menu of a caller; nobody has none."""
    if caller is None:
        return []
    return [place for place in PLACES if place.roles is None or caller.has(place.roles)]
