"""Servers of other people that a vendor names: only public addresses are called (unless this is a
trial), a name is asked once, and each call ends at its deadline.
"""

import ipaddress
import socket
from collections.abc import Callable
from urllib.parse import SplitResult

import certifi
import urllib3
from flask_babel import gettext as _

from gateways import GatewayError, deadline

MOST_TRIED = 3
# All of IPv6 that is given out for the public Internet (IANA); the rest may be anything, such as
# an IPv4 address translated (::ffff:0:127.0.0.1).
_GIVEN_OUT = ipaddress.ip_network("2000::/3")
# Addresses within it, and of IPv4, that lead elsewhere than they say.
_ELSEWHERE = [
    ipaddress.ip_network(net)
    for net in (
        "2002::/16",
        "2001::/32",
        "3fff::/20",  # documentation (RFC 9637)
        "192.88.99.0/24",  # 6to4 relays (RFC 7526)
        "192.31.196.0/24",  # AS112 (RFC 7535)
        "192.175.48.0/24",  # AS112 (RFC 7534)
        "192.52.193.0/24",  # multicast tunnels (RFC 7450)
    )
]


def resolve(host: str, port: int) -> list[str]:
    """The addresses of a name, as the machine finds them."""
    return [str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


class Outside:
    """How this installation reaches them. `allow_private`: a trial may call its own network."""

    def __init__(
        self,
        allow_private: bool,
        *,
        resolve: Callable[[str, int], list[str]] = resolve,
        authorities: str = certifi.where(),
    ) -> None:
        self.allow_private, self._resolve, self._authorities = allow_private, resolve, authorities

    def addresses(self, host: str, port: int) -> list[str]:
        """The addresses of a name that may be called, three at most. What was looked at is what is
        called, whatever the name says a moment later. Raises GatewayError.
        """
        try:
            found = self._resolve(host, port)
        except (OSError, UnicodeError) as error:
            raise GatewayError(_("This name leads nowhere: check the address.")) from error
        if not self.allow_private and not all(_is_public(address) for address in found):
            raise GatewayError(
                _("Only https addresses of the public Internet are called."), permanent=True
            )
        return list(dict.fromkeys(found))[:MOST_TRIED]

    def web_addresses(self, parts: SplitResult) -> list[str]:
        """The same of a web address, which must be https. Raises GatewayError."""
        if parts.scheme != "https" and not self.allow_private:
            raise GatewayError(
                _("Only https addresses of the public Internet are called."), permanent=True
            )
        return self.addresses(parts.hostname or "", port_of(parts))

    def pool(
        self, parts: SplitResult, address: str, seconds: float | None = None
    ) -> urllib3.HTTPConnectionPool:
        """A connection to that address, its certificate held against the name; cut after so many
        seconds, else at the usual deadline.
        """
        if parts.scheme != "https":
            return deadline.PlainPool(address, port_of(parts), seconds=seconds)
        return deadline.SecurePool(
            address,
            port_of(parts),
            seconds=seconds,
            server_hostname=parts.hostname,
            assert_hostname=parts.hostname,
            cert_reqs="CERT_REQUIRED",
            ca_certs=self._authorities,
        )


def port_of(parts: SplitResult) -> int:
    return parts.port or (443 if parts.scheme == "https" else 80)


def _is_public(words: str) -> bool:
    address = ipaddress.ip_address(words.partition("%")[0])
    return (
        address.is_global
        and (address.version == 4 or address in _GIVEN_OUT)
        and not address.is_multicast
        and not any(address in net for net in _ELSEWHERE if net.version == address.version)
    )
