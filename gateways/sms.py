"""SMS over HTTP: POST {"sender", "to", "text", "reference"} as JSON, answered {"id"}. The reference
lets the partner know a repeat.
"""

import requests
from flask_babel import gettext as _

from gateways import GatewayError, deadline, silence

TIMEOUT = (3, 10)


class HttpSms:
    def __init__(self, url: str) -> None:
        self._url = url

    def send(self, sender: str, to: str, text: str, reference: str) -> str:
        """Send a text to a number in international form; returns the partner's id. Raises
        GatewayError.
        """
        body = {"sender": sender, "to": to, "text": text, "reference": reference}
        try:
            answer = deadline.session().post(self._url, json=body, timeout=TIMEOUT)
        except requests.RequestException as error:
            raise GatewayError(silence(error)) from error
        if answer.status_code == 429 or answer.status_code >= 500:
            raise GatewayError(f"HTTP {answer.status_code}")
        if answer.status_code >= 400:
            raise GatewayError(f"HTTP {answer.status_code}: {answer.text[:200]}", permanent=True)
        try:
            return str(answer.json()["id"])
        except (ValueError, KeyError, TypeError) as error:
            raise GatewayError(_("The answer cannot be read.")) from error
