"""« Rechercher partout »: one field for numbers, barcodes, words and people."""

from typing import Any

from flask import redirect, render_template, request, url_for
from flask_appbuilder import BaseView, expose
from flask_appbuilder.security.decorators import has_access

from services.finance import dashboards


class SearchView(BaseView):
    """One search: CDE, EAN, e-mail, name. One exact hit opens itself."""

    route_base = "/gestion/recherche"
    default_view = "search"

    @expose("/")
    @has_access
    def search(self) -> Any:
        words = request.args.get("q", "").strip()[:100].replace("\0", "")
        found = dashboards.search(words) if words else dashboards.Found({})
        hits = [
            (view, row)
            for view, rows in found.rows.items()
            if self.appbuilder.sm.has_access("can_show", view)
            for row in rows
        ]
        if len(hits) == 1 and not found.corrected:
            endpoint, row = hits[0]
            return redirect(url_for(f"{endpoint}.show", pk=row.id))
        return render_template(
            "admin/finance/search.html", words=words, hits=hits, corrected=found.corrected
        )
