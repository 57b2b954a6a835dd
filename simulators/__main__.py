"""`python -m simulators`: the trial's outside world, until Ctrl-C. 8025 takes mails, 8026 takes SMS
and shows both, 8027 is the carrier.
"""

import signal
import threading

from simulators import inbox, mondial_relay

if __name__ == "__main__":
    _inbox, mail, web = inbox.serve(8025, 8026)
    _depot, carrier = mondial_relay.serve(8027)
    print(
        "simulators: inbox on http://127.0.0.1:8026, carrier on http://127.0.0.1:8027", flush=True
    )
    ended = threading.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: ended.set())
    ended.wait()
    mail.stop()
    web.shutdown()
    carrier.shutdown()
