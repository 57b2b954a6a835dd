"""What a shop prints of an order: the slip with which it is prepared, and the one its buyer signs
when it is handed over. French only: they lie in French shops.
"""

from collections.abc import Iterable

from models import OrderLine, VendorOrder
from services import documents, money, workflow
from services.catalogue import products
from services.orders import parts
from services.people import customers


def preparation(orders: Iterable[VendorOrder]) -> bytes:
    """« Bon de préparation »: a page for each part, where each article lies and a box to tick."""
    pdf = documents.Page(margin=14)
    every = list(orders)
    places = parts.places(*every)
    for part in every:
        _head(pdf, part, "Bon de préparation")
        documents.grid(
            pdf,
            (
                ("Emplacement", 26, "L"),
                ("Code-barres", 34, "L"),
                ("Article", 72, "L"),
                ("État", 22, "L"),
                ("Quantité", 16, "R"),
                ("Pris", 12, "C"),
            ),
            (
                (
                    places[line.id],
                    products.grouped(line.ean),
                    _named(line),
                    workflow.words_of(line.condition) if line.condition else "Neuf",
                    str(line.kept),
                    "[  ]",
                )
                for line in part.lines
                if line.kept
            ),
        )
        pdf.ln(3)
        pdf.write_line(f"{part.units} exemplaire(s) · à régler en caisse : {_total(part)}", 11, "B")
        pdf.write_line(
            "Une fois tout mis de côté : « Prête à retirer » sur la page de la commande."
        )
    return pdf.done()


def collection(part: VendorOrder) -> bytes:
    """« Bon de retrait »: what the buyer takes away, and where they sign."""
    pdf = documents.Page(margin=14)
    _head(pdf, part, "Bon de retrait")
    documents.grid(
        pdf,
        (
            ("Code-barres", 34, "L"),
            ("Article", 82, "L"),
            ("État", 24, "L"),
            ("Quantité", 18, "R"),
            ("Montant", 24, "R"),
        ),
        (
            (
                products.grouped(line.ean),
                _named(line),
                workflow.words_of(line.condition) if line.condition else "Neuf",
                str(line.kept),
                money.text(line.total_cents),
            )
            for line in part.lines
            if line.kept
        ),
    )
    amounts = parts.amounts(part)
    pdf.ln(2)
    if amounts.net:
        pdf.write_line(
            f"Total articles HT {money.text(amounts.net)} · TVA {money.text(amounts.vat)}", 10
        )
    if amounts.margin:
        pdf.write_line(f"Articles d’occasion, TVA sur la marge : {money.text(amounts.margin)}", 10)
    pdf.write_line(f"Total à régler en caisse : {_total(part)}", 13, "B", 8)
    pdf.write_line("Le ticket de caisse est la preuve d’achat ; ce bon n’est pas une facture.")
    pdf.ln(4)
    y = pdf.get_y()
    pdf.rect(14, y, 182, 26)
    pdf.set_font("helvetica", "", 9)
    pdf.text(17, y + 6, documents.latin("Reçu le ……/……/…………, signature de l’acheteur"))
    return pdf.done()


def _head(pdf: documents.Page, part: VendorOrder, title: str) -> None:
    pdf.foot = f"{part.vendor.name} · {part.reference}"
    pdf.add_page()
    pdf.set_font("helvetica", "B", 11)
    pdf.cell_line(0, 6, documents.latin(part.store.name))
    pdf.set_font("helvetica", "B", 20)
    pdf.cell_line(0, 10, documents.latin(title))
    pdf.bars(part.reference, 128, 14, 68, 15)
    pdf.set_xy(128, 29.5)
    pdf.set_font("courier", "B", 12)
    pdf.cell(68, 6, part.reference, align="C")
    pdf.line(14, 40, 196, 40)
    buyer = parts.buyer_of(part)
    who = [buyer.name, customers.shown_phone(buyer.phone)] if buyer is not None else []
    until = f"Gardée jusqu’au {documents.day(part.collect_by)} inclus" if part.collect_by else ""
    documents.three(
        pdf,
        43,
        (
            ("L’acheteur", who),
            (
                "La commande",
                [f"N° {part.reference}", f"Du {documents.moment(part.created_at)}", until],
            ),
            ("L’option choisie", ["Réserver et retirer", part.store.city]),
        ),
    )


def _named(line: OrderLine) -> str:
    """« Botte Aubrac, Noir · 42 »; a second-hand unit by its own number too: it is the very one."""
    own = f"ART{line.item_id:07d}" if line.item_id is not None else ""
    return ", ".join(filter(None, (line.title, line.details, own)))


def _total(part: VendorOrder) -> str:
    return money.text(part.total_cents)
