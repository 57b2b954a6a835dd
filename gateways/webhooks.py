"""Telling a vendor's software over HTTP: one POST, no redirect followed."""

import time
from typing import Any
from urllib.parse import SplitResult, urlsplit

import urllib3
from flask_babel import gettext as _

from gateways import GatewayError, silence
from gateways.outside import Outside

TIMEOUT = urllib3.Timeout(connect=3, read=5)
# Seconds for one event: the body is a few words, and software that works takes it at once.
WHOLE_CALL = 8.0


class HttpWebhooks:
    def __init__(self, allow_private: bool, **how: Any) -> None:
        self._outside = Outside(allow_private, **how)

    def post(self, url: str, headers: dict[str, str], body: bytes) -> int:
        """Deliver; returns the status (2xx or 410). Raises GatewayError for anything else."""
        parts, failed = urlsplit(url), ""
        for address in self._outside.web_addresses(parts):
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
        began = time.monotonic()
        with self._outside.pool(parts, address, WHOLE_CALL) as pool:
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
        if time.monotonic() - began >= WHOLE_CALL:  # cut in the middle of its headers
            raise GatewayError(
                _("No whole answer within %(seconds)s seconds.", seconds=int(WHOLE_CALL))
            )
        return int(answer.status)
