"""Who takes part in a simulated year: core enterprises with maker and checker, suppliers in three tiers, financiers."""

from __future__ import annotations

from dataclasses import dataclass

from scf.app import App
from scf.bank.simulator import account_number_of
from scf.demo.list_cast import chunks
from scf.installation import OPERATOR_NAMES
from scf.kernel.problems import Problem
from scf.ledger.deploy import creation_code
from scf.ledger.intents import quorum_digest
from scf.parties.keys import KeyPair, demo_key
from scf.parties.service import Enrolment, Role

CURRENCY = "CNY"
CORE_LIMIT_MINOR = 10**12
FIRMS_A_CORE = 40
ENROL_AT_ONCE = 40
OTHER_BANK = "OTHRCNBJXXX"


@dataclass(frozen=True, slots=True)
class Actor:
    """One address with the keys that sign for it and its bank account. `tier` is 1 to 3 for suppliers, else 0.

    `elsewhere` names the bank of an account that is not at the simulated one.
    """

    name: str
    address: str
    keys: tuple[KeyPair, ...]
    role: Role
    size: str
    account: str
    tier: int = 0
    elsewhere: str | None = None


class YearCast:
    """Everybody of one simulated year; the same number of firms gives the same cast.

    With `other_banks` every fifth supplier keeps its account at another bank, which may send payments back.
    """

    def __init__(self, app: App, firms: int, *, other_banks: bool = False) -> None:
        self._app = app
        self._other_banks = other_banks
        cores = max(2, firms // FIRMS_A_CORE)
        self.cores = [self._core(place) for place in range(1, cores + 1)]
        self.suppliers = [self._one(f"firm {n}", Role.SUPPLIER, self._size(n), 1 + n % 3) for n in range(1, firms + 1)]
        self.financiers = [self._one(f"financier {n}", Role.FINANCIER, "bank") for n in (1, 2, 3)]
        self.bank = self._one("year bank", Role.BANK, "bank")
        self.attestors = [self._one(name, Role.ATTESTOR, "service") for name in ("carrier", "inspector")]
        self.approvers = [self._one(name, Role.APPROVER, "service") for name in ("credit office", "release office")]
        self._by_address = {one.address: one for one in self.everybody}

    @property
    def everybody(self) -> list[Actor]:
        """All actors, in the order of their organisation numbers."""
        return [*self.cores, *self.suppliers, *self.financiers, self.bank, *self.attestors, *self.approvers]

    def of(self, address: str) -> Actor:
        """The actor behind an address."""
        return self._by_address[address]

    def tier(self, number: int) -> list[Actor]:
        """Suppliers of one tier."""
        return [one for one in self.suppliers if one.tier == number]

    def operators(self) -> list[bytes]:
        """Private keys of two operators."""
        return [demo_key(name).private for name in OPERATOR_NAMES[:2]]

    def enrol(self) -> None:
        """Register everybody and enrol by operator quorum."""
        enrolments = []
        with self._app.desk.session() as session:
            for number, one in enumerate(self.everybody, start=1):
                self._app.parties.register(session, one.name, size=one.size, organisation_id=number)
                self._app.parties.seat(session, one.address, number, "account")
                is_core = Role.OBLIGOR in one.role
                limit = CORE_LIMIT_MINOR if is_core else 0
                paid_by = self.bank.address if is_core else None
                enrolments.append(Enrolment(one.address, number, one.role, limit, paid_by))
        for place, batch in enumerate(chunks(enrolments, ENROL_AT_ONCE)):
            prepared = self._app.parties.prepare_enrolment(batch)
            call = self._app.parties.enrolment_call(prepared.message, quorum_digest(self.operators(), prepared.digest))
            self._app.desk.relay([(f"year:enrol:{place}", call)])

    def _core(self, place: int) -> Actor:
        name = f"core {place}"
        keys = sorted((demo_key(f"{name} maker"), demo_key(f"{name} checker")), key=lambda key: key.address.lower())
        code = creation_code("QuorumAccount", [key.address for key in keys], 2)
        receipt = self._app.relayer.deploy(f"year:account:{place}", code)
        if receipt.contract_address is None:
            raise Problem("act_failed_on_ledger", act="deploy", reference=name)
        account = account_number_of(f"year {name}")
        return Actor(name, receipt.contract_address, tuple(keys), Role.OBLIGOR | Role.SUPPLIER, "large", account)

    def _one(self, name: str, role: Role, size: str, tier: int = 0) -> Actor:
        key = demo_key(f"year {name}")
        number = account_number_of(f"year {name}")
        elsewhere = OTHER_BANK if tier and self._other_banks and int(name.split()[-1]) % 5 == 0 else None
        return Actor(name, key.address, (key,), role, size, number, tier, elsewhere)

    @staticmethod
    def _size(number: int) -> str:
        return ("medium", "small", "micro")[number % 3]
