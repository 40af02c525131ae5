"""Nobody sees another's record: every reading operation × every role, field by field."""

from __future__ import annotations

from typing import Any

import pytest
from sqlmodel import select
from tests.api.conftest import As
from tests.api.installation import CORE, LOTUS, PINE, RIVER, STONE, Installation
from tests.api.test_refusals import API

from scf.api.access import Caller
from scf.api.policy import Circle, Sight, note_sights, receivable_sight
from scf.demo.cast import firm
from scf.entrusted.service import OpenRequest, StagePlan
from scf.parties.service import Role
from scf.receivables import queries
from scf.receivables.mass import MassRequest
from scf.receivables.models import Dossier, MassPass, Note, Receivable

# One receivable: obligor K -> creditor A -> B -> C, and A -> D; F was asked about B's note.
TIERS = {"a": (None, "K", "A"), "b": ("a", "A", "B"), "c": ("b", "B", "C"), "d": ("a", "A", "D")}


def _note(name: str) -> Note:
    parent, giver, holder = TIERS[name]
    return Note(
        id=name,
        receivable_id=1,
        parent_id=parent,
        child_index=0,
        evidence="0x",
        tier=1 if parent is None else 2,
        giver=giver,
        holder=holder,
        original_minor=100,
        amount_minor=50,
        state="held",
        offer_until=0,
        made_at=0,
        state_since=0,
    )


RECEIVABLE = Receivable(
    id=1,
    obligor="K",
    creditor="A",
    root_note_id="a",
    face_minor=100,
    outstanding_minor=100,
    currency="CNY",
    maturity=0,
    max_tier=8,
    min_minor=1,
    fingerprint="0x",
    document="0x",
    issued_at=0,
    state_since=0,
)
NOTES = [_note(name) for name in TIERS]
CIRCLE = Circle(paying_bank="P", invited={"b": {"F"}})


def _caller(address: str, roles: Role = Role.SUPPLIER) -> Caller:
    return Caller(address, 1, address, "account", roles, frozenset({address}))


EXPECTED: dict[str, tuple[Sight, dict[str, str]]] = {
    # for each visible note: m = amounts, h = holder's name, g = giver's name
    "K": (Sight.SUM, {"a": "mhg", "b": "mg", "c": "m", "d": "mg"}),
    "A": (Sight.BRANCH, {"a": "mhg", "b": "mhg", "d": "mhg"}),
    "B": (Sight.BRANCH, {"a": "h", "b": "mhg", "c": "mhg"}),
    "C": (Sight.BRANCH, {"a": "", "b": "h", "c": "mhg"}),
    "D": (Sight.BRANCH, {"a": "h", "d": "mhg"}),
    "F": (Sight.BRANCH, {"a": "h", "b": "mh"}),
    "P": (Sight.ALL, {"a": "mhg", "b": "mhg", "c": "mhg", "d": "mhg"}),
    "X": (Sight.NONE, {}),
}


@pytest.mark.parametrize("who", EXPECTED)
def test_what_each_relation_sees_of_a_receivable(who: str) -> None:
    sight, notes = EXPECTED[who]
    caller = _caller(who)
    assert receivable_sight(caller, RECEIVABLE, NOTES, CIRCLE) is sight
    shown = {
        item.note.id: "m" * item.amounts + "h" * item.holder + "g" * item.giver
        for item in note_sights(caller, RECEIVABLE, NOTES, CIRCLE)
    }
    assert shown == notes


@pytest.mark.parametrize("role", [Role.AUDITOR, Role.OPERATOR, Role.REGULATOR])
def test_overseers_see_all(role: Role) -> None:
    shown = note_sights(_caller("X", role), RECEIVABLE, NOTES, CIRCLE)
    assert len(shown) == 4 and all(item.amounts and item.holder and item.giver for item in shown)


SEATS = {
    "core": (CORE, "account"),
    "lotus": (LOTUS, "account"),
    "pine": (PINE, "account"),
    "river": (RIVER, "account"),
    "stone": (STONE, "account"),
    "steel": ("steel", "account"),
    "harbour": ("harbour", "account"),
    "farhill": ("farhill", "account"),
    "civic": ("civic", "account"),
    "fairway": ("fairway", "account"),
    "measure": ("measure", "account"),
    "operator": ("operator", "operator-1"),
    "audit": ("audit", "account"),
}
ALL = set(SEATS)
OVERSEERS = {"operator", "audit"}
ACCOUNT = {"harbour", "pine", "civic", "fairway", "measure", "core", "steel"} | OVERSEERS
MATRIX = {
    "receivables/{receivable}": {"core", "lotus", "pine", "river", "stone", "harbour", "farhill", "steel", "civic"}
    | OVERSEERS,
    "receivables/{receivable}/notes": {
        "core",
        "lotus",
        "pine",
        "river",
        "stone",
        "harbour",
        "farhill",
        "steel",
        "civic",
    }
    | OVERSEERS,
    "notes/{pine}": {"core", "lotus", "pine", "river", "harbour", "farhill", "stone", "civic"} | OVERSEERS,
    "notes/{offered}": {"core", "river", "stone", "civic"} | OVERSEERS,
    "notes/{financed}": {"core", "pine", "harbour", "civic"} | OVERSEERS,
    "notes/{mass}/recipients": {"lotus"} | OVERSEERS,
    "shares": ALL,
    "receivables/{receivable}/maturity": {"core", "lotus", "pine", "river", "stone", "harbour", "farhill", "steel"}
    | {"civic"}
    | OVERSEERS,
    "receivables/{receivable}/ranks?available=1": {"civic"} | OVERSEERS,
    "notes/{financed}/payee": {"pine", "harbour", "civic"} | OVERSEERS,
    "payout-account": ALL,
    "notes/{financed}/waterfall": {"pine", "harbour", "civic"} | OVERSEERS,
    "collections": ALL,
    "overdue": ALL,
    "payments": ALL,
    "bank-files": OVERSEERS,
    "entrusted/{account}": ACCOUNT,
    "entrusted/{account}/stages/0": ACCOUNT,
    "notes?holder={at_pine}": {"pine"} | OVERSEERS,
    "audit/bundle": OVERSEERS,
    "approvals": ALL,
    "asks": ALL,
    "asks/{ask}": {"lotus", "harbour", "farhill"} | OVERSEERS,
    "notes/{pine}/early": {"pine"},
    "notes/{pine}/if-obligor-fails": {"pine"},
    "policies": ALL,
    "limits?of={at_core}": {"core"} | OVERSEERS,
    "limits/changes": ALL,
    "programmes": ALL,
    "fairness": ALL,
    "receivables": ALL,
    "notes": ALL,
    "notes/offered": ALL,
    "notices": ALL,
    "holds": ALL,
    "appeals": ALL,
    "lifts": ALL,
    "entrusted": ALL,
    "openings": ALL,
    "openings/{opening}": {"harbour", "pine"} | OVERSEERS,
    "participants": ALL,
    "exceptions": ALL,
    "imports": ALL,
    "imports/{import}": {"lotus"} | OVERSEERS,
    "imports/{import}/rows": {"lotus"} | OVERSEERS,
    "invitations": ALL,
    "supplier-invitations": ALL,
    "me": ALL,
    "tokens": ALL,
    "status": ALL,
}


@pytest.mark.parametrize("operation", MATRIX)
def test_every_operation_answers_only_those_concerned(operation: str, demo: Installation, act_as: As) -> None:
    path = operation.format(
        receivable=demo.receivable,
        account=demo.account,
        pine=demo.notes[PINE],
        offered=demo.offered,
        financed=demo.financed,
        at_pine=demo.at(PINE),
        at_core=demo.at(CORE),
        ask=demo.ask,
        mass=mass_of(demo),
        opening=opening_of(demo),
        **{"import": _import_of_lotus(demo)},
    )
    allowed = {name for name, seat in SEATS.items() if act_as(*seat).get(f"{API}/{path}").status_code == 200}
    assert allowed == MATRIX[operation]


def _import_of_lotus(demo: Installation) -> int:
    name = firm(LOTUS).name
    with demo.app.reading() as session:
        return demo.app.documents.imports(session, source=name)[0].id


def opening_of(demo: Installation) -> str:
    """An account Harbour proposed to Pine, made once."""
    with demo.app.reading() as session:
        made = demo.app.openings.of(session, [demo.at("harbour")])
    if made:
        return made[0].id
    day = demo.clock.now() + 20 * 86_400
    stage = StagePlan(demo.at("steel"), firm("steel").account, 1_00, "Arrived", "到货", ("arrival",), day)
    prepared = demo.app.entrusted.prepare_open(
        OpenRequest(
            payer=demo.at("harbour"), beneficiary=demo.at(PINE), bank=demo.at("civic"), currency="CNY",
            account="6200000000000000077", purpose="steel", contract="HT-1", consent="agreed", stages=(stage,),
            attestors=(demo.at("fairway"), demo.at("measure")),
            approvers=(demo.at("harbour", "credit-officer"), demo.at(CORE, "approver")),
        )
    )  # fmt: skip
    signature = demo.story.play.sign(prepared)[0][0]
    with demo.app.desk.session() as session:
        return demo.app.openings.propose(session, prepared, demo.at("harbour"), signature).id


def mass_of(demo: Installation) -> str:
    """A mass pass of Lotus to Pine, made once."""
    with demo.app.reading() as session:
        made = session.exec(select(MassPass.mass_id)).first()
        passed = queries.note(session, demo.notes[PINE])
        dossier = session.get(Dossier, passed.evidence)
    if made is not None:
        return made
    assert dossier is not None and passed.parent_id is not None
    trade = {"delivered_on": dossier.delivered_on}
    row = f"recipient,amount\n{demo.at(PINE)},1.00\n".encode()
    request = MassRequest(passed.parent_id, row, dossier.evidence_ids.split(","), firm(LOTUS).name, trade)
    reply = demo.story.play.receivable_act("mass", lambda: demo.app.mass.prepare_pass(request))
    return str(reply["note"])


def test_the_matrix_covers_every_reading_operation(act_as: As) -> None:
    """A reading operation added later without a row here fails."""
    paths = act_as().get(f"{API}/openapi.json").json()["paths"]
    reading = {path.strip("/") for path, operations in paths.items() if "get" in operations}
    known = {
        operation.split("?")[0]
        .replace("{account}", "{account_id}")
        .replace("{receivable}", "{receivable_id}")
        .replace("stages/0", "stages/{number}")
        .replace("{pine}", "{note_id}")
        .replace("{financed}/payee", "{note_id}/payee")
        .replace("{mass}", "{note_id}")
        .replace("{ask}", "{ask_id}")
        .replace("{import}", "{import_id}")
        .replace("{opening}", "{opening_id}")
        for operation in MATRIX
    }
    elsewhere = {"evidence/{evidence_id}", "evidence/{evidence_id}/raw"}  # tests/api/test_documents.py
    elsewhere |= {"exceptions/{exception_id}"}  # tests/api/test_exceptions.py
    elsewhere |= {"approvals/{approval_id}"}  # tests/api/test_money.py
    known = {one.replace("{financed}/waterfall", "{note_id}/waterfall") for one in known}
    assert reading == (known - {"notes/{offered}", "notes/{financed}"}) | elsewhere


def _everything(client: Any, demo: Installation) -> str:
    paths = [
        "receivables",
        "notes",
        "notes/offered",
        "entrusted",
        "exceptions",
        "status",
        "approvals",
        "programmes",
        "limits",
        "limits/changes",
        "notices",
        "holds",
        "appeals",
        "lifts",
        "openings",
        "asks",
        "policies",
        "collections",
        "overdue",
        "payments",
        f"receivables/{demo.receivable}/maturity",
        f"receivables/{demo.receivable}",
        f"receivables/{demo.receivable}/notes",
        *(f"notes/{note}" for note in demo.notes.values()),
    ]
    return " ".join(client.get(f"{API}/{path}").text for path in paths)


@pytest.mark.parametrize(
    ("who", "hidden"),
    [
        (CORE, ["River Bend", "Stone Bridge"]),
        (STONE, ["Pine Creek", "Lotus Pond", "Golden Ridge", "Harbour"]),
        (RIVER, ["Lotus Pond", "Harbour", "Golden Ridge"]),
        ("measure", ["River Bend", "Stone Bridge", "Lotus Pond"]),
    ],
)
def test_names_beyond_ones_own_relations_appear_in_no_answer(
    who: str, hidden: list[str], demo: Installation, act_as: As
) -> None:
    said = _everything(act_as(who), demo)
    assert [name for name in hidden if name in said] == []
    assert [code for code in (RIVER, STONE) if who == CORE and demo.at(code) in said] == []


def test_a_holder_learns_no_amount_of_the_notes_above_its_own(demo: Installation, act_as: As) -> None:
    notes = act_as(STONE).get(f"{API}/receivables/{demo.receivable}/notes").json()["items"]
    above = [note for note in notes if not note["mine"]]
    assert above and all(note["amount"] is None and note["original"] is None for note in above)


ACTS_OF_OTHERS = [
    (PINE, "accept", lambda demo: {"note": demo.offered}),
    (CORE, "refuse", lambda demo: {"note": demo.offered, "reason": "x"}),
    ("stone", "withdraw", lambda demo: {"note": demo.offered}),
    (LOTUS, "confirm_locked", lambda demo: {"account": demo.account, "bank_reference": "x"}),
    (
        "fairway",
        "approve",
        lambda demo: {
            "account": demo.account,
            "stage": 0,
            "decision": "x",
            "up_to": {"minor": "1", "currency": "CNY"},
            "approver": demo.at("harbour", "credit-officer"),
        },
    ),
    (
        "harbour",
        "payment",
        lambda demo: {
            "receivable": demo.receivable,
            "bank_reference": "x",
            "principal": {"minor": "1", "currency": "CNY"},
        },
    ),
    (
        "pine",
        "quote",
        lambda demo: {"ask": demo.ask, "financier": demo.at("farhill"), "rate_ppm": 1, "paying_bank": demo.at("civic")},
    ),
]


@pytest.mark.parametrize(("who", "act", "body"), ACTS_OF_OTHERS, ids=[f"{a}-{b}" for a, b, _ in ACTS_OF_OTHERS])
def test_nobody_starts_or_demo_signs_anothers_act(
    who: str, act: str, body: Any, demo: Installation, act_as: As
) -> None:
    before = demo.app.desk.head().hash
    client = act_as(who)
    for path in (f"{API}/acts/{act}/prepare", f"{API}/acts/{act}/demo"):
        answer = client.post(path, json=body(demo), headers={"Idempotency-Key": f"other-{who}-{act}"})
        assert (answer.status_code, answer.json()["code"]) == (403, "not_your_act"), answer.text
    assert demo.app.desk.head().hash == before


def test_only_the_holder_asks_for_money_on_a_note(demo: Installation, act_as: As) -> None:
    body = {"note": demo.notes[PINE], "amount": {"minor": "1", "currency": "CNY"}}
    body["invited"] = [demo.at("harbour"), demo.at("farhill")]
    answer = act_as(LOTUS).post(f"{API}/acts/ask", json=body, headers={"Idempotency-Key": "ask-other"})
    assert answer.json()["code"] == "note_not_yours"
