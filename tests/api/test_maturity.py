"""Maturity over the API: lines that pay, money too much, what fails and is made anew, overdue, recourse, cure."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from tests.api.conftest import As
from tests.api.installation import CORE, LOTUS, PINE, Installation
from tests.api.test_refusals import API

from scf.demo.cast import CIVIC, demo_signers, firm
from scf.financing.collecting import payment_id
from scf.kernel.dates import day_of, to_unix
from scf.ledger.signing import sign_digest
from scf.receivables import queries


def post(client: Any, path: str, body: dict[str, Any] | None = None, key: str = "") -> Any:
    return client.post(f"{API}/{path}", json=body or {}, headers={"Idempotency-Key": key or path[:90]})


def due_on(demo: Installation) -> date:
    with demo.app.reading() as session:
        return day_of(queries.receivable(session, demo.receivable).maturity)


def owed_minor(demo: Installation) -> int:
    with demo.app.reading() as session:
        return queries.receivable(session, demo.receivable).outstanding_minor


def arrives(demo: Installation, amount: int, tag: str, end_to_end: str | None = None) -> str:
    bank = demo.story.bank
    reference = bank.simulator.deposit(
        bank.repayment_account,
        amount,
        reference=tag,
        debtor=firm(CORE).name,
        debtor_account=firm(CORE).account,
        end_to_end_id=end_to_end,
    )
    look(demo)
    return reference


def look(demo: Installation) -> None:
    """What the day's jobs do with the bank's files."""
    demo.app.jobs.exchange_now()


def newest(client: Any, **query: str) -> dict[str, Any]:
    items = client.get(f"{API}/collections", params=query).json()["items"]
    return dict(items[0])


def attest(demo: Installation, client: Any, line: int) -> Any:
    prepared = post(client, f"collections/{line}/prepare")
    assert prepared.status_code == 200, prepared.text
    given = prepared.json()
    (key,) = demo_signers(demo.app, demo.at(CIVIC))
    signature = sign_digest(key.private, bytes.fromhex(given["digest"][2:])).hex()
    return post(client, "acts/payment", {"message": given["message"], "signatures": [signature]}, key=f"attest {line}")


def test_from_the_day_it_is_due_to_the_last_cent(demo: Installation, act_as: As) -> None:
    civic, core, operator = act_as("civic"), act_as("core"), act_as("operator", "operator-1")
    lotus, stranger = act_as("lotus"), act_as("fairway")
    face = owed_minor(demo)
    demo.clock.move_to(to_unix(due_on(demo)) + 36_000)

    # A part comes under its own name; the obligor's bank signs what the line proves.
    part = face // 3
    arrives(demo, part, "part", payment_id(demo.receivable, "1"))
    line = newest(civic)
    assert (line["finding"], line["found_by"], line["amount"]["minor"]) == ("partial", "end_to_end", str(part))
    assert newest(core)["line"] == line["line"] == newest(operator)["line"]
    assert stranger.get(f"{API}/collections").json()["items"] == []
    assert post(core, f"collections/{line['line']}/prepare").status_code == 403
    assert attest(demo, civic, line["line"]).status_code == 200
    assert newest(civic)["state"] == "attested"
    settled = post(civic, "acts/settle", {"receivable": demo.receivable})
    assert settled.status_code == 200 and settled.json()["settled"] >= 4

    # Every holder gets its part of it, and the parts are the payment.
    refused = post(stranger, f"receivables/{demo.receivable}/pay-holders")
    assert refused.status_code == 404
    assert post(lotus, f"receivables/{demo.receivable}/pay-holders").json()["code"] == "not_your_act"
    out = post(civic, f"receivables/{demo.receivable}/pay-holders").json()
    assert sum(int(one["amount"]["minor"]) for one in out["items"]) == part and out["without_account"] == 0
    again = post(operator, f"receivables/{demo.receivable}/pay-holders", key="once more").json()
    assert [one["payment"] for one in again["items"]] == [one["payment"] for one in out["items"]]
    look(demo)
    shown = civic.get(f"{API}/receivables/{demo.receivable}/maturity").json()
    assert {one["state"] for one in shown["payouts"]} == {"executed"}
    mine = lotus.get(f"{API}/receivables/{demo.receivable}/maturity").json()
    assert {one["payee"]["address"] for one in mine["payouts"]} == {demo.at(LOTUS)} and mine["owed"] is None

    # Days later the rest comes, with late interest and a surplus; the surplus goes back where it came from.
    demo.clock.move_to(to_unix(due_on(demo) + timedelta(days=12)) + 36_000)
    late = operator.get(f"{API}/overdue").json()["items"]
    assert [one["receivable"] for one in late] == [demo.receivable]
    demo.app.jobs.scheduler._handlers["overdue"]("")
    assert operator.get(f"{API}/overdue").json()["halted"][0]["address"] == demo.at(CORE)
    told = core.get(f"{API}/notices").json()["items"]
    assert any(one["kind"] == "overdue" and one["proof"].startswith("/proof/") for one in told)
    whole = civic.get(f"{API}/receivables/{demo.receivable}/maturity").json()["owed"]
    rest, interest = int(whole["principal"]["minor"]), int(whole["interest"]["minor"])
    assert rest == face - part and interest > 0
    evidence = newest(civic)["proof"].rpartition("/")[2]
    early = post(operator, "cures/prepare", {"obligor": demo.at(CORE), "evidence": evidence})
    assert early.json()["code"] == "obligor_still_overdue"
    arrives(demo, rest + interest + 700, "rest", payment_id(demo.receivable, "2"))
    line = newest(civic, exceptions="true")
    assert (line["finding"], line["surplus"]["minor"]) == ("over", "700")
    assert (line["principal"]["minor"], line["interest"]["minor"]) == (str(rest), str(interest))
    assert attest(demo, civic, line["line"]).status_code == 200
    assert "700" not in stranger.get(f"{API}/collections").text
    assert post(stranger, f"collections/{line['line']}/give-back").status_code == 404
    back = post(civic, f"collections/{line['line']}/give-back").json()
    assert (back["amount"]["minor"], back["creditor"], back["payment"]) == (
        "700",
        firm(CORE).name,
        f"SUR{line['line']}",
    )
    assert civic.get(f"{API}/collections", params={"exceptions": "true"}).json()["items"] == []
    assert post(civic, "acts/settle", {"receivable": demo.receivable}, key="settle 2").status_code == 200
    post(civic, f"receivables/{demo.receivable}/pay-holders", key="pay 2")
    look(demo)
    shown = civic.get(f"{API}/receivables/{demo.receivable}/maturity").json()
    assert sum(int(one["principal"]["minor"]) for one in shown["settlements"]) == face
    assert sum(int(one["interest"]["minor"]) for one in shown["settlements"]) == interest
    assert demo.story.bank.simulator.balance_minor(demo.story.bank.repayment_account) == 0

    # Two operators let the obligor issue again; one is not enough.
    ready = post(operator, "cures/prepare", {"obligor": demo.at(CORE), "evidence": evidence}).json()
    assert post(act_as("audit"), "cures/prepare", {"obligor": demo.at(CORE), "evidence": evidence}).status_code == 403
    alone = post(operator, "cures", {"message": ready["message"], "signatures": ["0x" + "00" * 65]}, key="one")
    assert alone.json()["code"] == "one_signature_missing"
    done = post(operator, "cures", {"message": ready["message"], "demo": True}, key="two")
    assert done.json()["cured"] == demo.at(CORE), done.text
    assert operator.get(f"{API}/overdue").json() == {"items": [], "halted": [], "next": None}


def test_a_credit_nobody_explains_is_assigned_or_sent_back(demo: Installation, act_as: As) -> None:
    civic, operator = act_as("civic"), act_as("operator", "operator-1")
    arrives(demo, 123_45, "who is this")
    line = newest(operator, exceptions="true")
    assert (line["finding"], line["receivable"]) == ("unmatched", None)
    assert civic.get(f"{API}/collections", params={"exceptions": "true"}).json()["items"] == []
    assert post(civic, f"collections/{line['line']}/assign", {"receivable": demo.receivable}).status_code == 404
    back = post(operator, f"collections/{line['line']}/give-back").json()
    assert back["amount"]["minor"] == "12345"
    assert post(operator, f"collections/{line['line']}/give-back", key="again").json()["payment"] == back["payment"]
    late = post(operator, f"collections/{line['line']}/assign", {"receivable": demo.receivable}, key="assign")
    assert late.json()["code"] == "line_not_payable", "what went back pays nothing"


def test_a_write_off_is_the_holders_alone_and_only_of_what_is_overdue(demo: Installation, act_as: As) -> None:
    pine, note = act_as(PINE), demo.notes[PINE]
    assert post(act_as(CORE), f"notes/{note}/write-off", {"reason": "x"}).status_code in (403, 404)
    early = post(pine, f"notes/{note}/write-off", {"reason": "insolvent"})
    assert early.json()["code"] == "note_not_overdue"


def test_the_waterfall_of_a_financed_note_adds_up(demo: Installation, act_as: As) -> None:
    shown = act_as("harbour").get(f"{API}/notes/{demo.financed}/waterfall", params={"cost": "5000"}).json()
    paid = sum(int(one["paid"]["minor"]) for one in shown["steps"])
    assert paid + int(shown["residual"]["minor"]) == int(shown["received"]["minor"])
    assert [one["bucket"] for one in shown["steps"]] == ["cost", "penalty", "fees", "interest", "principal"]


def test_a_payment_the_bank_refuses_is_told_and_made_anew(demo: Installation, act_as: As) -> None:
    from scf.bank import service as bank
    from scf.kernel.clock import today

    payer, operator, other = act_as("harbour"), act_as("operator", "operator-1"), act_as("farhill")
    with demo.app.desk.session() as session:
        bank.instruct_payment(
            session,
            end_to_end_id="TOOMUCH",
            debtor_account=firm("harbour").account,
            creditor_account=firm(LOTUS).account,
            creditor=firm(LOTUS).name,
            amount_minor=10**13,
            currency="CNY",
            execute_on=today(demo.clock),
            now=demo.clock.now(),
        )
    look(demo)
    (item,) = payer.get(f"{API}/payments", params={"failed": "true"}).json()["items"]
    assert (item["payment"], item["state"], item["reason_code"]) == ("TOOMUCH", "rejected", "AM04")
    assert item["proof"].startswith("/proof/evidence/") and firm("harbour").name in item["turn"]["en"]
    assert other.get(f"{API}/payments").json()["items"] == []
    (told,) = [one for one in payer.get(f"{API}/notices").json()["items"] if one["kind"] == "payment_failed"]
    assert "AM04" in told["words"]["en"] and told["proof"] == item["proof"]
    at_payee = [one["kind"] for one in act_as(LOTUS).get(f"{API}/notices").json()["items"]]
    assert "payment_failed" in at_payee
    look(demo)
    told_again = [one for one in payer.get(f"{API}/notices").json()["items"] if one["kind"] == "payment_failed"]
    assert len(told_again) == 1
    assert post(other, "payments/TOOMUCH/again").status_code == 404
    demo.story.bank.simulator.deposit(firm("harbour").account, 10**13, reference="capital")
    made = post(payer, "payments/TOOMUCH/again").json()
    assert made["payment"] == "TOOMUCH.R2"
    assert post(operator, "payments/TOOMUCH/again", key="twice").json()["payment"] == "TOOMUCH.R2"
    look(demo)
    assert payer.get(f"{API}/payments", params={"failed": "true"}).json()["items"] == []
    good = post(payer, "payments/TOOMUCH.R2/again")
    assert good.json()["code"] == "payment_not_failed"
