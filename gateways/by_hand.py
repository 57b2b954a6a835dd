"""« Envoi suivi à la main »: the label was made elsewhere; a person gives carrier, number and link.
Nothing is ordered and nobody is asked where the parcel is.
"""

from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from gateways import CarrierAccount, Cover, GatewayError, MadeLabel, Relay, Shipment, Tracking

# The carriers one may name, with their public tracking page where a number is enough to reach it.
CARRIERS = {
    "Colissimo": "https://www.laposte.fr/outils/suivre-vos-envois?code={number}",
    "Chronopost": "https://www.chronopost.fr/tracking-no-cms/suivi-page?listeNumerosLT={number}",
    "DPD": "https://trace.dpd.fr/fr/trace/{number}",
    "France Express": "",
    "Kuehne+Nagel": "",
    "Mondial Relay": "https://www.mondialrelay.fr/suivi-de-colis/?numeroExpedition={number}",
    "Relais Colis": "",
    "TNT": "",
    "Autre": "",
}


class ByHand:
    """A carrier that only has a tracking page."""

    name: Any = _l("Tracked shipment made by hand")
    kinds = frozenset({"relay", "home"})
    formats: tuple[str, ...] = ()
    makes_labels = False
    follows = False

    def lacks(self, account: CarrierAccount) -> list[str]:
        return []

    def wrong_code(self, account: CarrierAccount) -> str | None:
        return None

    def covers(self, account: CarrierAccount) -> list[Cover]:
        return []

    def why_no_number(self, number: str) -> str | None:
        if not 3 <= len(number) <= 40 or not number.isascii() or not number.isalnum():
            return _("A tracking number has 3 to 40 letters and digits.")
        return None

    def tracking_link(self, account: CarrierAccount | None, number: str, name: str = "") -> str:
        return CARRIERS.get(name, "").format(number=number)

    def check(self, account: CarrierAccount) -> str:
        raise self._made_elsewhere()

    def relays(
        self, account: CarrierAccount, postcode: str, country: str = "FR", most: int = 8
    ) -> list[Relay]:
        raise self._made_elsewhere()

    def create_label(self, account: CarrierAccount, shipment: Shipment) -> MadeLabel:
        raise self._made_elsewhere()

    def label_pdf(self, url: str, size: str = "A4") -> bytes:
        raise self._made_elsewhere()

    def find_label(self, account: CarrierAccount, number: str) -> str:
        raise self._made_elsewhere()

    def track(self, account: CarrierAccount, number: str) -> Tracking:
        raise self._made_elsewhere()

    @staticmethod
    def _made_elsewhere() -> GatewayError:
        return GatewayError(_("This label is made elsewhere: nobody can be asked."), permanent=True)
