"""What customers type. Fields only check that something is there; the rules live in
services/people/customers.py.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from wtforms import BooleanField, EmailField, Field, PasswordField, StringField, TelField
from wtforms.validators import InputRequired, Length, ValidationError

from services.people import customers, passwords
from services.workflow import Refused


def _checked(clean: Callable[..., Any], *also: str) -> Callable[[FlaskForm, Field], None]:
    """A validator from the rule of the service, so that every wrong field is told at once."""

    def check(form: FlaskForm, field: Field) -> None:
        try:
            clean(field.data or "", *((form[name].data or "") for name in also))
        except Refused as refusal:
            raise ValidationError(str(refusal)) from None

    return check


class PersonalForm(FlaskForm):
    first_name = StringField(
        _l("First name"),
        [InputRequired(_l("Type your first name.")), Length(max=100)],
        render_kw={"autocomplete": "given-name"},
    )
    last_name = StringField(
        _l("Last name"),
        [InputRequired(_l("Type your last name.")), Length(max=100)],
        render_kw={"autocomplete": "family-name"},
    )
    address = StringField(
        _l("Address"),
        [InputRequired(_l("Type the number and the street.")), Length(max=200)],
        render_kw={"autocomplete": "address-line1"},
    )
    address_more = StringField(
        _l("Address, further details (optional)"),
        [Length(max=200)],
        render_kw={"autocomplete": "address-line2"},
    )
    postcode = StringField(
        _l("Postcode"),
        [InputRequired(_l("Type your postcode.")), _checked(customers.clean_postcode)],
        render_kw={"autocomplete": "postal-code", "inputmode": "numeric"},
    )
    city = StringField(
        _l("Town"),
        [InputRequired(_l("Type the town.")), Length(max=100)],
        render_kw={"autocomplete": "address-level2"},
    )
    phone = TelField(
        _l("Phone"),
        [InputRequired(_l("Type your phone number.")), _checked(customers.clean_phone, "postcode")],
        render_kw={"autocomplete": "tel"},
        description=_l("Only for your parcel: an SMS if it is late."),
    )


class AccountForm(PersonalForm):
    email = EmailField(
        _l("E-mail"),
        [InputRequired(_l("Type your e-mail address.")), _checked(customers.clean_email)],
        render_kw={"autocomplete": "email"},
    )
    password = PasswordField(
        _l("Password"),
        [
            InputRequired(_l("Choose a password.")),
            _checked(passwords.check_strength, "email", "first_name", "last_name"),
        ],
        render_kw={"autocomplete": "new-password"},
        description=_l("12 characters at least: three or four words do well."),
    )
    conditions = BooleanField(
        _l("I accept the buying conditions"), [InputRequired(_l("Accept the conditions to go on."))]
    )


class SignInForm(FlaskForm):
    email = EmailField(
        _l("E-mail"),
        [InputRequired(_l("Type your e-mail address."))],
        render_kw={"autocomplete": "email"},
    )
    password = PasswordField(
        _l("Password"),
        [InputRequired(_l("Type your password."))],
        render_kw={"autocomplete": "current-password"},
    )


class ForgottenForm(FlaskForm):
    email = EmailField(
        _l("E-mail"),
        [InputRequired(_l("Type your e-mail address."))],
        render_kw={"autocomplete": "email"},
    )


class NewPasswordForm(FlaskForm):
    password = PasswordField(
        _l("New password"),
        [InputRequired(_l("Choose a password."))],
        render_kw={"autocomplete": "new-password"},
        description=_l("12 characters at least: three or four words do well."),
    )


class ChangeEmailForm(FlaskForm):
    email = EmailField(
        _l("New e-mail"),
        [InputRequired(_l("Type your e-mail address."))],
        render_kw={"autocomplete": "email"},
    )
    password = PasswordField(
        _l("Your password"),
        [InputRequired(_l("Type your password."))],
        render_kw={"autocomplete": "current-password"},
    )


class ChangePasswordForm(FlaskForm):
    current = PasswordField(
        _l("Current password"),
        [InputRequired(_l("Type your password."))],
        render_kw={"autocomplete": "current-password"},
    )
    password = PasswordField(
        _l("New password"),
        [InputRequired(_l("Choose a password."))],
        render_kw={"autocomplete": "new-password"},
        description=_l("12 characters at least: three or four words do well."),
    )


class IbanForm(FlaskForm):
    iban = StringField(
        _l("IBAN"),
        [InputRequired(_l("Type your IBAN: it begins with FR76, on your bank's RIB."))],
        render_kw={
            "autocomplete": "off",
            "spellcheck": "false",
            "placeholder": "FR76 1234 5678 9012 3456 7890 123",
            "inputmode": "text",
            "class": "iban",
            "data-iban": "",
        },
    )
    holder = StringField(
        _l("Holder of the account"),
        [InputRequired(_l("Type the name of the account's holder, as the bank knows it."))],
        render_kw={"autocomplete": "name"},
        description=_l("As the bank knows it: it compares the name with the account."),
    )
    password = PasswordField(
        _l("Your password (to keep another IBAN)"), render_kw={"autocomplete": "current-password"}
    )


class EraseForm(FlaskForm):
    password = PasswordField(
        _l("Your password"),
        [InputRequired(_l("Type your password."))],
        render_kw={"autocomplete": "current-password"},
    )
    word = StringField(
        _l("Type EFFACER to confirm"),
        [InputRequired(_l("Type EFFACER to confirm."))],
        render_kw={"autocomplete": "off"},
    )


@contextmanager
def saying_why(form: FlaskForm) -> Iterator[None]:
    """A refusal becomes a sentence beside the field it is about, or above the form; nothing typed
    is lost.
    """
    try:
        yield
    except Refused as refusal:
        name = getattr(refusal, "field", None)
        target = form[name].errors if name and name in form else form.form_errors
        (
            target.append(str(refusal))
            if isinstance(target, list)
            else setattr(form[name], "errors", [*target, str(refusal)])
        )


def refused(form: FlaskForm) -> bool:
    return bool(form.errors)
