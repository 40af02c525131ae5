"""Who plays in the demonstration: invented firms, their seats, their roles and their publicly known demo keys."""

from __future__ import annotations

from dataclasses import dataclass

from scf.app import App
from scf.installation import OPERATOR_NAMES
from scf.kernel.identifiers import make_uscc
from scf.kernel.problems import Problem
from scf.ledger.deploy import creation_code
from scf.ledger.intents import quorum_digest
from scf.parties.approvals import Delegation
from scf.parties.keys import KeyPair, demo_key
from scf.parties.service import Enrolment, Role
from scf.risk.models import FirmProfile


@dataclass(frozen=True, slots=True)
class Firm:
    """One invented organisation. `seats` are the duties that have a key of their own."""

    code: str
    name: str
    size: str
    uscc17: str
    seats: tuple[tuple[str, Role], ...]
    account: str
    limit_minor: int = 0


CORE, LOTUS, PINE, RIVER, STONE, STEEL = "core", "lotus", "pine", "river", "stone", "steel"
HARBOUR, FARHILL, CIVIC, FAIRWAY, MEASURE, OPERATOR, AUDIT = (
    "harbour",
    "farhill",
    "civic",
    "fairway",
    "measure",
    "operator",
    "audit",
)
_SUPPLIER = (("account", Role.SUPPLIER),)

FIRMS = (
    Firm(
        CORE,
        "北桥汽车 Northbridge Motors",
        "large",
        "91310000MA1FL0001",
        (("account", Role.OBLIGOR | Role.SUPPLIER), ("approver", Role.APPROVER)),
        "6200100000000000017",
        20_000_000_00,
    ),
    Firm(LOTUS, "莲塘铸造 Lotus Pond Castings", "medium", "91320000MA1FL0002", _SUPPLIER, "6200200000000000025"),
    Firm(PINE, "松溪机加工 Pine Creek Machining", "small", "91330000MA1FL0003", _SUPPLIER, "6200200000000000033"),
    Firm(RIVER, "河湾模具 River Bend Tooling", "small", "91340000MA1FL0004", _SUPPLIER, "6200200000000000041"),
    Firm(STONE, "石桥工坊 Stone Bridge Workshop", "micro", "91350000MA1FL0005", _SUPPLIER, "6200200000000000058"),
    Firm(STEEL, "金岭钢材 Golden Ridge Steel", "medium", "91360000MA1FL0006", _SUPPLIER, "6200200000000000066"),
    Firm(
        HARBOUR,
        "港湾银行 Harbour Bank",
        "bank",
        "91310000MA1FL0007",
        (("account", Role.FINANCIER), ("credit-officer", Role.APPROVER)),
        "6200300000000000074",
    ),
    Firm(
        FARHILL,
        "远山保理 Far Hill Factoring",
        "large",
        "91440000MA1FL0008",
        (("account", Role.FINANCIER),),
        "6200300000000000082",
    ),
    Firm(CIVIC, "市民银行 Civic Bank", "bank", "91310000MA1FL0009", (("account", Role.BANK),), "6200900000000000090"),
    Firm(
        FAIRWAY,
        "顺途物流 Fairway Freight",
        "medium",
        "91310000MA1FL0010",
        (("account", Role.ATTESTOR),),
        "6200400000000000108",
    ),
    Firm(
        MEASURE,
        "准衡检验 True Measure Inspection",
        "small",
        "91310000MA1FL0011",
        (("account", Role.ATTESTOR),),
        "6200400000000000116",
    ),
    Firm(
        OPERATOR,
        "平台运营 Platform Operator",
        "service",
        "91310000MA1FL0012",
        tuple((f"operator-{place}", Role.OPERATOR) for place in (1, 2, 3)),
        "",
    ),
    Firm(AUDIT, "明镜审计 Clear Mirror Audit", "service", "91310000MA1FL0013", (("account", Role.AUDITOR),), ""),
)
"""The cast, in the order of their organisation numbers. Every one is invented."""

CORE_KEYS = ("core-maker", "core-checker")
CHECKED_ACTS = ("issue", "accept_many")
DELEGATION_SECONDS = 5 * 366 * 86_400
INDUSTRIES = {CORE: "C", LOTUS: "C", PINE: "C", RIVER: "C", STONE: "C", STEEL: "F", FAIRWAY: "G", MEASURE: "M"}
"""Sections of GB/T 4754 by firm."""
PROGRAMME_KEYS = ("programme-maker", "programme-checker")
"""Keys of the programme in a run on a delivery list."""


def firm(code: str) -> Firm:
    """The firm with this short code."""
    return next(row for row in FIRMS if row.code == code)


def seat_key(code: str, seat: str = "account") -> KeyPair:
    """The demo key of a seat. The core enterprise's account has no key of its own: maker and checker sign for it."""
    return demo_key(seat if code == OPERATOR else f"{code}-{seat}")


def address(app: App, code: str, seat: str = "account") -> str:
    """The ledger address of a seat."""
    if (code, seat) == (CORE, "account"):
        return quorum_account(app)
    return seat_key(code, seat).address


def quorum_account(app: App) -> str:
    """The core enterprise's two-of-two account, deployed on first use."""
    known = app.fact("demo:core-account")
    if known is not None:
        return known
    owners = sorted((demo_key(name).address for name in CORE_KEYS), key=str.lower)
    receipt = app.relayer.deploy("demo:core-account", creation_code("QuorumAccount", owners, 2))
    if receipt.contract_address is None:
        raise Problem("act_failed_on_ledger", act="deploy", reference="demo:core-account")
    app.set_fact("demo:core-account", receipt.contract_address)
    return receipt.contract_address


def demo_signers(app: App, who: str) -> list[KeyPair]:
    """The demo keys that sign for an address: maker and checker for the core enterprise, one key for all others.

    Raises Problem `unknown_participant` for an address that is not of the cast.
    """
    if who == app.fact("demo:core-account"):
        return [demo_key(name) for name in CORE_KEYS]
    for name in CORE_KEYS:
        if demo_key(name).address == who:
            return [demo_key(name)]
    if who == app.fact("list:programme-account"):
        return [demo_key(name) for name in PROGRAMME_KEYS]
    for row in FIRMS:
        for seat in (*(name for name, _ in row.seats), "checker"):
            if (row.code, seat) != (CORE, "account") and seat_key(row.code, seat).address == who:
                return [seat_key(row.code, seat)]
    with app.desk.session() as session:
        name = app.parties.name_of(session, who)
        firm_ = app.parties.organisation_of(session, who)
    if firm_ is not None and firm_.uscc and joined_key(firm_.uscc).address == who:
        return [joined_key(firm_.uscc)]
    for candidate in (f"vendor: {name}", f"site: {name}", name):  # firms of a delivery list
        if demo_key(candidate).address == who:
            return [demo_key(candidate)]
    raise Problem("unknown_participant", who=who)


def joined_key(uscc: str) -> KeyPair:
    """The demo key of a firm that joined by an invitation."""
    return demo_key(f"joined: {uscc}")


def operator_signatures(digest: bytes) -> list[bytes]:
    """A digest signed by two operators' demo keys, in the order the contract wants."""
    return quorum_digest([demo_key(name).private for name in OPERATOR_NAMES[:2]], digest)


def enrol_cast(app: App) -> None:
    """Register every firm and enrol its seats by operator quorum. A second call changes nothing."""
    bank = address(app, CIVIC)
    quorum_account(app)
    enrolments = []
    with app.desk.session() as session:
        for number, row in enumerate(FIRMS, start=1):
            if app.parties.find(session, number) is None:
                app.parties.register(
                    session, row.name, uscc=make_uscc(row.uscc17), size=row.size, organisation_id=number
                )
            for seat, role in row.seats:
                member = address(app, row.code, seat)
                app.parties.seat(session, member, number, seat)
                obligor = Role.OBLIGOR in role
                enrolments.append(
                    Enrolment(
                        member,
                        number,
                        role,
                        limit_minor=row.limit_minor if obligor else 0,
                        paying_bank=bank if obligor else None,
                    )
                )
    _seat_people(app)
    if app.desk.sent("demo:enrol") is None:
        prepared = app.parties.prepare_enrolment(enrolments)
        signatures = operator_signatures(prepared.digest)
        app.desk.relay([("demo:enrol", app.parties.enrolment_call(prepared.message, signatures))])
    _offer_policies(app)


def _seat_people(app: App) -> None:
    """The core enterprise's maker and checker, with what the checker may check alone of what a maker made."""
    limit_minor, code = firm(CORE).limit_minor, "CNY"
    with app.desk.session() as session:
        for name in CORE_KEYS:
            app.parties.seat(session, demo_key(name).address, 1, name.removeprefix("core-"))
        for number, row in enumerate(FIRMS, start=1):
            if row.code in INDUSTRIES and session.get(FirmProfile, number) is None:
                now, line = app.clock.now(), INDUSTRIES[row.code]
                session.add(FirmProfile(organisation_id=number, industry=line, source="demo", set_at=now))
        checker = demo_key(CORE_KEYS[1]).address
        for act in CHECKED_ACTS:
            if session.get(Delegation, (checker, act)) is None:
                app.approvals.delegate(
                    session,
                    checker,
                    act=act,
                    limit_minor=limit_minor,
                    valid_until=app.clock.now() + DELEGATION_SECONDS,
                    given_by=address(app, CORE),
                    currency=code,
                )


def _offer_policies(app: App) -> None:
    """Both financiers quote by themselves: a policy each, asked for by one of its people and agreed by another."""
    with app.desk.session() as session:
        for code, base_ppm, officer in ((HARBOUR, 46_000, "credit-officer"), (FARHILL, 52_000, "checker")):
            who = address(app, code)
            if app.policies.of(session, [who]):
                continue
            agreed_by = seat_key(code, officer).address
            app.parties.seat(session, agreed_by, FIRMS.index(firm(code)) + 1, officer)
            bands = ((30, 0), (90, 2_000), (200, 5_000))
            terms = {
                "financier": who,
                "currency": "CNY",
                "paying_bank": address(app, CIVIC),
                "rates": [{"up_to_days": days, "rate_ppm": base_ppm + more} for days, more in bands],
                "sizes": [{"from_minor": 0, "add_ppm": 3_000}, {"from_minor": 100_000_00, "add_ppm": 0}],
                "obligors": {address(app, CORE): {"limit_minor": firm(CORE).limit_minor}},
                "min_minor": 1_000_00,
                "max_minor": 5_000_000_00,
                "fee_minor": 0 if code == FARHILL else 20_00,
                "valid_until": app.clock.now() + DELEGATION_SECONDS,
            }
            row = app.changes.request(session, "set_quote_policy", terms, who)
            app.changes.approve(session, row.id, agreed_by)
    for code in (HARBOUR, FARHILL):
        name = f"demo:quotes:{address(app, code)}"
        if app.fact(name) is None:
            app.set_fact(name, seat_key(code).name)
