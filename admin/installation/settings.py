"""« Paramétrages divers »."""

from typing import Any

from flask import flash, redirect, render_template, request, url_for
from flask_appbuilder import BaseView, expose
from flask_appbuilder.security.decorators import has_access
from flask_babel import gettext as _

from admin.base import me
from services import settings
from services.unit import unit_of_work
from services.workflow import Refused


class SettingsView(BaseView):
    """« Paramétrages divers »."""

    asks_proof = {"settings"}
    route_base = "/gestion/parametrages"
    default_view = "settings"

    @expose("/", methods=["GET", "POST"])
    @has_access
    def settings(self) -> Any:
        wrong: dict[str, str] = {}
        if request.method == "POST":
            changed = []
            try:
                with unit_of_work():
                    for key, option in settings.OPTIONS.items():
                        if key not in request.form:
                            continue
                        try:
                            if settings.change(key, request.form[key], by=me()):
                                changed.append(str(option.label))
                        except Refused as refusal:
                            wrong[key] = str(refusal)
                    if wrong:
                        raise Refused("")
            except Refused:
                settings.forget()
            else:
                flash(
                    (
                        _("Saved: %(what)s.", what=", ".join(changed))
                        if changed
                        else _("Nothing had changed.")
                    ),
                    "success",
                )
                return redirect(url_for("SettingsView.settings"))
        chapters: dict[str, list[Any]] = {}
        history = settings.history()
        for option in settings.OPTIONS.values():
            typed = request.form.get(option.key) if wrong else None
            shown = getattr(option.read, "shown", str)(settings.value(option.key))
            chapters.setdefault(str(option.chapter), []).append(
                (option, typed or shown, history[option.key])
            )
        return render_template(
            "admin/installation/settings.html", chapters=chapters, wrong=wrong
        ), (422 if wrong else 200)
