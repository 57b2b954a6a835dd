"""Who plays in the demonstration: the people, their password, their accounts at the bank."""

from schwifty import IBAN

from models import (
    User,
)  # fmt: skip
from services.people import staff
from services.unit import db
from services.workflow import Actor

PASSWORD = "comptoir-essai-2026"


ACCOUNTS = (
    ("lea@demo.comptoir.test", "Léa", "Martin", staff.ADMINISTRATOR, None),
    ("marc@demo.comptoir.test", "Marc", "Diallo", staff.OPERATOR, "RétroShop"),
    ("ines@demo.comptoir.test", "Inès", "Bernard", staff.ACCOUNTANT, None),
    ("noe@demo.comptoir.test", "Noé", "Petit", staff.OPERATOR, "PixelCave"),
    ("awa@demo.comptoir.test", "Awa", "Sow", staff.VENDOR, "Souliers du Port"),
    ("tom@demo.comptoir.test", "Tom", "Le Gall", staff.STORE, "Souliers du Port"),
)


TELLER = Actor("command", None, "Démo")


SELLERS = (
    ("Camille", "Aubry", "12 rue des Tanneurs", "44000", "Nantes", "0612345678"),
    ("Hugo", "Lefèvre", "3 quai de la Fosse", "44100", "Nantes", "0623456789"),
    ("Manon", "Le Goff", "8 rue de Siam", "29200", "Brest", "0634567890"),
    ("Yanis", "Benali", "27 cours Lafayette", "69003", "Lyon", "0645678901"),
    ("Zoé", "Garnier", "5 place du Capitole", "31000", "Toulouse", "0656789012"),
    ("Lucas", "Moreau", "14 rue Nationale", "37000", "Tours", "0667890123"),
    ("Aminata", "Traoré", "41 rue de Rome", "13001", "Marseille", "0678901234"),
    ("Théo", "Schmitt", "9 Grand’Rue", "67000", "Strasbourg", "0689012345"),
    ("Jeanne", "d’Haussy", "2 rue Esquermoise", "59000", "Lille", "0690123456"),
    ("Kévin", "Hoarau", "18 rue de Paris", "97400", "Saint-Denis", "0692123456"),
    ("Élise", "Núñez", "6 cours Mirabeau", "13100", "Aix-en-Provence", "0755443322"),
    ("Paul", "Roux", "33 rue Victor-Hugo", "38000", "Grenoble", "0766554433"),
)


def accounts() -> str:
    """Who may sign in, for the end of `make run`."""
    lines = [f"  {role:<18} {email}" for email, _first, _last, role, _vendor in ACCOUNTS]
    return "\n".join(
        [*lines, f"  {'Client':<18} camille@demo.comptoir.test", f"  mot de passe : {PASSWORD}"]
    )


def the_staff(which: int) -> Actor:
    email, first_name, last_name, *_rest = ACCOUNTS[which]
    return Actor(
        "staff",
        db.session.scalars(db.select(User.id).where(User.username == email)).one(),
        f"{first_name} {last_name}",
    )


def an_iban(number: int) -> str:
    """An IBAN that belongs to nobody, its keys right."""
    return str(
        IBAN.generate("FR", bank_code="30006", branch_code="00001", account_code=f"{number:011d}")
    )
