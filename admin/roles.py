"""Who may do what: role -> (views, permissions) as regular expressions, read by the generator
(FAB_ROLES). A test prints the whole table.
"""

from services.people.staff import ACCOUNTANT, ADMINISTRATOR, ANIMATOR, OPERATOR, STORE, VENDOR

READ = "can_(list|show|export|save_view)$"
REFERENCE = "can_(list|show|export|save_view|add|edit|delete)$"

# What every shop does with its own new stock, whoever stands behind the counter.
SHOP = [
    ["StockLevelView$", READ + "|can_adjust$"],
    ["ConflictView$", READ + "|give_up$|can_replace$"],
    ["(Movement|StockCount|StockTransfer|TillEvent|Listing|ImportRun|Variant)View$", READ],
    ["(Count|Transfer|StockAt|Import|Referencer|ListingFile)View$", ".*"],
]

FAB_ROLES = {
    ADMINISTRATOR: [[".*", ".*"]],
    ANIMATOR: [
        [
            "(Variant|Brand|BrandAgreement|StockLevel|Movement|StockCount|StockTransfer|Listing|MachineKey|Webhook|Delivery|TillEvent|ShippingRate)View$",
            READ,
        ],
        ["ProductView$", "(validate|disable)$"],
        ["UnmatchedView$", READ + "|(accept_proposal|propose_product|put_aside)$|can_attach$"],
        ["ConflictView$", READ + "|give_up$|can_replace$"],
        ["(Import|StockAt|Referencer|ApiManual|ListingFile)View$", ".*"],
        ["BrandAgreementView$", REFERENCE],
        [
            "(Offer|Seller|Product|Argus|Item|Vendor|Store|Site|Message|Event|UnknownDemand|ImportRun|Rule|Parcel|SellerPayment)View$",
            READ,
        ],
        ["(Dashboard|Search|MyPassword|MyAccount)View$", ".*"],
    ],
    ACCOUNTANT: [
        ["(StockLevel|Movement|Listing|StockCount)View$", READ],
        ["(StockAt|ListingFile)View$", ".*"],
        [
            "(Offer|Seller|Vendor|Store|Message|Event|Item|Parcel|SellerPayment|PayingAccount)View$",
            READ,
        ],
        ["(Dashboard|Search|MyPassword|MyAccount|Payments|Register)View$", ".*"],
    ],
    OPERATOR: [
        *SHOP,
        ["UnmatchedView$", READ + "|(accept_proposal|propose_product|put_aside)$|can_attach$"],
        ["ListingView$", "(withdraw|offer_again)$|can_price$"],
        ["(Dashboard|Search|Validate|Simulate|MyPassword|MyAccount|Bench|Register)View$", ".*"],
        [
            "ParcelView$",
            READ + "|(remind|text|abandon|follow_now|drop|arrive|deliver|trouble)$|can_relabel$",
        ],
        ["(SellerPayment|Carrier)View$", READ],
        ["(Offer|Seller|Site|Store|Product|Argus|UnknownDemand|Event)View$", READ],
        ["RuleView$", REFERENCE],
        ["MessageView$", READ + "|resend$|can_open$"],
        ["OfferView$", "(delete|abandon)$"],
        ["ItemView$", READ + "|(withdraw|lose|give_back)$|can_sell$"],
    ],
    VENDOR: [
        *SHOP,
        ["UnmatchedView$", READ + "|(accept_proposal|propose_product|put_aside)$|can_attach$"],
        ["ListingView$", "(withdraw|offer_again)$|can_price$"],
        ["MachineKeyView$", READ + "|(revoke|believe_counts)$"],
        ["WebhookView$", READ + "|(pause|resume)$"],
        ["DeliveryView$", READ + "|replay$"],
        ["(NewKey|NewHook|ApiManual)View$", ".*"],
        ["ShippingRateView$", REFERENCE],
        ["BrandAgreementView$", READ],
        ["(Dashboard|Search|MyPassword|MyAccount|MyVendor)View$", ".*"],
        ["(Offer|Store|Product)View$", READ],
        ["ItemView$", READ + "|(withdraw|lose|give_back)$|can_sell$"],
    ],
    STORE: [
        *SHOP,
        ["MyVendorView$", "can_(open|store)$"],
        ["(Dashboard|Search|MyPassword|MyAccount)View$", ".*"],
        ["(Product)View$", READ],
        ["ItemView$", READ + "|can_sell$"],
    ],
}
