"""Fill the peer: so many products in 300 categories, two offers each from 150 partners, and a
signed-in administrator. Writes the cookie of that session to PEER_DATA/cookie-ENGINE.
"""

import os
import sys
from decimal import Decimal
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")

import _words
import django

django.setup()

from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.db import transaction
from django.test import Client
from oscar.core.loading import get_class, get_model

Product, Kind = get_model("catalogue", "Product"), get_model("catalogue", "ProductClass")
Link = get_model("catalogue", "ProductCategory")
Partner, Offer = get_model("partner", "Partner"), get_model("partner", "StockRecord")
category_of = get_class("catalogue.categories", "create_from_breadcrumbs")


def fill(count: int) -> None:
    titles, described = _words.titles(count), _words.descriptions(count)
    kind = Kind.objects.create(name="Goods")
    partners = Partner.objects.bulk_create(
        [Partner(name=f"Shop {n}", code=f"shop-{n}") for n in range(150)]
    )
    partners = list(Partner.objects.order_by("id"))
    categories = [category_of(f"Aisle {n // 25} > Shelf {n}") for n in range(300)]
    for start in range(0, count, 5_000):
        some = Product.objects.bulk_create(
            [
                Product(
                    structure="standalone",
                    upc=f"2{start + n:012d}",
                    title=" ".join(title),
                    description=described[start + n],
                    slug=f"p{start + n}",
                    product_class=kind,
                )
                for n, title in enumerate(titles[start : start + 5_000])
            ],
            batch_size=1_000,
        )
        Link.objects.bulk_create(
            [Link(product=p, category=categories[n % 300]) for n, p in enumerate(some)],
            batch_size=2_000,
        )
        Offer.objects.bulk_create(
            [
                Offer(
                    product=p,
                    partner=partners[(n + shift) % 150],
                    partner_sku=p.upc,
                    price=Decimal("12.50"),
                    num_in_stock=10,
                )
                for n, p in enumerate(some)
                for shift in (0, 37)
            ],
            batch_size=2_000,
        )


def sign_in() -> None:
    people = get_user_model()
    boss = people.objects.create_superuser("boss", "boss@peer.test", "peer-boss-2026")
    client = Client()
    client.force_login(boss, backend="django.contrib.auth.backends.ModelBackend")
    engine = os.environ.get("PEER_ENGINE", "SQLite")
    Path(os.environ["PEER_DATA"], f"cookie-{engine}").write_text(client.cookies["sessionid"].value)


if __name__ == "__main__":
    call_command("migrate", verbosity=0)
    if not Product.objects.exists():
        with transaction.atomic():
            fill(int(sys.argv[1]))
            sign_in()
        from django.db import connection

        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")
    call_command("collectstatic", verbosity=0, interactive=False)
