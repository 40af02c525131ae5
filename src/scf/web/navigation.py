"""The menu: which places a caller finds there, in the order of what its roles come for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from scf.api.access import Caller
from scf.parties.service import Role
from scf.web.i18n import N_

MOST_AT_FIRST = 4
"""How many places stand in the menu itself; the others are one step further, under "More"."""


@dataclass(frozen=True, slots=True)
class Place:
    """One entry of the menu; `roles` are those who find it there, none meaning everybody.

    `daily` are the roles that come for it every day: for them it stands in the menu itself.
    """

    path: str
    words: str
    roles: Role | None = None
    daily: Role | None = None

    def is_open(self, path: str) -> bool:
        """Whether `path` is this place or lies below it."""
        return path == self.path or (self.path != "/" and path.startswith(self.path + "/"))


@dataclass(frozen=True, slots=True)
class Menu:
    """What a caller finds: at first, and one step further."""

    first: Sequence[Place] = ()
    more: Sequence[Place] = ()


_OVERSEERS = Role.OPERATOR | Role.AUDITOR | Role.REGULATOR
PLACES: tuple[Place, ...] = (
    Place("/", N_("Home")),
    Place("/to-accept", N_("To accept"), Role.OBLIGOR, Role.OBLIGOR),
    Place("/deals", N_("Deals"), Role.FINANCIER, Role.FINANCIER),
    Place("/book", N_("Book"), Role.FINANCIER, Role.FINANCIER),
    Place("/policies", N_("Automatic prices"), Role.FINANCIER | _OVERSEERS),
    Place(
        "/to-approve",
        N_("To approve"),
        Role.OBLIGOR | Role.FINANCIER | Role.APPROVER | Role.OPERATOR,
        Role.OBLIGOR | Role.FINANCIER | Role.APPROVER,
    ),
    Place("/payables", N_("Payables"), Role.OBLIGOR, Role.OBLIGOR),
    Place("/chain", N_("Our chain"), Role.OBLIGOR),
    Place("/suppliers", N_("Invite a supplier"), Role.OBLIGOR),
    Place("/exceptions", N_("Exceptions"), daily=Role.OPERATOR),
    Place("/applications", N_("Joining"), Role.OPERATOR | Role.REGULATOR, Role.OPERATOR),
    Place("/samples", N_("Samples"), Role.AUDITOR | Role.REGULATOR, Role.AUDITOR),
    Place(
        "/confirmations",
        N_("Confirmations"),
        Role.AUDITOR | Role.REGULATOR | Role.OBLIGOR | Role.SUPPLIER | Role.FINANCIER | Role.BANK,
        Role.AUDITOR,
    ),
    Place("/flow", N_("Concentration and flow"), _OVERSEERS, Role.REGULATOR),
    Place("/fairness", N_("How fairly is paid")),
    Place("/health", N_("Health"), _OVERSEERS, Role.OPERATOR | Role.REGULATOR),
    Place("/receivables", N_("Receivables"), daily=Role.SUPPLIER | Role.BANK | Role.REGULATOR),
    Place("/invitations", N_("Invitations"), Role.SUPPLIER, Role.SUPPLIER),
    Place("/entrusted", N_("Entrusted accounts"), daily=Role.BANK | Role.ATTESTOR | Role.APPROVER),
    Place("/money", N_("Money in and out"), _OVERSEERS | Role.BANK | Role.OBLIGOR),
    Place("/documents", N_("Documents"), daily=Role.SUPPLIER | Role.ATTESTOR | Role.BANK),
    Place("/holds", N_("Holds")),
    Place("/guarantors", N_("Guarantors"), _OVERSEERS),
    Place("/guarantees", N_("Guarantees"), _OVERSEERS | Role.FINANCIER),
    Place("/payout-account", N_("Where our money goes"), Role.SUPPLIER | Role.OBLIGOR | Role.FINANCIER | Role.BANK),
    Place("/people", N_("Our people"), Role.OBLIGOR | Role.FINANCIER | Role.BANK),
    Place("/members", N_("Members")),
    Place("/verify", N_("Verify"), daily=Role.AUDITOR),
    Place("/developers", N_("Developers")),
)
"""Every place of the menu, in the order in which each role finds its own. A page reached from another needs none."""


def menu_of(caller: Caller | None) -> Menu:
    """The menu of a caller: first page and what its roles come for daily; the rest under "More".

    Where few are daily, the general places fill the menu up; notices have their own bell above it. Nobody has an empty
    one. On a phone the first row shows as many as fit, and "More" all of them.
    """
    if caller is None:
        return Menu()
    mine = [place for place in PLACES if place.roles is None or caller.has(place.roles)]
    fixed = [place for place in mine if place.path == "/"]
    others = [place for place in mine if place not in fixed]
    by_need = sorted(others, key=lambda place: not (place.daily is not None and caller.has(place.daily)))
    chosen = {*fixed, *by_need[: MOST_AT_FIRST - len(fixed)]}
    return Menu([place for place in mine if place in chosen], [place for place in mine if place not in chosen])
