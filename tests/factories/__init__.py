"""Plain functions with sensible defaults, so that a test shows only what matters to it. Only legal
states, by the verbs; one module a chapter.
"""

from tests.factories.buyback import (
    GRADES,
    a_cart,
    a_parcel,
    a_received_offer,
    a_register,
    a_second_chance,
    an_accepted_offer,
    an_offer,
    an_open_parcel,
    countered,
    ended,
    refused,
    sent,
)
from tests.factories.catalogue import a_game, a_rule, a_shoe, ean
from tests.factories.house import (
    COMMAND,
    HASH,
    HUGO,
    LEA,
    MARC,
    PASSWORD,
    a_key,
    a_moment_later,
    a_store,
    another_vendor,
    letters,
    the_site,
    the_store,
    the_vendor,
)
from tests.factories.imports import a_feed, a_file, given
from tests.factories.orders import (
    a_buyer,
    a_part,
    a_shop,
    a_shop_cart,
    a_unit_on_sale,
    an_order,
    keeps_for_buyers,
    on_sale,
    pickup_code,
)
from tests.factories.payments import a_batch, a_batch_to_make, a_paying_account, a_payment
from tests.factories.people import DOCUMENT, IBANS, a_customer, a_customer_with_password, an_iban
from tests.factories.shipping import a_contract
from tests.factories.stock import a_reservation, an_item, quantity, stocked, told
