"""« Rechercher partout »: one field for numbers, barcodes, words and people."""

from typing import Any

from flask import redirect, render_template, request, url_for
from flask_appbuilder import BaseView, expose
from flask_appbuilder.security.decorators import has_access

from services.finance import search as everywhere

SUGGESTED = 8
# The pages that are no « show » of a generated view: method, its argument, the row's attribute.
PAGES = {
    "PaymentsView": ("batch", "id", "id"),
    "StoreCreditView": ("card", "card", "credit_card"),
}


class SearchView(BaseView):
    """One search: CDE, ART, VIR, BON, label, EAN, IBAN, e-mail, name. One exact hit opens
    itself.
    """

    route_base = "/gestion/recherche"
    default_view = "search"

    @expose("/")
    @has_access
    def search(self) -> Any:
        words, found, hits = self._found()
        if len(hits) == 1 and not found.corrected:
            return redirect(hits[0][2])
        return render_template(
            "admin/finance/search.html", words=words, hits=hits, corrected=found.corrected
        )

    @expose("/propositions")
    @has_access
    def suggestions(self) -> Any:
        """The first hits, for the list under the field while somebody types."""
        words, found, hits = self._found(SUGGESTED)
        return render_template(
            "admin/finance/_suggestions.html",
            words=words,
            hits=hits[:SUGGESTED],
            corrected=found.corrected,
        )

    def _found(self, limit: int = 20) -> tuple[str, everywhere.Found, list[tuple[str, Any, str]]]:
        """The words asked for, what answers them, and what the reader may open: view, row and
        address.
        """
        words = request.args.get("q", "").strip()[:100].replace("\0", "")
        found = everywhere.search(words, limit) if words else everywhere.Found({})
        hits = [
            (view, row, address)
            for view, rows in found.rows.items()
            for row in rows
            if (address := self._address(view, row))
        ]
        return words, found, hits

    def _address(self, view: str, row: Any) -> str:
        """The page that shows a row, empty for who may not open it."""
        method, key, value = PAGES.get(view, ("show", "pk", "id"))
        may = self.appbuilder.sm.has_access(f"can_{method}", view)
        return url_for(f"{view}.{method}", **{key: getattr(row, value)}) if may else ""
