"""« Fichiers des magasins »: of each store the last good stock file, the troubles first."""

from pathlib import Path
from typing import Any

from flask import current_app, render_template, request
from flask_appbuilder import BaseView, expose
from flask_appbuilder.security.decorators import has_access
from flask_login import current_user

from admin.listing import whole
from services.imports import folders, sources
from services.people import staff
from services.stock import watch

SIZE = 100


class FeedWatchView(BaseView):
    route_base = "/gestion/imports/magasins"
    class_permission_name = "ImportRunView"
    method_permission_name = {"watch": "list"}
    base_permissions = ["can_list"]
    default_view = "watch"

    @expose("/")
    @has_access
    def watch(self) -> Any:
        words = request.args.get("q", "")[:100].replace("\0", "")
        feeds = watch.feeds(words)
        pages = max(1, -(-len(feeds) // SIZE))
        page = min(whole(request.args.get("page", "1"), 1), pages)
        return render_template(
            "admin/imports/watch.html",
            feeds=feeds[(page - 1) * SIZE : page * SIZE],
            troubles=sum(feed.health in watch.TROUBLES for feed in feeds),
            tones=watch.WORDS,
            words=words,
            strays=self._strays(),
            unreached=sources.in_trouble(),
            page=page,
            pages=pages,
        )

    @staticmethod
    def _strays() -> list[folders.Stray]:
        """Files of all shops lie there: only who sees all of them is shown their names."""
        folder = current_app.extensions["comptoir"].feeds_dir
        return folders.strays(Path(folder)) if folder and staff.sees_all(current_user) else []
