"""Telling a vendor's software over HTTP: one POST, no redirect followed, no address of our own network (unless this is a trial)."""

import ipaddress
import socket
from urllib.parse import urlsplit

import requests

from gateways import GatewayError

TIMEOUT = (3, 10)


class HttpWebhooks:
    def __init__(self, allow_private: bool) -> None:
        self._allow_private = allow_private

    def post(self, url: str, headers: dict[str, str], body: bytes) -> int:
        """Deliver; returns the status (2xx or 410). Raises GatewayError for anything else."""
        self._check(url)
        try:
            with requests.Session() as session:
                session.trust_env = False  # no proxy or password of this machine is for them
                answer = session.post(url, data=body, headers=headers, timeout=TIMEOUT, allow_redirects=False, stream=True)
                answer.close()
        except requests.RequestException as error:
            raise GatewayError(type(error).__name__) from error
        if answer.status_code == 410 or 200 <= answer.status_code < 300:
            return answer.status_code
        raise GatewayError(f"HTTP {answer.status_code}")

    def _check(self, url: str) -> None:
        parts = urlsplit(url)
        if self._allow_private:
            return
        try:
            found = socket.getaddrinfo(parts.hostname or "", parts.port or 443, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise GatewayError("this name has no address") from error
        if parts.scheme != "https" or any(not ipaddress.ip_address(address[4][0]).is_global for address in found):
            raise GatewayError("only https addresses of the public Internet are called", permanent=True)
