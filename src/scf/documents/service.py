"""Documents in: a file is detected, read whole or refused whole, kept as evidence, and its facts are joined.

The only door to this room. The same file from the same source twice changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlmodel import Session, col, select

from scf.bank import service as bank
from scf.bank.gateway import Gateway
from scf.bank.models import BankLine
from scf.desk.service import Desk
from scf.documents.models import ImportedDocument, SavedMapping, TradePayment
from scf.documents.readers import facts_of, read_whole, record_count
from scf.kernel.problems import Problem
from scf.reconciliation import convert
from scf.reconciliation import service as reconciliation
from scf.reconciliation.convert import Origin
from scf.reconciliation.facts import Fact
from scf.standards.csvmapping import TableMapping, load_mapping
from scf.standards.detect import detect
from scf.standards.records import DocumentKind, Party, PaymentInstruction
from scf.store import evidence
from scf.store.commands import canonical_json
from scf.store.evidence import Trust

SHIPPED_MAPPINGS = ("scms",)
_STATEMENTS = (DocumentKind.CAMT_052, DocumentKind.CAMT_053, DocumentKind.CAMT_054)


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What became of a file. `is_new` is False when it had been imported before and nothing changed."""

    name: str
    kind: str
    evidence_id: str
    is_new: bool
    accepted: int
    rejected: int
    exceptions: int
    notices: tuple[dict[str, str], ...]


class Documents:
    """The only door for files."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def import_file(
        self,
        raw: bytes,
        name: str,
        *,
        source: str,
        sender: str,
        trust: int | Trust,
        mapping: str | None = None,
    ) -> ImportReport:
        """Import one file whole, or refuse it whole with place and reason.

        `source` is who brought it (organisation or feed), `trust` how far that source is trusted (0 to 4). Raises
        Problem of the reader, `document_not_importable`, `table_mapping_missing`, `table_rows_rejected`.
        """
        kind = detect(raw, name)
        with self._desk.session() as session:
            columns = self._mapping(session, name, mapping) if kind is DocumentKind.CSV else None
            document = read_whole(raw, name, columns)
            now = self._desk.clock.now()
            kept = evidence.record(
                session,
                raw,
                kind=kind.value,
                source=source,
                sender=sender,
                trust=Trust(trust),
                received_at=now,
                name=name,
            )
            opened = 0
            if kept.is_new:
                origin = Origin(source, int(trust), kept.evidence_id, applicant_can_write=int(trust) < Trust.T2)
                facts = facts_of(document, origin)
                opened = reconciliation.take(session, facts, clock=self._desk.clock).opened if facts else 0
                if kind in _STATEMENTS:
                    bank.import_statement(session, raw, kept.evidence_id, now=now)
                session.add(
                    ImportedDocument(
                        evidence_id=kept.evidence_id,
                        source=source,
                        kind=kind.value,
                        name=name[-255:],
                        facts=len(facts),
                        imported_at=now,
                    )
                )
        return ImportReport(
            name=name,
            kind=kind.value,
            evidence_id=kept.evidence_id,
            is_new=kept.is_new,
            accepted=record_count(document),
            rejected=0,
            exceptions=opened,
            notices=tuple({"en": item.sentence("en"), "zh-CN": item.sentence("zh-CN")} for item in document.notices),
        )

    def exchange(self, gateway: Gateway) -> bank.Collected:
        """Send waiting payments to a bank, take in what it says, and join its lines with goods and invoices."""
        return bank.exchange(self._desk.engine, gateway, self._desk.clock, react=self._join_lines)

    def tie_payment(
        self, session: Session, payment: bank.BankInstruction, order_reference: str, *, by_note: bool = False
    ) -> None:
        """Say which order a payment of ours pays for, so that its bank line joins that order. Again changes nothing.

        With `by_note` it discharges a receivable: it goes to the bank that pays the holders, and no seller's account is
        expected of it.
        """
        if session.get(TradePayment, payment.end_to_end_id) is not None:
            return
        text = canonical_json({"payment": payment.end_to_end_id, "pays_for": order_reference})
        now = self._desk.clock.now()
        kept = evidence.record(
            session, text, kind="payment instruction", source="scf", sender="scf", trust=Trust.T2, received_at=now
        )
        instruction = PaymentInstruction(
            end_to_end_id=payment.end_to_end_id,
            amount_minor=payment.amount_minor,
            currency=payment.currency,
            execute_on=payment.execute_on,
            debtor=Party(bank.account(session, payment.debtor_account).holder, account=payment.debtor_account),
            creditor=Party(payment.creditor, account=payment.creditor_account),
        )
        origin = Origin("scf", int(Trust.T2), kept.evidence_id, applicant_can_write=False)
        fact = convert.from_instruction(instruction, origin, order_reference=order_reference)
        fact = replace(fact, account=None) if by_note else fact
        reconciliation.take(session, [fact], clock=self._desk.clock)
        session.add(TradePayment(end_to_end_id=payment.end_to_end_id, order_reference=order_reference, by_note=by_note))

    def _join_lines(self, session: Session, lines: Sequence[BankLine]) -> None:
        for evidence_id in dict.fromkeys(line.evidence_id for line in lines):
            raw = evidence.raw_bytes(session, evidence_id)
            source = bank.bank_source(bank.account(session, lines[0].account).bank)
            origin = Origin(source, int(Trust.T3), evidence_id, applicant_can_write=False)
            said = facts_of(read_whole(raw, evidence_id, None), origin)
            facts = [trade for trade in (self._as_trade(session, fact) for fact in said) if trade is not None]
            reconciliation.take(session, facts, clock=self._desk.clock)

    def _as_trade(self, session: Session, fact: Fact) -> Fact | None:
        """The fact as reconciliation shall see it. Funding, payments to holders and cash are money but no trade."""
        if not (fact.end_to_end_id or fact.structured_reference or fact.invoice_references or fact.mentions):
            return None
        if fact.end_to_end_id is None or session.get(bank.BankInstruction, fact.end_to_end_id) is None:
            return fact
        tied = session.get(TradePayment, fact.end_to_end_id)
        if tied is None:
            return None
        return replace(fact, account=None) if tied.by_note else fact

    def save_mapping(self, session: Session, name: str, text: str) -> None:
        """Keep a column mapping (TOML or JSON) under a name. Raises Problem when it is not one."""
        load_mapping(text)
        session.merge(SavedMapping(name=name, text=text, saved_at=self._desk.clock.now()))

    def imported(self, session: Session, *, limit: int = 50) -> Sequence[ImportedDocument]:
        """Files taken, newest first."""
        return session.exec(
            select(ImportedDocument).order_by(col(ImportedDocument.imported_at).desc()).limit(limit)
        ).all()

    def _mapping(self, session: Session, file_name: str, mapping: str | None) -> TableMapping:
        if mapping is not None:
            saved = session.get(SavedMapping, mapping)
            if saved is not None:
                return load_mapping(saved.text)
            if mapping in SHIPPED_MAPPINGS:
                return load_mapping(mapping)
        names = session.exec(select(SavedMapping.name)).all()
        raise Problem("table_mapping_missing", name=file_name, known=", ".join([*SHIPPED_MAPPINGS, *names]))
