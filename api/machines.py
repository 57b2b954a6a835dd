"""For machines that watch: is this process well, its figures, and what browsers refused on our
pages.
"""

import hmac
import json
from typing import Any

from flask import Response, abort, current_app, jsonify, request

from api import bp
from services import limits
from services.installation import csp, health
from services.unit import unit_of_work

MOST_REPORT_BYTES = 16_000


@bp.get("/health")
def well() -> Any:
    """200 « ok » when this process can write to its database, else 503: for a load balancer."""
    return (jsonify(status="ok"), 200) if health.is_well() else (jsonify(status="down"), 503)


@bp.get("/metrics")
def metrics() -> Any:
    """Figures in the text format of Prometheus. `Authorization: Bearer <COMPTOIR_METRICS_TOKEN>`;
    404 without one, 401 with a wrong one.
    """
    token = current_app.extensions["comptoir"].metrics_token
    if not token:
        abort(404)
    if not hmac.compare_digest(
        request.headers.get("Authorization", "").encode(), f"Bearer {token}".encode()
    ):
        abort(401)
    return Response(health.metrics(), mimetype="text/plain; version=0.0.4")


@bp.post("/csp")
def csp_report() -> Any:
    """What a browser refused on one of our pages; always 204, so that nobody learns anything here.
    30 a minute an address.
    """
    if (
        limits.spend(f"csp:{request.remote_addr}", 30, 60) is None
        and (request.content_length or 0) <= MOST_REPORT_BYTES
    ):
        try:
            rows = csp.reports(json.loads(request.get_data(cache=False)[:MOST_REPORT_BYTES]))
        except (ValueError, RecursionError):
            rows = []
        if rows:
            with unit_of_work():
                csp.note(rows)
    return "", 204
