"""A mail server and an SMS service that deliver to a page: SMTP on one port, HTTP on the next.

Faults on demand, by `POST /faults {"mail": "refuse" | "slow" | "down" | "", "sms": …}` or from
Python.
"""

import email
import email.policy
import html
import json
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.controller import Controller

MOST_KEPT = 500


@dataclass
class Inbox:
    """What arrived, newest last, and the faults asked for."""

    mails: list[dict[str, str]] = field(default_factory=list)
    texts: list[dict[str, str]] = field(default_factory=list)
    faults: dict[str, str] = field(default_factory=dict)

    def keep(self, kind: list[dict[str, str]], one: dict[str, str]) -> None:
        kind.append(one)
        del kind[:-MOST_KEPT]


class _Mail:
    def __init__(self, inbox: Inbox) -> None:
        self.inbox = inbox

    async def handle_RCPT(
        self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any
    ) -> str:
        if self.inbox.faults.get("mail") == "refuse" or "inconnu@" in address:
            return "550 5.1.1 no such user"
        if self.inbox.faults.get("mail") == "busy":
            return "451 4.3.0 try again later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        if self.inbox.faults.get("mail") == "slow":
            time.sleep(3)
        letter = email.message_from_bytes(
            envelope.original_content or envelope.content, policy=email.policy.default
        )
        plain, rich = letter.get_body(("plain",)), letter.get_body(("html",))
        self.inbox.keep(
            self.inbox.mails,
            {
                "id": str(letter["Message-ID"]),
                "from": str(letter["From"]),
                "to": ", ".join(envelope.rcpt_tos),
                "subject": str(letter["Subject"]),
                "text": plain.get_content() if plain else "",
                "html": rich.get_content() if rich else "",
                "at": time.strftime("%H:%M:%S"),
                "headers": " ".join(letter.keys()),
            },
        )
        return "250 OK"


def serve(
    smtp_port: int, http_port: int, given: Inbox | None = None
) -> tuple[Inbox, Controller, ThreadingHTTPServer]:
    """Start both on loopback; `stop` ends them."""
    inbox = given or Inbox()
    mail = Controller(_Mail(inbox), hostname="127.0.0.1", port=smtp_port)
    mail.start()

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/mails.json":
                return self._answer(
                    200, "application/json", json.dumps({"mails": inbox.mails, "sms": inbox.texts})
                )
            if self.path.startswith("/mail/"):
                index = int(self.path.rpartition("/")[2] or 0)
                return self._answer(
                    200, "text/html", inbox.mails[index]["html"] if index < len(inbox.mails) else ""
                )
            rows = [
                (m["at"], f"{m['to']} — {m['subject']}", f"/mail/{i}")
                for i, m in enumerate(inbox.mails)
            ]
            rows += [(t["at"], f"SMS {t['to']} — {t['text']}", "") for t in inbox.texts]
            lines = "".join(
                f"<li>{at} "
                + (f"<a href={link}>{html.escape(words)}</a>" if link else html.escape(words))
                + "</li>"
                for at, words, link in sorted(rows, reverse=True)
            )
            style = (
                "<style>body{font:16px/1.6 system-ui;max-width:800px;margin:32px auto;padding:0"
                " 16px}</style>"
            )
            page = (
                "<!doctype html><meta charset=utf-8><title>Boîte de"
                f" réception</title>{style}<h1>Boîte de réception"
                f" (essai)</h1><ul>{lines or 'vide'}</ul>"
            )
            return self._answer(200, "text/html", page)

        def do_POST(self) -> None:
            body = json.loads(
                self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}"
            )
            if self.path == "/faults":
                inbox.faults.update(body)
                return self._answer(200, "application/json", json.dumps(inbox.faults))
            fault = inbox.faults.get("sms", "")
            if fault == "down":
                return self._answer(503, "text/plain", "down")
            if fault == "refuse":
                return self._answer(400, "application/json", '{"error": "bad number"}')
            if not any(
                t["reference"] == body["reference"] for t in inbox.texts
            ):  # a repeat is recognised by our reference
                inbox.keep(inbox.texts, {**body, "at": time.strftime("%H:%M:%S")})
            return self._answer(
                200, "application/json", json.dumps({"id": f"sms-{len(inbox.texts)}"})
            )

        def _answer(self, code: int, kind: str, body: str) -> None:
            data = body.encode()
            self.send_response(code)
            self.send_header("Content-Type", f"{kind}; charset=utf-8")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_args: Any) -> None:
            pass

    web = ThreadingHTTPServer(("127.0.0.1", http_port), Page)
    threading.Thread(target=web.serve_forever, daemon=True).start()
    return inbox, mail, web
