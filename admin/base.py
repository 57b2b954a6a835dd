"""The generated back office's three bases. Scoped twice: the session (services/access.py), then
each row re-read here.

A view class is columns, labels, filters, order. Flask-AppBuilder gives routes, permissions and
forms; the list, the pages and the look are ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar
from urllib.parse import parse_qsl

from flask import (
    Response,
    abort,
    flash,
    jsonify,
    make_response,
    redirect,
    render_template,
    request,
    stream_with_context,
    url_for,
)
from flask_appbuilder import ModelView, expose
from flask_appbuilder.actions import ActionItem, action
from flask_appbuilder.security.decorators import has_access, permission_name
from flask_appbuilder.validators import Unique
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_login import current_user
from sqlalchemy import inspect, select
from sqlalchemy.exc import IntegrityError
from werkzeug.datastructures import MultiDict

from admin import chosen_columns, editing, fields, forms, listing, words
from models import SavedView
from services import files, workflow
from services.people import staff
from services.unit import db, unit_of_work
from services.workflow import Actor, Refused


def me() -> Actor:
    """The member of staff who clicks."""
    return staff.actor(current_user)


Row = TypeVar("Row")


class SavedViewForm(forms.Sent):
    name = forms.Text(80)
    query = forms.Address()
    forget = forms.Ticked()


class SeenForm(forms.Sent):
    """The marks of what a generated form showed when it was opened (admin/editing.py)."""

    seen = forms.Text()


class ManyForm(forms.Sent):
    """One action for the rows that are ticked (or for all those of the list, or for one row: « name
    key »), and the list to come back to.
    """

    action = forms.Typed()
    row_action = forms.Typed()
    rowid = forms.Several(500)
    everything = forms.Ticked()
    shown = forms.Count()
    query = forms.Address()


MOST_AT_ONCE = 500


class ScopedView(ModelView):
    """List and page of rows a person may see; nothing can be changed."""

    base_permissions = ["can_list", "can_show", "can_export", "can_save_view"]
    # The generator's own routes we do not open: its download serves any file to anyone.
    exclude_route_methods = {"add", "edit", "delete", "download"}
    # Words looked for in these columns, reached through these relations.
    find_columns: tuple[Any, ...] = ()
    find_through: tuple[Any, ...] = ()
    find_hint: Any = _l("Search")
    filter_columns: tuple[str, ...] = ()
    first_order = "-id"
    hidden_states: tuple[str, ...] = ()
    # The first tab, and those everybody has: (label, address).
    all_tab: Any = _l("All")
    tabs: tuple[tuple[Any, str], ...] = ()
    empty_sentence: Any = _l("Nothing here yet.")
    # Beside the title and on each page: (label, endpoint, icon, permission view).
    links: tuple[tuple[Any, str, str], ...] = ()
    flow: workflow.Workflow | None = None
    can_change = False
    noun: Any = ""
    show_partials: tuple[str, ...] = ()
    # What a page shows before its columns.
    first_partials: tuple[str, ...] = ()
    # Columns of other tables one may sort by: the relations that lead there, and the column.
    order_through: dict[str, tuple[Any, ...]] = {}
    # Actions that have a button on each row of the list they are open for.
    row_buttons: tuple[str, ...] = ()
    # Whether `link_of` leads from a row of the list and from its page to another place.
    has_row_links = False
    # What a form and a page show together: (title, columns). What no group names comes first.
    groups: tuple[tuple[Any, tuple[str, ...]], ...] = ()
    # Whether a list shows the picture of each row's product, whose barcode `ean_of` gives.
    has_pictures = False
    # Relations a list reads besides those of its columns.
    list_loads: tuple[str, ...] = ()
    # Columns typed into in the list itself.
    inline_columns: tuple[str, ...] = ()
    row_links: tuple[tuple[Any, str, str], ...] = ()
    open_url: Any = None

    list_template = "admin/list.html"
    show_template = "admin/show.html"
    add_template = "admin/form.html"
    edit_template = "admin/form.html"

    def _init_properties(self) -> None:
        super()._init_properties()
        for name in ("add", "edit"):
            columns = getattr(self, f"{name}_columns") if self.can_change else []
            extra = fields.fields_for(
                self.datamodel.obj, columns, self.label_columns, self.description_columns
            )
            setattr(
                self,
                f"{name}_form_extra_fields",
                {**extra, **getattr(self, f"{name}_form_extra_fields")},
            )
            setattr(self, f"{name}_columns", [c for c in columns])

    def ean_of(self, row: Any) -> str:
        """The barcode whose picture a row shows."""
        return str(row.variant.ean)

    def title_of(self, row: Any) -> str:
        """What the page of a row is called."""
        return str(row)

    def base_conditions(self) -> list[Any]:
        """Rows the list never shows."""
        return []

    def find_condition(self, words: str) -> Any:
        """The condition for words typed in the search field, where a list uses the product search;
        None to search in `find_columns`.
        """
        return None

    def list_conditions(self, asked: Any) -> list[Any]:
        """Rows the list leaves out unless it is asked for them."""
        return []

    def columns_of(self, asked: Any) -> Sequence[str]:
        """The columns of a list, which may depend on its tab."""
        columns: Sequence[str] = self.list_columns
        return columns

    def shown_columns(self, asked: Any) -> Sequence[str]:
        """The columns of a list as its reader wants them."""
        return chosen_columns.shown(self, self.columns_of(asked))

    def bulk_of(self, asked: Any) -> Sequence[ActionItem]:
        """The actions offered for the rows that are chosen, which may depend on the tab."""
        return [a for a in self.actions.values() if a.multiple and self.allowed_action(a.name)]

    def tab_counts(self) -> dict[str, int]:
        """How many rows the tabs hold, by their address; a tab that is not named shows none."""
        return {}

    def link_of(self, row: Any) -> tuple[str, str] | None:
        """A link on one row of the list: its words, its address."""
        return None

    def buttons_of(self, row: Any) -> Sequence[ActionItem]:
        """The buttons on one row of the list."""
        return [
            self.actions[name]
            for name in self.row_buttons
            if self.allowed_action(name) and self.action_open(name, row)
        ]

    # ── one row ──

    def row(self, pk: str, *, locked: bool = False) -> Any:
        """The row, if it exists and this person may see it; else 404, which says neither. `locked`
        makes others who want to change it wait until the unit ends.
        """
        if not (pk.isascii() and pk.isdigit() and len(pk) < 10):
            abort(404)
        statement = db.select(self.datamodel.obj).where(
            self._key() == int(pk), *self.base_conditions()
        )
        if locked:
            statement = statement.with_for_update(of=self.datamodel.obj)
        found = db.session.scalar(statement)
        if found is None:
            abort(404)
        return found

    def _key(self) -> Any:
        return getattr(self.datamodel.obj, self.datamodel.get_pk_name())

    def allowed(self, permission: str) -> bool:
        return permission in self.base_permissions and self.appbuilder.sm.has_access(
            permission, self.class_permission_name
        )

    def grouped(self, shown: Sequence[str]) -> Sequence[tuple[Any, Sequence[str]]]:
        """The columns of a form or a page by groups, empty ones left out; the first has no title
        when no group names its columns.
        """
        named = {name for _title, names in self.groups for name in names}
        rest = [name for name in shown if name not in named]
        found = [(title, [n for n in names if n in shown]) for title, names in self.groups]
        return [(title, names) for title, names in [("", rest), *found] if names]

    def told(self, row: Any, shown: Sequence[str]) -> Sequence[tuple[Any, Sequence[str]]]:
        """The same groups, without the columns that are empty in this row."""
        return self.grouped(
            [
                name
                for name in shown
                if name in self.formatters_columns or listing.value(row, name) not in (None, "")
            ]
        )

    # ── list ──

    @expose("/list/")
    @has_access
    def list(self) -> Any:
        asked = listing.read(self, request.args)
        rows = listing.statement(self, asked)
        found = listing.page(rows, asked)
        if not found and asked.page > 1:  # an old link, or rows that went meanwhile
            return redirect(
                url_for(f"{self.endpoint}.list", **_with_page(request.args.to_dict(), 1))
            )
        return render_template(
            self.list_template,
            view=self,
            asked=asked,
            columns=self.shown_columns(asked),
            possible=chosen_columns.possible(self, self.columns_of(asked)),
            tab_counts=self.tab_counts(),
            rows=found,
            total=listing.count(rows),
            most_at_once=MOST_AT_ONCE,
            cap=listing.COUNT_CAP,
            sizes=listing.SIZES,
            filters=[
                (name, self.label_columns[name.partition(".")[0]], self._choices(name))
                for name in listing.filter_names(self)
            ],
            bulk=self.bulk_of(asked),
            saved=db.session.scalars(
                db.select(SavedView).where(
                    SavedView.user_id == current_user.id, SavedView.view == self.endpoint
                )
            ).all(),
        )

    def _choices(self, name: str) -> Any:
        return None if "." in name else listing.choices(self, name)

    @expose("/list/nouvelles")
    @has_access
    @permission_name("list")
    def news(self) -> Any:
        """How many rows of this list came after the one numbered `apres`, for a page that asks now
        and then; without it, the number to ask with from now on.
        """
        if "apres" not in request.args:
            return jsonify(newest=listing.newest(self))
        rows = listing.statement(self, listing.read(self, request.args))
        after = listing.whole(request.args["apres"], 0)
        return jsonify(count=listing.count(rows.where(self._key() > after)))

    @expose("/export/<any(csv,xlsx,pdf):kind>")
    @has_access
    def export(self, kind: str) -> Response:
        """The list as asked for, as a file."""
        asked = listing.read(self, request.args)
        rows, shown = listing.statement(self, asked), self.shown_columns(asked)
        if kind == "csv":
            response = Response(
                stream_with_context(listing.as_csv(self, rows, shown)), mimetype="text/csv"
            )
        elif kind == "xlsx":
            response = make_response(listing.as_xlsx(self, rows, shown))
            response.mimetype = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
        else:
            response = make_response(
                listing.as_pdf(self, rows, shown, listing.asked_words(self, asked), me().name)
            )
            response.mimetype = "application/pdf"
        response.headers["Content-Disposition"] = (
            f'attachment; filename="{self.route_base.rpartition("/")[2]}.{kind}"'
        )
        return response

    @expose("/save-view", methods=["POST"])
    @has_access
    def save_view(self) -> Any:
        """Keep this search, these filters and this order under a name of one's own; an empty list
        of words forgets it.
        """
        form = SavedViewForm.read()
        name, query = form.name.data, form.query.data
        with unit_of_work() as session:
            existing = session.scalar(
                db.select(SavedView).where(
                    SavedView.user_id == current_user.id,
                    SavedView.view == self.endpoint,
                    SavedView.name == name,
                )
            )
            if form.forget.data and existing:
                session.delete(existing)
                query = ""
            elif not name:
                raise Refused(_("Give this view a name."))
            elif existing:
                existing.query = query
            else:
                session.add(
                    SavedView(user_id=current_user.id, view=self.endpoint, name=name, query=query)
                )
        flash(
            _("View forgotten.") if query == "" else _("View « %(name)s » kept.", name=name),
            "success",
        )
        return redirect(url_for(f"{self.endpoint}.list") + (query if query.startswith("?") else ""))

    @expose("/colonnes", methods=["POST"])
    @has_access
    @permission_name("save_view")
    def choose_columns(self) -> Any:
        """« Colonnes »: those one wants to see, on the screen and in the files of this list."""
        form = chosen_columns.ColumnsForm.read()
        query = form.query.data
        asked = listing.read(self, MultiDict(parse_qsl(query.lstrip("?"))))
        with unit_of_work():
            if form.reset.data:
                chosen_columns.reset(self)
            else:
                chosen_columns.choose(self, self.columns_of(asked), form.column.data)
        return redirect(url_for(f"{self.endpoint}.list") + (query if query.startswith("?") else ""))

    # ── page ──

    @expose("/show/<pk>", methods=["GET"])
    @has_access
    def show(self, pk: str) -> Any:
        row = self.row(pk)
        return render_template(
            self.show_template,
            view=self,
            row=row,
            columns=self.show_columns,
            history=workflow.history(row),
            single=[
                a
                for a in self.actions.values()
                if a.single and self.allowed_action(a.name) and self.action_open(a.name, row)
            ],
            **self.show_more(row),
        )

    def show_more(self, row: Any) -> dict[str, Any]:
        """What a page shows beyond its columns."""
        return {}

    # ── actions: the row is re-read as this person sees it, one unit per row ──

    def allowed_action(self, name: str) -> bool:
        return bool(self.appbuilder.sm.has_access(name, self.class_permission_name))

    def action_open(self, name: str, row: Any) -> bool:
        return self.flow is None or self.flow.allows(row, name)

    @expose("/action/<string:name>/<pk>", methods=["POST"])
    def action(self, name: str, pk: str) -> Any:
        self._act(name, [pk])
        return redirect(
            url_for(f"{self.endpoint}.show", pk=pk)
            if self.allowed("can_show")
            else url_for(f"{self.endpoint}.list")
        )

    @expose("/action_post", methods=["POST"])
    def action_post(self) -> Any:
        form = ManyForm.read()
        query = form.query.data
        name, _space, key = (form.row_action.data or "").partition(" ")
        if key:
            self._act(name, [key])
        elif form.everything.data:
            self._act(form.action.data, self._keys_of(query, form.shown.data))
        else:
            self._act(form.action.data, form.rowid.data)
        return redirect(url_for(f"{self.endpoint}.list") + (query if query.startswith("?") else ""))

    def _keys_of(self, query: str, shown: int | None) -> Sequence[str]:
        """The rows of a list, whatever page they are on. Raises Refused when they are too many, or
        no longer as many as the page said.
        """
        asked = listing.read(self, MultiDict(parse_qsl(query.lstrip("?"))))
        rows = listing.statement(self, asked).with_only_columns(
            self._key(), maintain_column_froms=True
        )
        keys = [str(key) for key in db.session.scalars(rows.limit(MOST_AT_ONCE + 1))]
        if len(keys) > MOST_AT_ONCE:
            raise Refused(
                _("At most %(most)s rows at once: filter the list first.", most=MOST_AT_ONCE)
            )
        if shown is not None and shown != len(keys):
            raise Refused(_("The list changed meanwhile: look at it again, then choose."))
        return keys

    def _act(self, name: str, pks: Sequence[str]) -> None:
        if not current_user.is_authenticated:
            abort(401)
        item: ActionItem | None = self.actions.get(name)
        if item is None:
            abort(404)
        if not self.allowed_action(name):
            abort(403)
        if not pks:
            flash(_("Choose at least one row."), "warning")
        names = {}
        for pk in pks:
            names[pk] = str(self.row(pk))  # all of them must be theirs before any is touched
        done = 0
        refusals: dict[str, list[str]] = {}
        for pk in pks:
            try:
                with unit_of_work():
                    item.func(self.row(pk))
                done += 1
            except Refused as refusal:
                refusals.setdefault(str(refusal), []).append(names[pk])
        for sentence, who in refusals.items():
            shown = ", ".join(who[:5]) + (" …" if len(who) > 5 else "")
            flash(sentence if len(pks) == 1 else f"{shown} : {sentence}", "danger")
        if done:
            flash(_("Done: %(what)s (%(count)s).", what=str(item.text), count=done), "success")


class ReferenceView(ScopedView):
    """Reference data: added, edited, deleted through generated forms, by verbs where a rule is at
    stake.
    """

    base_permissions = [*ScopedView.base_permissions, "can_add", "can_edit", "can_delete"]
    exclude_route_methods = {"download"}
    can_change = True
    add_title = edit_title = ""
    # Fields whose values are kept sealed: never shown, compared, or written in the history.
    sealed_fields: tuple[str, ...] = ()

    def _init_properties(self) -> None:
        super()._init_properties()
        words.name_columns(self.datamodel.obj.__tablename__, self.label_columns)

    def check(self, row: Any) -> None:
        """Rules of the noun on what was typed; raises Refused."""

    def prepare(self, form: Any) -> Any:
        """What is slow (pictures): done before the unit, handed to `kept`. May raise Refused."""

    def kept(self, row: Any, form: Any, ready: Any) -> None:
        """What follows once the row is in the unit (host names, files…)."""

    def prefill(self, form: Any, row: Any) -> None:
        """Fields that are no columns."""

    @expose("/add", methods=["GET", "POST"])
    @has_access
    def add(self) -> Any:
        return self._form(None)

    @expose("/edit/<pk>", methods=["GET", "POST"])
    @has_access
    def edit(self, pk: str) -> Any:
        return self._form(pk)

    def _record_edit(self, row: Any, form: Any, before: dict[str, str]) -> None:
        """The history keeps both values of what was changed; saving without a change is nothing."""
        after = editing.shown(form, self.sealed_fields)
        changes = editing.changes(row.__tablename__, before, after)
        if changes or editing.holds_secret(form, self.sealed_fields):
            workflow.record(row, "edit", by=me(), changes=changes)

    def _as_it_is(self, row: Any) -> Any:
        """The form of a row as somebody who opened it now would see it."""
        form = self.edit_form(formdata=None, obj=row)
        self.prefill(form, row)
        return form

    def _form(self, pk: str | None) -> Any:
        row = self.row(pk) if pk else None
        gaps: Sequence[editing.Gap] = ()
        changed_by = seen = None
        form = (self.edit_form if pk else self.add_form)(obj=row)
        for chosen in form:
            if hasattr(chosen, "blank_text"):
                chosen.blank_text = "—"
            for validator in chosen.validators:
                if isinstance(validator, Unique):  # the generator's own word for it is English
                    validator.message = _("Another one has this already.")
        if request.method == "POST":
            sent_marks = SeenForm.read().seen.data
            form._id = (
                int(pk) if pk else None
            )  # what the generator compares when a name must be unique
            if form.validate():
                try:
                    ready = self.prepare(form)
                    with unit_of_work() as session:
                        row = self.row(pk, locked=True) if pk else self.datamodel.obj()
                        with session.no_autoflush:
                            before = self._as_it_is(row) if pk else None
                            if before is not None:
                                editing.refuse_if_changed(
                                    form,
                                    before,
                                    editing.read_marks(sent_marks),
                                    self.sealed_fields,
                                )
                                before = editing.shown(before, self.sealed_fields)
                            form.populate_obj(row)
                            self.check(row)
                        if not pk:
                            session.add(row)
                        self.kept(row, form, ready)
                        if before is None:
                            workflow.record(row, "create", by=me())
                        else:
                            self._record_edit(row, form, before)
                        key = getattr(row, self.datamodel.get_pk_name())
                    flash(_("Saved."), "success")
                    return redirect(url_for(f"{self.endpoint}.show", pk=key))
                except editing.Changed as changed:
                    gaps = changed.gaps
                    seen = editing.marks(editing.shown(changed.form, self.sealed_fields))
                    changed_by = next(iter(workflow.history(self.row(str(pk)), 1)), None)
                except Refused as refusal:
                    form.form_errors.append(str(refusal))
                except IntegrityError:
                    form.form_errors.append(
                        _("This already exists, or contradicts something: nothing was saved.")
                    )
                row = self.row(pk) if pk else None
            seen = seen or sent_marks
        else:
            self.prefill(form, row)
            seen = editing.marks(editing.shown(form, self.sealed_fields)) if pk else ""
        code = 422 if form.errors or gaps else 200
        return (
            render_template(
                self.edit_template,
                view=self,
                row=row,
                form=form,
                columns=self.edit_columns if pk else self.add_columns,
                seen=seen,
                gaps=gaps,
                changed_by=changed_by,
            ),
            code,
        )

    @expose("/delete/<pk>", methods=["POST"])
    @has_access
    def delete(self, pk: str) -> Any:
        try:
            with unit_of_work() as session:
                row = self.row(pk)
                self.check_delete(row)
                workflow.record(row, "delete", by=me(), what=str(row))
                session.delete(row)
        except Refused as refusal:
            flash(str(refusal), "danger")
            return redirect(url_for(f"{self.endpoint}.show", pk=pk))
        except IntegrityError:
            flash(_("Other things depend on it: it cannot be deleted."), "danger")
            return redirect(url_for(f"{self.endpoint}.show", pk=pk))
        flash(_("Deleted."), "success")
        return redirect(url_for(f"{self.endpoint}.list"))

    def check_delete(self, row: Any) -> None:
        """Raises Refused when something must stay."""


def row_or_404(model: type[Row], id: int) -> Row:
    """A row this person may see, or the page that says there is none."""
    return db.session.scalar(select(model).where(inspect(model).primary_key[0] == id)) or abort(404)


def _with_page(asked: dict[str, Any], page: int) -> dict[str, Any]:
    return {**asked, "page": page}


def uploaded(name: str, **how: Any) -> str | None:
    """The picture sent in a field, made again and kept; None when none was sent. Raises Refused
    when it is no picture.
    """
    upload = request.files.get(name)
    if not upload or not upload.filename:
        return None
    files.check_name(upload.filename)
    return files.keep_picture(upload.read(), **how)


def action_of(move: workflow.Move, verb: Any, confirm: Any = "") -> Any:
    """An action of a generated list from a line of the table of moves."""

    @action(move.verb, move.label, confirm, "")
    def act(self: Any, row: Any) -> None:
        verb(row, by=me())

    act.__name__ = move.verb
    return act


__all__ = ["ReferenceView", "ScopedView", "action_of", "has_access", "me", "uploaded"]


def as_pdf(data: bytes, name: str) -> Response:
    response = make_response(data)
    response.mimetype = "application/pdf"
    response.headers["Content-Disposition"] = f'inline; filename="{name}"'
    return response
