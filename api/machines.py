"""For machines that watch: is this process well, its figures, and what browsers refused on our
pages.
"""

import hmac
import json
from typing import Literal

from flask import Response, abort, current_app, request

from api import bp, routes
from api.fields import N_, Answer
from services import limits
from services.installation import csp, health
from services.unit import unit_of_work

MOST_REPORT_BYTES = 16_000


class Health(Answer):
    status: Literal["ok", "down"]


@routes.get(
    "/health",
    N_("Whether this process can write to its database"),
    returns=N_("It can."),
    other_statuses={503: N_("It cannot.")},
)
def well() -> Health | Response:
    """For a load balancer."""
    if health.is_well():
        return Health(status="ok")
    return routes.written(Health(status="down"), 503)


@bp.get("/metrics")
def metrics() -> Response:
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


@routes.post(
    "/csp",
    N_("What a browser refused on one of our pages (Content-Security-Policy reports)"),
    returns=N_("Always, whatever was sent."),
    status=204,
    problems={413: N_("Over 13 MB.")},
    reads=("application/csp-report", "application/reports+json", "application/json"),
)
def csp_report() -> Response:
    """Always 204, so that nobody learns anything here. 30 a minute an address."""
    if (
        limits.spend(f"csp:{limits.place()}", 30, 60) is None
        and (request.content_length or 0) <= MOST_REPORT_BYTES
    ):
        try:
            rows = csp.reports(json.loads(request.get_data(cache=False)[:MOST_REPORT_BYTES]))
        except (ValueError, RecursionError):
            rows = []
        if rows:
            with unit_of_work():
                csp.note(rows)
    return Response(status=204)
