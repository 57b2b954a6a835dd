"""« Paramétrages divers → Transporteurs »: the contracts of vendors with carriers."""

from typing import Any

from flask import flash, redirect, url_for
from flask_appbuilder import BaseView, expose
from flask_appbuilder.models.sqla.interface import SQLAInterface
from flask_appbuilder.security.decorators import has_access
from flask_babel import lazy_gettext as _l
from wtforms import PasswordField, SelectField
from wtforms.validators import Optional

from admin.base import ReferenceView, me, row_or_404
from models import CarrierContract, CarrierService
from services import clock, workflow
from services.people import customers
from services.shipping import contracts
from services.unit import db, unit_of_work


class CarrierView(ReferenceView):
    asks_proof = {"add", "delete", "edit"}
    datamodel = SQLAInterface(CarrierContract)
    route_base = "/gestion/parametrages/transporteurs"
    list_title, noun = _l("Carriers"), _l("New carrier contract")
    _codes = [
        "name",
        "prefers_relay",
        "prefers_home",
        "service",
        "is_test",
        "account",
        "brand",
        "private_key",
        "login",
        "password",
        "relay_country",
        "relay_number",
        "recipient",
        "street",
        "postcode",
        "city",
        "phone",
        "insurance_levels",
        "packaging_grams",
    ]
    list_columns = [
        "vendor",
        "name",
        "prefers_relay",
        "service",
        "account",
        "relay_number",
        "is_test",
        "checked_at",
        "check_result",
    ]
    show_columns = [
        "vendor",
        "name",
        "prefers_relay",
        "prefers_home",
        "service",
        "is_test",
        "account",
        "brand",
        "login",
        "relay_country",
        "relay_number",
        "recipient",
        "street",
        "postcode",
        "city",
        "phone",
        "insurance_levels",
        "packaging_grams",
        "checked_at",
        "check_result",
    ]
    add_columns = ["vendor", "carrier", *_codes]
    edit_columns = _codes
    groups = (
        (_l("When it is used"), ("prefers_relay", "prefers_home")),
        (
            _l("Codes of the contract"),
            (
                "service",
                "is_test",
                "account",
                "brand",
                "private_key",
                "login",
                "password",
            ),
        ),
        (
            _l("Where parcels go"),
            (
                "relay_country",
                "relay_number",
                "recipient",
                "street",
                "postcode",
                "city",
                "phone",
            ),
        ),
        (_l("Labels"), ("insurance_levels", "packaging_grams")),
    )
    label_columns = {
        "vendor": _l("Vendor"),
        "carrier": _l("Carrier"),
        "name": _l("Name of the contract"),
        "prefers_relay": _l("Preferred to a relay point"),
        "prefers_home": _l("Preferred to a home"),
        "service": _l("Service that makes labels"),
        "is_test": _l("Trial contract"),
        "account": _l("Code enseigne"),
        "brand": _l("Code marque"),
        "private_key": _l("Private key"),
        "login": _l("API 2 login"),
        "password": _l("API 2 password"),
        "relay_country": _l("Country of the relay"),
        "relay_number": _l("Destination relay point"),
        "recipient": _l("Recipient's name"),
        "street": _l("Street"),
        "postcode": _l("Postcode"),
        "city": _l("Town"),
        "phone": _l("Phone"),
        "insurance_levels": _l("Insurance levels"),
        "packaging_grams": _l("Packaging (g)"),
        "checked_at": _l("Connection tested"),
        "check_result": _l("Answer"),
    }
    description_columns = {
        "name": _l("As your staff call it; read beside the label's number."),
        "prefers_relay": _l("Of several contracts, parcels to a relay point go by this one."),
        "prefers_home": _l("Of several contracts, parcels to a home go by this one."),
        "service": _l(
            "Mondial Relay moves label creation from SOAP to REST: ask which one your contract has."
        ),
        "is_test": _l("Labels are marked as trials; use the carrier's test account."),
        "account": _l("8 characters, on your contract (« Offre Start » is enough)."),
        "brand": _l("2 digits."),
        "relay_number": _l("6 digits: where parcels to your shop arrive."),
        "insurance_levels": _l("How many levels your contract opens, 0 to 5."),
        "packaging_grams": _l("Added to the weight of the games."),
    }
    _secrets = {
        "private_key": PasswordField(
            _l("Private key"),
            [Optional()],
            description=_l("Kept sealed; empty keeps the one we have."),
            render_kw={"autocomplete": "off"},
        ),
        "password": PasswordField(
            _l("API 2 password"),
            [Optional()],
            description=_l("Kept sealed; empty keeps the one we have."),
            render_kw={"autocomplete": "off"},
        ),
    }
    add_form_extra_fields = {
        "carrier": SelectField(_l("Carrier"), choices=contracts.carriers_with_contracts),
        **_secrets,
    }
    edit_form_extra_fields = _secrets
    order_columns = ["name", "account"]
    search_columns = ["account"]
    find_columns = (CarrierContract.name, CarrierContract.account)
    first_order = "name"
    show_partials = ("admin/shipping/_carrier.html",)
    empty_sentence = _l("No contract: labels cannot be ordered. « Offre Start » is enough.")

    def show_more(self, row: CarrierContract) -> dict[str, Any]:
        return {"why_no_label": contracts.why_no_label(row)}

    def check(self, row: CarrierContract) -> None:
        row.carrier = row.carrier or "mondial_relay"
        row.name = (row.name or "").strip() or "Mondial Relay"
        row.service = row.service or CarrierService.soap
        contracts.prefer(row)
        row.account = (row.account or "").strip().upper()
        row.brand = (row.brand or "").strip()
        row.relay_number = "".join((row.relay_number or "").split())
        row.relay_country = (row.relay_country or "FR").upper()[:2]
        for name in ("key_sealed", "password_sealed", "login"):
            setattr(row, name, getattr(row, name) or "")
        row.insurance_levels = row.insurance_levels or 0
        contracts.check_codes(row)
        if row.postcode:
            row.postcode = customers.clean_postcode(row.postcode)
        if row.phone:
            row.phone = customers.clean_phone(row.phone, row.postcode or "")
        row.checked_at, row.check_result = None, ""
        for name in ("recipient", "street", "city", "postcode", "phone"):
            setattr(row, name, getattr(row, name) or "")

    def kept(self, row: CarrierContract, form: Any, ready: Any) -> None:
        db.session.flush()
        contracts.keep_secrets(row, form.private_key.data or "", form.password.data or "")


class CarrierTestView(BaseView):
    """« Tester la connexion »: a call outside, with no unit open."""

    route_base = "/gestion/parametrages/transporteurs"
    class_permission_name = "CarrierView"
    method_permission_name = {"test": "edit"}
    base_permissions = ["can_edit"]

    @expose("/<int:id>/tester", methods=["POST"])
    @has_access
    def test(self, id: int) -> Any:
        contract = row_or_404(CarrierContract, id)
        worked, sentence = contracts.test_connection(contract)
        with unit_of_work() as session:
            contract = session.get_one(CarrierContract, id)
            contract.checked_at, contract.check_result = clock.now(), sentence
            workflow.record(contract, "check_contract", by=me(), answer=sentence)
        flash(sentence, "success" if worked else "danger")
        return redirect(url_for("CarrierView.show", pk=id))
