"""Documents in: a file is detected, read, looked at, kept as evidence, and its facts are joined.

The only door to this room. `preview`, `remap`, `apply`, `undo` and `discard` are the steps a person takes (see
`scf.documents.imports`); `import_file` takes them at once, whole or not at all. The same file from the same source
twice changes nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from sqlmodel import Session, col, select

from scf.bank import service as bank
from scf.bank.gateway import Gateway
from scf.bank.models import BankLine
from scf.documents import runs
from scf.documents.imports import SHIPPED_MAPPINGS, UNDO_SECONDS, Imports, Resting
from scf.documents.models import ImportedDocument, ImportState, SavedMapping, TradePayment
from scf.documents.planning import STANDINGS, Change
from scf.documents.readers import facts_of, read_whole, record_count
from scf.documents.views import ImportView, RowPage, RowView, TableView
from scf.reconciliation import convert
from scf.reconciliation import service as reconciliation
from scf.reconciliation.convert import Origin
from scf.reconciliation.facts import Fact
from scf.standards.bank_records import PaymentInstruction
from scf.standards.csvmapping import load_mapping
from scf.standards.detect import detect
from scf.standards.records import Party
from scf.store import evidence
from scf.store.commands import canonical_json
from scf.store.evidence import Trust

__all__ = [
    "SHIPPED_MAPPINGS",
    "STANDINGS",
    "UNDO_SECONDS",
    "Change",
    "Documents",
    "ImportReport",
    "ImportState",
    "ImportView",
    "Resting",
    "RowPage",
    "RowView",
    "TableView",
]


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What became of a file. `is_new` is False when it had been imported before and nothing changed.

    `import_id` is what `undo` takes; None for a file that was known without an import, as from a bank's own feed.
    """

    name: str
    kind: str
    evidence_id: str
    is_new: bool
    accepted: int
    rejected: int
    exceptions: int
    notices: tuple[dict[str, str], ...]
    import_id: int | None = None


class Documents(Imports):
    """The only door for files."""

    def import_file(
        self,
        raw: bytes,
        name: str,
        *,
        source: str,
        sender: str,
        trust: int | Trust,
        mapping: str | None = None,
        told: Callable[[int, int], None] | None = None,
    ) -> ImportReport:
        """Import one file whole, or refuse it whole with place and reason.

        `source` is who brought it (organisation or feed), `trust` how far that source is trusted (0 to 4); `told` hears
        how many facts are joined, of how many. Raises Problem of the reader, `document_not_importable`,
        `table_mapping_missing`, `table_rows_rejected`.
        """
        kind = detect(raw, name)
        evidence_id = hashlib.sha256(raw).hexdigest()
        now = self._desk.clock.now()
        with self._desk.session() as session:
            run = runs.new_run(raw, name, kind, source=source, sender=sender, trust=trust, now=now)
            read = self._read_whole(session, run, raw, mapping)
            done = runs.applied_run(session, evidence_id, source)
            is_new = done is None and not runs.is_known(session, evidence_id, source)
            if is_new:
                done = run
                session.add(run)
                session.flush()
                self._take_in(session, run, raw, read, told)
        return ImportReport(
            name=name,
            kind=kind.value,
            evidence_id=evidence_id,
            is_new=is_new,
            accepted=record_count(read),
            rejected=0,
            exceptions=run.exceptions,
            notices=tuple({"en": item.sentence("en"), "zh-CN": item.sentence("zh-CN")} for item in read.notices),
            import_id=None if done is None else done.id,
        )

    def exchange(self, gateway: Gateway) -> bank.Collected:
        """Send waiting payments to a bank, take in what it says, and join its lines with goods and invoices."""
        return bank.exchange(self._desk.engine, gateway, self._desk.clock, react=self._join_lines)

    def take_bank_file_again(self, session: Session, evidence_id: str, bic: str) -> bank.BankFileRow:
        """Try a bank's refused file once more and join its lines. Raises Problem `evidence_unknown`."""
        return bank.take_again(session, evidence_id, bic, now=self._desk.clock.now(), react=self._join_lines)

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
        """Files taken and not undone, newest first."""
        return session.exec(
            select(ImportedDocument).order_by(col(ImportedDocument.imported_at).desc()).limit(limit)
        ).all()
