"""What a member of staff may read of a dossier: the facts of its timeline come from lists that have
rights of their own.
"""

from collections.abc import Iterable
from dataclasses import replace

from flask import current_app

from services.finance.dossiers import Dossier
from services.timeline import Fact

# The list a fact comes from, where who may open the dossier may not always open the list.
LISTS = {
    "argus_value": "ArgusView",
    "variant": "ArgusView",  # the log of a reference holds what it was worth
    "movement": "MovementView",
    "import_run": "ImportRunView",
    "stock_transfer": "StockTransferView",
    "stock_count": "StockCountView",
    "site": "SiteView",
}


def readable(dossier: Dossier) -> Dossier:
    """The dossier without the facts of lists its reader may not open."""
    return replace(dossier, timeline=list(_readable(dossier.timeline)))


def _readable(facts: Iterable[Fact]) -> Iterable[Fact]:
    rights = current_app.extensions["appbuilder"].sm
    may: dict[str, bool] = {}
    for fact in facts:
        view = LISTS.get(fact.kind)
        if view is None or may.setdefault(view, rights.has_access("can_list", view)):
            yield fact
