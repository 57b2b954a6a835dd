"""Who may do what: role -> (views, permissions) as regular expressions, read by the generator (FAB_ROLES). A test prints the whole table."""

from services.people.staff import ACCOUNTANT, ADMINISTRATOR, ANIMATOR, OPERATOR, STORE, VENDOR

READ = "can_(list|show|export|save_view)$"
REFERENCE = "can_(list|show|export|save_view|add|edit|delete)$"

FAB_ROLES = {
    ADMINISTRATOR: [[".*", ".*"]],
    ANIMATOR: [
        ["(Offer|Seller|Product|Argus|Item|Vendor|Store|Site|Message|Event|UnknownDemand|ImportRun|Rule|Parcel|SellerPayment)View$", READ],
        ["(Dashboard|Search|MyPassword|MyAccount)View$", ".*"],
    ],
    ACCOUNTANT: [
        ["(Offer|Seller|Vendor|Store|Message|Event|Item|Parcel|SellerPayment|PayingAccount)View$", READ],
        ["(Dashboard|Search|MyPassword|MyAccount|Payments|Register)View$", ".*"],
    ],
    OPERATOR: [
        ["(Dashboard|Search|Validate|Simulate|MyPassword|MyAccount|Bench|Register)View$", ".*"],
        ["ParcelView$", READ + "|(remind|text|abandon|follow_now|drop|arrive|deliver|trouble)$|can_relabel$"],
        ["(SellerPayment|Carrier)View$", READ],
        ["(Offer|Seller|Site|Store|Product|Argus|UnknownDemand|Event)View$", READ],
        ["RuleView$", REFERENCE],
        ["MessageView$", READ + "|resend$|can_open$"],
        ["OfferView$", "(delete|abandon)$"],
        ["ItemView$", READ + "|(withdraw|lose|give_back)$|can_sell$"],
    ],
    VENDOR: [
        ["(Dashboard|Search|MyPassword|MyAccount)View$", ".*"],
        ["(Offer|Store|Product)View$", READ],
        ["ItemView$", READ + "|(withdraw|lose|give_back)$|can_sell$"],
    ],
    STORE: [
        ["(Dashboard|Search|MyPassword|MyAccount)View$", ".*"],
        ["(Product)View$", READ],
        ["ItemView$", READ + "|can_sell$"],
    ],
}
