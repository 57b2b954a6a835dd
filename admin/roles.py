"""Who may do what: for each role the views it opens and the permissions it has there.

A test writes the whole table out (tests/roles.txt); `flask --app app rights` writes the pages of
each role into docs/rules/rights.md. A view is named by its class, in full.
"""

import re

from services.people.staff import ACCOUNTANT, ADMINISTRATOR, ANIMATOR, OPERATOR, STORE, VENDOR

Rights = dict[str, tuple[str, ...]]

EVERYTHING = ("*",)
READ = ("can_list", "can_show", "can_export", "can_save_view")
REFERENCE = (*READ, "can_add", "can_edit", "can_delete")
MATCHING = (*READ, "accept_proposal", "propose_product", "put_aside", "can_attach")
SALES = (*READ, "can_answer", "can_hand_over")
CONFLICTS = (*READ, "give_up", "can_replace")


def each(views: str, permissions: tuple[str, ...]) -> Rights:
    """The same permissions on several views, named without their ending « View »."""
    return {f"{name}View": permissions for name in views.split()}


def together(*tables: Rights) -> Rights:
    """Several tables as one; what two of them say of a view adds up."""
    rights: Rights = {}
    for table in tables:
        for view, permissions in table.items():
            rights[view] = (*rights.get(view, ()), *permissions)
    return rights


OWN_PAGES = each("Dashboard Search MyPassword MyAccount", EVERYTHING)

# What every shop does with its own new stock, whoever stands behind the counter.
SHOP = together(
    {"StockLevelView": (*READ, "can_adjust")},
    {"ConflictView": CONFLICTS},
    each("Movement StockCount StockTransfer TillEvent Listing ImportRun Variant", READ),
    each("Count Transfer StockAt Import Referencer ListingFile", EVERYTHING),
)

RIGHTS: dict[str, Rights] = {
    ANIMATOR: together(
        OWN_PAGES,
        each("Variant Brand StockLevel Movement StockCount StockTransfer Listing", READ),
        each("MachineKey Webhook Delivery TillEvent ShippingRate Source", READ),
        {"ProductView": ("validate", "disable", "can_refuse")},
        {"PictureAddressView": (*READ, "fetch_again")},
        {"UnmatchedView": MATCHING, "ConflictView": CONFLICTS},
        {"SaleView": (*READ, "can_steer"), "CallTaskView": (*READ, "can_call")},
        each("Import StockAt Referencer ApiManual ListingFile", EVERYTHING),
        {"BrandAgreementView": REFERENCE},
        each("Offer Seller Product Argus Item Vendor Store Site Message Event", READ),
        each("UnknownDemand ImportRun Rule Parcel SellerPayment", READ),
    ),
    ACCOUNTANT: together(
        OWN_PAGES,
        each("StockLevel Movement Listing StockCount", READ),
        each("StockAt ListingFile StoreCredit", EVERYTHING),
        each("Offer Seller Vendor Store Message Event Item Parcel", READ),
        each("SellerPayment PayingAccount Label Sale", READ),
        each("Payments Register", EVERYTHING),
    ),
    OPERATOR: together(
        OWN_PAGES,
        SHOP,
        {"UnmatchedView": MATCHING},
        {"ListingView": ("withdraw", "offer_again", "can_price")},
        each("Validate Simulate Bench Register StoreCredit", EVERYTHING),
        {
            "ParcelView": (
                *READ,
                *("remind", "text", "abandon", "follow_now"),
                *("drop", "arrive", "deliver", "trouble", "can_relabel"),
            )
        },
        each("SellerPayment Carrier Label", READ),
        each("Offer Seller Site Store Product Argus UnknownDemand Event", READ),
        {"RuleView": REFERENCE},
        {"MessageView": (*READ, "resend", "can_open")},
        {"OfferView": ("delete", "abandon")},
        {"ItemView": (*READ, "withdraw", "lose", "give_back", "can_sell")},
    ),
    VENDOR: together(
        OWN_PAGES,
        SHOP,
        {"UnmatchedView": MATCHING},
        {"ListingView": ("withdraw", "offer_again", "can_price")},
        {"SaleView": SALES},
        {"MachineKeyView": (*READ, "revoke", "believe_counts")},
        {"WebhookView": (*READ, "pause", "resume")},
        {"DeliveryView": (*READ, "replay")},
        each("NewKey NewHook ApiManual StoreCredit", EVERYTHING),
        {"ShippingRateView": REFERENCE},
        {"SourceView": (*REFERENCE, "fetch_now", "pause", "resume")},
        {"BrandAgreementView": READ},
        {"MyVendorView": EVERYTHING},
        each("Offer Store Product", READ),
        {"ItemView": (*READ, "withdraw", "lose", "give_back", "can_sell")},
    ),
    STORE: together(
        OWN_PAGES,
        SHOP,
        {"MyVendorView": ("can_open", "can_store")},
        {"SaleView": SALES},
        each("StoreCredit", EVERYTHING),
        {"ProductView": READ},
        {"ItemView": (*READ, "can_sell")},
    ),
}


def _exactly(names: tuple[str, ...]) -> str:
    return ".*" if "*" in names else f"({'|'.join(re.escape(name) for name in names)})$"


# The generator reads patterns; ours match the names above and nothing else.
FAB_ROLES = {
    ADMINISTRATOR: [[".*", ".*"]],
    **{
        role: [[f"{view}$", _exactly(permissions)] for view, permissions in rights.items()]
        for role, rights in RIGHTS.items()
    },
}
