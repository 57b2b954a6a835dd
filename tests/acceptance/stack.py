"""The product as it runs in a shop: web processes, workers, partners on loopback behind a line that
fails, and people who use it over HTTP.

Partners note every effect in a memory of their own, outside the product: it cannot grade itself.
"""

import asyncio
import contextlib
import os
import random
import re
import signal
import subprocess
import threading
import time
from collections import Counter
from datetime import timedelta
from typing import Any

import requests

from gateways import live
from gateways.by_hand import ByHand
from gateways.mail import SmtpMail
from gateways.mondial_relay import MondialRelay
from gateways.sms import HttpSms
from models import Customer
from portal.access import _signer
from services import clock, outbox
from simulators import inbox as inbox_simulator
from simulators import mondial_relay as carrier_simulator
from tests import processes
from tests.gateways.test_mail_and_sms import free_port
from tests.pages import without_layout


class Line:
    """A TCP line to a partner that is slow, resets, goes dead for a while, or is cut once the
    request was said.
    """

    FAULTS = ("slow", "reset", "cut after the request", "dead", "half closed")

    def __init__(self, to: int, dice: random.Random, share: float) -> None:
        self.port, self._to, self._dice, self._share = free_port(), to, dice, share
        self.faults: Counter[str] = Counter()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._ready = threading.Event()
        self._thread.start()
        self._ready.wait(5)

    def heal(self) -> None:
        self._share = 0.0

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(asyncio.start_server(self._carry, "127.0.0.1", self.port))
        self._ready.set()
        self._loop.run_forever()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        fault = self._dice.choice(self.FAULTS) if self._dice.random() < self._share else ""
        self.faults[fault or "none"] += 1
        try:
            if fault == "reset":
                writer.transport.abort()
                return
            if fault == "slow":
                await asyncio.sleep(self._dice.uniform(0.2, 1.0))
            there_reader, there = await asyncio.open_connection("127.0.0.1", self._to)
            there_to_here = asyncio.create_task(
                self._pump(there_reader, writer, hold=fault in ("cut after the request", "dead"))
            )
            await self._pump(reader, there, closes=fault == "half closed")
            if fault == "cut after the request":  # the partner heard it all; we never hear him
                await asyncio.sleep(0.3)
                writer.transport.abort()
            elif fault == "dead":
                await asyncio.sleep(1.5)
                writer.transport.abort()
            await asyncio.wait_for(there_to_here, 15)
        except (OSError, TimeoutError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    async def _pump(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        hold: bool = False,
        closes: bool = False,
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                if not hold:
                    writer.write(data)
                    await writer.drain()
            if closes or writer.can_write_eof():
                writer.write_eof()


class Stack:
    """`web` gunicorn masters, `workers` consumers, and the partners; started, killed, and stopped
    gracefully.
    """

    def __init__(
        self, machine, *, web: int = 2, workers: int = 2, faults: float = 0.0, seed: int = 1702
    ) -> None:
        self.machine, self.dice = machine, random.Random(seed)
        self._web, self._workers = web, workers
        inbox_simulator.MOST_KEPT = 200_000
        smtp, texts, carrier = free_port(), free_port(), free_port()
        self.inbox, self._mail, self._texts = inbox_simulator.serve(smtp, texts)
        self.depot, self._carrier = carrier_simulator.serve(carrier)
        self.lines = [Line(port, self.dice, faults) for port in (smtp, texts, carrier)]
        self.ports = [free_port() for _n in range(web)]
        self.env = {
            **os.environ,
            "COMPTOIR_DATA_DIR": str(machine.data_dir),
            "COMPTOIR_DATABASE_URL": machine.database_url,
            "COMPTOIR_REDIS_URL": machine.redis_url,
            "COMPTOIR_SECRET_KEY": machine.secret_key,
            "COMPTOIR_SMTP_URL": f"smtp://127.0.0.1:{self.lines[0].port}",
            "COMPTOIR_SMS_URL": f"http://127.0.0.1:{self.lines[1].port}/sms",
            "COMPTOIR_MONDIAL_RELAY_URL": f"http://127.0.0.1:{self.lines[2].port}",
            "COMPTOIR_LOG_FILE": str(machine.data_dir / "log" / "stack.jsonl"),
        }
        self.masters: list[Any] = []
        self.consumers: list[Any] = []
        self.kills = 0

    def start(self, processes: int = 1, threads: int = 4) -> "Stack":
        self._processes, self._threads = processes, threads
        self.masters = [self._serve(port) for port in self.ports]
        self.consumers = [self._consume(n) for n in range(self._workers)]
        for port in self.ports:
            self.wait_for(port)
        return self

    def _serve(self, port: int) -> Any:
        return processes.start(
            [
                *("gunicorn", "--preload"),
                *("-w", str(self._processes), "--threads", str(self._threads)),
                *("-b", f"127.0.0.1:{port}", "--log-level", "critical"),
                "app:create_app()",
            ],
            {**self.env, "COMPTOIR_BASE_URL": f"http://127.0.0.1:{port}"},
        )

    def _consume(self, number: int) -> Any:
        more = [] if number == 0 else ["-n"]  # one consumer rings the clock
        return processes.start(
            [
                *("huey_consumer", "tasks.huey"),
                *("-w", "2", "-k", "thread", "-t", "5", "-f", "-q"),
                *more,
            ],
            self.env,
        )

    @staticmethod
    def wait_for(port: int, seconds: int = 120) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                if (
                    requests.get(f"http://127.0.0.1:{port}/api/v1/health", timeout=3).status_code
                    == 200
                ):
                    return
            except requests.RequestException:
                pass
            threading.Event().wait(0.1)
        raise AssertionError("the web server did not start")

    def kill_one(self) -> str:
        """Kill -9 a web process, a whole web server, or a worker, and start it again as a
        supervisor would.
        """
        self.kills += 1
        if self.dice.random() < 0.5:
            at = self.dice.randrange(len(self.masters))
            # Another server answers meanwhile: on a slow machine a start takes longer than the
            # pause between two kills, and nobody would ever answer.
            for other in range(len(self.masters)):
                if other != at:
                    self.wait_for(self.ports[other], 120)
            os.killpg(self.masters[at].pid, signal.SIGKILL)
            self.masters[at].wait()
            self.masters[at] = self._serve(self.ports[at])
            return "web"
        at = self.dice.randrange(len(self.consumers))
        os.killpg(self.consumers[at].pid, signal.SIGKILL)
        self.consumers[at].wait()
        self.consumers[at] = self._consume(at)
        return "worker"

    def stop(self) -> None:
        for process in (*self.masters, *self.consumers):
            # Not to the group: gunicorn passes the signal on, and a worker that gets it twice waits
            # for itself (gunicorn 27, gthread `handle_quit`).
            process.send_signal(signal.SIGINT)
        for process in (*self.masters, *self.consumers):
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        self.masters, self.consumers = [], []

    def another_worker_comes(self) -> None:
        """After the others are gone: here, with the real adapters, when every lease has run out. In
        an application context.
        """
        kept = (live.mail, live.sms, live.carriers)
        live.mail, live.sms = (
            SmtpMail(self.env["COMPTOIR_SMTP_URL"]),
            HttpSms(self.env["COMPTOIR_SMS_URL"]),
        )
        carrier = MondialRelay(self.env["COMPTOIR_MONDIAL_RELAY_URL"])
        live.carriers = {"mondial_relay": carrier, "by_hand": ByHand()}
        try:
            for hours in (1, 3, 6):
                with clock.at(clock.now() + timedelta(hours=hours)):
                    while outbox.work():
                        pass
        finally:
            live.mail, live.sms, live.carriers = kept

    def close(self) -> None:
        self.stop()
        self._mail.stop()
        for server in (self._texts, self._carrier):
            server.shutdown()
        for line in self.lines:
            line.stop()


class Person:
    """Somebody with a browser: his cookies, the tokens of the forms he sees, and the habit of
    trying again what did not answer.
    """

    def __init__(self, stack: Stack, cookies: dict[str, str]) -> None:
        self.stack, self.session = stack, requests.Session()
        for name, value in cookies.items():
            self.session.cookies.set(name, value, domain="127.0.0.1", path="/")
        self.tries = 0

    def base(self) -> str:
        return f"http://127.0.0.1:{self.stack.dice.choice(self.stack.ports)}"

    def see(self, path: str, most: int = 120) -> str:
        answer = self._until(lambda base: self.session.get(base + path, timeout=20), most)
        return without_layout(answer.text)

    def send(self, page: str, path: str, most: int = 120, **data: object) -> requests.Response:
        """Send a form of a page seen before, with its tokens; again and again until somebody
        answers, for `most` seconds. The same form is the same act.
        """
        token = re.search(r'name="csrf_token" value="([^"]+)"|name="csrf" content="([^"]+)"', page)
        form = {"csrf_token": (token[1] or token[2]) if token else "", **data}
        if "form_token" not in form and (
            found := re.search(r'name="form_token" value="([^"]+)"', page)
        ):
            form["form_token"] = found[1]
        return self._until(
            lambda base: self.session.post(
                base + path,
                data=form,
                timeout=20,
                allow_redirects=False,
                headers={"Referer": base + "/"},
            ),
            most,
        )

    def _until(self, ask, most: int) -> requests.Response:
        end = time.monotonic() + most
        while time.monotonic() < end:
            self.tries += 1
            try:
                answer = ask(self.base())
            except requests.RequestException:
                threading.Event().wait(0.15)
                continue
            if answer.status_code in (500, 502, 503):
                if answer.status_code == 500:
                    raise AssertionError(f"500 on {answer.url}: {answer.text[:300]}")
                threading.Event().wait(0.2)
                continue
            return answer
        raise AssertionError("nobody answers any more")


def customer_cookies(app, customer: Customer) -> dict[str, str]:
    with app.test_request_context():
        return {"comptoir_client": _signer().dumps([customer.id, customer.session_epoch, "0" * 16])}


def staff_cookies(app, client) -> dict[str, str]:
    """The cookie of a signed-in test client, as a browser would hold it."""
    return {"comptoir": client.get_cookie("comptoir").value}
