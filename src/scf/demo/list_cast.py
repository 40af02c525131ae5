"""Who takes part in a run on a delivery list: the programme, its vendors, the sites that supply them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

from scf.app import App
from scf.demo.cast import PROGRAMME_KEYS
from scf.installation import OPERATOR_NAMES
from scf.kernel.problems import Problem
from scf.ledger.deploy import creation_code
from scf.ledger.intents import quorum_digest
from scf.parties.keys import KeyPair, demo_key
from scf.parties.service import Enrolment, Role

T = TypeVar("T")
PROGRAMME, BANK = "Programme", "Programme bank"
LIMIT_MINOR = 10**13
"""The programme's limit: above everything the largest known list adds up to."""
ENROL_AT_ONCE = 40


def chunks(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """`items` in pieces of at most `size`."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


class ListCast:
    """Addresses and demo keys of the programme, its bank, the vendors and the sites, all enrolled."""

    def __init__(self, app: App, vendors: Iterable[str], sites: Iterable[str]) -> None:
        self._app = app
        self.vendors = sorted(set(vendors))
        self.sites = sorted(set(sites))
        self.programme = self._account()
        self.bank = demo_key(BANK)
        self._keys = {name: demo_key(f"vendor: {name}") for name in self.vendors}
        self._site_keys = {name: demo_key(f"site: {name}") for name in self.sites}

    def programme_keys(self) -> list[KeyPair]:
        """Maker and checker of the programme."""
        return [demo_key(name) for name in PROGRAMME_KEYS]

    def vendor(self, name: str) -> KeyPair:
        """A vendor's key."""
        return self._keys[name]

    def site(self, name: str) -> KeyPair:
        """A manufacturing site's key."""
        return self._site_keys[name]

    def enrol(self) -> int:
        """Register and enrol everybody by operator quorum; returns how many addresses. Again changes nothing."""
        rows = [(PROGRAMME, self.programme, Role.OBLIGOR, "large"), (BANK, self.bank.address, Role.BANK, "bank")]
        rows += [(name, self.vendor(name).address, Role.SUPPLIER, "medium") for name in self.vendors]
        rows += [(name, self.site(name).address, Role.SUPPLIER, "small") for name in self.sites]
        enrolments = []
        with self._app.desk.session() as session:
            for number, (name, member, role, size) in enumerate(rows, start=1):
                if self._app.parties.find(session, number) is None:
                    self._app.parties.register(session, name, size=size, country="ZZ", organisation_id=number)
                self._app.parties.seat(session, member, number, "account")
                obligor = role is Role.OBLIGOR
                bank = self.bank.address if obligor else None
                enrolments.append(Enrolment(member, number, role, LIMIT_MINOR if obligor else 0, bank))
        operators = [demo_key(name).private for name in OPERATOR_NAMES[:2]]
        for place, batch in enumerate(chunks(enrolments, ENROL_AT_ONCE)):
            reference = f"list:enrol:{place}"
            if self._app.desk.sent(reference) is None:
                prepared = self._app.parties.prepare_enrolment(batch)
                call = self._app.parties.enrolment_call(prepared.message, quorum_digest(operators, prepared.digest))
                self._app.desk.relay([(reference, call)])
        return len(enrolments)

    def _account(self) -> str:
        owners = sorted((demo_key(name).address for name in PROGRAMME_KEYS), key=str.lower)
        receipt = self._app.relayer.deploy("list:programme-account", creation_code("QuorumAccount", owners, 2))
        if receipt.contract_address is None:
            raise Problem("act_failed_on_ledger", act="deploy", reference="list:programme-account")
        self._app.set_fact("list:programme-account", receipt.contract_address)
        return receipt.contract_address
