"""The story `scf demo` tells: one receivable from issue to payment, every sentence backed by the ledger."""

from __future__ import annotations

from scf.demo.cast import (
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
    enrol_cast,
    firm,
)
from scf.demo.papers import Paper, invoice, net_of
from scf.demo.papers import order as purchase
from scf.demo.steps import CNY, FACE, GOODS_ORDER, STEEL_ORDER, STORY_DAYS, TENOR_DAYS, Steps
from scf.financing.price import Fee, format_rate
from scf.receivables import queries
from scf.receivables.service import IssueRequest
from scf.store.evidence import Trust


class Story(Steps):
    """One run of the story. Every method is a chapter; a chapter told before is retold without a second effect."""

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
            (self._event(order, "receiving", 8, "steel", 40, despatch), FAIRWAY, Trust.T3),
            (self._event(order, "inspecting", 8, "steel", 40, despatch), MEASURE, Trust.T3),
        ]
        self._stage("s1", account, 0, first.amount_minor, papers)
        self.play.tell.line(
            f"Stage 1: 40 tonnes arrived and inspected, two approvals: {self.money(first.amount_minor)} was paid.",
            f"第一阶段：40 吨到货并检验，两人批准，向钢厂支付 {self.money(first.amount_minor)}。",
        )
        self.play.at(13)
        papers = [
            (self._event(order, "receiving", 13, "steel", 54, "DN-0042-2"), FAIRWAY, Trust.T3),
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
        self.play.at(2 + TENOR_DAYS - 7)
        self.jobs("before")
        self.play.tell.line(
            "A week before the due day the installation reminded Northbridge by itself, as its jobs do every day.",
            "到期前一周，系统的每日任务自动提醒了北桥汽车。",
        )
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

    def jobs(self, tag: str) -> None:
        """What runs by itself up to now, driven by the story's clock; late days are caught up in order."""

        def run() -> int:
            self.app.jobs.start(self.app.clock.now())
            return len(self.app.jobs.run_due())

        self.play.once(f"jobs-{tag}", run)

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
        self._deliveries(first + 1)
        self.play.tell.line(
            "A second receivable is live: River Bend has an offer to accept, Pine Creek two quotes to compare.",
            "第二笔凭证在途：河湾模具有待签收的流转，松溪机加工有两份报价可选。",
        )
