"""Contracts: what a vendor agreed with a carrier, and which contract a shipment goes by."""

from dataclasses import replace

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import select, update

from gateways import Carrier, CarrierAccount, Cover, GatewayError, live
from models import CarrierContract, CarrierService
from services import sealing, workflow
from services.unit import db
from services.workflow import Refused

RELAY, HOME = "relay", "home"
KINDS = {RELAY: _l("to a relay point"), HOME: _l("to a home")}
BY_HAND = "by_hand"

workflow.name_states(
    (CarrierService.soap, _l("SOAP (API 1)"), "info"),
    (CarrierService.rest, _l("REST (API 2, Connect)"), "info"),
)
workflow.says("carrier_contract", check_contract=_l("Connection tested"))
sealing.keeps(CarrierContract, "key_sealed", lambda row: f"carrier_contract.key:{row.id}")
sealing.keeps(CarrierContract, "password_sealed", lambda row: f"carrier_contract.password:{row.id}")


# ── which carriers there are ──


def carrier(code: str) -> Carrier | None:
    """The adapter of a carrier, or None when this installation does not reach it."""
    found: Carrier | None = live.carriers.get(code)
    return found


def carriers_with_contracts() -> list[tuple[str, str]]:
    """Code and name of the carriers one can have a contract with."""
    return [(code, str(one.name)) for code, one in live.carriers.items() if one.makes_labels]


def _unreachable() -> str:
    return _(
        "This installation reaches no carrier: set COMPTOIR_MONDIAL_RELAY_URL, or"
        " COMPTOIR_ENV=production."
    )


# ── which contract ──


def contract_of(vendor_id: int, kind: str = RELAY) -> CarrierContract | None:
    """The contract a vendor's shipments of a kind go by: the preferred one, else the oldest whose
    carrier delivers so.
    """
    preferred = CarrierContract.prefers_relay if kind == RELAY else CarrierContract.prefers_home
    rows = (
        select(CarrierContract)
        .where(CarrierContract.vendor_id == vendor_id)
        .order_by(preferred.desc(), CarrierContract.id)
    )
    for contract in db.session.scalars(rows):
        reached = carrier(contract.carrier)
        if reached is None or kind in reached.kinds:
            return contract
    return None


def prefer(contract: CarrierContract) -> None:
    """Make a contract the only preferred one of its vendor, for the kinds it says. Raises Refused
    for a kind its carrier does not deliver.
    """
    reached = carrier(contract.carrier)
    for kind, column in ((RELAY, "prefers_relay"), (HOME, "prefers_home")):
        if not getattr(contract, column):
            continue
        if reached is not None and kind not in reached.kinds:
            raise Refused(
                _(
                    "%(carrier)s does not deliver %(kind)s: leave this preference empty.",
                    carrier=reached.name,
                    kind=KINDS[kind],
                )
            )
        with db.session.no_autoflush:
            db.session.execute(
                update(CarrierContract)
                .where(
                    CarrierContract.vendor_id == contract.vendor_id,
                    CarrierContract.id != (contract.id or 0),
                    getattr(CarrierContract, column),
                )
                .values({column: False, "version": CarrierContract.version + 1})
            )


def why_no_label(contract: CarrierContract | None) -> str | None:
    """None when labels can be ordered, else the sentence under the greyed buttons."""
    if contract is None:
        return _(
            "No carrier contract yet: an administrator gives its codes under « Paramétrages divers"
            " → Transporteurs ». Mondial Relay: « Offre Start » is enough."
        )
    reached = carrier(contract.carrier)
    if reached is None:
        return _unreachable()
    address = (
        (_("recipient's name"), contract.recipient),
        (_("street"), contract.street),
        (_("postcode"), contract.postcode),
        (_("town"), contract.city),
        (_("phone"), contract.phone),
    )
    missing = reached.lacks(_codes(contract)) + [words for words, value in address if not value]
    if missing:
        return _(
            "The %(carrier)s contract is incomplete: %(missing)s. Complete it under «"
            " Paramétrages divers → Transporteurs ».",
            carrier=reached.name,
            missing=", ".join(missing),
        )
    return None


# ── insurance ──


def covers(contract: CarrierContract | None) -> list[Cover]:
    """The insurance levels a contract opens, without the standard one."""
    reached = carrier(contract.carrier) if contract is not None else None
    if contract is None or reached is None:
        return []
    return [cover for cover in reached.covers(_codes(contract)) if cover.level]


def shown_covers(contract: CarrierContract | None) -> list[Cover]:
    """The insurance levels a screen shows: without a contract those of the usual one, greyed."""
    usual = CarrierContract(
        carrier="mondial_relay", service=CarrierService.soap, insurance_levels=3
    )
    return covers(contract or usual)


def is_covered(contract: CarrierContract | None, level: int) -> bool:
    return not level or level in {cover.level for cover in covers(contract)}


def cover_for(contract: CarrierContract | None, amount_cents: int) -> int:
    """The smallest level that covers an amount, else the highest there is; 0 without any."""
    levels = covers(contract)
    enough = (cover.level for cover in levels if cover.cents >= amount_cents)
    return next(enough, levels[-1].level if levels else 0)


def cover_words(contract: CarrierContract | None, level: int) -> str:
    """« Ass2 125 € », or « standard »."""
    cents = next((cover.cents for cover in covers(contract) if cover.level == level), 0)
    if not level:
        return _("standard")
    return f"Ass{level} {cents // 100} €" if cents else f"Ass{level}"


# ── secrets ──


def keep_secrets(contract: CarrierContract, key: str, password: str) -> None:
    """Seal what was typed; an empty field keeps the secret there is. The contract has its number
    already.
    """
    if key.strip():
        contract.key_sealed = sealing.seal(key.strip(), f"carrier_contract.key:{contract.id}")
    if password.strip():
        contract.password_sealed = sealing.seal(
            password.strip(), f"carrier_contract.password:{contract.id}"
        )


def account(contract: CarrierContract) -> CarrierAccount:
    """The contract with its secrets opened, for one call. Raises sealing.CannotOpen."""
    codes, id = _codes(contract), contract.id
    return replace(
        codes,
        key=sealing.unseal(codes.key, f"carrier_contract.key:{id}") if codes.key else "",
        password=(
            sealing.unseal(codes.password, f"carrier_contract.password:{id}")
            if codes.password
            else ""
        ),
    )


def _codes(contract: CarrierContract) -> CarrierAccount:
    """The contract with its secrets still sealed: enough to see what it lacks and covers."""
    return CarrierAccount(
        service=contract.service.value,
        is_test=contract.is_test,
        account=contract.account,
        brand=contract.brand,
        key=contract.key_sealed,
        login=contract.login,
        password=contract.password_sealed,
        relay_country=contract.relay_country,
        relay_number=contract.relay_number,
        insurance_levels=contract.insurance_levels,
    )


def check_codes(contract: CarrierContract) -> None:
    """Raises Refused when a code has not the form its carrier gives it."""
    reached = carrier(contract.carrier)
    if reached is not None and (sentence := reached.wrong_code(_codes(contract))):
        raise Refused(sentence)


def test_connection(contract: CarrierContract) -> tuple[bool, str]:
    """« Tester la connexion »: ask the carrier something harmless. Call with no unit open; the
    answer is a sentence.
    """
    reached = carrier(contract.carrier)
    if reached is None:
        return False, _unreachable()
    opened = account(contract)
    db.session.rollback()
    try:
        reached.check(opened)
    except GatewayError as error:
        return False, str(error)
    return True, _("%(carrier)s knows this contract: labels can be ordered.", carrier=reached.name)
