"""`python -m simulators`: the trial's inbox, until Ctrl-C. Port 8025 takes mails, 8026 takes SMS and shows both."""

import signal
import threading

from simulators.inbox import serve

if __name__ == "__main__":
    _inbox, mail, web = serve(8025, 8026)
    print("simulators: inbox on http://127.0.0.1:8026", flush=True)
    ended = threading.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: ended.set())
    ended.wait()
    mail.stop()
    web.shutdown()
