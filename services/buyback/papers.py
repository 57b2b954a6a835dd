"""What the buy-back prints: the slip a seller signs, the labels of the bench, the register's
extract.
"""

from collections.abc import Iterable

from models import Item, Offer, PoliceRecord, Vendor
from services import clock, documents, money, workflow
from services.buyback import amounts, letters, police_register, reception
from services.catalogue import products

# ── « bordereau de cession » ──


def slip(offer: Offer) -> bytes:
    """The « bordereau de cession », to sign and put in the parcel: the register's data, the sworn
    declaration, CDE in Code 128.
    """
    vendor, site = offer.vendor, offer.site
    pdf = documents.Page(margin=14)
    pdf.foot = f"{site.name} · {offer.slip}"
    pdf.add_page()
    pdf.set_font("helvetica", "B", 11)
    pdf.cell_line(0, 6, documents.latin(site.name))
    pdf.set_font("helvetica", "B", 20)
    pdf.cell_line(0, 10, documents.latin("Bordereau de cession"))
    pdf.write_line("À signer et à glisser dans le colis", 9.5)
    pdf.bars(offer.slip, 128, 14, 68, 15)
    pdf.set_xy(128, 29.5)
    pdf.set_font("courier", "B", 12)
    pdf.cell(68, 6, offer.slip, align="C")
    pdf.line(14, 40, 196, 40)
    decided = offer.decided_at or offer.finalised_at or offer.created_at
    sale = [
        f"Validée le {documents.moment(decided)}",
        f"{offer.articles} article{'s' if offer.articles > 1 else ''}",
        (
            f"À déposer jusqu’au {documents.day(offer.drop_off_by)} inclus"
            if offer.drop_off_by
            else ""
        ),
        "Paiement par virement ou bon d’achat",
    ]
    documents.three(pdf, 43, (*_parties(offer), ("La vente", sale)))
    lines = letters.active_lines(offer)
    documents.grid(
        pdf,
        (
            ("N°", 10, "R"),
            ("Code-barres", 33, "L"),
            ("Titre", 76, "L"),
            ("Plateforme", 33, "L"),
            ("Prix", 18, "R"),
            ("Joint", 12, "C"),
        ),
        (
            (
                str(n),
                products.grouped(line.ean),
                line.title,
                line.platform,
                money.text(line.price_cents),
                "[  ]",
            )
            for n, line in enumerate(lines, 1)
        ),
    )
    pdf.set_font("helvetica", "B", 12)
    pdf.cell(152, 8, documents.latin("Total proposé"), align="R")
    pdf.cell_line(18, 8, documents.latin(money.text(offer.total_cents)), align="R")
    pdf.write_line(
        f"Soit {documents.amount_in_words(offer.total_cents)}, sous réserve du contrôle des"
        " articles.",
        9,
    )
    pdf.ln(2)
    pdf.set_font("helvetica", "", 9)
    for label in (
        "Né(e) le ……/……/…………  Profession : ……………………………………………………",
        "Pièce d’identité (type, numéro, délivrée le, par) : …………………………………………………………………",
    ):
        pdf.write_line(label, 9, height=6)
    pdf.ln(1)
    for words in (
        (
            "Je déclare sur l’honneur être majeur(e) et capable, seul(e) propriétaire de ces"
            " articles, qui ne sont ni volés, ni gagés, ni contrefaits, et je les cède à"
            f" {vendor.legal_name or vendor.name} au prix indiqué, sous réserve de leur contrôle."
            " J’agis en particulier, non assujetti à la TVA : la vente n’est pas soumise à la TVA."
        ),
        (
            "La propriété passe à l’acheteur quand l’article est accepté au contrôle ; je suis payé"
            " ensuite. Un article refusé ou dont le prix change attend ma réponse : je peux le"
            " reprendre à mes frais, le donner ou demander son recyclage."
        ),
        (
            "Chaque jeu est dans sa boîte, avec sa notice ; aucun n’est un jeu import, sauf accord"
            " écrit."
        ),
        *(
            [
                "C’est ma première vente : je joins la pièce d’identité demandée (livre de police,"
                " art. R321-3 du code pénal)."
            ]
            if _keeps_register(offer)
            else []
        ),
    ):
        pdf.tick(words)
    if pdf.get_y() > 240:
        pdf.add_page()
    y = pdf.get_y() + 2
    pdf.rect(14, y, 88, 26)
    pdf.rect(108, y, 88, 26)
    pdf.set_font("helvetica", "", 9)
    pdf.text(17, y + 6, documents.latin("Fait à ……………………………………, le ……/……/…………"))
    pdf.text(111, y + 6, documents.latin("Signature du vendeur"))
    pdf.set_y(y + 29)
    pdf.write_line(
        f"{vendor.legal_name or vendor.name} est responsable de ces données ; elles servent à cette"
        " vente et au registre que la loi impose, gardé dix ans. Vous pouvez les consulter et les"
        " faire rectifier depuis votre compte.",
        7.5,
        height=3.6,
    )
    return pdf.done()


# ── « relevé d'achat »: what was bought in the end ──


def statement(offer: Offer) -> bytes:
    """What became of each article, and the amounts from the announced one to the one paid: the
    seller's proof of the purchase.
    """
    site = offer.site
    found = amounts.of(offer)
    pdf = documents.Page(margin=14)
    pdf.foot = f"{site.name} · {offer.slip}"
    pdf.add_page()
    pdf.set_font("helvetica", "B", 11)
    pdf.cell_line(0, 6, documents.latin(site.name))
    pdf.set_font("helvetica", "B", 20)
    pdf.cell_line(0, 10, documents.latin("Relevé d’achat"))
    received = offer.received_at or clock.now()
    pdf.write_line(f"Vente {offer.slip}, contrôlée le {documents.moment(received)}", 9.5)
    days = dict.fromkeys(
        documents.day(at) for at in sorted(one.paid_at for one in offer.payments if one.paid_at)
    )
    paid = [
        workflow.words_of(offer.means),
        *(f"Payé le {day}" for day in days),
        f"Édité le {documents.day(clock.now())}",
    ]
    documents.three(pdf, 43, (*_parties(offer), ("Paiement", paid)))
    documents.grid(
        pdf,
        (
            ("Code-barres", 33, "L"),
            ("Titre", 71, "L"),
            ("Devenir", 42, "L"),
            ("Annoncé", 18, "R"),
            ("Acheté", 18, "R"),
        ),
        (
            (
                products.grouped(line.ean),
                f"{line.title} ({line.platform})" if line.platform else line.title,
                "Acheté" if line.paid_cents is not None else workflow.words_of(line.status),
                "" if line.is_surplus else money.text(line.price_cents),
                "" if line.paid_cents is None else money.text(line.paid_cents),
            )
            for line in reception.articles(offer)
        ),
    )
    pdf.ln(2)
    rows = found.rows()
    for number, (_step, words, cents) in enumerate(rows, 1):
        pdf.set_font("helvetica", "B" if number == len(rows) else "", 11)
        pdf.cell(152, 7, documents.latin(words), align="R")
        pdf.cell_line(30, 7, documents.latin(money.text(cents)), align="R")
    return pdf.done()


def _parties(offer: Offer) -> tuple[tuple[str, list[str]], tuple[str, list[str]]]:
    """Who sells and who buys, as the head of a document names them."""
    customer, vendor = offer.seller, offer.vendor
    seller = [
        customer.name,
        customer.address,
        customer.address_more,
        f"{customer.postcode} {customer.city}",
        customer.email,
    ]
    buyer = [
        vendor.legal_name or vendor.name,
        *vendor.address.splitlines(),
        f"SIREN {vendor.siren}" if vendor.siren else "",
        vendor.email,
    ]
    return ("Le vendeur", seller), ("L’acheteur", buyer)


def _keeps_register(offer: Offer) -> bool:
    return bool(offer.vendor.police_register)


# ── labels ──


def reception_label(offer: Offer) -> bytes:
    """« Étiquette de réception », 62 mm wide: number, amount, date and time, for the shop's own
    files.
    """
    pdf = documents.Page((62, 58), margin=3, numbered=False)
    pdf.add_page()
    pdf.bars(offer.slip, 3, 4, 56, 13)
    pdf.set_y(17.5)
    pdf.set_font("courier", "B", 12)
    pdf.cell_line(0, 5, offer.slip, align="C")
    pdf.set_font("helvetica", "B", 18)
    pdf.cell_line(0, 10, documents.latin(money.text(amounts.accepted_cents(offer))), align="C")
    pdf.set_font("helvetica", "", 9)
    lines = reception.articles(offer)
    accepted = sum(line.status == "accepted" for line in lines)
    for words in (
        f"Reçu le {documents.moment(offer.received_at)}" if offer.received_at else "",
        offer.seller.name,
        f"{accepted} accepté{'s' if accepted > 1 else ''} sur {len(lines)}",
        offer.site.name,
    ):
        pdf.cell_line(0, 4.6, pdf.fit(words, 56), align="C")
    return pdf.done()


def item_labels(items: Iterable[Item]) -> bytes:
    """One label an article, 62 × 29 mm: register number (the law wants it on the object, R321-4),
    EAN, title, grades, place.
    """
    pdf = documents.Page((62, 29), margin=2, numbered=False)
    pdf.set_auto_page_break(False)
    for item in items:
        pdf.add_page()
        code = f"ART{item.id:07d}"
        pdf.bars(code, 2, 2, 40, 9)
        pdf.set_font("courier", "", 8)
        pdf.text(5, 14, code)
        pdf.set_font("helvetica", "B", 10)
        if item.register_number:
            pdf.set_xy(42, 2)
            pdf.cell(18, 6, documents.latin(f"LP {item.register_number}"), align="R")
        pdf.set_font("helvetica", "", 7.5)
        pdf.set_xy(42, 8)
        pdf.cell(18, 4, pdf.fit(item.place, 18), align="R")
        pdf.set_font("helvetica", "B", 9)
        pdf.set_xy(2, 15.5)
        product = item.variant.product
        pdf.cell_line(58, 4.4, pdf.fit(product.title, 58))
        pdf.set_font("helvetica", "", 7.5)
        pdf.cell_line(
            58,
            3.8,
            pdf.fit(f"{product.platform or ''} · {products.grouped(item.variant.ean)}", 58),
        )
        grade = workflow.words_of(item.condition) if item.condition else ""
        pdf.cell_line(58, 3.8, pdf.fit(" · ".join(filter(None, (grade, item.comment))), 58))
    return pdf.done()


COMMANDS = (
    ("CPTENVOYER", "Envoyer"),
    ("CPTREFUSER", "Refuser"),
    ("CPTCONTREOFFRE", "Contre-offre"),
    ("CPTMANQUANT", "Manquant"),
    ("CPTANNULER", "Annuler"),
    ("CPTPHOTO", "Photo"),
    ("CPTFIN", "Fin"),
    ("CPTETAT1", "État : comme neuf"),
    ("CPTETAT2", "État : très bon"),
    ("CPTETAT3", "État : bon"),
    ("CPTETAT4", "État : moyen"),
    ("CPTETAT5", "État : mauvais"),
    ("CPTETAT0", "État : manquant"),
    ("CPTBOITE", "Régler la boîte"),
    ("CPTNOTICE", "Régler la notice"),
    ("CPTARTICLE", "Régler l’article"),
)


def command_sheet() -> bytes:
    """The sheet of command barcodes: with it, a scanner alone runs the bench."""
    pdf = documents.Page()
    pdf.add_page()
    pdf.set_font("helvetica", "B", 16)
    pdf.cell_line(0, 10, documents.latin("Commandes de la réception"))
    pdf.write_line(
        "À poser près de la douchette : scanner l’article, son état, puis « Envoyer ».", 10
    )
    for n, (code, words) in enumerate(COMMANDS):
        x, y = 12 + (n % 3) * 63, 36 + (n // 3) * 42
        pdf.rect(x, y, 60, 38)
        pdf.bars(code, x + 2, y + 4, 56, 18)
        pdf.set_xy(x, y + 25)
        pdf.set_font("helvetica", "B", 12)
        pdf.cell(60, 7, documents.latin(words), align="C")
    return pdf.done()


def register_extract(
    vendor: Vendor, entries: Iterable[PoliceRecord], period: str, consultation: str
) -> bytes:
    """The register for an authority: the official headings, pages numbered, the head of the chain
    at the foot.
    """
    pdf = documents.Page(orientation="L")
    rows, head = [], ""
    for entry in entries:
        rows.append(police_register.as_row(entry))
        head = entry.hash
    pdf.foot = (
        f"{vendor.legal_name or vendor.name} · {period} · {consultation} · SHA-256 {head[:32]}"
    )
    pdf.add_page()
    pdf.set_font("helvetica", "B", 14)
    pdf.cell_line(0, 8, documents.latin("Registre des objets mobiliers (livre de police)"))
    declaration = (
        f" · déclaration {vendor.declaration_number}"
        + (f" du {vendor.declaration_on:%d/%m/%Y}" if vendor.declaration_on else "")
        + (f", {vendor.declaration_by}" if vendor.declaration_by else "")
        if vendor.declaration_number
        else ""
    )
    pdf.write_line(
        (vendor.legal_name or vendor.name)
        + (f" · SIREN {vendor.siren}" if vendor.siren else "")
        + declaration,
        9,
    )
    pdf.write_line(
        f"{period} · {len(rows)} inscription{'s' if len(rows) > 1 else ''} · édité le"
        f" {documents.moment(clock.now())} · {consultation}",
        9,
    )
    pdf.ln(1)
    widths = (12, 24, 58, 50, 68, 18, 20, 23)
    documents.wrapped(pdf, police_register.columns(), widths, rows)
    return pdf.done()
