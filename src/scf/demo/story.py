"""The story `scf demo` tells: one receivable from issue to payment, every sentence backed by the ledger."""

from __future__ import annotations

from datetime import date

from scf.demo.bankside import BankSide
from scf.demo.cast import (
    CIVIC,
    CORE,
    FAIRWAY,
    FARHILL,
    FIRMS,
    HARBOUR,
    LOTUS,
    MEASURE,
    PINE,
    RIVER,
    STEEL,
    STONE,
    address,
    enrol_cast,
    firm,
)
from scf.demo.papers import Paper, invoice, logistics_event, net_of
from scf.demo.papers import order as purchase
from scf.demo.play import HOUR, Play
from scf.entrusted.service import OpenRequest, StagePlan
from scf.financing.price import Fee, format_rate
from scf.kernel.dates import day_of
from scf.kernel.money import format_money
from scf.receivables import queries
from scf.receivables.service import IssueRequest, PassRequest
from scf.store.evidence import Trust

CNY = "CNY"
FACE = 1_000_000_00
TENOR_DAYS = 58
STORY_DAYS = 90
"""The story starts this long before today: long enough to end before today whatever holidays lie between."""
GOODS_ORDER, STEEL_ORDER = "PO-2026-0117", "PO-PC-0042"


class Story:
    """One run of the story. Every method is a chapter; a chapter told before is retold without a second effect."""

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

    # Chapters --------------------------------------------------------------------------------------------------------

    def cast(self) -> None:
        """Everybody is enrolled by the operators' quorum, and has a bank account."""
        self.play.tell.chapter("The cast", "出场")
        self.play.at(0)
        enrol_cast(self.app)
        self.bank.open_accounts()
        self.play.tell.line(
            f"{len(FIRMS)} firms are enrolled, each by two of three operator keys. All keys are demo keys.",
            f"{len(FIRMS)} 家机构入网，均由三名运营人员中的两名签署。全部为演示密钥。",
        )

    def goods(self) -> str:
        """Order and delivery between the core enterprise and its supplier; returns the commitment to the documents."""
        self.play.tell.chapter("Goods", "货物")
        self.play.at(1)
        order, despatch = GOODS_ORDER, "DN-0117-1"
        papers: list[tuple[Paper, str, Trust]] = [
            (purchase(order, CORE, LOTUS, "Brake castings", net_of(FACE), 400, self.day(-5)), CORE, Trust.T2),
            (self._event(order, "shipping", 1, "castings", 400, despatch), FAIRWAY, Trust.T3),
            (self._event(order, "receiving", 2, "castings", 400, despatch), CORE, Trust.T2),
            (
                invoice(
                    "INV-LP-3301",
                    LOTUS,
                    CORE,
                    order,
                    "Brake castings",
                    FACE,
                    self.day(2),
                    self.day(2 + TENOR_DAYS),
                    quantity=400,
                ),
                LOTUS,
                Trust.T1,
            ),
        ]
        self.play.at(2, 15)
        document = self._file("goods", papers, order, "INV-LP-3301", FACE, self.day(2))
        self.play.tell.line(
            "400 castings left with the carrier, arrived and were invoiced: order, delivery and invoice agree.",
            "400 件铸件由承运商运出、到货并开票：订单、送货与发票一致。",
        )
        return document

    def issue(self, document: str) -> int:
        """The core enterprise's maker and checker sign; the supplier accepts. Returns the receivable's number."""
        self.play.tell.chapter("A promise to pay", "开立与签收")
        self.play.at(3)
        fingerprint = self.app.receivables.fingerprint(firm(LOTUS).name, "INV-LP-3301", self.day(2))
        reply = self.play.receivable_act(
            "issue-1",
            lambda: self.app.receivables.prepare_issue(
                IssueRequest(
                    obligor=self.who(CORE),
                    creditor=self.who(LOTUS),
                    face_minor=FACE,
                    currency=CNY,
                    maturity=self.day(2 + TENOR_DAYS),
                    document=document,
                    fingerprint=fingerprint,
                    min_minor=100,
                )
            ),
        )
        number = int(reply["receivable"])
        self.play.tell.line(
            f"Northbridge Motors owes {self.money(FACE)} on {self.day(2 + TENOR_DAYS)}: receivable {number}, signed by "
            "maker and checker.",
            f"北桥汽车承诺于 {self.day(2 + TENOR_DAYS)} 支付 {self.money(FACE)}：凭证 {number}，经办与复核双签。",
        )
        self._accept("accept-1", str(reply["note"]))
        self.play.tell.line("Lotus Pond Castings accepted it.", "莲塘铸造已签收。")
        return number

    def pass_down(self, number: int) -> dict[str, str]:
        """The note goes down four tiers; one offer is refused and its value returns. Returns note ids by holder."""
        self.play.tell.chapter("Down the chain", "层层流转")
        self.play.at(4)
        with self.app.desk.session() as session:
            root = queries.receivable(session, number).root_note_id
        notes = {LOTUS: root}
        notes[PINE] = self._pass(4, LOTUS, root, PINE, 300_000_00)
        self._refused(root)
        notes[RIVER] = self._pass(5, PINE, notes[PINE], RIVER, 120_000_00)
        notes[STONE] = self._pass(5, RIVER, notes[RIVER], STONE, 40_000_01)
        self.play.tell.line(
            "Four tiers down, Stone Bridge Workshop holds a claim on Northbridge Motors itself, to the cent.",
            "第四级的石桥工坊直接持有对北桥汽车的债权，精确到分。",
        )
        return notes

    def finance(self, notes: dict[str, str]) -> tuple[int, str]:
        """Pine sells a part for money that is locked for steel; returns the entrusted account and the sold note."""
        self.play.tell.chapter("Money early, locked for its purpose", "融资进入受托支付账户")
        self.play.at(6)
        seller, note, amount = self.who(PINE), notes[PINE], 150_000_00
        invited = (self.who(HARBOUR), self.who(FARHILL))
        ask = str(self.play.once("ask-1", lambda: self._ask(note, amount, invited)))
        fees = (Fee("handling", "Harbour Bank", 5_000),)
        account = self._open_account(ask, fees)
        hashes = [
            self._quote("quote-1", ask, HARBOUR, 46_000, fees, account),
            self._quote("quote-2", ask, FARHILL, 55_000, (), account),
        ]
        chosen = str(self.play.once("chosen-1", lambda: self._most_money(ask, hashes)))
        reply = self.play.act(
            "accept-quote-1",
            lambda: self.app.financing.prepare_accept_quote(chosen),
            lambda p, s: self.app.financing.accept_quote(p.message, s[0], key="accept-quote-1", caller="demo"),
        )
        sold = str(reply["note"])
        with self.app.desk.session() as session:
            terms = self.app.financing.financing(session, sold)
            registration = self.app.financing.register(session, sold)
        self.play.tell.line(
            f"Two financiers quoted; Pine Creek took {self.money(terms.net_minor)} for {self.money(amount)} "
            f"({format_rate(terms.apr_ppm)} a year, all in). Registered as {registration}.",
            f"两家资金方报价；松溪机加工以 {self.money(amount)} 换得 {self.money(terms.net_minor)}"
            f"（综合年化 {format_rate(terms.apr_ppm)}），登记编号 {registration}。",
        )
        line = self.bank.fund(account, terms.net_minor)
        self._complete("complete-1", sold, registration, line)
        self.play.entrusted_act("lock-1", lambda: self.app.entrusted.prepare_confirm_locked(account, line))
        self.play.tell.line(
            f"{self.money(terms.net_minor)} is locked at Civic Bank for Golden Ridge Steel; nobody can touch it alone.",
            f"{self.money(terms.net_minor)} 已在市民银行锁定，仅用于支付金岭钢材，任何一方不能单独动用。",
        )
        assert terms.seller == seller
        return account, sold

    def release(self, account: int) -> None:
        """Two stages are released on evidence; the short delivery's part goes back at the deadline."""
        self.play.tell.chapter("Released on evidence", "凭证据分阶段释放")
        with self.app.desk.session() as session:
            first = self.app.entrusted.stage_view(session, account, 0)
            second = self.app.entrusted.stage_view(session, account, 1)
        order, despatch = STEEL_ORDER, "DN-0042-1"
        self.play.at(8)
        total = first.amount_minor + second.amount_minor
        bought = purchase(order, PINE, STEEL, "Steel", net_of(total), 100, self.day(6))
        self._import(bought, STEEL, Trust.T2)
        self._bill("INV-GR-42-1", order, first.amount_minor, 8, 40)
        papers = [
            (self._event(order, "arriving", 8, "steel", 40, despatch), FAIRWAY, Trust.T3),
            (self._event(order, "inspecting", 8, "steel", 40, despatch), MEASURE, Trust.T3),
        ]
        self._stage("s1", account, 0, first.amount_minor, papers)
        self.play.tell.line(
            f"Stage 1: 40 tonnes arrived and inspected, two approvals: {self.money(first.amount_minor)} was paid.",
            f"第一阶段：40 吨到货并检验，两人批准，向钢厂支付 {self.money(first.amount_minor)}。",
        )
        self.play.at(13)
        papers = [
            (self._event(order, "arriving", 13, "steel", 54, "DN-0042-2"), FAIRWAY, Trust.T3),
            (self._event(order, "inspecting", 13, "steel", 54, "DN-0042-2"), MEASURE, Trust.T3),
        ]
        arrived = total * 94 // 100 - first.amount_minor
        self._bill("INV-GR-42-2", order, arrived, 13, 54)
        self._stage("s2", account, 1, arrived, papers)
        self.play.tell.line(
            f"Stage 2: 54 of the other 60 tonnes arrived, so only {self.money(arrived)} was paid.",
            f"第二阶段：其余 60 吨中到货 54 吨，仅支付 {self.money(arrived)}。",
        )
        self.play.at(32)
        refunded = self.bank.refund(account, 1)
        self.play.tell.line(
            f"At the deadline the bank paid {self.money(refunded)} back to Harbour Bank.",
            f"到期后，银行将 {self.money(refunded)} 退回港湾银行。",
        )

    def maturity(self, number: int) -> None:
        """The core enterprise pays; every holder gets its part to the cent."""
        self.play.tell.chapter("Maturity", "到期兑付")
        self.play.at(2 + TENOR_DAYS - 4, 11)  # a few days early, so that a weekend does not make it late
        line = self.bank.collect(number, FACE, GOODS_ORDER)
        self.play.receivable_act("payment-1", lambda: self.app.receivables.prepare_payment(number, FACE, line))
        self.app.receivables.settle(number)
        with self.app.desk.session() as session:
            paid = [
                (self.app.parties.name_of(session, row.payee), row.principal_minor)
                for row in queries.settlements_of(session, number)
            ]
        self.bank.pay_holders(number)
        for name, amount in paid:
            self.play.tell.line(f"{name} received {self.money(amount)}.", f"{name} 收到 {self.money(amount)}。")

    def open_business(self) -> None:
        """Something left to do for everybody: a live receivable, an open offer, a request with two quotes."""
        self.play.tell.chapter("Still open", "待办")
        first = STORY_DAYS - 2  # the day before yesterday, so that offers and prices are still good today
        self.play.at(first)
        order, number, gross = "PO-2026-0144", "INV-LP-3302", 500_000_00
        due = self.day(first - 1 + TENOR_DAYS)
        papers: list[tuple[Paper, str, Trust]] = [
            (purchase(order, CORE, LOTUS, "Brake castings", net_of(gross), 200, self.day(first - 9)), CORE, Trust.T2),
            (self._event(order, "receiving", first - 1, "castings", 200, "DN-0144-1"), FAIRWAY, Trust.T3),
            (
                invoice(number, LOTUS, CORE, order, "Brake castings", gross, self.day(first - 1), due, quantity=200),
                LOTUS,
                Trust.T1,
            ),
        ]
        document = self._file("open", papers, order, number, gross, self.day(first - 1))
        fingerprint = self.app.receivables.fingerprint(firm(LOTUS).name, number, self.day(first - 1))
        issued = self.play.receivable_act(
            "issue-2",
            lambda: self.app.receivables.prepare_issue(
                IssueRequest(self.who(CORE), self.who(LOTUS), gross, CNY, due, document, fingerprint, min_minor=100)
            ),
        )
        root = str(issued["note"])
        self._accept("accept-2", root)
        pine = self._pass(first + 1, LOTUS, root, PINE, 180_000_00, tag="open")
        self._ask_and_quote(pine)
        self._offer(first + 1, LOTUS, root, RIVER, 60_000_00)
        self.play.tell.line(
            "A second receivable is live: River Bend has an offer to accept, Pine Creek two quotes to compare.",
            "第二笔凭证在途：河湾模具有待签收的流转，松溪机加工有两份报价可选。",
        )

    # Steps -----------------------------------------------------------------------------------------------------------

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
                consent="Pine Creek Machining agrees that these sale proceeds are locked for its steel supplier.",
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
