"""Mondial Relay: labels, relay search and tracing. SOAP through zeep (API 1), label creation also
by REST (« Dual Carrier », API 2).

HTTP 200 carries business errors too: STAT says them. A label call has no key that makes a repeat
harmless: when the answer is lost the error is `unsure`, and nobody may simply call again.
"""

import functools
import hashlib
import re
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, SubElement, tostring
from zoneinfo import ZoneInfo

import requests
from anyascii import anyascii
from defusedxml import ElementTree
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from zeep import Client, Settings
from zeep.transports import Transport

from gateways import (
    Address,
    CarrierAccount,
    Cover,
    GatewayError,
    MadeLabel,
    Relay,
    Shipment,
    Trace,
    Tracking,
    deadline,
    silence,
)

CONNECT, READ = 3, 10
TOLD_BEFORE = 14  # days a relay's holidays are told before they begin
NAMESPACE = "http://www.mondialrelay.fr/webservice/"
WSDL = Path(__file__).with_suffix(".wsdl")
FORMATS = ("A4", "A5", "10x15")
# Indemnity of each level in cents (general conditions: 25 € without one, five levels up to 500 €).
INSURANCE = (2500, 5000, 12_500, 25_000, 37_500, 50_000)
SOAP, LABELS = "https://api.mondialrelay.com/Web_Services.asmx", "https://www.mondialrelay.com"
REST, REST_TEST = (
    "https://connect-api.mondialrelay.com/api/shipment",
    "https://connect-api-sandbox.mondialrelay.com/api/shipment",
)
RESPONSE = "{http://www.example.org/Response}"
PARIS = ZoneInfo("Europe/Paris")

# What the carrier calls each code (manual V5.4), then what a shop can do about it.
_SETUP = _l(
    "Check the contract's codes and key in « Paramétrages divers → Transporteurs », then test the"
    " connection."
)
_ADDRESS = _l("Correct the address of the seller or of the shop, then ask for the label again.")
_PARCEL = _l("Correct the weight, the insurance or the relay, then ask for the label again.")
_LATER = _l("The carrier has a breakdown: it is tried again by itself.")
_CALL = _l("Call Mondial Relay with the parcel's number.")
_NOTHING = _l("Nothing to do.")
_BALANCE = _l(
    "Check that the account has credit, and that relay and address are in the same country."
)
STAT: dict[int, tuple[str, Any]] = {
    0: ("Opération effectuée avec succès", _NOTHING),
    1: ("Enseigne invalide", _SETUP),
    2: ("Numéro d’enseigne vide ou inexistant", _SETUP),
    3: ("Numéro de compte enseigne invalide", _SETUP),
    5: ("Numéro de dossier enseigne invalide", _CALL),
    7: ("Numéro de client enseigne invalide", _CALL),
    8: ("Mot de passe ou hachage invalide", _SETUP),
    9: ("Ville non reconnue ou non unique", _ADDRESS),
    10: ("Type de collecte invalide", _CALL),
    11: ("Numéro de relais de collecte invalide", _PARCEL),
    12: ("Pays de relais de collecte invalide", _PARCEL),
    13: ("Type de livraison invalide", _CALL),
    14: ("Numéro de relais de livraison invalide", _SETUP),
    15: ("Pays de relais de livraison invalide", _SETUP),
    20: ("Poids du colis invalide", _PARCEL),
    21: ("Taille (longueur + hauteur) du colis invalide", _PARCEL),
    22: ("Taille du colis invalide", _PARCEL),
    24: ("Numéro d’expédition ou de suivi invalide", _CALL),
    26: ("Temps de montage invalide", _CALL),
    27: ("Mode de collecte ou de livraison invalide", _CALL),
    28: ("Mode de collecte invalide", _CALL),
    29: ("Mode de livraison invalide", _CALL),
    30: ("Adresse (L1) invalide", _ADDRESS),
    31: ("Adresse (L2) invalide", _ADDRESS),
    33: ("Adresse (L3) invalide", _ADDRESS),
    34: ("Adresse (L4) invalide", _ADDRESS),
    35: ("Ville invalide", _ADDRESS),
    36: ("Code postal invalide", _ADDRESS),
    37: ("Pays invalide", _ADDRESS),
    38: ("Numéro de téléphone invalide", _ADDRESS),
    39: ("Adresse e-mail invalide", _ADDRESS),
    40: ("Paramètres manquants", _ADDRESS),
    42: ("Montant CRT invalide", _CALL),
    43: ("Devise CRT invalide", _CALL),
    44: ("Valeur du colis invalide", _PARCEL),
    45: ("Devise de la valeur du colis invalide", _PARCEL),
    46: ("Plage de numéros d’expédition épuisée", _CALL),
    47: ("Nombre de colis invalide", _PARCEL),
    48: ("Multi-colis interdit en relais", _PARCEL),
    49: ("Action invalide", _CALL),
    60: ("Champ texte libre invalide (sans effet sur l’étiquette)", _NOTHING),
    61: ("Top avisage invalide", _CALL),
    62: ("Instruction de livraison invalide", _CALL),
    63: ("Assurance invalide : ce niveau n’est pas dans votre contrat", _PARCEL),
    64: ("Temps de montage invalide", _CALL),
    65: ("Top rendez-vous invalide", _CALL),
    66: ("Top reprise invalide", _CALL),
    67: ("Latitude invalide", _CALL),
    68: ("Longitude invalide", _CALL),
    69: ("Code enseigne invalide", _SETUP),
    70: ("Numéro de Point Relais invalide", _PARCEL),
    71: ("Nature de point de vente non valide", _CALL),
    74: ("Langue invalide", _CALL),
    78: ("Pays de collecte invalide", _ADDRESS),
    79: ("Pays de livraison invalide", _ADDRESS),
    80: ("Colis enregistré", _NOTHING),
    81: ("Colis en traitement chez Mondial Relay", _NOTHING),
    82: ("Colis livré", _NOTHING),
    83: ("Anomalie sur le colis", _CALL),
    92: (
        "Pays du destinataire et du relais différents, ou solde insuffisant (compte prépayé)",
        _BALANCE,
    ),
    93: (
        "Aucun élément retourné par le plan de tri : relais indisponible ou code postal inconnu",
        _PARCEL,
    ),
    94: ("Colis inexistant", _CALL),
    95: ("Compte enseigne non activé", _SETUP),
    96: ("Type d’enseigne incorrect en base", _SETUP),
    97: ("Clé de sécurité invalide", _SETUP),
    98: ("Erreur générique : un des paramètres est invalide", _ADDRESS),
    99: ("Erreur générique du service", _LATER),
}
SUCCESS, RETRYABLE, TRACED = {0, 60}, {99}, {80, 81, 82, 83}
UNKNOWN_PARCEL = {24, 94}


def explain(stat: int) -> str:
    """A code as a sentence: what the carrier says, and what to do about it."""
    words, advice = STAT.get(stat, ("Code inconnu", _CALL))
    return f"{words} (code {stat}). {advice}"


class _Transport(Transport):
    """Remembers the HTTP status of the last answer, which zeep's errors forget."""

    last_status = 0

    def post(self, address: str, message: Any, headers: Any) -> Any:
        self.last_status = 0
        answer = super().post(address, message, headers)  # type: ignore[no-untyped-call]
        self.last_status = answer.status_code
        return answer


class MondialRelay:
    """The carrier's services. `base` replaces all of their addresses by one host (the trial's
    simulator).
    """

    name = "Mondial Relay"
    kinds = frozenset({"relay"})
    formats = FORMATS
    makes_labels = True
    follows = True

    def __init__(self, base: str = "") -> None:
        base = base.rstrip("/")
        self._soap = f"{base}/Web_Services.asmx" if base else SOAP
        self._labels = base or LABELS
        self._rest = {
            False: f"{base}/api/shipment" if base else REST,
            True: f"{base}/api/shipment" if base else REST_TEST,
        }
        self._local = threading.local()

    # ── the port ──

    def lacks(self, account: CarrierAccount) -> list[str]:
        """The codes a contract still needs; the REST service (API 2) has its own two."""
        rest = account.service == "rest"
        wanted = (
            (_("code enseigne"), account.account),
            (_("private key"), account.key),
            (_("destination relay"), account.relay_number),
            (_("API 2 login"), account.login or not rest),
            (_("API 2 password"), account.password or not rest),
        )
        return [words for words, value in wanted if not value]

    def wrong_code(self, account: CarrierAccount) -> str | None:
        for code, form, sentence in (
            (
                account.account,
                r"[0-9A-Z]{2}[0-9A-Z ]{0,6}",
                _("The code enseigne has 8 capital letters and digits, such as BDTEST13."),
            ),
            (account.brand, r"\d{2}", _("The code marque has 2 digits.")),
            (account.relay_number, r"\d{6}", _("A relay number has 6 digits.")),
        ):
            if code and not re.fullmatch(form, code, re.ASCII):
                return sentence
        if not 0 <= account.insurance_levels <= 5:
            return _("Insurance levels go from 0 to 5.")
        return None

    def covers(self, account: CarrierAccount) -> list[Cover]:
        """The levels up to the one the contract opens."""
        return [Cover(level, INSURANCE[level]) for level in range(account.insurance_levels + 1)]

    def why_no_number(self, number: str) -> str | None:
        """A label of Mondial Relay is numbered by 8 digits."""
        if number.isascii() and number.isdigit() and len(number) == 8:
            return None
        return _("A label number has 8 digits: read it on the carrier's site.")

    def tracking_link(self, account: CarrierAccount | None, number: str, name: str = "") -> str:
        """The signed page of the carrier, which needs the contract's key."""
        return tracking_link(account, number) if account is not None and account.key else ""

    def check(self, account: CarrierAccount) -> str:
        """Ask something harmless with these credentials; returns a sentence. Raises GatewayError
        with what is wrong.
        """
        if account.service == "rest":
            codes = self._rest_call(account, None)
            if any(
                code == "10011" for code, _level, _words in codes[0]
            ):  # « no shipment »: the credentials were accepted
                return ""
            raise GatewayError(_rest_words(codes[0]), permanent=True)
        answer = self._call(
            "WSI4_PointRelais_Recherche",
            account,
            Pays=account.relay_country,
            NumPointRelais=account.relay_number,
            NombreResultats=None,
        )
        if account.relay_number and not _list(answer, "PointsRelais", "PointRelais_Details"):
            raise GatewayError(explain(70), permanent=True)
        return ""

    def relays(
        self, account: CarrierAccount, postcode: str, country: str = "FR", most: int = 8
    ) -> list[Relay]:
        """Relay points near a postcode where a parcel can be handed in today, nearest first: those
        closed for the holidays are left out. Sends no NombreResultats: whether it is hashed is
        disputed.
        """
        answer = self._call(
            "WSI4_PointRelais_Recherche",
            account,
            Pays=country,
            CP=postcode,
            Action="REL",  # drops off; a relay may deliver only
            NombreResultats=None,
        )
        today = datetime.now(PARIS).date()
        found = _list(answer, "PointsRelais", "PointRelais_Details")
        return [_relay(one, today) for one in found if not _is_closed(one, today)][:most]

    def create_label(self, account: CarrierAccount, shipment: Shipment) -> MadeLabel:
        """Order one label. Raises GatewayError; `unsure` when a label may exist although no answer
        came.
        """
        return (
            self._create_by_rest(account, shipment)
            if account.service == "rest"
            else self._create_by_soap(account, shipment)
        )

    def label_pdf(self, url: str, size: str = "A4") -> bytes:
        """The label as a PDF, in A4, A5 or 10x15 (the signature of its address does not cover the
        format).
        """
        address = url if url.startswith("http") else self._labels + url
        address = re.sub(r"format=[^&]*", f"format={size}", address)
        try:
            answer = deadline.session().get(address, timeout=(CONNECT, READ))
        except requests.RequestException as error:
            raise GatewayError(silence(error)) from error
        if answer.status_code != 200 or not answer.content.startswith(b"%PDF"):
            raise GatewayError(
                _("The carrier gives no label yet (HTTP %(code)s).", code=answer.status_code)
            )
        return answer.content

    def find_label(self, account: CarrierAccount, number: str) -> str:
        """The address of a label that exists. Raises GatewayError, permanent when the carrier does
        not know the number.
        """
        answer = self._call("WSI3_GetEtiquettes", account, Expeditions=number, Langue="FR")
        return str(answer.URL_PDF_A4)

    def track(self, account: CarrierAccount, number: str) -> Tracking:
        """Where a parcel is. A number the carrier does not know yet is a parcel not handed over."""
        answer = self._call("WSI2_TracingColisDetaille", account, Expedition=number, Langue="FR")
        stat = _number(answer.STAT)
        if stat in UNKNOWN_PARCEL:
            return Tracking("not_sent", "", ())
        events = [
            e
            for e in map(_event, _list(answer, "Tracing", "ret_WSI2_sub_TracingColisDetaille"))
            if e
        ]
        events.sort(key=lambda e: e.at)
        words = events[-1].words if events else _text(answer.Libelle01)
        state = understand(stat, [e.words for e in events] or [words])
        return Tracking(state, words, tuple(events))

    # ── SOAP ──

    def _create_by_soap(self, account: CarrierAccount, s: Shipment) -> MadeLabel:
        sender, to = s.sender, s.recipient
        answer = self._call(
            "WSI2_CreationEtiquette",
            account,
            once=True,
            ModeCol="REL",
            ModeLiv="24R",
            NDossier=clean(s.reference, 15, "0-9A-Z_ -"),
            NClient="",
            Expe_Langage="FR",
            **_lines("Expe", sender),
            Expe_Ville=town(sender.city),
            Expe_CP=sender.postcode,
            Expe_Pays=sender.country,
            Expe_Tel1=_sender_phone(s),
            Expe_Tel2="",
            Expe_Mail=mailbox(sender.email),
            Dest_Langage="FR",
            **_lines("Dest", to),
            Dest_Ville=town(to.city),
            Dest_CP=to.postcode,
            Dest_Pays=to.country,
            Dest_Tel1=phone(to),
            Dest_Tel2="",
            Dest_Mail=mailbox(to.email),
            Poids=str(max(100, s.weight_grams)),
            Longueur="",
            Taille="",
            NbColis="1",
            CRT_Valeur="0",
            CRT_Devise="EUR",
            Exp_Valeur=str(s.value_cents),
            Exp_Devise="EUR",
            COL_Rel_Pays="FR",
            COL_Rel="AUTO",
            LIV_Rel_Pays=s.relay_country,
            LIV_Rel=s.relay_number,
            TAvisage="",
            TReprise="",
            Montage="",
            TRDV="",
            Assurance=str(s.insurance),
            Instructions="",
            Texte=s.reference,
        )
        return _label(_text(answer.ExpeditionNum), _text(answer.URL_Etiquette))

    def _call(
        self, operation: str, account: CarrierAccount, once: bool = False, **values: Any
    ) -> Any:
        values = {"Enseigne": _enseigne(account), **values}
        values["Security"] = security(operation, values, account.key)
        transport = self._transport()
        try:
            answer = getattr(self._service(transport), operation)(**values)
        except requests.ConnectTimeout as error:
            raise GatewayError(silence(error)) from error
        except requests.ConnectionError as error:
            # Refused before anything was said is safe to try again; cut afterwards is not.
            said = not _never_connected(error)
            raise GatewayError(
                _("The line was cut while it was asked.") if said else silence(error),
                unsure=once and said,
            ) from error
        except requests.RequestException as error:
            raise GatewayError(silence(error), unsure=once) from error
        except Exception as error:
            # HTML instead of XML, an HTTP error page, half an answer: the carrier may still have
            # done it, unless it was never reached.
            kept_out = transport.last_status in (403, 429, 503)
            raise _unreadable(type(error).__name__, unsure=once and not kept_out) from error
        if answer is None or not _text(getattr(answer, "STAT", None)).isdigit():
            raise GatewayError(_("The carrier answered nothing."), unsure=once)
        stat = _number(answer.STAT)
        if stat in SUCCESS or (
            stat in TRACED | UNKNOWN_PARCEL and operation == "WSI2_TracingColisDetaille"
        ):
            return answer
        raise GatewayError(explain(stat), permanent=stat not in RETRYABLE)

    def _transport(self) -> _Transport:
        """A session per thread: zeep's is not shared."""
        if not hasattr(self._local, "transport"):
            self._local.transport = _Transport(  # type: ignore[no-untyped-call]
                session=deadline.session(), timeout=READ, operation_timeout=(CONNECT, READ)
            )
        transport: _Transport = self._local.transport
        return transport

    def _service(self, transport: _Transport) -> Any:
        if not hasattr(self._local, "service"):
            client = Client(  # type: ignore[no-untyped-call]
                str(WSDL), transport=transport, settings=Settings(strict=False, xml_huge_tree=False)
            )
            self._local.service = client.create_service(  # type: ignore[no-untyped-call]
                f"{{{NAMESPACE}}}Web_ServicesSoap", self._soap
            )
        return self._local.service

    # ── REST ──

    def _create_by_rest(self, account: CarrierAccount, s: Shipment) -> MadeLabel:
        statuses, root = self._rest_call(account, s)
        wrong = [status for status in statuses if "error" in status[1].lower()]
        if wrong:
            raise GatewayError(
                _rest_words(wrong), permanent=not any(code in PASSING for code, _l, _w in wrong)
            )
        shipment = root.find(f".//{RESPONSE}Shipment")
        if shipment is None:  # well-formed XML that is not theirs: a proxy's page
            raise _unreadable("XML", unsure=True)
        made = _label(
            shipment.get("ShipmentNumber", ""), root.findtext(f".//{RESPONSE}Output") or ""
        )
        warned = [status for status in statuses if "warning" in status[1].lower()]
        return replace(made, warning=_rest_words(warned) if warned else "")

    def _rest_call(
        self, account: CarrierAccount, s: Shipment | None
    ) -> tuple[list[tuple[str, str, str]], Any]:
        body = tostring(_rest_request(account, s), encoding="utf-8", xml_declaration=True)
        headers = {"Content-Type": "text/xml; charset=utf-8", "Accept": "application/xml"}
        try:
            answer = deadline.session().post(
                self._rest[account.is_test], data=body, headers=headers, timeout=(CONNECT, READ)
            )
        except requests.ConnectionError as error:
            said = not _never_connected(error)
            raise GatewayError(
                _("The line was cut while it was asked.") if said else silence(error),
                unsure=s is not None and said,
            ) from error
        except requests.RequestException as error:
            raise GatewayError(silence(error), unsure=s is not None) from error
        try:
            root = ElementTree.fromstring(answer.content)
        except (ElementTree.ParseError, ValueError) as error:
            raise _unreadable(f"HTTP {answer.status_code}", unsure=s is not None) from error
        return [
            (_said(e, "Code"), _said(e, "Level"), _said(e, "Message"))
            for e in root.iter(f"{RESPONSE}Status")
        ], root


# ── what is sent ──


@functools.cache
def fields(operation: str) -> tuple[str, ...]:
    """The inputs of an operation in the order of the WSDL, which is the order they are hashed
    in.
    """
    schema = "{http://www.w3.org/2001/XMLSchema}"
    for element in ElementTree.parse(WSDL).iter(f"{schema}element"):
        if element.get("name") == operation:
            return tuple(
                e.get("name", "") for e in element.iter(f"{schema}element") if e is not element
            )
    raise KeyError(operation)


def security(operation: str, values: dict[str, Any], key: str) -> str:
    """The security key: MD5 of all values in WSDL order then the private key, without Security and
    Texte; latin-1, as the service hashes.
    """
    said = "".join(
        str(values[name])
        for name in fields(operation)
        if name not in ("Security", "Texte") and values.get(name) is not None
    )
    return (
        hashlib.md5((said + key).encode("latin-1", "replace"), usedforsecurity=False)
        .hexdigest()
        .upper()
    )


def _enseigne(account: CarrierAccount) -> str:
    """The « code enseigne » as the SOAP service wants it: 8 characters, spaces behind."""
    return account.account.ljust(8)


def link_signature(account: str, brand: str, *parts: str, key: str) -> str:
    """The « crc » of the carrier's links: MD5 of <enseigne+marque>, the parts, <key>."""
    said = f"<{account}{brand}>" + "".join(parts) + f"<{key}>"
    return hashlib.md5(said.encode("latin-1", "replace"), usedforsecurity=False).hexdigest().upper()


def tracking_link(account: CarrierAccount, number: str) -> str:
    """The carrier's own page about a parcel."""
    crc = link_signature(_enseigne(account), account.brand, number, key=account.key)
    return (
        "https://www.mondialrelay.com/public/permanent/tracking.aspx"
        f"?ens={_enseigne(account).replace(' ', '%20')}{account.brand}"
        f"&exp={number}&pays=FR&language=FR&crc={crc}"
    )


def clean(words: str, most: int, allowed: str) -> str:
    """Upper case, letters of every alphabet in plain Latin ones, only what the field's rule lets
    through, cut.
    """
    plain = anyascii(words).upper()
    return " ".join(re.sub(f"[^{allowed}]", " ", plain).split())[:most].strip()


def spread(words: str, most: int) -> tuple[str, str]:
    """An address line, and what does not fit in it, parted between two words."""
    whole = clean(words, 200, "0-9A-Z_\\-'., /")
    if len(whole) <= most:
        return whole, ""
    cut = whole.rfind(" ", 0, most + 1)
    cut = cut if cut > 0 else most
    return whole[:cut].rstrip(), whole[cut:].strip()


def _address(person: Address, most: int) -> tuple[str, str, str, str]:
    """Name, its rest, street, and what is said besides: the rest of a street too long, then the
    complement. A shop that reads half of an address sends the parcel back.
    """
    name, name_more = spread(person.name, most)
    street, street_more = spread(person.street, most)
    more = spread(" ".join((street_more, person.more)), most)[0]
    return name, name_more[:most], street, more


def _lines(role: str, person: Address) -> dict[str, str]:
    """The four lines of an address of the SOAP service, 32 characters each."""
    return dict(zip((f"{role}_Ad{n}" for n in range(1, 5)), _address(person, 32), strict=True))


def town(words: str) -> str:
    """At least two letters, says the manual; one village of the Somme has one."""
    plain = clean(words, 26, "A-Z_\\-' ")
    return plain if len(plain) != 1 else f"{plain} -"


# Telephones the carrier takes, by the country of the address (manual, « Phones by country »).
# Monaco is France to it; numbers of the overseas have other beginnings than +33.
_PHONES = {
    "FR": r"\+33[1-9]\d{8}",
    "BE": r"\+32\d{8,9}",
    "LU": r"\+352\d{6,10}",
    "PT": r"\+351\d{9}",
    "ES": r"\+34[69]\d{8}",
    "DE": r"\+49\d{10,11}",
    "IT": r"\+39\d{10}",
}


def phone(person: Address) -> str:
    """A telephone the carrier takes with this address; empty for another country's, which would
    lose the label.
    """
    rule = _PHONES.get(person.country, r"\+\d{8,14}")
    return person.phone if re.fullmatch(rule, person.phone, re.ASCII) else ""


def mailbox(words: str) -> str:
    """Optional there, and its rule knows no « + »: an address it would refuse is left out rather
    than losing the label.
    """
    return words if re.fullmatch(r"[\w\-.@]{7,70}", words, re.ASCII) else ""


def _sender_phone(s: Shipment) -> str:
    """The sender's telephone, which cannot be left out; the shop's stands for one that does not fit
    the sender's country, if it fits itself.
    """
    return phone(s.sender) or phone(replace(s.sender, phone=s.recipient.phone))


def _rest_request(account: CarrierAccount, s: Shipment | None) -> Element:
    root = Element("ShipmentCreationRequest", {"xmlns": "http://www.example.org/Request"})
    context = SubElement(root, "Context")
    for name, value in (
        ("Login", account.login),
        ("Password", account.password),
        ("CustomerId", account.account),
        ("Culture", "fr-FR"),
        ("VersionAPI", "1.0"),
    ):
        SubElement(context, name).text = value
    output = SubElement(root, "OutputOptions")
    SubElement(output, "OutputFormat").text = "A4"
    SubElement(output, "OutputType").text = "PdfUrl"
    shipments = SubElement(root, "ShipmentsList")
    if s is None:
        return root
    one = SubElement(shipments, "Shipment")
    SubElement(one, "OrderNo").text = clean(s.reference, 15, "0-9A-Z_-")
    SubElement(one, "CustomerNo")
    SubElement(one, "ParcelCount").text = "1"
    SubElement(
        one,
        "ShipmentValue",
        {"Amount": f"{s.value_cents // 100}.{s.value_cents % 100:02d}", "Currency": "EUR"},
    )
    if s.insurance:
        SubElement(SubElement(one, "Options"), "Option", {"Key": "ASS", "Value": str(s.insurance)})
    SubElement(
        one, "DeliveryMode", {"Mode": "24R", "Location": f"{s.relay_country}-{s.relay_number}"}
    )
    SubElement(one, "CollectionMode", {"Mode": "REL", "Location": ""})
    parcel = SubElement(SubElement(one, "Parcels"), "Parcel")
    SubElement(parcel, "Content").text = "Jeux"
    SubElement(parcel, "Weight", {"Value": str(max(10, s.weight_grams)), "Unit": "gr"})
    SubElement(one, "DeliveryInstruction")
    for role, person in (("Sender", s.sender), ("Recipient", s.recipient)):
        address = SubElement(SubElement(one, role), "Address")
        called, called_more, street, more = _address(person, 30)
        number = _sender_phone(s) if role == "Sender" else phone(person)
        for name, value in (
            ("Title", ""),
            ("Firstname", ""),
            ("Lastname", ""),
            ("Streetname", street),
            ("HouseNo", ""),
            ("CountryCode", person.country),
            ("PostCode", person.postcode),
            ("City", town(person.city)),
            ("AddressAdd1", called),
            ("AddressAdd2", more),
            ("AddressAdd3", called_more),
            ("PhoneNo", number),
            ("MobileNo", number),
            ("Email", person.email),
        ):
            SubElement(address, name).text = value
    return root


# ── what comes back ──

# Normalised labels, the bad news first: « non remis » contains « remis ». What is announced («
# sera livré demain ») did not happen.
_UNDERSTOOD: tuple[tuple[str, str], ...] = (
    (r"\b(SERA|SERONT|VA ETRE|PREVUE?|EN COURS DE LIVRAISON)\b", "in_transit"),
    (
        (
            r"RETOUR|EXPEDITEUR.*(REMIS|RETOUR)|(REMIS|RENDU|RESTITUE) A L.?EXPEDITEUR|NON RECLAME"
            r"|NON RETIRE|REFUS|ANOMALIE|AVARIE|ENDOMMAGE|DETRUIT|PERDU|EGARE|NON (LIVRE|REMIS)"
            r"|DELAI DE (GARDE|RETRAIT) (DEPASSE|EXPIRE)"
        ),
        "incident",
    ),
    (
        (
            r"DISPONIBLE (AU|EN|DANS)( VOTRE| LE| UN)? ?(POINT )?(RELAIS|LOCKER|CONSIGNE)"
            r"|MIS A DISPOSITION|(LIVRE|ARRIVE|DEPOSE) (AU|EN|DANS)( LE| UN)? ?(POINT )?"
            r"(RELAIS|LOCKER|CONSIGNE)"
        ),
        "at_relay",
    ),
    (r"COLIS LIVRE|LIVRE AU DESTINATAIRE|REMIS AU DESTINATAIRE|A ETE LIVRE", "delivered"),
    (r"RECEPTION DES DONNEES|EN PREPARATION|ENREGISTRE", "not_sent"),
    (r"PRISE? EN CHARGE|AGENCE|LIVREUR|TRAITEMENT|REMIS A MONDIAL RELAY", "in_transit"),
)


def understand(stat: int, words: Sequence[str]) -> str:
    """Which of our states a tracing means: `words` are those of its events, oldest first.

    The last words we understand count, else STAT alone, which cannot tell « in transit » from «
    waiting at the relay ». Empty when neither says anything (the parcel stays where it was). 82
    with « au Point Relais » is an arrival, not a hand-over: sellers are not paid on it.
    """
    if stat == 83:
        return "incident"
    for said in reversed(words):
        plain = " ".join(anyascii(said).upper().split())
        for pattern, state in _UNDERSTOOD:
            if re.search(pattern, plain):
                return state
    return {80: "not_sent", 81: "in_transit", 82: "delivered"}.get(stat, "")


def _label(number: str, url: str) -> MadeLabel:
    """A label whose number is one; a success without it may hide a label."""
    if not re.fullmatch(r"\d{8,14}", number, re.ASCII):
        raise GatewayError(_("The carrier answered without a number."), unsure=True)
    return MadeLabel(number, url)


def _event(found: Any) -> Trace | None:
    """One event; None for the empty ones the list is padded with."""
    words, day, hour = _text(found.Libelle), _text(found.Date), _text(found.Heure)
    if not words or not day:
        return None
    for form in ("%d/%m/%y %H:%M", "%d/%m/%Y %H:%M"):
        try:
            at = (
                datetime.strptime(f"{day} {hour or '00:00'}", form)
                .replace(tzinfo=PARIS)
                .astimezone(UTC)
            )
            return Trace(at, words, _text(found.Emplacement), _text(found.Relais_Num))
        except ValueError:
            continue
    return None


def _relay(found: Any, today: date) -> Relay:
    days = [
        _hours(getattr(found, f"Horaires_{day}"))
        for day in ("Lundi", "Mardi", "Mercredi", "Jeudi", "Vendredi", "Samedi", "Dimanche")
    ]
    return Relay(
        number=_text(found.Num),
        name=_text(found.LgAdr1),
        street=_text(found.LgAdr3),
        postcode=_text(found.CP),
        city=_text(found.Ville),
        country=_text(found.Pays),
        latitude=_text(found.Latitude).replace(",", "."),
        longitude=_text(found.Longitude).replace(",", "."),
        is_locker=_text(found.Information).upper() == "LOCKER",
        metres=_number(found.Distance),
        hours=tuple(days),
        closes=_next_closure(found, today),
    )


def _closures(found: Any) -> Iterator[tuple[date, date]]:
    """The periods a relay is closed, first and last day; those without both are no periods."""
    for period in _list(found, "Informations_Dispo", "Periode"):
        first, last = (getattr(period, name, None) for name in ("Debut", "Fin"))
        if first is not None and last is not None:
            yield first.date(), last.date()


def _is_closed(found: Any, day: date) -> bool:
    return any(first <= day <= last for first, last in _closures(found))


def _next_closure(found: Any, today: date) -> tuple[str, str] | None:
    soon = today + timedelta(days=TOLD_BEFORE)
    coming = sorted(one for one in _closures(found) if today < one[0] <= soon)
    return (coming[0][0].isoformat(), coming[0][1].isoformat()) if coming else None


def _hours(found: Any) -> str:
    """« 09:00–12:00, 14:00–19:00 », empty when closed."""
    said = list(found.string) if found is not None and found.string else []
    if said[:2] in (["0001", "2359"], ["0000", "2359"], ["0000", "2400"]):
        return "24 h/24"
    spans = [
        f"{a[:2]}:{a[2:]}–{b[:2]}:{b[2:]}"
        for a, b in zip(said[::2], said[1::2], strict=False)
        if a and b and a != b
    ]
    return ", ".join(spans)


def _list(answer: Any, outer: str, inner: str) -> Sequence[Any]:
    """A list the service may leave out, leave empty or pad with nothing."""
    box = getattr(answer, outer, None)
    return (
        [one for one in getattr(box, inner, None) or [] if one is not None]
        if box is not None
        else []
    )


def _text(value: Any) -> str:
    return " ".join(str(value).split()) if value is not None else ""


def _number(value: Any) -> int:
    words = _text(value)
    return int(words) if words.isascii() and words.isdigit() else 99


# What fails for a while (no partner joined, a system error): it is asked again.
PASSING = {"-1", "10000", "10080", "10081", "99999"}


def _said(element: Any, name: str) -> str:
    """An attribute, in whichever case the service writes its name today."""
    return str(element.get(name) or element.get(name.lower()) or "")


def _rest_words(statuses: list[tuple[str, str, str]]) -> str:
    return " ; ".join(f"{words} (code {code})" for code, _level, words in statuses) or _(
        "The carrier answered nothing."
    )


def _unreadable(word: str, *, unsure: bool) -> GatewayError:
    sentence = _("The carrier's answer cannot be read (%(word)s).", word=word)
    return GatewayError(sentence, unsure=unsure)


def _never_connected(error: BaseException) -> bool:
    """Whether the other side never heard us: refused, unknown host, no route."""
    words = repr(error)
    return (
        "NewConnectionError" in words or "NameResolutionError" in words or "ConnectTimeout" in words
    )
