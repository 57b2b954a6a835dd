"""One in-memory double per port, with a vocabulary for unit tests."""

from gateways import (
    CarrierAccount,
    Cover,
    GatewayError,
    Letter,
    MadeLabel,
    Relay,
    Shipment,
    Trace,
    Tracking,
)


class FakeMail:
    def __init__(self) -> None:
        self.letters: list[Letter] = []
        self._trouble: GatewayError | None = None

    def is_down(self) -> None:
        self._trouble = GatewayError("connection refused")

    def refuses(self) -> None:
        self._trouble = GatewayError("550 no such user", permanent=True)

    def works_again(self) -> None:
        self._trouble = None

    def sent_to(self, address: str) -> list[Letter]:
        return [letter for letter in self.letters if letter.to == address]

    def send(self, letter: Letter) -> str:
        if self._trouble:
            raise self._trouble
        self.letters.append(letter)
        return f"<{letter.reference}@fake>"


class FakeSms:
    def __init__(self) -> None:
        self.texts: list[tuple[str, str]] = []

    def sent_to(self, number: str) -> list[str]:
        return [text for to, text in self.texts if to == number]

    def send(self, sender: str, to: str, text: str, reference: str) -> str:
        self.texts.append((to, text))
        return f"fake-{reference}"


class FakeCarrier:
    """A carrier in memory: labels by number, where each parcel is said to be, and what goes
    wrong.
    """

    name = "Mondial Relay"
    kinds = frozenset({"relay"})
    formats = ("A4", "A5", "10x15")
    makes_labels = True
    follows = True

    def __init__(self) -> None:
        self.shipments: dict[str, Shipment] = {}
        self.places: dict[str, Tracking] = {}
        self._trouble: GatewayError | None = None
        self._loses_answers = False

    def is_down(self) -> None:
        self._trouble = GatewayError("the carrier does not answer")

    def refuses(self, words: str = "Clé de sécurité invalide (code 97).") -> None:
        self._trouble = GatewayError(words, permanent=True)

    def loses_its_answer(self) -> None:
        """The label is made, and the connection is cut before we hear of it."""
        self._loses_answers = True

    def works_again(self) -> None:
        self._trouble, self._loses_answers = None, False

    def saw(self, number: str, state: str, words: str, *events: Trace) -> None:
        self.places[number] = Tracking(state, words, events)

    def lacks(self, account: CarrierAccount) -> list[str]:
        return [] if account.account else ["account"]

    def wrong_code(self, account: CarrierAccount) -> str | None:
        return None if account.account.isalnum() else "account"

    def covers(self, account: CarrierAccount) -> list[Cover]:
        indemnities = (2500, 5000, 12_500, 25_000, 37_500, 50_000)
        return [Cover(n, indemnities[n]) for n in range(account.insurance_levels + 1)]

    def why_no_number(self, number: str) -> str | None:
        return None if number.isdigit() and len(number) == 8 else "8 chiffres"

    def tracking_link(self, account: CarrierAccount | None, number: str, name: str = "") -> str:
        return f"https://carrier.test/{number}"

    def check(self, account: CarrierAccount) -> str:
        self._maybe_fail()
        return ""

    def relays(
        self, account: CarrierAccount, postcode: str, country: str = "FR", most: int = 8
    ) -> list[Relay]:
        self._maybe_fail()
        return [
            Relay(
                "044001",
                "LE BOUFFAY PRESSE",
                "6 RUE DU BOUFFAY",
                "44000",
                "NANTES",
                "FR",
                "47.21",
                "-1.55",
                False,
                350,
                ("09:00–19:00",) * 7,
            )
        ]

    def create_label(self, account: CarrierAccount, shipment: Shipment) -> MadeLabel:
        self._maybe_fail()
        number = str(80000000 + len(self.shipments) + 1)
        self.shipments[number] = shipment
        if self._loses_answers:
            raise GatewayError("the connection was cut", unsure=True)
        return MadeLabel(number, f"/label?n={number}&format=A4")

    def label_pdf(self, url: str, size: str = "A4") -> bytes:
        self._maybe_fail()
        return b"%PDF-1.3 " + f"{url} {size}".encode()

    def find_label(self, account: CarrierAccount, number: str) -> str:
        self._maybe_fail()
        if number not in self.shipments:
            raise GatewayError(
                "Numéro d’expédition ou de suivi invalide (code 24).", permanent=True
            )
        return f"/label?n={number}&format=A4"

    def track(self, account: CarrierAccount, number: str) -> Tracking:
        self._maybe_fail()
        return self.places.get(number, Tracking("not_sent", "", ()))

    def _maybe_fail(self) -> None:
        if self._trouble:
            raise self._trouble


class FakeWebhooks:
    """Addresses that listen: what each was told, and which of them are down or gone."""

    def __init__(self) -> None:
        self.told: list[tuple[str, dict[str, str], bytes]] = []
        self._down: set[str] = set()
        self._gone: set[str] = set()

    def is_down(self, url: str) -> None:
        self._down.add(url)

    def works_again(self, url: str) -> None:
        self._down.discard(url)

    def is_gone(self, url: str) -> None:
        self._gone.add(url)

    def post(self, url: str, headers: dict[str, str], body: bytes) -> int:
        if url in self._down:
            raise GatewayError("HTTP 503")
        if url in self._gone:
            return 410
        self.told.append((url, headers, body))
        return 200
