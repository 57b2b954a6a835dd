"""What the accountant files: what is to pay, what a transfer file paid, IBANs masked."""

from collections.abc import Iterable, Sequence

from models import Customer, SellerPayment, TransferBatch, TransferLine, Vendor
from services import clock, documents, money, workflow
from services.payments import bank_details, seller_payments


def payment_recap(vendor: Vendor, payments: Sequence[SellerPayment]) -> bytes:
    """« Export PDF » of what is to pay: for the accountant's files, with masked IBANs."""
    bank = seller_payments.bank_of(list(payments))
    rows = (
        (
            p.reference,
            p.customer.name,
            bank_details.masked(bank.get(p.customer_id)),
            documents.day(p.received_at),
            money.text(p.amount_cents),
        )
        for p in payments
    )
    return _recap(
        f"Paiement vendeurs – {vendor.name}",
        rows,
        len(payments),
        sum(p.amount_cents for p in payments),
    )


def batch_recap(batch: TransferBatch, lines: Sequence[tuple[TransferLine, Customer]]) -> bytes:
    """The same of a file that was made: its number, its fingerprint, and what the bank said of each
    transfer.
    """
    rows = (
        (
            line.end_to_end,
            f"{customer}",
            f"•••• {line.iban_tail}",
            workflow.words_of(line.status) + (f" : {line.reason}" if line.reason else ""),
            money.text(line.amount_cents),
        )
        for line, customer in lines
    )
    return _recap(
        f"Fichier de virements {batch.number}",
        rows,
        batch.count,
        batch.total_cents,
        f"SHA-256 {batch.sha256}",
        "Réponse de la banque",
    )


def _recap(
    title: str,
    rows: Iterable[tuple[str | None, ...]],
    count: int,
    cents: int,
    foot: str = "",
    fourth: str = "Réception",
) -> bytes:
    pdf = documents.Page()
    pdf.foot = foot
    pdf.add_page()
    pdf.set_font("helvetica", "B", 15)
    pdf.cell_line(0, 9, documents.latin(title))
    pdf.write_line(
        f"{count} transaction{'s' if count > 1 else ''} · {money.text(cents)} · édité le"
        f" {documents.moment(clock.now())}",
        10,
    )
    pdf.ln(2)
    documents.grid(
        pdf,
        (
            ("ID vendeur", 32, "L"),
            ("Vendeur", 54, "L"),
            ("IBAN", 32, "L"),
            (fourth, 40, "L"),
            ("Montant à payer", 28, "R"),
        ),
        rows,
    )
    return pdf.done()
