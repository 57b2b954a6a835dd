"""The branded sites: look, conditions, hosts."""

from typing import Any

from flask_appbuilder.models.sqla.interface import SQLAInterface
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_wtf.file import FileField
from wtforms import TextAreaField
from wtforms.validators import Optional

from admin.base import ReferenceView, uploaded
from models import Site
from services.people import customers, sites
from services.workflow import Refused


class SiteView(ReferenceView):
    datamodel = SQLAInterface(Site)
    route_base = "/gestion/sites"
    list_title, noun = _l("Sites"), _l("New site")
    list_columns = [
        "name",
        "vendor",
        "kind",
        "hosts",
        "validation",
        "threshold_cents",
        "is_default",
    ]
    _settings = [
        "contact_email",
        "tagline",
        "short_conditions",
        "conditions",
        "legal_notice",
        "validation",
        "threshold_cents",
        "copies_per_cart",
        "copies_per_seller",
        "stock_cap",
        "color_brand",
        "color_brand_strong",
        "color_on_brand",
        "color_accent",
        "color_page",
        "color_ink",
        "radius",
    ]
    show_columns = ["name", "vendor", "kind", "hosts", "is_default", *_settings]
    add_columns = edit_columns = ["name", "vendor", "kind", "host_names", *_settings, "logo_file"]
    groups = (
        (
            _l("What sellers read"),
            ("tagline", "short_conditions", "conditions", "legal_notice", "contact_email"),
        ),
        (
            _l("What is bought"),
            ("validation", "threshold_cents", "copies_per_cart", "copies_per_seller", "stock_cap"),
        ),
        (
            _l("Look"),
            (
                "logo_file",
                "color_brand",
                "color_brand_strong",
                "color_on_brand",
                "color_accent",
                "color_page",
                "color_ink",
                "radius",
            ),
        ),
    )
    label_columns = {
        "name": _l("Name"),
        "vendor": _l("Vendor"),
        "kind": _l("Kind"),
        "hosts": _l("Domain names"),
        "host_names": _l("Domain names"),
        "validation": _l("Validation"),
        "threshold_cents": _l("Minimum sale"),
        "is_default": _l("Default site"),
        "contact_email": _l("Shop's e-mail"),
        "tagline": _l("Headline"),
        "short_conditions": _l("Conditions in short"),
        "conditions": _l("Buying conditions"),
        "legal_notice": _l("Legal notice"),
        "copies_per_cart": _l("Copies of one game in a cart"),
        "copies_per_seller": _l("Copies of one game from a seller"),
        "stock_cap": _l("Stop buying from (copies in stock)"),
        "color_brand": _l("Brand colour"),
        "color_brand_strong": _l("Strong brand colour"),
        "color_on_brand": _l("Text on the brand colour"),
        "color_accent": _l("Accent"),
        "color_page": _l("Page"),
        "color_ink": _l("Ink"),
        "radius": _l("Rounded corners (0, 8 or 16 pixels)"),
        "logo": _l("Logo"),
        "logo_file": _l("Logo"),
    }
    description_columns = {
        "contact_email": _l("New offers are announced there; answers to mails go there."),
        "copies_per_cart": _l("Empty: no limit."),
        "copies_per_seller": _l("Empty: no limit."),
        "stock_cap": _l("Empty: no limit."),
        "validation": _l(
            "Manual is recommended: each offer is checked before the seller sends anything."
        ),
    }
    _extra = {
        "host_names": TextAreaField(
            _l("Domain names"),
            [Optional()],
            description=_l("One a line; the first is written in mails."),
        ),
        "logo_file": FileField(_l("Logo"), description=_l("PNG, JPEG or WebP; 12 MB at most.")),
        "short_conditions": TextAreaField(
            _l("Conditions in short"),
            [Optional()],
            description=_l("One a line, shown under each price: « Boîte et notice requises »."),
        ),
        "conditions": TextAreaField(_l("Buying conditions"), [Optional()]),
        "legal_notice": TextAreaField(_l("Legal notice"), [Optional()]),
    }
    add_form_extra_fields = edit_form_extra_fields = _extra
    order_columns = ["name", "threshold_cents"]
    search_columns = ["name"]
    filter_columns = ("vendor", "kind", "validation")
    find_columns = (Site.name,)
    first_order = "name"

    def check(self, row: Site) -> None:
        if row.contact_email:
            row.contact_email = customers.clean_email(row.contact_email)
        sites.check_colors(row)

    def prepare(self, form: Any) -> str | None:
        return uploaded("logo_file", most_side=512, keeps_transparency=True)

    def kept(self, row: Site, form: Any, ready: str | None) -> None:
        sites.rename_hosts(row, form.host_names.data or "")
        if ready:
            row.logo = ready

    def prefill(self, form: Any, row: Site | None) -> None:
        if row is None:
            return
        form.host_names.data = "\n".join(host.host for host in row.hosts)

    def check_delete(self, row: Site) -> None:
        if row.is_default:
            raise Refused(_("This is the default site: it stays."))
