"""The steps the story is told with: documents imported, offers made and accepted, quotes signed, stages released."""

from __future__ import annotations

from datetime import date

from scf.demo.bankside import BankSide
from scf.demo.cast import (
    CIVIC,
    CORE,
    FAIRWAY,
    FARHILL,
    HARBOUR,
    LOTUS,
    MEASURE,
    PINE,
    STEEL,
    address,
    firm,
)
from scf.demo.papers import Paper, invoice, logistics_event, net_of
from scf.demo.papers import order as purchase
from scf.demo.play import HOUR, Play
from scf.entrusted.ruling import SALE_PROCEEDS
from scf.entrusted.service import OpenRequest, StagePlan
from scf.financing.price import Fee
from scf.kernel.dates import day_of
from scf.kernel.money import format_money
from scf.receivables.service import PassRequest
from scf.store.evidence import Trust

CNY = "CNY"
FACE = 1_000_000_00
TENOR_DAYS = 58
STORY_DAYS = 90
"""The story starts this long before today: long enough to end before today whatever holidays lie between."""
WAITING_INVOICES = 50
GOODS_ORDER, STEEL_ORDER = "PO-2026-0117", "PO-PC-0042"


class Steps:
    """What the chapters of the story are made of; each step is named and has one effect."""

    def __init__(self, play: Play, bank: BankSide) -> None:
        self.play = play
        self.app = play.app
        self.bank = bank

    def who(self, code: str, seat: str = "account") -> str:
        """Ledger address of a seat."""
        return address(self.app, code, seat)

    def day(self, offset: int) -> date:
        """Calendar day of the story, `offset` days from its start."""
        return day_of(self.play.start + offset * 24 * HOUR)

    def money(self, minor: int) -> str:
        """An amount for people."""
        return format_money(minor, CNY)

    def _event(self, order: str, step: str, day: int, goods: str, quantity: int, despatch: str) -> Paper:
        at = self.play.start + day * 24 * HOUR
        return logistics_event(order, step, at, quantity=quantity, goods=goods, despatch=despatch)

    def _bill(self, number: str, order: str, gross_minor: int, day: int, tonnes: int) -> None:
        """The steel mill's invoice for what arrived."""
        due = self.day(day + 30)
        paper = invoice(number, STEEL, PINE, order, "Steel", gross_minor, self.day(day), due, quantity=tonnes)
        self._import(paper, STEEL, Trust.T2)

    def _import(self, paper: Paper, source: str, trust: Trust) -> str:
        return self.app.documents.import_file(
            paper.raw, paper.name, source=firm(source).name, sender=firm(source).name, trust=trust
        ).evidence_id

    def _file(
        self,
        name: str,
        papers: list[tuple[Paper, str, Trust]],
        order: str,
        invoice_number: str,
        gross_minor: int,
        delivered: date,
    ) -> str:
        evidence = [self._import(*paper) for paper in papers]

        def make() -> str:
            with self.app.desk.session() as session:
                return self.app.receivables.file(
                    session,
                    evidence,
                    order_reference=order,
                    invoice_number=invoice_number,
                    invoice_minor=gross_minor,
                    delivered_on=delivered.isoformat(),
                ).document

        return str(self.play.once(f"dossier:{name}", make))

    def _accept(self, step: str, note_id: str) -> None:
        self.play.receivable_act(step, lambda: self.app.receivables.prepare_accept(note_id))

    def _trade(self, giver: str, to: str, amount: int, day: int) -> str:
        number, order = f"INV-{to.upper()}-{day:02d}", f"PO-{giver.upper()}-{to.upper()}-{day:02d}"
        paper = invoice(number, to, giver, order, "Parts", amount, self.day(day - 1), self.day(day + 57))
        event = self._event(order, "receiving", day - 1, "parts", 1, f"DN-{order}")
        bought = purchase(order, giver, to, "Parts", net_of(amount), 1, self.day(day - 3))
        papers = [(bought, giver, Trust.T2), (paper, to, Trust.T1), (event, FAIRWAY, Trust.T3)]
        return self._file(f"{giver}-{to}-{day}", papers, order, number, amount, self.day(day - 1))

    def _offer(self, day: int, giver: str, note_id: str, to: str, amount: int, tag: str = "") -> str:
        self.play.at(day, 10)
        document = self._trade(giver, to, amount, day)
        reply = self.play.receivable_act(
            f"pass-{giver}-{to}{tag}",
            lambda: self.app.receivables.prepare_pass(PassRequest(note_id, self.who(to), amount, document)),
        )
        return str(reply["note"])

    def _pass(self, day: int, giver: str, note_id: str, to: str, amount: int, tag: str = "") -> str:
        passed = self._offer(day, giver, note_id, to, amount, tag)
        self._accept(f"accept-{giver}-{to}{tag}", passed)
        self.play.tell.line(
            f"{firm(giver).name} passed {self.money(amount)} to {firm(to).name}.",
            f"{firm(giver).name} 向 {firm(to).name} 流转 {self.money(amount)}。",
        )
        return passed

    def _deliveries(self, day: int) -> None:
        """Fifty small deliveries to the core enterprise, invoiced and waiting to be accepted."""
        for place in range(WAITING_INVOICES):
            seller, since = (PINE, STEEL)[place % 2], day - 1 - place % 12
            number, order = f"INV-W{place + 1:03d}", f"PO-W{place + 1:03d}"
            gross = 11_300_00 + place * 113_00
            due = self.day(since + TENOR_DAYS)
            self._import(purchase(order, CORE, seller, "Parts", net_of(gross), 1, self.day(since - 3)), CORE, Trust.T2)
            self._import(self._event(order, "receiving", since, "parts", 1, f"DN-{order}"), FAIRWAY, Trust.T3)
            bill = invoice(number, seller, CORE, order, "Parts", gross, self.day(since), due)
            self._import(bill, seller, Trust.T1)

    def _ask_and_quote(self, note_id: str) -> None:
        invited = (self.who(HARBOUR), self.who(FARHILL))
        ask = str(self.play.once("ask-2", lambda: self._ask(note_id, 80_000_00, invited)))
        self._quote("quote-3", ask, HARBOUR, 46_000, (Fee("handling", "Harbour Bank", 5_000),), 0)
        self._quote("quote-4", ask, FARHILL, 55_000, (), 0)

    def _refused(self, root: str) -> None:
        document = self._trade(LOTUS, STEEL, 10_000_00, 4)
        reply = self.play.receivable_act(
            "pass-refused",
            lambda: self.app.receivables.prepare_pass(PassRequest(root, self.who(STEEL), 10_000_00, document)),
        )
        note_id = str(reply["note"])
        self.play.receivable_act("refuse-1", lambda: self.app.receivables.prepare_refuse(note_id, "cash was agreed"))
        self.play.tell.line(
            f"Golden Ridge Steel refused {self.money(10_000_00)}: cash was agreed. The value went back.",
            f"金岭钢材拒收 {self.money(10_000_00)}（约定现金支付），金额退回，分文未失。",
        )

    def _open_account(self, ask: str, fees: tuple[Fee, ...]) -> int:
        def request() -> OpenRequest:
            _, figures = self.app.financing.prepare_quote(
                ask, self.who(HARBOUR), rate_ppm=46_000, paying_bank=self.who(CIVIC), fees=fees
            )
            first = figures.net_minor * 40 // 100
            return OpenRequest(
                payer=self.who(HARBOUR),
                beneficiary=self.who(PINE),
                bank=self.who(CIVIC),
                currency=CNY,
                account=self.bank.locked_account,
                purpose="100 tonnes of steel under order PO-PC-0042",
                funds=SALE_PROCEEDS,
                consent="Pine Creek Machining agrees to the stages.",
                separate_consent="Pine Creek Machining agrees that what it sells the note for is locked for its steel "
                "supplier. / 松溪机加工同意将转让所得价款锁定，用于支付其钢材供应商。",
                stages=(
                    self._stage_plan("40 tonnes arrived and inspected", "40 吨到货并检验", first, 12, "arrival"),
                    self._stage_plan(
                        "The other 60 tonnes arrived and inspected",
                        "其余 60 吨到货并检验",
                        figures.net_minor - first,
                        30,
                        "arrival",
                    ),
                ),
                attestors=(self.who(FAIRWAY), self.who(MEASURE)),
                approvers=(self.who(HARBOUR, "credit-officer"), self.who(CORE, "approver")),
            )

        reply = self.play.entrusted_act("open-1", lambda: self.app.entrusted.prepare_open(request()))
        return int(reply["account"])

    def _stage_plan(self, en: str, zh: str, amount: int, until_day: int, evidence: str) -> StagePlan:
        return StagePlan(
            payee=self.who(STEEL),
            payee_account=firm(STEEL).account,
            amount_minor=amount,
            title_en=en,
            title_zh=zh,
            needs=(evidence, "inspection"),
            deadline=self.play.start + until_day * 24 * HOUR,
            order_reference=STEEL_ORDER,
        )

    def _most_money(self, ask: str, hashes: list[str]) -> str:
        with self.app.desk.session() as session:
            offers = self.app.financing.quotes(session, ask)
        return offers[0].quote_hash if offers else hashes[0]

    def _ask(self, note_id: str, amount: int, invited: tuple[str, ...]) -> str:
        with self.app.desk.session() as session:
            return self.app.financing.ask(session, note_id, amount, invited).id

    def _quote(self, step: str, ask: str, financier: str, rate: int, fees: tuple[Fee, ...], account: int) -> str:
        def make() -> str:
            prepared, figures = self.app.financing.prepare_quote(
                ask,
                self.who(financier),
                rate_ppm=rate,
                paying_bank=self.who(CIVIC),
                fees=fees,
                entrusted_account=account if financier == HARBOUR else 0,
            )
            signature = self.play.sign(prepared)[0]
            return self.app.financing.submit_quote(ask, prepared.message, signature, figures).quote_hash

        return str(self.play.once(step, make))

    def _complete(self, step: str, note_id: str, registration: str, line: str) -> None:
        self.play.act(
            step,
            lambda: self.app.financing.prepare_complete(note_id, registration, line),
            lambda p, s: self.app.financing.complete(p.message, s[0], key=step, caller="demo"),
        )

    def _stage(self, step: str, account: int, number: int, up_to: int, papers: list[tuple[Paper, str, Trust]]) -> None:
        for paper, source, trust in papers:
            evidence = self._import(paper, source, trust)
            self.play.entrusted_act(
                f"{step}-attest-{source}",
                lambda e=evidence, s=source: self.app.entrusted.prepare_attest(  # type: ignore[misc]
                    account, number, self.who(s), up_to, e
                ),
            )
        for code, seat in ((HARBOUR, "credit-officer"), (CORE, "approver")):
            self.play.entrusted_act(
                f"{step}-approve-{code}",
                lambda c=code, s=seat: self.app.entrusted.prepare_approve(  # type: ignore[misc]
                    account, number, self.who(c, s), up_to, "Evidence of carrier and inspector agrees with the order."
                ),
            )
        self.bank.release(account, number, STEEL_ORDER)
