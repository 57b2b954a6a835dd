"""Telling a vendor's software over HTTP: one POST, no redirect followed, no address of our own
network (unless this is a trial).
"""

import ipaddress
import socket
from collections.abc import Callable
from urllib.parse import SplitResult, urlsplit

import certifi
import urllib3
from flask_babel import gettext as _

from gateways import GatewayError, deadline, silence

TIMEOUT = urllib3.Timeout(connect=3, read=10)
MOST_TRIED = 3
# IPv6 addresses that carry an IPv4 one, whichever it is.
_TRANSLATED = [
    ipaddress.ip_network(net)
    for net in (
        "64:ff9b::/96",
        "64:ff9b:1::/48",
        "2002::/16",
        "2001::/32",
        "::/96",  # IPv4-compatible: ::127.0.0.1
        "fec0::/10",  # site-local, as private networks once were
        "3fff::/20",  # documentation (RFC 9637)
        "5f00::/16",  # segment routing, within one network (RFC 9602)
        "192.88.99.0/24",  # 6to4 relays (RFC 7526)
    )
]


def resolve(host: str, port: int) -> list[str]:
    """The addresses of a name, as the machine finds them."""
    return [str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


class HttpWebhooks:
    def __init__(
        self,
        allow_private: bool,
        *,
        resolve: Callable[[str, int], list[str]] = resolve,
        authorities: str = certifi.where(),
    ) -> None:
        self._allow_private, self._resolve, self._authorities = allow_private, resolve, authorities

    def post(self, url: str, headers: dict[str, str], body: bytes) -> int:
        """Deliver; returns the status (2xx or 410). Raises GatewayError for anything else."""
        parts, failed = urlsplit(url), ""
        for address in self._addresses(parts)[:MOST_TRIED]:
            try:
                status = self._told(parts, address, headers, body)
            except (
                urllib3.exceptions.NewConnectionError,
                urllib3.exceptions.ConnectTimeoutError,
            ) as error:
                failed = silence(error)  # nothing was said yet: the next address may answer
            except urllib3.exceptions.HTTPError as error:
                raise GatewayError(silence(error)) from error
            else:
                if status == 410 or 200 <= status < 300:
                    return status
                raise GatewayError(f"HTTP {status}")
        raise GatewayError(failed or _("This name leads nowhere: check the address."))

    def _told(self, parts: SplitResult, address: str, headers: dict[str, str], body: bytes) -> int:
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        with self._pool(parts, address) as pool:
            answer = pool.urlopen(
                "POST",
                target,
                body=body,
                headers={**headers, "host": parts.netloc},
                redirect=False,
                retries=False,
                timeout=TIMEOUT,
                preload_content=False,
            )
            answer.close()
            return answer.status

    def _addresses(self, parts: SplitResult) -> list[str]:
        """The addresses that may be called. A name is asked once: what was looked at is what is
        called, whatever the name says a moment later.
        """
        if parts.scheme != "https" and not self._allow_private:
            raise GatewayError(
                _("Only https addresses of the public Internet are called."), permanent=True
            )
        try:
            found = self._resolve(parts.hostname or "", _port(parts))
        except (OSError, UnicodeError) as error:
            raise GatewayError(_("This name leads nowhere: check the address.")) from error
        if not self._allow_private and not all(_is_public(address) for address in found):
            raise GatewayError(
                _("Only https addresses of the public Internet are called."), permanent=True
            )
        return list(dict.fromkeys(found))

    def _pool(self, parts: SplitResult, address: str) -> urllib3.HTTPConnectionPool:
        """A connection to that address, its certificate held against the name."""
        if parts.scheme != "https":
            return deadline.PlainPool(address, _port(parts))
        return deadline.SecurePool(
            address,
            _port(parts),
            server_hostname=parts.hostname,
            assert_hostname=parts.hostname,
            cert_reqs="CERT_REQUIRED",
            ca_certs=self._authorities,
        )


def _port(parts: SplitResult) -> int:
    return parts.port or (443 if parts.scheme == "https" else 80)


def _is_public(words: str) -> bool:
    address = ipaddress.ip_address(words.partition("%")[0])
    return (
        address.is_global
        and not address.is_multicast
        and not any(address in net for net in _TRANSLATED if net.version == address.version)
    )
