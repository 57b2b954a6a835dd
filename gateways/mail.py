"""Mail over SMTP (RFC 5321). Permanent: refused for good (5xx on the recipient or the content);
anything else is tried again.
"""

import smtplib
import ssl
from email.message import EmailMessage
from email.utils import formataddr, formatdate
from urllib.parse import unquote, urlsplit

from flask_babel import gettext as _

from gateways import GatewayError, Letter, deadline, silence

TIMEOUT = 10


class SmtpMail:
    """smtp://user:password@host:587 (STARTTLS when offered) or smtps://host:465."""

    def __init__(self, url: str) -> None:
        self._url = urlsplit(url)

    def send(self, letter: Letter) -> str:
        """Hand the letter over; returns its Message-ID. Raises GatewayError."""
        message = EmailMessage()
        domain = letter.sender_address.rpartition("@")[2] or "localhost"
        message_id = f"<{letter.reference}@{domain}>"
        try:
            message["From"] = formataddr((_plain(letter.sender_name), letter.sender_address))
            message["To"] = letter.to
            if letter.reply_to:
                message["Reply-To"] = letter.reply_to
            message["Subject"] = _plain(letter.subject)
        except (
            ValueError,
            IndexError,
        ) as error:  # a line break in a header is an attack or a slip, never a mail
            raise GatewayError(
                _("This letter cannot be sent: a line break stands in its head."), permanent=True
            ) from error
        message["Message-ID"] = message_id
        message["Date"] = formatdate()
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(letter.text)
        message.add_alternative(letter.html, subtype="html")
        try:
            with self._connect() as server:
                server.send_message(message)
        except (ValueError, IndexError, UnicodeError) as error:  # an address no header can hold
            raise GatewayError(
                _("No mail can be sent to this address: correct it."), permanent=True
            ) from error
        except (
            smtplib.SMTPRecipientsRefused,
            smtplib.SMTPDataError,
            smtplib.SMTPSenderRefused,
        ) as error:
            raise GatewayError(str(error), permanent=_is_permanent(error)) from error
        except (smtplib.SMTPException, OSError) as error:
            raise GatewayError(silence(error)) from error
        return message_id

    def _connect(self) -> smtplib.SMTP:
        host, port = self._url.hostname or "localhost", self._url.port
        if self._url.scheme == "smtps":
            server: smtplib.SMTP = deadline.SmtpOverTls(
                host, port or 465, timeout=TIMEOUT, context=ssl.create_default_context()
            )
        else:
            server = deadline.Smtp(host, port or 587, timeout=TIMEOUT)
            if server.has_extn("starttls") or (server.ehlo() and server.has_extn("starttls")):
                server.starttls(context=ssl.create_default_context())
        if self._url.username:
            server.login(unquote(self._url.username), unquote(self._url.password or ""))
        return server


def _plain(words: str) -> str:
    """Words for a header. « =?utf-8?q?…?= » in what somebody typed would be decoded, hidden line
    breaks included (CVE-2024-6923): it stays words.
    """
    return words.replace("=?", "= ?")


def _is_permanent(error: Exception) -> bool:
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return all(500 <= code < 600 for code, _reply in error.recipients.values())
    return 500 <= getattr(error, "smtp_code", 0) < 600
