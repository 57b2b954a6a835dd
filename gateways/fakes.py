"""One in-memory double per port, with a vocabulary for unit tests."""

from gateways import GatewayError, Letter


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
