"""What the mails about an order say in the same words, to its buyer and to its vendors."""

from typing import Any

from models import Message, Order, VendorOrder
from services import messages
from services.people import sites


def page_of(order: Order) -> str:
    """The address of the buyer's page of an order."""
    return f"{sites.address(order.site)}/commandes/{order.number}"


def tell_buyer(order: Order, event: str, **facts: Any) -> Message:
    """Tell the buyer of an order something by mail, under the address it was placed with."""
    shop = f"{sites.address(order.site)}/boutique"
    part = facts.get("part")
    if part is not None and part.lines:  # the product itself, which others may have
        lost = next((line for line in part.lines if line.problem), part.lines[0])
        shop = f"{sites.address(order.site)}/produit/{lost.variant.product_id}"
    return messages.tell_buyer(order, event, link=page_of(order), shop_link=shop, **facts)


def tell_vendor(part: VendorOrder, event: str, **facts: Any) -> Message | None:
    """Tell the vendor of a part something by mail; None where they gave no address."""
    return messages.tell_vendor(part, event, **facts)
