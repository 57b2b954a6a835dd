"""Products: one sheet with its references, pictures, texts; proposals and merging."""

from typing import Any

from flask import (
    Response,
    abort,
    flash,
    redirect,
    render_template,
    request,
    url_for,
)
from flask_appbuilder import BaseView, expose
from flask_appbuilder.models.sqla.interface import SQLAInterface
from flask_appbuilder.security.decorators import has_access
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_wtf.file import FileField
from sqlalchemy import select
from wtforms import SelectField, StringField, TextAreaField
from wtforms.validators import Length, Optional

from admin import forms
from admin.base import ReferenceView, ScopedView, action_of, me, uploaded
from admin.dossiers import readable
from admin.fields import MoneyField
from models import (
    PictureAddress,
    Product,
    ProductImage,
    ProductKind,
    Site,
    Variant,
)
from services import clock, files
from services.catalogue import (
    argus,
    grid,
    picture_addresses,
    picture_files,
    products,
    search,
    sizes,
)
from services.finance import dossiers
from services.stock import levels
from services.unit import db, unit_of_work
from services.workflow import Refused

MOVE = {move.verb: move for move in products.PRODUCT.moves}


class ProductView(ReferenceView):
    datamodel = SQLAInterface(Product)
    route_base = "/gestion/produits"
    base_permissions = [*ReferenceView.base_permissions, "validate", "disable", "can_refuse"]
    has_pictures, list_loads = True, ("variants",)
    list_title, noun = _l("Products"), _l("New product")
    list_columns = [
        "title",
        "brand",
        "platform",
        "category",
        "supplier_ref",
        "status",
        "updated_at",
    ]
    show_columns = [
        "cover",
        "title",
        "status",
        "kind",
        "brand",
        "maker",
        "supplier_ref",
        "platform",
        "category",
        "family",
        "subfamily",
        "season",
        "vat_bp",
        "proposed_by",
        "merged_into",
        "description",
        "attribute_words",
        "created_at",
        "updated_at",
    ]
    _sheet = [
        "title",
        "brand_name",
        "maker",
        "supplier_ref",
        "platform",
        "category",
        "family",
        "subfamily",
        "season",
        "vat_bp",
        "description",
        "attributes_typed",
        "picture",
    ]
    add_columns = ["kind", "ean", *_sheet, "argus_cents"]
    edit_columns = _sheet
    groups = (
        (_l("Who makes it"), ("brand", "brand_name", "maker", "supplier_ref")),
        (_l("Where it is ranged"), ("platform", "category", "family", "subfamily", "season")),
        (_l("What it is like"), ("description", "attribute_words", "attributes_typed", "picture")),
    )
    label_columns = {
        "title": _l("Title"),
        "platform": _l("Platform"),
        "category": _l("Department"),
        "family": _l("Family"),
        "subfamily": _l("Subfamily"),
        "created_at": _l("Since"),
        "updated_at": _l("Changed"),
        "variants": _l("Barcodes"),
        "cover": _l("Cover"),
        "ean": _l("EAN"),
        "argus_cents": _l("Argus"),
        "picture": _l("Cover"),
        "brand": _l("Brand"),
        "brand_name": _l("Brand"),
        "maker": _l("Maker"),
        "supplier_ref": _l("Supplier reference"),
        "season": _l("Season"),
        "vat_bp": _l("VAT"),
        "status": _l("Status"),
        "kind": _l("Kind"),
        "proposed_by": _l("Proposed by"),
        "merged_into": _l("Merged into"),
        "description": _l("Description"),
        "attribute_words": _l("Attributes"),
        "attributes_typed": _l("Attributes"),
    }
    description_columns = {
        "ean": _l("The barcode under the bars; a service gets one of ours."),
        "category": _l("« Rayon » of the nomenclature."),
    }
    _picture = FileField(_l("Cover"), description=_l("A photo; without one, a cover is drawn."))
    _words = {
        "brand_name": StringField(_l("Brand"), [Optional(), Length(max=100)]),
        "description": TextAreaField(_l("Description"), [Optional(), Length(max=10_000)]),
        "attributes_typed": TextAreaField(
            _l("Attributes"),
            [Optional(), Length(max=4_000)],
            description=_l("One a line: « Semelle : cuir »."),
        ),
        "picture": _picture,
    }
    edit_form_extra_fields = _words
    add_form_extra_fields = {
        **_words,
        "ean": StringField(_l("EAN"), [Optional()]),
        "argus_cents": MoneyField(_l("Argus"), description=_l("What it is worth, such as 20,00.")),
        "kind": SelectField(
            _l("Kind"),
            choices=[("goods", _l("Goods")), ("service", _l("Service"))],
            coerce=lambda v: (
                v
                if isinstance(v, ProductKind)
                else ProductKind(v if v in ("goods", "service") else "goods")
            ),
            validate_choice=False,
        ),
    }
    order_columns = ["title", "created_at", "updated_at"]
    search_columns = ["title"]
    filter_columns = ("status", "platform", "category", "kind")
    find_columns = (Product.title,)
    find_hint = _l("Title, EAN, reference")
    first_order = "title"
    hidden_states = ("merged",)
    tabs = (
        (_l("To validate"), "?status=proposed"),
        (_l("Taken off sale"), "?status=disabled"),
        (_l("Refused"), "?status=refused"),
    )
    links = (
        (_l("Référencier"), "ReferencerView.out", "download"),
        (_l("Pictures to fetch"), "PictureAddressView.list", "camera"),
        (_l("Give a file"), "ImportView.upload?kind=catalogue", "download"),
        (_l("Give pictures"), f"ImportView.upload?kind={picture_files.KIND.name}", "camera"),
    )
    empty_sentence = _l("The catalogue is empty: give a référencier or an argus.")
    first_partials = ("admin/_dossier.html",)
    show_partials = ("admin/catalogue/_product.html",)
    flow = products.PRODUCT

    validate_product = action_of(MOVE["validate"], products.validate)
    disable_product = action_of(MOVE["disable"], products.disable)

    def ean_of(self, row: Product) -> str:
        return row.variants[0].ean if row.variants else row.title

    def find_condition(self, words: str) -> Any:
        return Product.id.in_(search.product_ids(words))

    def list_conditions(self, asked: Any) -> list[Any]:
        return [] if asked.filters.get("status") else [Product.status != "merged"]

    def show_more(self, row: Product) -> dict[str, Any]:
        ids = [variant.id for variant in row.variants]
        return {
            "dossier": readable(dossiers.of_product(row)),
            "in_stores": levels.by_condition(None, ids),
            "grid": grid.of(row.variants),
            "lowest": {id: products.lowest_of_30_days(id) for id in ids[:60]},
            "sites": db.session.scalars(db.select(Site).order_by(Site.name).limit(200)).all(),
            "said": {text.site_id: text for text in row.texts},
            "addresses": picture_addresses.not_fetched(row.id),
        }

    def prefill(self, form: Any, row: Product | None) -> None:
        if row is None:
            form.ean.data = request.args.get("ean", "")[:20]
            return
        form.brand_name.data = row.brand.name if row.brand else ""
        form.attributes_typed.data = "\n".join(
            f"{name} : {value}" for name, value in row.attributes.items()
        )

    def check(self, row: Product) -> None:
        row.title = " ".join((row.title or "").split())
        if not row.title:
            raise Refused(_("A product needs a title."))
        for name in (
            "category",
            "family",
            "subfamily",
            "maker",
            "supplier_ref",
            "season",
            "description",
        ):
            setattr(row, name, (getattr(row, name) or "").strip())
        row.vat_bp = 2000 if row.vat_bp is None else row.vat_bp
        row.attributes = row.attributes or {}
        row.kind = row.kind or ProductKind.goods
        if row.created_at is None:
            row.created_at = clock.now()

    def prepare(self, form: Any) -> str | None:
        return uploaded("picture", most_side=600)

    def kept(self, row: Product, form: Any, ready: str | None) -> None:
        row.brand = (
            products.brand_named(form.brand_name.data)
            if (form.brand_name.data or "").strip()
            else None
        )
        row.attributes = _attributes(form.attributes_typed.data or "")
        if "ean" in form:
            code = (form.ean.data or "").strip() or (
                products.own_ean() if row.kind is ProductKind.service else ""
            )
            products.add_reference(row, code)
            if form.argus_cents.data is not None:
                argus.change(row.variants[0], form.argus_cents.data, by=me())
        if ready:
            products.give_cover(row, ready, by=me())

    def check_delete(self, row: Product) -> None:
        if reason := products.why_not_delete(row):
            raise Refused(reason)


def _attributes(words: str) -> dict[str, str]:
    found = {}
    for line in products.visible_lines(words).splitlines():
        name, _colon, value = line.partition(":")
        if name.strip() and value.strip():
            found[name.strip()[:60]] = value.strip()[:200]
    return found


class DescriptionForm(forms.Sent):
    """The title and the description one site shows."""

    site = forms.Chosen()
    title = forms.Typed()
    description = forms.Typed()


class DetachForm(forms.Sent):
    variant = forms.Chosen()


class RefusalForm(forms.Sent):
    reason = forms.Text(300)


class MergeForm(forms.Sent):
    into = forms.Chosen()


class SheetView(BaseView):
    """What hangs on a sheet: how each site describes it, its pictures, one more reference."""

    route_base = "/gestion/produits/fiche"
    class_permission_name = "ProductView"
    method_permission_name = {
        "describe": "edit",
        "picture": "edit",
        "drop": "edit",
        "reference": "edit",
        "detach": "edit",
        "refuse": "refuse",
    }
    base_permissions = ["can_edit", "can_refuse"]

    @expose("/<int:id>/texte", methods=["POST"])
    @has_access
    def describe(self, id: int) -> Any:
        form = DescriptionForm.read()
        with unit_of_work() as session:
            site = session.scalar(db.select(Site).where(Site.id == form.site.data)) or abort(404)
            products.describe(_product(id), site, form.title.data, form.description.data, by=me())
        flash(_("Saved."), "success")
        return redirect(url_for("ProductView.show", pk=id))

    @expose("/<int:id>/photo", methods=["POST"])
    @has_access
    def picture(self, id: int) -> Any:
        name = uploaded("picture", most_side=1200)
        if name is None:
            raise Refused(_("Choose a photo."))
        with unit_of_work():
            products.add_image(_product(id), name, by=me())
        flash(_("Saved."), "success")
        return redirect(url_for("ProductView.show", pk=id))

    @expose("/<int:id>/photo/<int:image_id>/retirer", methods=["POST"])
    @has_access
    def drop(self, id: int, image_id: int) -> Any:
        with unit_of_work() as session:
            image = session.scalar(
                db.select(ProductImage).where(
                    ProductImage.id == image_id, ProductImage.product_id == id
                )
            ) or abort(404)
            name = products.drop_image(_product(id), image, by=me())
        files.drop(name)
        return redirect(url_for("ProductView.show", pk=id))

    @expose("/<int:id>/reference", methods=["POST"])
    @has_access
    def reference(self, id: int) -> Any:
        with unit_of_work():
            variant = products.add_reference(_product(id), forms.EanForm.read().ean.data)
            variant_id = variant.id
        return redirect(url_for("VariantView.edit", pk=variant_id))

    @expose("/<int:id>/refuser", methods=["POST"])
    @has_access
    def refuse(self, id: int) -> Any:
        try:
            with unit_of_work():
                products.refuse(_product(id), RefusalForm.read().reason.data, by=me())
            flash(_("Refused: its vendor is told why."), "success")
        except Refused as refusal:
            flash(str(refusal), "danger")
        return redirect(url_for("ProductView.show", pk=id))

    @expose("/<int:id>/detacher", methods=["POST"])
    @has_access
    def detach(self, id: int) -> Any:
        chosen = DetachForm.read().variant.data
        with unit_of_work() as session:
            variant = session.scalar(
                db.select(Variant).where(Variant.id == chosen, Variant.product_id == id)
            ) or abort(404)
            own, ean = products.detach(variant, by=me()).id, variant.ean
        flash(
            _("%(ean)s has a sheet of its own: say what it is.", ean=products.grouped(ean)),
            "success",
        )
        return redirect(url_for("ProductView.edit", pk=own))


class PictureView(BaseView):
    """A kept picture of a product, for who may see products."""

    route_base = "/gestion/produits/photos"
    class_permission_name = "ProductView"
    method_permission_name = {"picture": "show"}
    base_permissions = ["can_show"]

    @expose("/<int:id>")
    @has_access
    def picture(self, id: int) -> Any:
        image = db.session.get(ProductImage, id) or abort(404)
        return Response(files.read(image.picture), mimetype="image/jpeg")


class PictureAddressView(ScopedView):
    datamodel = SQLAInterface(PictureAddress)
    route_base = "/gestion/catalogue/photos"
    base_permissions = [*ScopedView.base_permissions, "fetch_again"]
    list_title = _l("Pictures to fetch")
    list_columns = ["url", "product", "status", "tries", "error"]
    show_columns = [*list_columns, "next_at"]
    label_columns = {
        "url": _l("Address"),
        "product": _l("Product"),
        "status": _l("Status"),
        "tries": _l("Tries"),
        "error": _l("What went wrong"),
        "next_at": _l("Next time"),
    }
    order_columns = ["next_at"]
    search_columns = ["url"]
    filter_columns = ("status",)
    find_columns = (PictureAddress.url, Product.title)
    find_through = (PictureAddress.product,)
    tabs = (
        (_l("Could not be fetched"), "?status=failed"),
        (_l("To be fetched"), "?status=to_fetch"),
    )
    links = ((_l("Products"), "ProductView.list", "pad"),)
    empty_sentence = _l(
        "No file has named a picture: its column « images » holds addresses, https://…"
    )
    flow = picture_addresses.PICTURE_ADDRESS

    fetch_again = action_of(
        next(move for move in flow.moves if move.verb == "fetch_again"),
        picture_addresses.fetch_again,
    )


class MergeView(BaseView):
    """Two sheets of one product: choose the one that stays."""

    route_base = "/gestion/produits/fusionner"
    base_permissions = ["can_merge"]
    method_permission_name = {"merge": "merge"}
    default_view = "merge"

    @expose("/<int:id>", methods=["GET", "POST"])
    @has_access
    def merge(self, id: int) -> Any:
        sentence, words = "", request.values.get("q", "")[:100].replace("\0", "")
        if request.method == "POST":
            try:
                form = MergeForm.read()
                with unit_of_work() as session:
                    into = session.get(Product, form.into.data or 0) or abort(404)
                    products.merge(_product(id), into, by=me())
                    into_id, title = into.id, into.title
                flash(
                    _(
                        "Merged into « %(title)s »: barcodes, stock and history are there.",
                        title=title,
                    ),
                    "success",
                )
                return redirect(url_for("ProductView.show", pk=into_id))
            except Refused as refusal:
                sentence = str(refusal)
        product = _product(id)
        close = [
            p
            for p in search.products(search.product_ids(words or product.title)[:30])
            if p.id != id
        ][:12]
        held = {
            p.id: levels.by_condition(None, [v.id for v in p.variants]) for p in (product, *close)
        }
        return render_template(
            "admin/catalogue/merge.html",
            product=product,
            close=close,
            words=words,
            in_stores=held,
            sentence=sentence,
        ), (422 if sentence else 200)


def _product(id: int) -> Product:
    return db.session.get(Product, id) or abort(404)


class VariantView(ReferenceView):
    datamodel = SQLAInterface(Variant)
    route_base = "/gestion/references"
    base_permissions = [
        p for p in ReferenceView.base_permissions if p not in ("can_add", "can_delete")
    ]
    exclude_route_methods = {"add", "delete", "download"}
    has_pictures = True
    list_title, noun = _l("References"), _l("Reference")
    list_columns = [
        "product.title",
        "details",
        "ean",
        "advised_cents",
        "buy_cents",
        "active",
        "updated_at",
    ]
    _own = [
        "color",
        "material",
        "size",
        "shoe_size",
        "edition",
        "advised_cents",
        "buy_cents",
        "weight_grams",
        "active",
    ]
    show_columns = ["product.title", "ean", *_own, "argus_cents", "updated_at"]
    edit_columns = _own
    groups = (
        (_l("What tells it from others"), ("color", "material", "size", "shoe_size", "edition")),
        (_l("Prices"), ("buy_cents", "advised_cents", "argus_cents")),
    )
    label_columns = {
        "product.title": _l("Title"),
        "details": _l("Details"),
        "ean": _l("EAN"),
        "color": _l("Colour"),
        "material": _l("Material"),
        "size": _l("Size"),
        "shoe_size": _l("Shoe size"),
        "edition": _l("Edition"),
        "advised_cents": _l("Advised price"),
        "buy_cents": _l("Supplier's price"),
        "weight_grams": _l("Weight (g)"),
        "active": _l("Active"),
        "argus_cents": _l("Argus"),
        "updated_at": _l("Changed"),
    }
    description_columns = {
        "advised_cents": _l("Tax included: the catalogue price."),
        "buy_cents": _l("Without tax."),
    }
    order_columns = ["ean", "updated_at"]
    search_columns = ["ean"]
    filter_columns = ("active",)
    find_columns = (Variant.ean,)
    find_hint = _l("Title, EAN, reference")
    first_order = "-updated_at"
    show_partials = ("admin/catalogue/_prices.html",)
    links = ((_l("Give a file"), "ImportView.upload?kind=catalogue", "download"),)

    def ean_of(self, row: Variant) -> str:
        return row.ean

    def find_condition(self, words: str) -> Any:
        return search.references(words)

    def show_more(self, row: Variant) -> dict[str, Any]:
        from models import PricePoint

        points = db.session.scalars(
            db.select(PricePoint)
            .where(PricePoint.variant_id == row.id, PricePoint.listing_id.is_(None))
            .order_by(PricePoint.id.desc())
            .limit(30)
        )
        return {
            "points": points.all(),
            "lowest": products.lowest_of_30_days(row.id),
            "in_stores": levels.by_condition(None, [row.id])[row.id],
        }

    def check(self, row: Variant) -> None:
        """The price goes through the verb that keeps its history, not through the form."""
        for name in ("color", "material", "size", "shoe_size", "edition"):
            setattr(row, name, (getattr(row, name) or "").strip())
        row.size, row.shoe_size = sizes.normal(row.size), sizes.normal(row.shoe_size)
        price = row.advised_cents
        db.session.refresh(row, ["advised_cents"])
        products.set_price(row, price, by=me())


def of_products(column: Any, words: str) -> Any:
    try:  # a whole barcode means one size, not its model
        if (variant := products.by_ean(products.read_ean(words))) is not None:
            return column == variant.id
    except products.BadEan:
        pass
    return column.in_(select(Variant.id).where(search.references(words)))
