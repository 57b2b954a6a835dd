"""« Rechercher partout »: one field for numbers, barcodes, words and people."""

from typing import Any

from flask import redirect, render_template, request, url_for
from flask_appbuilder import BaseView, expose
from flask_appbuilder.security.decorators import has_access

from services.finance import search as everywhere

# The pages that are no « show » of a generated view: method, its argument, the row's attribute.
PAGES = {
    "PaymentsView": ("batch", "id", "id"),
    "StoreCreditView": ("card", "card", "credit_card"),
}


class SearchView(BaseView):
    """One search: CDE, ART, VIR, BON, label, EAN, e-mail, name. One exact hit opens itself."""

    route_base = "/gestion/recherche"
    default_view = "search"

    @expose("/")
    @has_access
    def search(self) -> Any:
        words = request.args.get("q", "").strip()[:100].replace("\0", "")
        found = everywhere.search(words) if words else everywhere.Found({})
        hits = [
            (view, row, address)
            for view, rows in found.rows.items()
            for row in rows
            if (address := self._address(view, row))
        ]
        if len(hits) == 1 and not found.corrected:
            return redirect(hits[0][2])
        return render_template(
            "admin/finance/search.html", words=words, hits=hits, corrected=found.corrected
        )

    def _address(self, view: str, row: Any) -> str:
        """The page that shows a row, empty for who may not open it."""
        method, key, value = PAGES.get(view, ("show", "pk", "id"))
        may = self.appbuilder.sm.has_access(f"can_{method}", view)
        return url_for(f"{view}.{method}", **{key: getattr(row, value)}) if may else ""
