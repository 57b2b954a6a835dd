"""Every table, in story order. Data and constraints only: no query, no move, no formatting.

The house   Event  AuditEntry  Message  Outbox  OutboxHold  DayRun  Pulse  RetentionRun  CspReport
            Setting  Counter  FormUse  SavedView  VisitDay  UnknownDemand
People      Vendor  Store  ShippingRate  Site  SiteHost  Membership  StaffAccount  RecoveryCode
            StaffSession  Customer  IdentityDocument  MachineKey  MachineKeyVendor
            IdempotentRequest  Webhook  WebhookDelivery
Imports     ImportRun  ColumnMapping
Catalogue   Platform  Brand  BrandAgreement  Product  ProductText  ProductImage  Variant  ArgusValue
            PricePoint  VendorReference  UnmatchedReference
Stock       Item  StockLevel  Reservation  Movement  StockCount  StockCountLine  StockTransfer
            StockTransferLine  TillEvent  StockConflict  Listing
Payments    Account  LedgerTransaction  Entry  BankDetails  PayingAccount  SellerPayment
            TransferBatch  TransferLine  BankAnswer
Shipping    CarrierContract
Buy-back    BuyingRule  Offer  OfferLine  Photo  Parcel  ParcelEvent  PoliceRecord  RegisterSeal
            Consultation
Orders      Cart  CartLine  Order  VendorOrder  OrderLine  CallTask
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum, auto
from typing import Annotated, Any, Optional

from flask_appbuilder import Model
from sqlalchemy import (
    JSON,
    Boolean,
    CheckConstraint,
    Date,
    DateTime,
    Enum,
    Float,
    ForeignKey,
    Index,
    Integer,
    String,
    Text,
    UniqueConstraint,
    select,
    text,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import Mapped, column_property, mapped_column, relationship
from sqlalchemy.types import TypeDecorator

# Named constraints, so that Alembic can find them again on both engines. Before any class, FAB's
# included.
Model.metadata.naming_convention = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}

# After the naming convention, which must name its constraints.
from flask_appbuilder.security.sqla.models import User  # noqa: E402


class UTCDateTime(TypeDecorator[datetime]):
    """An aware instant, kept in UTC on both engines; a naive one is a bug and is refused."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is not None and value.tzinfo is None:
            raise ValueError("a naive datetime may not be stored")
        return value.astimezone(UTC) if value is not None else None

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value.replace(tzinfo=UTC) if value is not None and value.tzinfo is None else value


# The vocabulary of columns.
pk = Annotated[int, mapped_column(primary_key=True)]
cents = Annotated[int, mapped_column(Integer)]
code = Annotated[str, mapped_column(String(40))]
label = Annotated[str, mapped_column(String(200))]
words = Annotated[str, mapped_column(Text)]
moment = Annotated[datetime, mapped_column(UTCDateTime)]
yes_no = Annotated[bool, mapped_column(Boolean)]
facts = Annotated[dict[str, Any], mapped_column(JSON)]


def status(enum: type[StrEnum], default: StrEnum | None = None) -> Mapped[Any]:
    """A state column: stored by name, which equals the value."""
    return mapped_column(
        Enum(enum, native_enum=False, length=24, create_constraint=False),
        default=default,
        index=True,
    )


def choice(enum: type[StrEnum], default: StrEnum | None = None) -> Mapped[Any]:
    """A coded column that is no state: stored the same way, without an index."""
    return mapped_column(
        Enum(enum, native_enum=False, length=24, create_constraint=False), default=default
    )


# Whose a row is. Every table says it (`__owner__`), or the program does not start: the scope of
# SELECT, UPDATE and DELETE, the rights page and the tests are made from it (services/access.py).
@dataclass(frozen=True)
class Owner:
    """Whose a row is: of the vendor in `column`; of who owns the row that `through` points at; of
    every vendor an offer with it was made to (`sold_by`); or of nobody, with the reason.
    """

    column: str = ""
    through: str = ""
    or_none: bool = False
    sold_by: str = ""
    why: str = ""


def owned_by(column: str) -> Owner:
    """The row belongs to the vendor this column names."""
    return Owner(column=column)


def through(column: str, or_none: bool = False) -> Owner:
    """The row belongs to whoever owns the row this foreign key names; `or_none`: without one it is
    everybody's.
    """
    return Owner(through=column, or_none=or_none)


def of_sellers(column: str) -> Owner:
    """The row belongs to a customer: each vendor sees those who made him an offer."""
    return Owner(sold_by=column)


def nobody(why: str) -> Owner:
    """The row is no vendor's; `why` says who may read it."""
    return Owner(why=why)


def of_store(*columns: str) -> tuple[str, ...]:
    """A staff member tied to stores sees the row when one of these columns names one of them, or
    when all are empty.
    """
    return columns


# ── The house ───────────────────────────────────────────────────────────────────────────────────


class Event(Model):
    """Something happened to a row: who moved it, from where to where, with which facts. Only ever
    added.
    """

    __tablename__ = "event"
    __owner__ = owned_by("vendor_id")
    id: Mapped[pk]
    subject: Mapped[code]
    subject_id: Mapped[int]
    vendor_id: Mapped[int | None] = mapped_column(ForeignKey("vendor.id"), index=True)
    verb: Mapped[code]
    from_state: Mapped[str | None] = mapped_column(String(24))
    to_state: Mapped[str | None] = mapped_column(String(24))
    actor_kind: Mapped[code]
    actor_id: Mapped[int | None]
    actor_name: Mapped[label]
    facts: Mapped[facts]
    at: Mapped[moment] = mapped_column(index=True)
    __table_args__ = (Index("ix_event_subject_subject_id", "subject", "subject_id"),)

    @property
    def happened(self) -> tuple[str, str]:
        """What the log calls it depends on both (services/workflow.py)."""
        return (self.subject, self.verb)

    def __str__(self) -> str:
        return f"{self.subject} {self.subject_id} · {self.verb}"


class AuditEntry(Model):
    """Somebody signed in, read what is sealed, or changed who may do what: chained, only ever
    added, kept a year.
    """

    __tablename__ = "audit_entry"
    __owner__ = nobody("the operator's log of accesses")
    id: Mapped[pk]
    number: Mapped[int] = mapped_column(unique=True)
    what: Mapped[code] = mapped_column(index=True)
    subject: Mapped[label]
    vendor_id: Mapped[int | None] = mapped_column(ForeignKey("vendor.id"), index=True)
    actor_kind: Mapped[code]
    actor_id: Mapped[int | None]
    actor_name: Mapped[label]
    facts: Mapped[facts]
    address: Mapped[str] = mapped_column(String(45))  # Internet address
    request_id: Mapped[str] = mapped_column(String(32))
    previous_hash: Mapped[str] = mapped_column(String(64))
    hash: Mapped[str] = mapped_column(String(64))
    at: Mapped[moment] = mapped_column(index=True)

    def __str__(self) -> str:
        return f"{self.number} · {self.what}"


class MessageKind(StrEnum):
    mail = auto()
    sms = auto()


class MessageState(StrEnum):
    waiting = auto()
    sent = auto()
    failed = auto()


class Message(Model):
    """A mail or an SMS we decided to send: its words are frozen here before it leaves."""

    __tablename__ = "message"
    __owner__ = owned_by("vendor_id")
    id: Mapped[pk]
    public_id: Mapped[str] = mapped_column(String(32), unique=True)
    kind: Mapped[MessageKind] = status(MessageKind)
    event: Mapped[code]
    vendor_id: Mapped[int | None] = mapped_column(ForeignKey("vendor.id"), index=True)
    site_id: Mapped[int | None] = mapped_column(ForeignKey("site.id"))
    customer_id: Mapped[int | None] = mapped_column(ForeignKey("customer.id"), index=True)
    offer_id: Mapped[int | None] = mapped_column(ForeignKey("offer.id"), index=True)
    order_id: Mapped[int | None] = mapped_column(ForeignKey("customer_order.id"), index=True)
    sender: Mapped[label]
    recipient: Mapped[str] = mapped_column(String(320), index=True)
    subject: Mapped[label]
    body: Mapped[words]
    html: Mapped[words]
    state: Mapped[MessageState] = status(MessageState, MessageState.waiting)
    error: Mapped[str] = mapped_column(Text, default="")
    sends: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[moment] = mapped_column(index=True)
    sent_at: Mapped[moment | None]
    __table_args__ = (
        CheckConstraint("state != 'sent' OR sent_at IS NOT NULL", name="sent_has_a_date"),
    )

    def __str__(self) -> str:
        return self.subject


class OutboxState(StrEnum):
    todo = auto()
    running = auto()
    done = auto()
    dead = auto()
    abandoned = auto()


class Outbox(Model):
    """What must still be told to the outside, written with the fact that caused it; a worker claims
    it by lease.
    """

    __tablename__ = "outbox"
    __owner__ = nobody("the queue of the installation")
    id: Mapped[pk]
    kind: Mapped[code]
    key: Mapped[str] = mapped_column(String(120), unique=True)
    # Who is called, « 3/12 » (whose, and which of theirs), where a kind has several partners.
    partner: Mapped[str] = mapped_column(String(40), default="")
    payload: Mapped[facts]
    state: Mapped[OutboxState] = status(OutboxState, OutboxState.todo)
    attempts: Mapped[int] = mapped_column(default=0)
    next_at: Mapped[moment]
    # What a person may still take back, « offer:12 »; empty for what leaves at once.
    undo_key: Mapped[str] = mapped_column(String(80), default="", index=True)
    lease_until: Mapped[moment | None]
    lease_token: Mapped[str | None] = mapped_column(String(40))
    provider_ref: Mapped[str | None] = mapped_column(String(200))
    last_error: Mapped[str] = mapped_column(Text, default="")
    created_at: Mapped[moment]
    done_at: Mapped[moment | None]
    __table_args__ = (
        Index("ix_outbox_due", "state", "next_at"),
        CheckConstraint("state != 'done' OR done_at IS NOT NULL", name="done_has_a_date"),
    )

    def __str__(self) -> str:
        return f"{self.kind} · {self.key}"


class OutboxHold(Model):
    """Nothing leaves any more, since when and why (a restored backup must not send twice what had
    left), until somebody lifts it.
    """

    __tablename__ = "outbox_hold"
    __owner__ = nobody("the installation's")
    id: Mapped[pk]
    reason: Mapped[words]
    by_name: Mapped[label]
    since: Mapped[moment]
    lifted_at: Mapped[moment | None]
    lifted_by: Mapped[str] = mapped_column(String(200), default="")


class DayRun(Model):
    """A job of the day, run once for a Paris day whoever rings and however often: its key is the
    promise.
    """

    __tablename__ = "day_run"
    __owner__ = nobody("the installation's")
    id: Mapped[pk]
    job: Mapped[code]
    day: Mapped[date] = mapped_column(Date)
    started_at: Mapped[moment]
    ended_at: Mapped[moment | None]
    failures: Mapped[int] = mapped_column(default=0)
    error: Mapped[str] = mapped_column(Text, default="")
    __table_args__ = (UniqueConstraint("job", "day"),)

    def __str__(self) -> str:
        return self.job


class Pulse(Model):
    """The last time something that must keep happening happened (the worker, a backup, the check of
    everything), and what came of it.
    """

    __tablename__ = "pulse"
    __owner__ = nobody("the installation's")
    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    at: Mapped[moment]
    is_well: Mapped[yes_no] = mapped_column(default=True)
    facts: Mapped[facts]


class RetentionRun(Model):
    """What was forgotten one night because its time was over: how much of each kind."""

    __tablename__ = "retention_run"
    __owner__ = nobody("the installation's")
    id: Mapped[pk]
    by_name: Mapped[label]
    counts: Mapped[facts]
    at: Mapped[moment] = mapped_column(index=True)


class CspReport(Model):
    """A browser refused to load or run something on one of our pages: what, on which page, how
    often.
    """

    __tablename__ = "csp_report"
    __owner__ = nobody("the installation's")
    id: Mapped[pk]
    directive: Mapped[code]
    blocked: Mapped[label]
    page: Mapped[label]
    times: Mapped[int] = mapped_column(default=1)
    first_at: Mapped[moment]
    last_at: Mapped[moment] = mapped_column(index=True)
    __table_args__ = (UniqueConstraint("directive", "blocked", "page"),)

    def __str__(self) -> str:
        return f"{self.directive} · {self.blocked}"


class Setting(Model):
    """What a shop decided under « Paramétrages divers », from a moment on; the newest row of a key
    is in force.
    """

    __tablename__ = "setting"
    __owner__ = nobody("decided by the operator, read by all")
    id: Mapped[pk]
    key: Mapped[code]
    value: Mapped[Any] = mapped_column(JSON)
    by_name: Mapped[label]
    since: Mapped[moment]
    __table_args__ = (Index("ix_setting_key_since", "key", "since"),)


class Counter(Model):
    """The last number given in a gap-free series (CDE…)."""

    __tablename__ = "counter"
    __owner__ = nobody("the installation's")
    name: Mapped[str] = mapped_column(String(60), primary_key=True)
    value: Mapped[int] = mapped_column(default=0)


class FormUse(Model):
    """A form that was already sent once: the second sending is answered with the same page."""

    __tablename__ = "form_use"
    __owner__ = nobody("known by its token")
    token: Mapped[str] = mapped_column(String(64), primary_key=True)
    location: Mapped[words]
    at: Mapped[moment] = mapped_column(index=True)


class SavedView(Model):
    """A list as one member of staff likes to see it: its search, filters and order, under a
    name.
    """

    __tablename__ = "saved_view"
    __owner__ = nobody("of one staff member, read by their own id")
    id: Mapped[pk]
    user_id: Mapped[int] = mapped_column(ForeignKey("ab_user.id", ondelete="CASCADE"), index=True)
    view: Mapped[code]
    name: Mapped[label]
    query: Mapped[words]
    __table_args__ = (UniqueConstraint("user_id", "view", "name"),)


class ColumnChoice(Model):
    """The columns one member of staff wants in a list: those taken out of it, those added to it."""

    __tablename__ = "column_choice"
    __owner__ = nobody("of one staff member, read by their own id")
    id: Mapped[pk]
    user_id: Mapped[int] = mapped_column(ForeignKey("ab_user.id", ondelete="CASCADE"), index=True)
    view: Mapped[code]
    hidden: Mapped[list[str]] = mapped_column(JSON)
    added: Mapped[list[str]] = mapped_column(JSON)
    __table_args__ = (UniqueConstraint("user_id", "view", name="uq_column_choice_user_id_view"),)


class VisitDay(Model):
    """How many different visitors a site had on one Paris day (a daily count: days cannot be summed
    into people).
    """

    __tablename__ = "visit_day"
    __owner__ = through("site_id")
    id: Mapped[pk]
    site_id: Mapped[int] = mapped_column(ForeignKey("site.id"))
    day: Mapped[date] = mapped_column(Date)
    visitors: Mapped[int] = mapped_column(default=0)
    site: Mapped["Site"] = relationship()
    __table_args__ = (UniqueConstraint("site_id", "day"),)


class UnknownDemand(Model):
    """A barcode people asked us to buy and our catalogue does not know."""

    __tablename__ = "unknown_demand"
    __owner__ = nobody("what visitors asked for, on every site")
    id: Mapped[pk]
    ean: Mapped[str] = mapped_column(String(14), unique=True)
    times: Mapped[int] = mapped_column(default=0, index=True)
    first_at: Mapped[moment]
    last_at: Mapped[moment]

    def __str__(self) -> str:
        return self.ean


# ── People ──────────────────────────────────────────────────────────────────────────────────────


class Vendor(Model):
    """A legal entity that buys back and sells (« enseigne »); the operator's own company is number
    1.
    """

    __tablename__ = "vendor"
    __owner__ = owned_by("id")
    id: Mapped[pk]
    name: Mapped[str] = mapped_column(String(200), unique=True)
    # What software of several vendors calls it (`vendor=CODE`).
    code: Mapped[str | None] = mapped_column(String(20), unique=True)
    legal_name: Mapped[str] = mapped_column(String(200), default="")
    siren: Mapped[str] = mapped_column(String(9), default="")
    vat_number: Mapped[str] = mapped_column(String(20), default="")
    email: Mapped[str] = mapped_column(String(320), default="")
    phone: Mapped[str] = mapped_column(String(20), default="")
    address: Mapped[str] = mapped_column(Text, default="")
    # Option « Livre de police », and the declaration at the préfecture that goes with it (art.
    # R321-1 c. pén.).
    police_register: Mapped[yes_no] = mapped_column(default=False)
    declaration_number: Mapped[str] = mapped_column(String(60), default="")
    declaration_on: Mapped[date | None] = mapped_column(Date)
    declaration_by: Mapped[str] = mapped_column(String(120), default="")
    created_at: Mapped[moment]

    def __str__(self) -> str:
        return self.name


class Store(Model):
    """A place of a vendor that holds stock (« point de vente »)."""

    __tablename__ = "store"
    __owner__ = owned_by("vendor_id")
    __stores__ = of_store("id")
    id: Mapped[pk]
    vendor_id: Mapped[int] = mapped_column(ForeignKey("vendor.id"), index=True)
    # What its files, its till and the command line call it.
    code: Mapped[str | None] = mapped_column(String(20), unique=True)
    name: Mapped[label]
    address: Mapped[str] = mapped_column(String(200), default="")
    postcode: Mapped[str] = mapped_column(String(5), default="")
    city: Mapped[str] = mapped_column(String(100), default="")
    # Degrees (WGS 84); without them its postal code says where it is.
    latitude: Mapped[float | None] = mapped_column(Float)
    longitude: Mapped[float | None] = mapped_column(Float)
    phone: Mapped[str] = mapped_column(String(20), default="")
    opening_hours: Mapped[str] = mapped_column(Text, default="")
    # « Réserver et retirer »: buyers reserve on line, pay and collect here.
    reserve_collect: Mapped[yes_no] = mapped_column(default=False)
    # The date of the last full stock file: an older file is refused.
    last_feed_at: Mapped[moment | None]
    vendor: Mapped["Vendor"] = relationship()
    __table_args__ = (UniqueConstraint("vendor_id", "name"),)

    def __str__(self) -> str:
        return self.name


class ShippingRate(Model):
    """What a vendor asks for sending a parcel up to a weight; nothing from an amount on, when he
    says so.
    """

    __tablename__ = "shipping_rate"
    __owner__ = owned_by("vendor_id")
    id: Mapped[pk]
    vendor_id: Mapped[int] = mapped_column(ForeignKey("vendor.id"), index=True)
    name: Mapped[label]
    up_to_grams: Mapped[int]
    price_cents: Mapped[cents]
    free_from_cents: Mapped[cents | None]
    vendor: Mapped["Vendor"] = relationship()
    __table_args__ = (
        UniqueConstraint("vendor_id", "name", "up_to_grams"),
        CheckConstraint("up_to_grams > 0", name="weight_positive"),
        CheckConstraint("price_cents >= 0", name="price_not_negative"),
        CheckConstraint(
            "free_from_cents IS NULL OR free_from_cents > 0", name="free_from_positive"
        ),
    )

    def __str__(self) -> str:
        return f"{self.name} ≤ {self.up_to_grams} g"


class SiteKind(StrEnum):
    buyback = auto()
    shop = auto()
    both = auto()


class ValidationMode(StrEnum):
    manual = auto()
    automatic = auto()


class Site(Model):
    """A branded front of a vendor: its look, its words and its buying conditions."""

    __tablename__ = "site"
    __owner__ = owned_by("vendor_id")
    id: Mapped[pk]
    vendor_id: Mapped[int] = mapped_column(ForeignKey("vendor.id"), index=True)
    name: Mapped[label]
    kind: Mapped[SiteKind] = status(SiteKind, SiteKind.buyback)
    is_default: Mapped[bool] = mapped_column(Boolean, default=False)
    contact_email: Mapped[str] = mapped_column(String(320), default="")
    # The look: six colours (#rrggbb), a radius in pixels, a logo.
    color_brand: Mapped[str] = mapped_column(String(7), default="#6a2c5b")
    color_brand_strong: Mapped[str] = mapped_column(String(7), default="#4c1c41")
    color_on_brand: Mapped[str] = mapped_column(String(7), default="#ffffff")
    color_accent: Mapped[str] = mapped_column(String(7), default="#d9a441")
    color_page: Mapped[str] = mapped_column(String(7), default="#f8f6f3")
    color_ink: Mapped[str] = mapped_column(String(7), default="#1e1b19")
    radius: Mapped[int] = mapped_column(default=8)
    logo: Mapped[str | None] = mapped_column(String(80))
    # The words.
    tagline: Mapped[str] = mapped_column(String(200), default="")
    short_conditions: Mapped[str] = mapped_column(Text, default="")
    conditions: Mapped[str] = mapped_column(Text, default="")
    legal_notice: Mapped[str] = mapped_column(Text, default="")
    # The rules of buying.
    threshold_cents: Mapped[cents] = mapped_column(default=1500)
    validation: Mapped[ValidationMode] = status(ValidationMode, ValidationMode.manual)
    copies_per_cart: Mapped[int | None]
    copies_per_seller: Mapped[int | None]
    stock_cap: Mapped[int | None]
    vendor: Mapped["Vendor"] = relationship()
    hosts: Mapped[list["SiteHost"]] = relationship(
        back_populates="site", cascade="all, delete-orphan", order_by="SiteHost.id"
    )
    __table_args__ = (
        CheckConstraint("threshold_cents >= 0", name="threshold_not_negative"),
        CheckConstraint(
            "copies_per_cart IS NULL OR copies_per_cart > 0", name="copies_per_cart_positive"
        ),
        CheckConstraint(
            "copies_per_seller IS NULL OR copies_per_seller > 0", name="copies_per_seller_positive"
        ),
        CheckConstraint("stock_cap IS NULL OR stock_cap > 0", name="stock_cap_positive"),
        Index(
            "ix_site_one_default",
            "is_default",
            unique=True,
            sqlite_where=text("is_default"),
            postgresql_where=text("is_default"),
        ),
    )

    def __str__(self) -> str:
        return self.name


class SiteHost(Model):
    """A host name that a site answers; the first one is written in its mails."""

    __tablename__ = "site_host"
    __owner__ = through("site_id")
    id: Mapped[pk]
    site_id: Mapped[int] = mapped_column(ForeignKey("site.id", ondelete="CASCADE"), index=True)
    host: Mapped[str] = mapped_column(String(253), unique=True)
    site: Mapped["Site"] = relationship(back_populates="hosts")

    def __str__(self) -> str:
        return self.host


class Membership(Model):
    """A member of staff works for a vendor, possibly in one store of it only."""

    __tablename__ = "membership"
    __owner__ = owned_by("vendor_id")
    id: Mapped[pk]
    user_id: Mapped[int] = mapped_column(ForeignKey("ab_user.id", ondelete="CASCADE"), index=True)
    vendor_id: Mapped[int] = mapped_column(ForeignKey("vendor.id"), index=True)
    store_id: Mapped[int | None] = mapped_column(ForeignKey("store.id"))
    user: Mapped["User"] = relationship(User)
    vendor: Mapped["Vendor"] = relationship()
    store: Mapped[Optional["Store"]] = relationship()
    __table_args__ = (UniqueConstraint("user_id", "vendor_id", "store_id"),)

    def __str__(self) -> str:
        return f"{self.user} · {self.vendor}"


class StaffAccount(Model):
    """What we add to a staff user: whether his password is still the first one, and his second
    factor.
    """

    __tablename__ = "staff_account"
    __owner__ = nobody("of one staff member")
    user_id: Mapped[int] = mapped_column(
        ForeignKey("ab_user.id", ondelete="CASCADE"), primary_key=True
    )
    must_change_password: Mapped[bool] = mapped_column(Boolean, default=False)
    password_given_at: Mapped[moment | None]  # a one-time password opens three days long
    # The secret of their authenticator application (TOTP, RFC 6238), sealed; a code is used once:
    # `totp_step` is the last step accepted.
    totp_sealed: Mapped[str] = mapped_column(Text, default="")
    totp_step: Mapped[int] = mapped_column(default=0)
    totp_since: Mapped[moment | None]


class RecoveryCode(Model):
    """One of the ten codes that open an account once when the telephone is lost; only its
    fingerprint is kept.
    """

    __tablename__ = "recovery_code"
    __owner__ = nobody("of one staff member")
    id: Mapped[pk]
    user_id: Mapped[int] = mapped_column(ForeignKey("ab_user.id", ondelete="CASCADE"), index=True)
    fingerprint: Mapped[str] = mapped_column(String(64))
    used_at: Mapped[moment | None]


class StaffSession(Model):
    """A browser a member of staff is signed in with: seen, listed, and ended from any other one.
    Only a fingerprint of its key is kept.
    """

    __tablename__ = "staff_session"
    __owner__ = nobody("of one staff member")
    id: Mapped[pk]
    fingerprint: Mapped[str] = mapped_column(String(64), unique=True)
    # The key before the last proof, for the answers of other tabs that were on their way.
    previous: Mapped[str] = mapped_column(String(64), default="", index=True)
    renewed_at: Mapped[moment | None]
    user_id: Mapped[int] = mapped_column(ForeignKey("ab_user.id", ondelete="CASCADE"), index=True)
    address: Mapped[str] = mapped_column(String(45))
    agent: Mapped[label]
    opened_at: Mapped[moment]
    seen_at: Mapped[moment]
    ended_at: Mapped[moment | None] = mapped_column(index=True)


class Customer(Model):
    """A person with an account: sells to us, buys from us, or both; never a member of staff."""

    __tablename__ = "customer"
    __owner__ = of_sellers("id")
    id: Mapped[pk]
    email: Mapped[str] = mapped_column(String(320), unique=True)
    password_hash: Mapped[str] = mapped_column(String(256))
    first_name: Mapped[str] = mapped_column(String(100))
    last_name: Mapped[str] = mapped_column(String(100), index=True)
    address: Mapped[str] = mapped_column(String(200))
    address_more: Mapped[str] = mapped_column(String(200), default="")
    postcode: Mapped[str] = mapped_column(String(10))
    city: Mapped[str] = mapped_column(String(100))
    country: Mapped[str] = mapped_column(String(2), default="FR")
    phone: Mapped[str] = mapped_column(String(20))
    email_confirmed_at: Mapped[moment | None]
    pending_email: Mapped[str | None] = mapped_column(String(320))
    session_epoch: Mapped[int] = mapped_column(default=0)
    conditions_sha256: Mapped[str] = mapped_column(String(64), default="")
    # What the barcode of their store credit card says; nobody has one before their first credit.
    credit_card: Mapped[str | None] = mapped_column(String(13), unique=True)
    created_at: Mapped[moment] = mapped_column(index=True)
    seen_at: Mapped[moment | None] = mapped_column(
        index=True
    )  # the last sign-in: an account nobody uses is erased after three years
    leaving_told_at: Mapped[moment | None]  # the mail that says so, a month before
    erased_at: Mapped[moment | None]
    offers: Mapped[list["Offer"]] = relationship(back_populates="customer", viewonly=True)

    @property
    def name(self) -> str:
        return f"{self.first_name} {self.last_name}".strip()

    def __str__(self) -> str:
        return self.name


class DocumentKind(StrEnum):
    identity_card = auto()
    driving_licence = auto()
    passport = auto()
    residence_permit = auto()


class IdentityDocument(Model):
    """The references of the document a seller showed a vendor at his first sale: never a scan (CNIL
    SAN-2020-008).
    """

    __tablename__ = "identity_document"
    __owner__ = owned_by("vendor_id")
    id: Mapped[pk]
    vendor_id: Mapped[int] = mapped_column(ForeignKey("vendor.id"))
    customer_id: Mapped[int] = mapped_column(
        ForeignKey("customer.id", ondelete="CASCADE"), index=True
    )
    kind: Mapped[DocumentKind] = choice(DocumentKind)
    number_sealed: Mapped[words]
    number_tail: Mapped[str] = mapped_column(String(4))
    issued_by: Mapped[label]
    issued_on: Mapped[date] = mapped_column(Date)
    birth_date: Mapped[date] = mapped_column(Date)
    first_names: Mapped[label]
    profession: Mapped[label]
    # Who holds parental authority and agreed in writing; empty for an adult.
    consent_by: Mapped[str] = mapped_column(String(200), default="")
    recorded_by: Mapped[label]
    recorded_at: Mapped[moment]
    __table_args__ = (UniqueConstraint("vendor_id", "customer_id"),)


class MachineKey(Model):
    """What a till or a vendor's software shows at the door for machines. Its secret was shown once;
    only its fingerprint is kept. The key of a partner has no vendor of its own: it opens those of
    `opened`.
    """

    __tablename__ = "machine_key"
    __owner__ = owned_by("vendor_id")
    __stores__ = of_store("store_id")
    id: Mapped[pk]
    # None: the key of a partner, software that serves several vendors.
    vendor_id: Mapped[int | None] = mapped_column(ForeignKey("vendor.id"), index=True)
    store_id: Mapped[int | None] = mapped_column(
        ForeignKey("store.id"), index=True
    )  # None: all stores of the vendor
    name: Mapped[label]
    start: Mapped[str] = mapped_column(String(12))  # its first letters, to recognise it in a list
    fingerprint: Mapped[str] = mapped_column(String(64), unique=True)
    scopes: Mapped[str] = mapped_column(String(200))  # words separated by spaces
    per_minute: Mapped[int] = mapped_column(default=600)
    # The one till of a store whose absolute counts are believed: two would each count their own
    # half of the day.
    counts: Mapped[bool] = mapped_column(Boolean, default=False)
    created_at: Mapped[moment]
    used_at: Mapped[moment | None]
    revoked_at: Mapped[moment | None]
    vendor: Mapped[Optional["Vendor"]] = relationship()
    store: Mapped[Optional["Store"]] = relationship()
    opened: Mapped[list["MachineKeyVendor"]] = relationship(
        order_by="MachineKeyVendor.id", cascade="all, delete-orphan"
    )
    __table_args__ = (
        CheckConstraint("vendor_id IS NOT NULL OR store_id IS NULL", name="partner_has_no_store"),
        Index(
            "uq_machine_key_counts",
            "store_id",
            unique=True,
            sqlite_where=text("counts"),
            postgresql_where=text("counts"),
        ),
    )

    def __str__(self) -> str:
        return self.name


class MachineKeyVendor(Model):
    """A vendor that the key of a partner opens."""

    __tablename__ = "machine_key_vendor"
    __owner__ = owned_by("vendor_id")
    id: Mapped[pk]
    key_id: Mapped[int] = mapped_column(ForeignKey("machine_key.id"))
    vendor_id: Mapped[int] = mapped_column(ForeignKey("vendor.id"), index=True)
    vendor: Mapped["Vendor"] = relationship()
    __table_args__ = (UniqueConstraint("key_id", "vendor_id"),)

    def __str__(self) -> str:
        return str(self.vendor)


class IdempotentRequest(Model):
    """A request of a machine under its Idempotency-Key: the second one gets the first one's answer,
    for a day.
    """

    __tablename__ = "idempotent_request"
    __owner__ = through("key_id")
    id: Mapped[pk]
    key_id: Mapped[int] = mapped_column(ForeignKey("machine_key.id", ondelete="CASCADE"))
    key: Mapped[str] = mapped_column(String(120))
    request_sha256: Mapped[str] = mapped_column(String(64))
    code: Mapped[int]
    body: Mapped[words]
    at: Mapped[moment] = mapped_column(index=True)
    __table_args__ = (UniqueConstraint("key_id", "key"),)


class WebhookState(StrEnum):
    active = auto()
    paused = auto()
    gone = auto()


class Webhook(Model):
    """An address of a vendor's software that wants to be told what happens (Standard Webhooks)."""

    __tablename__ = "webhook"
    __owner__ = owned_by("vendor_id")
    id: Mapped[pk]
    vendor_id: Mapped[int] = mapped_column(ForeignKey("vendor.id"), index=True)
    url: Mapped[str] = mapped_column(String(500))
    events: Mapped[str] = mapped_column(String(500))  # names separated by spaces; « * »: all
    status: Mapped[WebhookState] = status(WebhookState, WebhookState.active)
    secret_sealed: Mapped[words]
    previous_sealed: Mapped[str] = mapped_column(
        Text, default=""
    )  # the secret before the last change, signed with too until it is forgotten
    created_at: Mapped[moment]
    vendor: Mapped["Vendor"] = relationship()

    def __str__(self) -> str:
        return self.url


class DeliveryState(StrEnum):
    to_deliver = auto()
    delivered = auto()
    not_delivered = auto()


class WebhookDelivery(Model):
    """One thing told, or to be told, to one address: what, how often it was tried, what it
    answered.
    """

    __tablename__ = "webhook_delivery"
    __owner__ = owned_by("vendor_id")
    id: Mapped[pk]
    vendor_id: Mapped[int] = mapped_column(ForeignKey("vendor.id"))
    webhook_id: Mapped[int] = mapped_column(
        ForeignKey("webhook.id", ondelete="CASCADE"), index=True
    )
    message_id: Mapped[code] = mapped_column(
        index=True
    )  # the same for each try and each replay: « webhook-id »
    event: Mapped[code]
    body: Mapped[words]
    status: Mapped[DeliveryState] = status(DeliveryState, DeliveryState.to_deliver)
    tries: Mapped[int] = mapped_column(default=0)
    answer: Mapped[str] = mapped_column(String(200), default="")
    created_at: Mapped[moment] = mapped_column(index=True)
    told_at: Mapped[moment | None]
    webhook: Mapped["Webhook"] = relationship()
    __table_args__ = (Index("ix_webhook_delivery_vendor_id_id", "vendor_id", "id"),)

    def __str__(self) -> str:
        return f"{self.event} · {self.id}"


# ── Imports ─────────────────────────────────────────────────────────────────────────────────────


class ImportState(StrEnum):
    draft = auto()
    waiting = auto()
    running = auto()
    to_confirm = auto()
    complete = auto()
    failed = auto()
    cancelled = auto()


class ImportRun(Model):
    """One file given to us: what it was, what became of each line, and where its refused lines
    are.
    """

    __tablename__ = "import_run"
    __owner__ = owned_by("vendor_id")
    __stores__ = of_store("store_id")
    id: Mapped[pk]
    kind: Mapped[code]
    vendor_id: Mapped[int | None] = mapped_column(ForeignKey("vendor.id"), index=True)
    store_id: Mapped[int | None] = mapped_column(ForeignKey("store.id"), index=True)
    # « full »: what the file does not name is no longer there; « delta »: it says nothing of what
    # it does not name.
    mode: Mapped[str] = mapped_column(String(10), default="")
    mapping: Mapped[facts] = mapped_column(
        default=dict
    )  # our column -> the file's own name for it, where a person said so
    reading: Mapped[facts] = mapped_column(default=dict)  # `tables.Reading`, if a person said so
    source_id: Mapped[int | None] = mapped_column(
        ForeignKey("feed_source.id", ondelete="SET NULL"), index=True
    )  # where it was fetched
    dated_at: Mapped[moment | None]  # when its counts were true, as the file says
    confirmed: Mapped[bool] = mapped_column(Boolean, default=False)
    cancel_asked: Mapped[bool] = mapped_column(Boolean, default=False)
    file_name: Mapped[label]
    file_path: Mapped[str] = mapped_column(String(80), default="")
    sha256: Mapped[str] = mapped_column(String(64), index=True)
    state: Mapped[ImportState] = status(ImportState, ImportState.waiting)
    encoding: Mapped[str] = mapped_column(String(20), default="")
    separator: Mapped[str] = mapped_column(String(4), default="")
    lines_total: Mapped[int] = mapped_column(default=0)
    lines_read: Mapped[int] = mapped_column(default=0)
    created: Mapped[int] = mapped_column(default=0)
    updated: Mapped[int] = mapped_column(default=0)
    unchanged: Mapped[int] = mapped_column(default=0)
    repeated: Mapped[int] = mapped_column(default=0)
    refused: Mapped[int] = mapped_column(default=0)
    ignored: Mapped[int] = mapped_column(default=0)
    removed: Mapped[int] = mapped_column(default=0)
    report: Mapped[facts] = mapped_column(default=dict)
    errors_path: Mapped[str] = mapped_column(String(80), default="")
    error: Mapped[str] = mapped_column(Text, default="")
    by_name: Mapped[label]
    received_at: Mapped[
        moment
    ]  # long before it is loaded, when a person looks at it first or must confirm it
    started_at: Mapped[moment]
    ended_at: Mapped[moment | None]
    vendor: Mapped[Optional["Vendor"]] = relationship()
    store: Mapped[Optional["Store"]] = relationship()

    def __str__(self) -> str:
        return self.file_name


class ImportBefore(Model):
    """What a row was before a file changed it, and what the file made of it, kept a week so that
    the file can be undone. `before` is none for a row the file made.
    """

    __tablename__ = "import_before"
    __owner__ = through("run_id")
    id: Mapped[pk]
    run_id: Mapped[int] = mapped_column(ForeignKey("import_run.id", ondelete="CASCADE"), index=True)
    subject: Mapped[code]  # the name of its table
    subject_id: Mapped[int]
    before: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    after: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    __table_args__ = (Index("ix_import_before_subject_subject_id", "subject", "subject_id"),)


class SourceState(StrEnum):
    active = auto()
    to_trust = auto()
    paused = auto()


class FeedSource(Model):
    """A place on a vendor's own server from which files of one kind are fetched, every so often."""

    __tablename__ = "feed_source"
    __owner__ = owned_by("vendor_id")
    __stores__ = of_store("store_id")
    id: Mapped[pk]
    name: Mapped[label]
    vendor_id: Mapped[int | None] = mapped_column(ForeignKey("vendor.id"), index=True)
    store_id: Mapped[int | None] = mapped_column(ForeignKey("store.id"), index=True)
    kind: Mapped[code]
    mode: Mapped[str] = mapped_column(String(10), default="")  # as `ImportRun.mode`; empty: as read
    url: Mapped[str] = mapped_column(String(500))  # https://…, sftp://host/folder/stock_*.csv
    login: Mapped[str] = mapped_column(String(120), default="")
    secret_sealed: Mapped[str] = mapped_column(Text, default="")  # password, token or private key
    host_key: Mapped[str] = mapped_column(String(200), default="")  # the print that was accepted
    shown_key: Mapped[str] = mapped_column(String(200), default="")  # another one the server showed
    every_minutes: Mapped[int] = mapped_column(default=60)
    status: Mapped[SourceState] = status(SourceState, SourceState.active)
    next_at: Mapped[moment] = mapped_column(index=True)
    last_at: Mapped[moment | None]
    last_good_at: Mapped[moment | None]
    failures: Mapped[int] = mapped_column(default=0)  # in a row
    error: Mapped[str] = mapped_column(Text, default="")
    seen: Mapped[facts] = mapped_column(default=dict)  # mark of each file taken, by its name
    created_at: Mapped[moment]
    vendor: Mapped[Optional["Vendor"]] = relationship()
    store: Mapped[Optional["Store"]] = relationship()
    __table_args__ = (CheckConstraint("every_minutes >= 5", name="not_too_often"),)

    def __str__(self) -> str:
        return self.name


class ColumnMapping(Model):
    """How a vendor's files of one kind and one header are read, and name our columns: said once on
    the screen, remembered.
    """

    __tablename__ = "column_mapping"
    __owner__ = nobody("remembered by owner in words, read by imports alone")
    id: Mapped[pk]
    owner: Mapped[code]  # « operator » or « vendor 12 »
    kind: Mapped[code]
    header: Mapped[str] = mapped_column(String(64), default="")  # its print (`imports.memory`)
    columns: Mapped[facts]
    reading: Mapped[facts] = mapped_column(default=dict)
    __table_args__ = (UniqueConstraint("owner", "kind", "header"),)


# ── Catalogue ───────────────────────────────────────────────────────────────────────────────────


class Platform(Model):
    """What a game runs on; also what a box of it weighs when nobody weighed the game itself."""

    __tablename__ = "platform"
    __owner__ = nobody("the catalogue is everybody's")
    id: Mapped[pk]
    name: Mapped[str] = mapped_column(String(100), unique=True)
    weight_grams: Mapped[int] = mapped_column(default=150)
    __table_args__ = (CheckConstraint("weight_grams > 0", name="weight_positive"),)

    def __str__(self) -> str:
        return self.name


class Brand(Model):
    """A brand (« marque »). One that asks for its agreement is sold by nobody it did not accept
    (AN-018).
    """

    __tablename__ = "brand"
    __owner__ = nobody("the catalogue is everybody's")
    id: Mapped[pk]
    name: Mapped[str] = mapped_column(String(100), unique=True)
    needs_agreement: Mapped[yes_no] = mapped_column(default=False)

    def __str__(self) -> str:
        return self.name


class BrandAgreement(Model):
    """What a brand says of a vendor: he may sell it, or he may not."""

    __tablename__ = "brand_agreement"
    __owner__ = owned_by("vendor_id")
    id: Mapped[pk]
    vendor_id: Mapped[int] = mapped_column(ForeignKey("vendor.id"), index=True)
    brand_id: Mapped[int] = mapped_column(ForeignKey("brand.id"))
    allowed: Mapped[yes_no] = mapped_column(default=True)
    note: Mapped[str] = mapped_column(String(200), default="")
    vendor: Mapped["Vendor"] = relationship()
    brand: Mapped["Brand"] = relationship()
    __table_args__ = (UniqueConstraint("brand_id", "vendor_id"),)

    def __str__(self) -> str:
        return f"{self.brand} · {self.vendor}"


class ProductKind(StrEnum):
    goods = auto()
    service = auto()


class ProductState(StrEnum):
    proposed = auto()
    refused = auto()
    validated = auto()
    disabled = auto()
    merged = auto()


class Product(Model):
    """A model (« fiche »): what one talks about, whatever its size, colour or barcode."""

    __tablename__ = "product"
    __owner__ = nobody("the catalogue is everybody's")
    id: Mapped[pk]
    title: Mapped[str] = mapped_column(String(300), index=True)
    kind: Mapped[ProductKind] = choice(ProductKind, ProductKind.goods)
    status: Mapped[ProductState] = status(ProductState, ProductState.validated)
    platform_id: Mapped[int | None] = mapped_column(ForeignKey("platform.id"), index=True)
    brand_id: Mapped[int | None] = mapped_column(ForeignKey("brand.id"))
    maker: Mapped[str] = mapped_column(String(100), default="")
    supplier_ref: Mapped[str] = mapped_column(String(60), default="")
    # The nomenclature: rayon, famille, sous-famille.
    category: Mapped[str] = mapped_column(String(60), default="")
    family: Mapped[str] = mapped_column(String(60), default="")
    subfamily: Mapped[str] = mapped_column(String(60), default="")
    season: Mapped[str] = mapped_column(String(40), default="")
    vat_bp: Mapped[int] = mapped_column(default=2000)
    description: Mapped[str] = mapped_column(Text, default="")
    attributes: Mapped[facts] = mapped_column(default=dict)
    cover: Mapped[str | None] = mapped_column(String(80))
    # Who proposed it, when a vendor did; and the sheet that took its place, when two were one.
    proposed_by_id: Mapped[int | None] = mapped_column(ForeignKey("vendor.id"))
    merged_into_id: Mapped[int | None] = mapped_column(ForeignKey("product.id"), index=True)
    created_at: Mapped[moment]
    updated_at: Mapped[moment] = mapped_column(index=True)
    platform: Mapped[Optional["Platform"]] = relationship()
    brand: Mapped[Optional["Brand"]] = relationship()
    proposed_by: Mapped[Optional["Vendor"]] = relationship()
    merged_into: Mapped[Optional["Product"]] = relationship(remote_side="Product.id")
    variants: Mapped[list["Variant"]] = relationship(
        back_populates="product", order_by="Variant.id"
    )
    texts: Mapped[list["ProductText"]] = relationship(
        back_populates="product", cascade="all, delete-orphan"
    )
    images: Mapped[list["ProductImage"]] = relationship(
        order_by="ProductImage.rank, ProductImage.id", cascade="all, delete-orphan"
    )
    __table_args__ = (
        Index(
            "ix_product_supplier_ref_brand_id",
            "supplier_ref",
            "brand_id",
            sqlite_where=text("supplier_ref != ''"),
            postgresql_where=text("supplier_ref != ''"),
        ),
        Index("ix_product_brand_id", "brand_id"),
        Index("ix_product_category_family", "category", "family"),
        CheckConstraint(
            "(status = 'merged') = (merged_into_id IS NOT NULL)", name="merged_into_another"
        ),
        CheckConstraint("vat_bp BETWEEN 0 AND 10000", name="vat_in_bounds"),
    )

    @property
    def attribute_words(self) -> str:
        """« Semelle : cuir », one a line."""
        return "\n".join(f"{name} : {value}" for name, value in self.attributes.items())

    def __str__(self) -> str:
        return self.title


class ProductText(Model):
    """How one site describes a product: two sites with the same words harm each other (AN-011)."""

    __tablename__ = "product_text"
    __owner__ = nobody("the catalogue is everybody's")
    id: Mapped[pk]
    product_id: Mapped[int] = mapped_column(ForeignKey("product.id", ondelete="CASCADE"))
    site_id: Mapped[int] = mapped_column(ForeignKey("site.id"))
    title: Mapped[str] = mapped_column(String(300), default="")
    description: Mapped[str] = mapped_column(Text, default="")
    product: Mapped["Product"] = relationship(back_populates="texts")
    site: Mapped["Site"] = relationship()
    __table_args__ = (UniqueConstraint("product_id", "site_id"),)


class ProductImage(Model):
    """A further picture of a product, after its cover."""

    __tablename__ = "product_image"
    __owner__ = nobody("the catalogue is everybody's")
    id: Mapped[pk]
    product_id: Mapped[int] = mapped_column(
        ForeignKey("product.id", ondelete="CASCADE"), index=True
    )
    picture: Mapped[str] = mapped_column(String(80))
    rank: Mapped[int] = mapped_column(default=0)


class PictureAddressState(StrEnum):
    to_fetch = auto()
    fetched = auto()
    failed = auto()


class PictureAddress(Model):
    """Where a picture of a product lies, as a référencier says; 0 is the rank of a cover."""

    __tablename__ = "picture_address"
    __owner__ = nobody("the catalogue is everybody's")
    id: Mapped[pk]
    product_id: Mapped[int] = mapped_column(ForeignKey("product.id", ondelete="CASCADE"))
    url: Mapped[str] = mapped_column(String(500))
    rank: Mapped[int] = mapped_column(default=0)
    status: Mapped[PictureAddressState] = status(PictureAddressState, PictureAddressState.to_fetch)
    tries: Mapped[int] = mapped_column(default=0)
    next_at: Mapped[moment]
    error: Mapped[str] = mapped_column(Text, default="")
    picture: Mapped[str] = mapped_column(String(80), default="")  # what it gave
    product: Mapped["Product"] = relationship()
    __table_args__ = (UniqueConstraint("product_id", "url"),)

    def __str__(self) -> str:
        return self.url


class Variant(Model):
    """What carries a barcode (« référence »): one size, one colour, one edition; the argus in force
    is copied here so that a quote is one read.
    """

    __tablename__ = "variant"
    __owner__ = nobody("the catalogue is everybody's")
    id: Mapped[pk]
    product_id: Mapped[int] = mapped_column(ForeignKey("product.id"), index=True)
    ean: Mapped[str] = mapped_column(String(14), unique=True)
    color: Mapped[str] = mapped_column(String(60), default="")
    material: Mapped[str] = mapped_column(String(60), default="")
    size: Mapped[str] = mapped_column(String(40), default="")  # taille
    shoe_size: Mapped[str] = mapped_column(String(40), default="")  # pointure
    edition: Mapped[str] = mapped_column(String(60), default="")
    active: Mapped[yes_no] = mapped_column(default=True)
    buy_cents: Mapped[cents | None]  # supplier's price, without tax
    advised_cents: Mapped[cents | None]  # advised selling price, tax included: the catalogue price
    argus_cents: Mapped[cents | None] = mapped_column(index=True)
    argus_on: Mapped[date | None] = mapped_column(Date)
    voucher_cents: Mapped[cents | None]
    cash_cents: Mapped[cents | None]
    weight_grams: Mapped[int | None]
    updated_at: Mapped[moment] = mapped_column(index=True)
    product: Mapped["Product"] = relationship(back_populates="variants")
    __table_args__ = (
        CheckConstraint("argus_cents IS NULL OR argus_cents >= 0", name="argus_not_negative"),
        CheckConstraint("buy_cents IS NULL OR buy_cents >= 0", name="buy_not_negative"),
        CheckConstraint("advised_cents IS NULL OR advised_cents >= 0", name="advised_not_negative"),
    )

    @property
    def details(self) -> str:
        """« Noir · cuir · 42 », what tells it from its sisters."""
        return " · ".join(
            part
            for part in (self.color, self.material, self.size, self.shoe_size, self.edition)
            if part
        )

    def __str__(self) -> str:
        return self.ean


class ArgusValue(Model):
    """What a variant was worth on the market from a day on, and who says so. Only ever added."""

    __tablename__ = "argus_value"
    __owner__ = nobody("the operator's prices, read by all")
    id: Mapped[pk]
    variant_id: Mapped[int] = mapped_column(ForeignKey("variant.id"))
    value_cents: Mapped[cents]
    voucher_cents: Mapped[cents | None]
    cash_cents: Mapped[cents | None]
    source: Mapped[code]
    since: Mapped[date] = mapped_column(Date)
    variant: Mapped["Variant"] = relationship()
    __table_args__ = (
        Index("ix_argus_value_variant_id_since", "variant_id", "since"),
        CheckConstraint("value_cents >= 0", name="value_not_negative"),
    )

    def __str__(self) -> str:
        return f"{self.variant} · {self.since}"


class PricePoint(Model):
    """What was asked for a reference from a moment on, by the catalogue or by a listing. Only ever
    added: it says the lowest price of 30 days.
    """

    __tablename__ = "price_point"
    __owner__ = through("listing_id", or_none=True)
    id: Mapped[pk]
    variant_id: Mapped[int] = mapped_column(ForeignKey("variant.id"))
    listing_id: Mapped[int | None] = mapped_column(ForeignKey("listing.id"), index=True)
    price_cents: Mapped[cents]
    since: Mapped[moment]
    __table_args__ = (
        Index("ix_price_point_variant_id_since", "variant_id", "since"),
        CheckConstraint("price_cents >= 0", name="price_not_negative"),
    )


class VendorReference(Model):
    """What a vendor calls one of our references in his own files."""

    __tablename__ = "vendor_reference"
    __owner__ = owned_by("vendor_id")
    id: Mapped[pk]
    vendor_id: Mapped[int] = mapped_column(ForeignKey("vendor.id"))
    sku: Mapped[str] = mapped_column(String(60))
    variant_id: Mapped[int] = mapped_column(ForeignKey("variant.id"), index=True)
    how: Mapped[code]  # ean, supplier_ref, title, by hand
    variant: Mapped["Variant"] = relationship()
    __table_args__ = (UniqueConstraint("vendor_id", "sku"),)


class UnmatchedState(StrEnum):
    unmatched = auto()
    matched = auto()
    set_aside = auto()


class UnmatchedReference(Model):
    """A reference of a vendor's file that our catalogue does not know, with the closest title we
    have.
    """

    __tablename__ = "unmatched_reference"
    __owner__ = owned_by("vendor_id")
    __stores__ = of_store("store_id")
    id: Mapped[pk]
    vendor_id: Mapped[int] = mapped_column(ForeignKey("vendor.id"))
    store_id: Mapped[int | None] = mapped_column(ForeignKey("store.id"))
    status: Mapped[UnmatchedState] = status(UnmatchedState, UnmatchedState.unmatched)
    sku: Mapped[str] = mapped_column(String(60))
    ean: Mapped[str] = mapped_column(String(14), default="")
    title: Mapped[str] = mapped_column(String(300), default="")
    brand: Mapped[str] = mapped_column(String(100), default="")
    supplier_ref: Mapped[str] = mapped_column(String(60), default="")
    times: Mapped[int] = mapped_column(default=1)
    last_at: Mapped[moment]
    proposal_id: Mapped[int | None] = mapped_column(ForeignKey("variant.id"), index=True)
    score: Mapped[int | None]  # 0 to 100
    vendor: Mapped["Vendor"] = relationship()
    store: Mapped[Optional["Store"]] = relationship()
    proposal: Mapped[Optional["Variant"]] = relationship()
    __table_args__ = (
        UniqueConstraint("vendor_id", "sku"),
        Index("ix_unmatched_reference_vendor_id_status", "vendor_id", "status"),
    )

    def __str__(self) -> str:
        return self.title or self.sku


# ── Stock ───────────────────────────────────────────────────────────────────────────────────────


class Grade(StrEnum):
    like_new = auto()
    very_good = auto()
    good = auto()
    fair = auto()
    poor = auto()
    missing = auto()


class Condition(StrEnum):
    """How a unit is sold (« Comme neuf / Très bon / Bon / Acceptable »)."""

    like_new_unit = auto()
    very_good_unit = auto()
    good_unit = auto()
    acceptable_unit = auto()


class VatRegime(StrEnum):
    margin = auto()
    normal = auto()


class ItemState(StrEnum):
    in_stock = auto()
    listed = auto()
    reserved = auto()
    sold = auto()
    withdrawn = auto()
    lost = auto()
    returned = auto()


# Units that are in a store; and those of them that can still be sold.
ON_HAND = (ItemState.in_stock, ItemState.listed, ItemState.reserved)
FREE = (ItemState.in_stock, ItemState.listed)


class Item(Model):
    """One physical second-hand unit in a store."""

    __tablename__ = "item"
    __owner__ = owned_by("vendor_id")
    __stores__ = of_store("store_id")
    id: Mapped[pk]
    vendor_id: Mapped[int] = mapped_column(ForeignKey("vendor.id"))
    store_id: Mapped[int] = mapped_column(ForeignKey("store.id"), index=True)
    variant_id: Mapped[int] = mapped_column(ForeignKey("variant.id"), index=True)
    status: Mapped[ItemState] = status(ItemState, ItemState.in_stock)
    place: Mapped[str] = mapped_column(String(60), default="")
    comment: Mapped[str] = mapped_column(Text, default="")
    cost_cents: Mapped[cents]
    vat_regime: Mapped[VatRegime] = choice(VatRegime, VatRegime.margin)
    grade_article: Mapped[Grade | None] = choice(Grade)
    grade_box: Mapped[Grade | None] = choice(Grade)
    grade_manual: Mapped[Grade | None] = choice(Grade)
    condition: Mapped[Condition | None] = choice(Condition)
    register_number: Mapped[int | None]
    offer_line_id: Mapped[int | None] = mapped_column(ForeignKey("offer_line.id"), index=True)
    entered_at: Mapped[moment] = mapped_column(index=True)
    version: Mapped[int] = mapped_column(default=1)
    store: Mapped["Store"] = relationship()
    variant: Mapped["Variant"] = relationship()
    photos: Mapped[list["Photo"]] = relationship(viewonly=True, order_by="Photo.id")
    __mapper_args__ = {"version_id_col": version}
    __table_args__ = (
        Index("ix_item_vendor_id_variant_id_status", "vendor_id", "variant_id", "status"),
        # One bought article is one unit in stock; only a unit given back may have been made before
        # it.
        Index(
            "uq_item_live_offer_line",
            "offer_line_id",
            unique=True,
            sqlite_where=text("status != 'returned'"),
            postgresql_where=text("status != 'returned'"),
        ),
        CheckConstraint("cost_cents >= 0", name="cost_not_negative"),
    )

    def __str__(self) -> str:
        return f"{self.variant.product.title} · {self.id}"


class StockLevel(Model):
    """How many new units of a reference a store holds, and how many of them are promised.
    Second-hand units are `Item` rows (MG-016).
    """

    __tablename__ = "stock_level"
    __owner__ = owned_by("vendor_id")
    __stores__ = of_store("store_id")
    id: Mapped[pk]
    vendor_id: Mapped[int] = mapped_column(ForeignKey("vendor.id"))
    store_id: Mapped[int] = mapped_column(ForeignKey("store.id"))
    variant_id: Mapped[int] = mapped_column(ForeignKey("variant.id"), index=True)
    quantity: Mapped[int] = mapped_column(default=0)
    # Promised to carts and orders. A shop that sells over its counter what the web had promised
    # leaves it above `quantity`, until it is settled.
    reserved: Mapped[int] = mapped_column(default=0)
    alert_under: Mapped[int | None]
    place: Mapped[str] = mapped_column(String(60), default="")
    # The last absolute statement about it (a file, a till's count, a hand): how many, when, and for
    # a till's count its number and
    # the last event of that till it already knew. What moved since is applied on top, in whatever
    # order it is told.
    counted: Mapped[int] = mapped_column(default=0)
    counted_at: Mapped[moment | None]
    counted_key_id: Mapped[int | None] = mapped_column(ForeignKey("machine_key.id"))
    counted_number: Mapped[int | None]
    counted_through: Mapped[int | None]
    updated_at: Mapped[moment]
    store: Mapped["Store"] = relationship()
    variant: Mapped["Variant"] = relationship()
    __table_args__ = (
        UniqueConstraint("store_id", "variant_id"),
        Index("ix_stock_level_vendor_id_id", "vendor_id", "id"),
        Index(
            "ix_stock_level_low",
            "vendor_id",
            sqlite_where=text("quantity < alert_under"),
            postgresql_where=text("quantity < alert_under"),
        ),
        CheckConstraint("quantity >= 0", name="quantity_not_negative"),
        CheckConstraint("reserved >= 0", name="reserved_not_negative"),
        CheckConstraint("alert_under IS NULL OR alert_under > 0", name="alert_positive"),
    )

    @property
    def available(self) -> int:
        return max(0, self.quantity - self.reserved)

    def __str__(self) -> str:
        return f"{self.variant} · {self.store}"


class ReservationState(StrEnum):
    held = auto()
    promised = auto()
    handed = auto()
    released = auto()
    beaten = auto()


class Reservation(Model):
    """Units kept for a cart (« held », until a moment) or for an order (« promised »)."""

    __tablename__ = "reservation"
    __owner__ = owned_by("vendor_id")
    __stores__ = of_store("store_id")
    id: Mapped[pk]
    vendor_id: Mapped[int] = mapped_column(ForeignKey("vendor.id"))
    store_id: Mapped[int] = mapped_column(ForeignKey("store.id"))
    variant_id: Mapped[int] = mapped_column(ForeignKey("variant.id"), index=True)
    item_id: Mapped[int | None] = mapped_column(ForeignKey("item.id"))
    quantity: Mapped[int]
    # What it is kept for, as shops and their software read it (« 1702-A »), and the line of that
    # order.
    holder: Mapped[str] = mapped_column(String(60), index=True)
    order_line_id: Mapped[int | None] = mapped_column(ForeignKey("order_line.id"), index=True)
    status: Mapped[ReservationState] = status(ReservationState, ReservationState.held)
    until: Mapped[moment | None] = mapped_column(index=True)
    created_at: Mapped[moment]
    store: Mapped["Store"] = relationship()
    variant: Mapped["Variant"] = relationship()
    __table_args__ = (
        Index("ix_reservation_store_id_variant_id", "store_id", "variant_id"),
        # One second-hand unit is kept for one person.
        Index(
            "uq_reservation_live_item",
            "item_id",
            unique=True,
            sqlite_where=text("item_id IS NOT NULL AND status IN ('held', 'promised')"),
            postgresql_where=text("item_id IS NOT NULL AND status IN ('held', 'promised')"),
        ),
        CheckConstraint("quantity > 0", name="keeps_something"),
        CheckConstraint("status != 'held' OR until IS NOT NULL", name="held_until"),
    )

    def __str__(self) -> str:
        return f"{self.holder} · {self.variant}"


class MovementKind(StrEnum):
    entry = auto()
    sale = auto()
    withdrawal = auto()
    loss = auto()
    return_ = "return"
    feed = auto()
    # `count` shadows str.count, which nobody calls on a member.
    count = auto()  # type: ignore[assignment]
    transfer = auto()
    adjustment = auto()


class Movement(Model):
    """A change of stock with its cause; a sale carries its price. Only ever added. Without an item
    it moves new units.
    """

    __tablename__ = "movement"
    __owner__ = owned_by("vendor_id")
    __stores__ = of_store("store_id")
    id: Mapped[pk]
    vendor_id: Mapped[int] = mapped_column(ForeignKey("vendor.id"))
    store_id: Mapped[int] = mapped_column(ForeignKey("store.id"))
    variant_id: Mapped[int] = mapped_column(ForeignKey("variant.id"), index=True)
    item_id: Mapped[int | None] = mapped_column(ForeignKey("item.id"))
    kind: Mapped[MovementKind] = mapped_column(
        Enum(
            MovementKind,
            native_enum=False,
            length=24,
            values_callable=lambda e: [m.value for m in e],
        )
    )
    quantity: Mapped[int]
    price_cents: Mapped[cents | None]
    channel: Mapped[str] = mapped_column(String(60), default="")
    reference: Mapped[str] = mapped_column(
        String(60), default=""
    )  # the ticket, the import, the count, the order it comes from
    by_name: Mapped[label]
    at: Mapped[moment]  # when it happened in the shop
    recorded_at: Mapped[moment]  # when we learnt of it
    variant: Mapped["Variant"] = relationship()
    store: Mapped["Store"] = relationship()
    __table_args__ = (
        Index(
            "ix_movement_sold",
            "vendor_id",
            "variant_id",
            sqlite_where=text("kind = 'sale'"),
            postgresql_where=text("kind = 'sale'"),
        ),
        Index(
            "ix_movement_item_id",
            "item_id",
            sqlite_where=text("item_id IS NOT NULL"),
            postgresql_where=text("item_id IS NOT NULL"),
        ),
        Index("ix_movement_store_id_variant_id_at", "store_id", "variant_id", "at"),
        Index("ix_movement_store_id_id", "store_id", "id"),
        # What a file must be corrected by: the few that are no statement themselves.
        Index(
            "ix_movement_since",
            "store_id",
            "at",
            sqlite_where=text("kind NOT IN ('feed', 'count', 'adjustment')"),
            postgresql_where=text("kind NOT IN ('feed', 'count', 'adjustment')"),
        ),
        CheckConstraint("kind != 'sale' OR price_cents IS NOT NULL", name="sale_has_a_price"),
        CheckConstraint("quantity != 0", name="moves_something"),
    )

    def __str__(self) -> str:
        return f"{self.variant} · {self.quantity:+d}"


class CountState(StrEnum):
    counting = auto()
    counted = auto()
    dropped = auto()


class StockCount(Model):
    """An inventory of a store, or of a part of it: what people counted beside what we thought."""

    __tablename__ = "stock_count"
    __owner__ = owned_by("vendor_id")
    __stores__ = of_store("store_id")
    id: Mapped[pk]
    vendor_id: Mapped[int] = mapped_column(ForeignKey("vendor.id"), index=True)
    store_id: Mapped[int] = mapped_column(ForeignKey("store.id"), index=True)
    name: Mapped[label]
    whole: Mapped[yes_no] = mapped_column(default=False)  # what was not counted is not there
    status: Mapped[CountState] = status(CountState, CountState.counting)
    by_name: Mapped[label]
    opened_at: Mapped[moment]
    ended_at: Mapped[moment | None]
    store: Mapped["Store"] = relationship()

    def __str__(self) -> str:
        return self.name


class StockCountLine(Model):
    """How many units of a reference were counted, and when: what is sold after that moment is no
    difference.
    """

    __tablename__ = "stock_count_line"
    __owner__ = through("count_id")
    id: Mapped[pk]
    count_id: Mapped[int] = mapped_column(ForeignKey("stock_count.id", ondelete="CASCADE"))
    variant_id: Mapped[int] = mapped_column(ForeignKey("variant.id"), index=True)
    counted: Mapped[int]
    at: Mapped[moment]
    variant: Mapped["Variant"] = relationship()
    __table_args__ = (
        UniqueConstraint("count_id", "variant_id"),
        CheckConstraint("counted >= 0", name="counted_not_negative"),
    )


class StockTransferState(StrEnum):
    preparing = auto()
    on_its_way = auto()
    arrived = auto()
    dropped = auto()


class StockTransfer(Model):
    """New units sent from one store of a vendor to another."""

    __tablename__ = "stock_transfer"
    __owner__ = owned_by("vendor_id")
    __stores__ = of_store("from_store_id", "to_store_id")
    id: Mapped[pk]
    vendor_id: Mapped[int] = mapped_column(ForeignKey("vendor.id"), index=True)
    from_store_id: Mapped[int] = mapped_column(ForeignKey("store.id"))
    to_store_id: Mapped[int] = mapped_column(ForeignKey("store.id"))
    status: Mapped[StockTransferState] = status(StockTransferState, StockTransferState.preparing)
    by_name: Mapped[label]
    created_at: Mapped[moment] = mapped_column(index=True)
    sent_at: Mapped[moment | None]
    arrived_at: Mapped[moment | None]
    from_store: Mapped["Store"] = relationship(foreign_keys=[from_store_id])
    to_store: Mapped["Store"] = relationship(foreign_keys=[to_store_id])
    lines: Mapped[list["StockTransferLine"]] = relationship(
        order_by="StockTransferLine.id", cascade="all, delete-orphan"
    )
    # Both ends by name: who works in one store may not read the other, and still knows where things
    # go.
    from_name: Mapped[str] = column_property(
        select(Store.__table__.c.name)
        .where(Store.__table__.c.id == from_store_id)
        .scalar_subquery()
    )
    to_name: Mapped[str] = column_property(
        select(Store.__table__.c.name).where(Store.__table__.c.id == to_store_id).scalar_subquery()
    )
    __table_args__ = (CheckConstraint("from_store_id != to_store_id", name="two_stores"),)

    def __str__(self) -> str:
        return f"{self.from_name} → {self.to_name} · {self.id}"


class StockTransferLine(Model):
    """So many units of one reference in a transfer, and how many of them arrived."""

    __tablename__ = "stock_transfer_line"
    __owner__ = through("transfer_id")
    id: Mapped[pk]
    transfer_id: Mapped[int] = mapped_column(ForeignKey("stock_transfer.id", ondelete="CASCADE"))
    variant_id: Mapped[int] = mapped_column(ForeignKey("variant.id"), index=True)
    quantity: Mapped[int]
    arrived: Mapped[int | None]
    variant: Mapped["Variant"] = relationship()
    __table_args__ = (
        UniqueConstraint("transfer_id", "variant_id"),
        CheckConstraint("quantity > 0", name="moves_something"),
        CheckConstraint(
            "arrived IS NULL OR arrived BETWEEN 0 AND quantity", name="arrived_in_bounds"
        ),
    )


class TillEventKind(StrEnum):
    sale = auto()
    return_ = "return"
    trade_in = auto()
    # `count` shadows str.count, which nobody calls on a member.
    count = auto()  # type: ignore[assignment]
    receipt = auto()
    correction = auto()


class TillEvent(Model):
    """What a till told us, under the number it gave it: told twice, it counts once, however
    late.
    """

    __tablename__ = "till_event"
    __owner__ = owned_by("vendor_id")
    __stores__ = of_store("store_id")
    id: Mapped[pk]
    vendor_id: Mapped[int] = mapped_column(ForeignKey("vendor.id"))
    store_id: Mapped[int] = mapped_column(ForeignKey("store.id"))
    key_id: Mapped[int] = mapped_column(ForeignKey("machine_key.id"))
    number: Mapped[int]
    kind: Mapped[TillEventKind] = mapped_column(
        Enum(
            TillEventKind,
            native_enum=False,
            length=24,
            values_callable=lambda e: [m.value for m in e],
        )
    )
    variant_id: Mapped[int | None] = mapped_column(ForeignKey("variant.id"), index=True)
    item_id: Mapped[int | None] = mapped_column(ForeignKey("item.id"))
    ean: Mapped[str] = mapped_column(String(14), default="")
    quantity: Mapped[int]
    includes: Mapped[int | None]  # of a count: the last event of this till it already knows
    price_cents: Mapped[cents | None]
    reference: Mapped[str] = mapped_column(String(60), default="")
    sha256: Mapped[str] = mapped_column(String(64))
    answer: Mapped[facts]
    at: Mapped[moment]
    received_at: Mapped[moment]
    variant: Mapped[Optional["Variant"]] = relationship()
    store: Mapped["Store"] = relationship()
    key: Mapped["MachineKey"] = relationship()

    @property
    def answer_words(self) -> str:
        return str(self.answer.get("status", ""))

    __table_args__ = (
        UniqueConstraint("key_id", "number"),
        Index("ix_till_event_store_id_variant_id", "store_id", "variant_id"),
        Index("ix_till_event_store_id_at", "store_id", "at"),
        Index("ix_till_event_vendor_id_id", "vendor_id", "id"),
    )

    def __str__(self) -> str:
        return f"{self.key} · {self.number}"


class ConflictState(StrEnum):
    open = auto()
    moved = auto()
    given_up = auto()


class StockConflict(Model):
    """The shop sold over its counter what an order had been promised: somebody finds a twin
    elsewhere, or says there is none.
    """

    __tablename__ = "stock_conflict"
    __owner__ = owned_by("vendor_id")
    __stores__ = of_store("store_id")
    id: Mapped[pk]
    vendor_id: Mapped[int] = mapped_column(ForeignKey("vendor.id"), index=True)
    store_id: Mapped[int] = mapped_column(ForeignKey("store.id"))
    variant_id: Mapped[int] = mapped_column(ForeignKey("variant.id"), index=True)
    reservation_id: Mapped[int] = mapped_column(ForeignKey("reservation.id"))
    replaced_by_id: Mapped[int | None] = mapped_column(ForeignKey("reservation.id"))
    quantity: Mapped[int]
    status: Mapped[ConflictState] = status(ConflictState, ConflictState.open)
    cause: Mapped[label]
    created_at: Mapped[moment] = mapped_column(index=True)
    ended_at: Mapped[moment | None]
    store: Mapped["Store"] = relationship()
    variant: Mapped["Variant"] = relationship()
    reservation: Mapped["Reservation"] = relationship(foreign_keys=[reservation_id])
    __table_args__ = (CheckConstraint("quantity > 0", name="misses_something"),)

    def __str__(self) -> str:
        return f"{self.reservation.holder} · {self.variant}"


class ListingState(StrEnum):
    active = auto()
    withdrawn = auto()


class Listing(Model):
    """A vendor's sale offer (never called offer in code): a reference or one unit, its condition,
    price, delay and dates.
    """

    __tablename__ = "listing"
    __owner__ = owned_by("vendor_id")
    id: Mapped[pk]
    vendor_id: Mapped[int] = mapped_column(ForeignKey("vendor.id"))
    sku: Mapped[str] = mapped_column(String(60))
    variant_id: Mapped[int] = mapped_column(ForeignKey("variant.id"), index=True)
    item_id: Mapped[int | None] = mapped_column(ForeignKey("item.id"))
    status: Mapped[ListingState] = status(ListingState, ListingState.active)
    condition: Mapped[Condition | None] = choice(Condition)  # None: new
    price_cents: Mapped[cents]
    discount_cents: Mapped[cents | None]
    discount_from: Mapped[date | None] = mapped_column(Date)
    discount_to: Mapped[date | None] = mapped_column(Date)
    available_from: Mapped[date | None] = mapped_column(Date)
    available_to: Mapped[date | None] = mapped_column(Date)
    delay_days: Mapped[int | None]  # promised: days before it leaves
    # Used units that are no `Item`: how many, as their vendor's file says. New ones are counted by
    # `StockLevel`, which never holds used ones.
    quantity: Mapped[int | None]
    alert_under: Mapped[int | None]
    logistic_class: Mapped[str] = mapped_column(String(40), default="")
    description: Mapped[str] = mapped_column(Text, default="")
    # Whether buyers saw it when its vendor's software was last told; None: never looked at.
    was_shown: Mapped[bool | None]
    created_at: Mapped[moment]
    updated_at: Mapped[moment] = mapped_column(index=True)
    variant: Mapped["Variant"] = relationship()
    vendor: Mapped["Vendor"] = relationship()
    item: Mapped[Optional["Item"]] = relationship()

    @property
    def condition_words(self) -> Condition | None:
        """Its condition under a name of its own: none is « new », not « unknown »."""
        return self.condition

    __table_args__ = (
        UniqueConstraint("vendor_id", "sku"),
        Index(
            "uq_listing_active_item",
            "item_id",
            unique=True,
            sqlite_where=text("item_id IS NOT NULL AND status = 'active'"),
            postgresql_where=text("item_id IS NOT NULL AND status = 'active'"),
        ),
        CheckConstraint("price_cents > 0", name="price_positive"),
        CheckConstraint(
            "discount_cents IS NULL OR discount_cents BETWEEN 1 AND price_cents",
            name="discount_below_price",
        ),
        CheckConstraint(
            "delay_days IS NULL OR delay_days BETWEEN 0 AND 90", name="delay_in_bounds"
        ),
        CheckConstraint(
            "quantity IS NULL OR (quantity >= 0 AND condition IS NOT NULL AND item_id IS NULL)",
            name="quantity_of_used_ones",
        ),
    )

    def __str__(self) -> str:
        return self.sku


# ── Payments ────────────────────────────────────────────────────────────────────────────────────


class AccountKind(StrEnum):
    """Accounts of the ledger; a positive balance is a debit (we own, we spent), a negative one a
    credit (we owe).
    """

    purchases = auto()
    seller = auto()
    bonus = auto()
    return_fees = auto()
    store_credit = auto()
    transfers = auto()
    bank = auto()
    till_sales = auto()  # sold at a till, paid with store credit


class Account(Model):
    """One account of the ledger: a kind, a vendor, and the customer when it is his."""

    __tablename__ = "account"
    __owner__ = owned_by("vendor_id")
    id: Mapped[pk]
    vendor_id: Mapped[int] = mapped_column(ForeignKey("vendor.id"))
    kind: Mapped[AccountKind] = choice(AccountKind)
    customer_id: Mapped[int] = mapped_column(
        default=0
    )  # 0: nobody's in particular (a NULL would escape the unique key)
    __table_args__ = (
        UniqueConstraint("vendor_id", "kind", "customer_id"),
        Index("ix_account_customer_id", "customer_id"),
    )


class LedgerTransaction(Model):
    """Something that moved money, once: the same business fact (kind and reference) cannot be
    written twice. Only ever added.
    """

    __tablename__ = "ledger_transaction"
    __owner__ = owned_by("vendor_id")
    id: Mapped[pk]
    vendor_id: Mapped[int] = mapped_column(ForeignKey("vendor.id"))
    kind: Mapped[code]
    reference: Mapped[str] = mapped_column(String(80))
    words: Mapped[label]
    by_name: Mapped[label]
    at: Mapped[moment] = mapped_column(index=True)
    entries: Mapped[list["Entry"]] = relationship(back_populates="transaction")
    __table_args__ = (UniqueConstraint("kind", "reference"),)


class Entry(Model):
    """One side of a transaction, in cents: positive is a debit, negative a credit; the sides sum to
    zero. Only ever added.
    """

    __tablename__ = "entry"
    __owner__ = through("transaction_id")
    id: Mapped[pk]
    transaction_id: Mapped[int] = mapped_column(ForeignKey("ledger_transaction.id"), index=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("account.id"), index=True)
    cents: Mapped[cents]
    transaction: Mapped["LedgerTransaction"] = relationship(back_populates="entries")
    account: Mapped["Account"] = relationship()
    __table_args__ = (CheckConstraint("cents != 0", name="moves_something"),)


class BankDetails(Model):
    """Where a customer wants his money: sealed, shown by its last four digits only."""

    __tablename__ = "bank_details"
    __owner__ = of_sellers("customer_id")
    customer_id: Mapped[int] = mapped_column(
        ForeignKey("customer.id", ondelete="CASCADE"), primary_key=True
    )
    holder: Mapped[str] = mapped_column(String(70))
    iban_sealed: Mapped[words]
    iban_tail: Mapped[str] = mapped_column(String(4), index=True)
    country: Mapped[str] = mapped_column(String(2))
    bic: Mapped[str] = mapped_column(String(11), default="")
    changed_at: Mapped[moment]
    held_until: Mapped[
        moment | None
        # an IBAN that replaced another one is not paid to before: the seller is told, and may
        # protest
    ]
    refused_at: Mapped[moment | None]  # the bank sent a transfer back: it waits for another one


class SepaSchema(StrEnum):
    pain_09 = "pain.001.001.09"
    pain_03 = "pain.001.001.03"


class PayingAccount(Model):
    """The account a vendor pays sellers from."""

    __tablename__ = "paying_account"
    __owner__ = owned_by("vendor_id")
    vendor_id: Mapped[int] = mapped_column(ForeignKey("vendor.id"), primary_key=True)
    holder: Mapped[str] = mapped_column(String(70), default="")
    iban_sealed: Mapped[str] = mapped_column(Text, default="")
    iban_tail: Mapped[str] = mapped_column(String(4), default="")
    bic: Mapped[str] = mapped_column(String(11), default="")
    client_id: Mapped[str] = mapped_column(String(35), default="")  # InitgPty/Id, where asked for
    schema: Mapped[SepaSchema] = mapped_column(
        Enum(
            SepaSchema,
            native_enum=False,
            length=24,
            create_constraint=False,
            values_callable=lambda e: [m.value for m in e],
        ),
        default=SepaSchema.pain_09,
    )
    version: Mapped[int] = mapped_column(default=1)
    vendor: Mapped["Vendor"] = relationship()
    __mapper_args__ = {"version_id_col": version}

    @property
    def id(self) -> int:
        return self.vendor_id

    def __str__(self) -> str:
        return f"{self.holder} •••• {self.iban_tail}"


class PaymentMeans(StrEnum):
    transfer = auto()
    store_credit = auto()


class PaymentState(StrEnum):
    held = auto()
    awaiting_iban = auto()
    to_pay = auto()
    in_file = auto()
    paid = auto()
    rejected = auto()


class PaymentPart(StrEnum):
    """Which articles of a sale a payment pays: those the bench bought, or those whose seller had to
    answer first (domain.md § 2.29).
    """

    first = auto()
    contested = auto()


class SellerPayment(Model):
    """What a vendor owes a seller for a part of an offer, and how far it is on its way. A sale has
    two payments at most, one for each part.
    """

    __tablename__ = "seller_payment"
    __owner__ = owned_by("vendor_id")
    id: Mapped[pk]
    vendor_id: Mapped[int] = mapped_column(ForeignKey("vendor.id"))
    offer_id: Mapped[int] = mapped_column(ForeignKey("offer.id"))
    part: Mapped[PaymentPart] = choice(PaymentPart, PaymentPart.first)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customer.id"), index=True)
    status: Mapped[PaymentState] = status(PaymentState, PaymentState.held)
    amount_cents: Mapped[cents] = mapped_column(default=0)
    # What sending articles back takes from this part: `amount_cents` is what is left.
    fee_cents: Mapped[cents] = mapped_column(default=0)
    means: Mapped[PaymentMeans] = choice(PaymentMeans, PaymentMeans.transfer)
    held_reason: Mapped[str] = mapped_column(Text, default="")
    held_by: Mapped[str] = mapped_column(
        String(200), default=""
    )  # a person keeps it back: neither the clock nor the seller lets it go on
    iban_wait: Mapped[str] = mapped_column(
        String(300), default=""
    )  # the IBAN was replaced: why, and until when
    attempts: Mapped[int] = mapped_column(default=0)
    reject_reason: Mapped[str] = mapped_column(Text, default="")
    # How often the seller was asked for an IBAN, and when for the last time.
    iban_reminders: Mapped[int] = mapped_column(default=0)
    iban_reminded_at: Mapped[moment | None]
    received_at: Mapped[moment]
    paid_at: Mapped[moment | None]
    told_at: Mapped[moment | None]
    version: Mapped[int] = mapped_column(default=1)
    offer: Mapped["Offer"] = relationship(back_populates="payments")
    customer: Mapped["Customer"] = relationship()
    vendor: Mapped["Vendor"] = relationship()
    batch_lines: Mapped[list["TransferLine"]] = relationship(
        back_populates="payment", order_by="TransferLine.id"
    )
    __mapper_args__ = {"version_id_col": version}
    __table_args__ = (
        Index(
            "ix_seller_payment_vendor_id_status_received_at", "vendor_id", "status", "received_at"
        ),
        UniqueConstraint("offer_id", "part", name="uq_seller_payment_offer_id_part"),
        CheckConstraint("amount_cents >= 0", name="amount_not_negative"),
        CheckConstraint("status != 'paid' OR paid_at IS NOT NULL", name="paid_has_a_date"),
    )

    @property
    def reference(self) -> str:
        """What the seller and the bank read: « CDE000000042 », or « CDE000000042-C » for what was
        contested.
        """
        number = self.offer.number or "—"
        return f"{number}-C" if self.part is PaymentPart.contested else number

    def __str__(self) -> str:
        return self.reference


class BatchState(StrEnum):
    preparing = auto()
    ready = auto()
    answered = auto()
    cancelled = auto()


class TransferBatch(Model):
    """One SEPA file: its number, its sums, and where its very bytes are."""

    __tablename__ = "transfer_batch"
    __owner__ = owned_by("vendor_id")
    id: Mapped[pk]
    vendor_id: Mapped[int] = mapped_column(ForeignKey("vendor.id"))
    number: Mapped[str] = mapped_column(String(20), unique=True)
    status: Mapped[BatchState] = status(BatchState, BatchState.preparing)
    count: Mapped[int]
    total_cents: Mapped[cents]
    schema: Mapped[code]
    holder: Mapped[str] = mapped_column(String(70))
    iban_sealed: Mapped[words]
    iban_tail: Mapped[str] = mapped_column(String(4))
    bic: Mapped[str] = mapped_column(String(11), default="")
    client_id: Mapped[str] = mapped_column(String(35), default="")
    execution_on: Mapped[date] = mapped_column(Date)
    created_at: Mapped[moment] = mapped_column(index=True)
    by_name: Mapped[label]
    file: Mapped[str] = mapped_column(
        String(80), default=""
    )  # the bytes, sealed, under services/files.py
    sha256: Mapped[str] = mapped_column(String(64), default="")
    error: Mapped[str] = mapped_column(Text, default="")
    version: Mapped[int] = mapped_column(default=1)
    vendor: Mapped["Vendor"] = relationship()
    lines: Mapped[list["TransferLine"]] = relationship(
        back_populates="batch", order_by="TransferLine.id"
    )
    __mapper_args__ = {"version_id_col": version}
    __table_args__ = (
        Index("ix_transfer_batch_vendor_id_created_at", "vendor_id", "created_at"),
        CheckConstraint(
            "status IN ('preparing', 'cancelled') OR sha256 != ''", name="ready_has_a_file"
        ),
        CheckConstraint("count > 0 AND total_cents > 0", name="pays_something"),
    )

    def __str__(self) -> str:
        return self.number


class TransferState(StrEnum):
    sent = auto()
    executed = auto()
    sent_back = auto()


class TransferLine(Model):
    """One transfer of a file, with the account it went to, frozen. `end_to_end` is unique: a
    payment is never in two files at once.
    """

    __tablename__ = "transfer_line"
    __owner__ = through("batch_id")
    id: Mapped[pk]
    batch_id: Mapped[int] = mapped_column(ForeignKey("transfer_batch.id"), index=True)
    # What it pays, by exactly one of these (services/payments/payables.py).
    payment_id: Mapped[int | None] = mapped_column(ForeignKey("seller_payment.id"), index=True)
    end_to_end: Mapped[str] = mapped_column(String(35), unique=True)
    status: Mapped[TransferState] = status(TransferState, TransferState.sent)
    amount_cents: Mapped[cents]
    holder: Mapped[str] = mapped_column(String(70))
    iban_sealed: Mapped[words]
    iban_tail: Mapped[str] = mapped_column(String(4))
    bic: Mapped[str] = mapped_column(String(11), default="")
    reason: Mapped[str] = mapped_column(String(200), default="")
    answered_at: Mapped[moment | None]
    batch: Mapped["TransferBatch"] = relationship(back_populates="lines")
    payment: Mapped["SellerPayment | None"] = relationship(back_populates="batch_lines")

    @property
    def vendor_id(self) -> int:
        return self.batch.vendor_id

    __table_args__ = (
        CheckConstraint("amount_cents > 0", name="amount_positive"),
        CheckConstraint(
            "(CASE WHEN payment_id IS NULL THEN 0 ELSE 1 END) = 1", name="pays_exactly_one"
        ),
        Index(
            "uq_transfer_line_live_payment",
            "payment_id",
            unique=True,
            sqlite_where=text("status != 'sent_back'"),
            postgresql_where=text("status != 'sent_back'"),
        ),
    )


class BankAnswer(Model):
    """A file of the bank that was read, once."""

    __tablename__ = "bank_answer"
    __owner__ = owned_by("vendor_id")
    id: Mapped[pk]
    vendor_id: Mapped[int] = mapped_column(ForeignKey("vendor.id"), index=True)
    batch_id: Mapped[int] = mapped_column(ForeignKey("transfer_batch.id"), index=True)
    sha256: Mapped[str] = mapped_column(String(64), unique=True)
    file_name: Mapped[label]
    executed: Mapped[int]
    sent_back: Mapped[int]
    by_name: Mapped[label]
    at: Mapped[moment]


# ── Shipping ────────────────────────────────────────────────────────────────────────────────────


class CarrierService(StrEnum):
    soap = auto()
    rest = auto()


class CarrierContract(Model):
    """A vendor's contract with a carrier: who the vendor is there, where parcels go, how far they
    may be insured. Of several, one is preferred for each kind of shipment.
    """

    __tablename__ = "carrier_contract"
    __owner__ = owned_by("vendor_id")
    id: Mapped[pk]
    vendor_id: Mapped[int] = mapped_column(ForeignKey("vendor.id"), index=True)
    carrier: Mapped[str] = mapped_column(String(20), default="mondial_relay")
    name: Mapped[str] = mapped_column(String(60), default="Mondial Relay")
    prefers_relay: Mapped[yes_no] = mapped_column(default=False)
    prefers_home: Mapped[yes_no] = mapped_column(default=False)
    service: Mapped[CarrierService] = choice(CarrierService, CarrierService.soap)
    is_test: Mapped[yes_no] = mapped_column(default=False)
    account: Mapped[str] = mapped_column(String(40), default="")  # « code enseigne »
    brand: Mapped[str] = mapped_column(String(20), default="")  # « code marque »
    key_sealed: Mapped[str] = mapped_column(Text, default="")  # « clé privée »
    login: Mapped[str] = mapped_column(String(120), default="")
    password_sealed: Mapped[str] = mapped_column(Text, default="")
    relay_country: Mapped[str] = mapped_column(String(2), default="FR")
    relay_number: Mapped[str] = mapped_column(String(20), default="")
    recipient: Mapped[str] = mapped_column(String(100), default="")
    street: Mapped[str] = mapped_column(String(100), default="")
    postcode: Mapped[str] = mapped_column(String(5), default="")
    city: Mapped[str] = mapped_column(String(60), default="")
    phone: Mapped[str] = mapped_column(String(20), default="")
    insurance_levels: Mapped[int] = mapped_column(default=3)
    packaging_grams: Mapped[int] = mapped_column(default=200)
    checked_at: Mapped[moment | None]
    check_result: Mapped[str] = mapped_column(Text, default="")
    version: Mapped[int] = mapped_column(default=1)
    vendor: Mapped["Vendor"] = relationship()
    __mapper_args__ = {"version_id_col": version}
    __table_args__ = (
        Index(
            "uq_carrier_contract_relay",
            "vendor_id",
            unique=True,
            sqlite_where=text("prefers_relay"),
            postgresql_where=text("prefers_relay"),
        ),
        Index(
            "uq_carrier_contract_home",
            "vendor_id",
            unique=True,
            sqlite_where=text("prefers_home"),
            postgresql_where=text("prefers_home"),
        ),
        CheckConstraint("insurance_levels BETWEEN 0 AND 5", name="levels_in_bounds"),
        CheckConstraint("packaging_grams >= 0", name="packaging_not_negative"),
    )

    def __str__(self) -> str:
        return f"{self.name} · {self.vendor}"


class LabelState(StrEnum):
    requested = auto()
    unknown = auto()
    refused = auto()
    made = auto()
    in_transit = auto()
    at_relay = auto()
    delivered = auto()
    incident = auto()
    cancelled = auto()


class Label(Model):
    """One label that was asked of a carrier, or that was made elsewhere. It belongs to exactly one
    thing that travels: today the parcel of an offer, tomorrow the parcel of an order.
    """

    __tablename__ = "label"
    __owner__ = owned_by("vendor_id")
    id: Mapped[pk]
    vendor_id: Mapped[int] = mapped_column(ForeignKey("vendor.id"))
    parcel_id: Mapped[int | None] = mapped_column(ForeignKey("parcel.id"), index=True)
    contract_id: Mapped[int | None] = mapped_column(
        ForeignKey("carrier_contract.id", ondelete="SET NULL"), index=True
    )
    status: Mapped[LabelState] = status(LabelState, LabelState.requested)
    carrier: Mapped[str] = mapped_column(String(20))  # its code in `gateways.live.carriers`
    carrier_name: Mapped[str] = mapped_column(String(40))
    kind: Mapped[str] = mapped_column(String(10), default="relay")
    insurance: Mapped[int] = mapped_column(default=0)
    weight_grams: Mapped[int] = mapped_column(default=0)
    reference: Mapped[code] = mapped_column(default="")  # what the carrier was told it is about
    number: Mapped[code] = mapped_column(default="")
    url: Mapped[str] = mapped_column(String(500), default="")
    tracking_link: Mapped[str] = mapped_column(String(500), default="")
    files: Mapped[facts] = mapped_column(default=dict)
    error: Mapped[str] = mapped_column(Text, default="")
    is_test: Mapped[yes_no] = mapped_column(default=False)
    # Relay points near the sender, for the mail and the page of the sale.
    relays: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)
    requested_at: Mapped[moment]
    made_at: Mapped[moment | None]
    last_words: Mapped[str] = mapped_column(String(200), default="")
    follow_at: Mapped[moment | None]
    version: Mapped[int] = mapped_column(default=1)
    vendor: Mapped["Vendor"] = relationship()
    contract: Mapped["CarrierContract | None"] = relationship()
    events: Mapped[list["LabelEvent"]] = relationship(
        back_populates="label", order_by="LabelEvent.at, LabelEvent.id"
    )
    __mapper_args__ = {"version_id_col": version}
    __table_args__ = (
        CheckConstraint(
            "(CASE WHEN parcel_id IS NULL THEN 0 ELSE 1 END) = 1", name="of_exactly_one"
        ),
        Index("ix_label_follow_at", "follow_at"),
        Index("ix_label_number", "number"),
        Index("ix_label_vendor_id_requested_at", "vendor_id", "requested_at"),
        # A carrier's number names one label; one box sent by hand may serve two parcels.
        Index(
            "uq_label_carrier_number",
            "carrier",
            "number",
            unique=True,
            sqlite_where=text("number != '' AND carrier != 'by_hand'"),
            postgresql_where=text("number != '' AND carrier != 'by_hand'"),
        ),
        # What travels has one label at a time.
        Index(
            "uq_label_live_parcel",
            "parcel_id",
            unique=True,
            sqlite_where=text("status != 'cancelled'"),
            postgresql_where=text("status != 'cancelled'"),
        ),
    )

    @property
    def not_made(self) -> LabelState | None:
        """Its state while it is not made; None once it is, as the parcel then says more."""
        waiting = (LabelState.requested, LabelState.unknown, LabelState.refused)
        return self.status if self.status in waiting else None

    def __str__(self) -> str:
        return f"{self.carrier_name} {self.number}".strip()


class LabelEvent(Model):
    """What the carrier said of a parcel, in its own words. Only ever added."""

    __tablename__ = "label_event"
    __owner__ = through("label_id")
    id: Mapped[pk]
    label_id: Mapped[int] = mapped_column(ForeignKey("label.id"))
    at: Mapped[moment]
    words: Mapped[label]
    place: Mapped[str] = mapped_column(String(100), default="")
    relay: Mapped[str] = mapped_column(String(6), default="")
    label: Mapped["Label"] = relationship(back_populates="events")
    __table_args__ = (UniqueConstraint("label_id", "at", "words"),)


# ── Buy-back ────────────────────────────────────────────────────────────────────────────────────


class RuleEffect(StrEnum):
    percentage = auto()
    fixed = auto()
    exclude = auto()


class BuyingRule(Model):
    """How a vendor prices what he buys: the first rule, by rank, that fits a reference answers;
    exclusions come first.
    """

    __tablename__ = "buying_rule"
    __owner__ = owned_by("vendor_id")
    id: Mapped[pk]
    vendor_id: Mapped[int] = mapped_column(ForeignKey("vendor.id"), index=True)
    site_id: Mapped[int | None] = mapped_column(ForeignKey("site.id"))
    rank: Mapped[int] = mapped_column(default=100)
    name: Mapped[label]
    active: Mapped[yes_no] = mapped_column(default=True)
    # Which references it fits; an empty column fits all.
    platform_id: Mapped[int | None] = mapped_column(ForeignKey("platform.id"))
    category: Mapped[str] = mapped_column(String(60), default="")
    ean: Mapped[str] = mapped_column(String(14), default="")
    argus_from_cents: Mapped[cents | None]
    argus_to_cents: Mapped[cents | None]
    stock_from: Mapped[int | None]
    stock_to: Mapped[int | None]
    # What it answers: basis points of the argus (4000 = 40 %), or a price, then bounded and
    # rounded.
    effect: Mapped[RuleEffect] = status(RuleEffect, RuleEffect.percentage)
    rate_bp: Mapped[int | None]
    fixed_cents: Mapped[cents | None]
    floor_cents: Mapped[cents | None]
    ceiling_cents: Mapped[cents | None]
    step_cents: Mapped[cents | None]
    vendor: Mapped["Vendor"] = relationship()
    site: Mapped[Optional["Site"]] = relationship()
    platform: Mapped[Optional["Platform"]] = relationship()
    __table_args__ = (
        CheckConstraint(
            "effect != 'percentage' OR rate_bp IS NOT NULL", name="percentage_has_a_rate"
        ),
        CheckConstraint("effect != 'fixed' OR fixed_cents IS NOT NULL", name="fixed_has_a_price"),
        CheckConstraint("rate_bp IS NULL OR rate_bp BETWEEN 0 AND 20000", name="rate_in_bounds"),
        CheckConstraint("fixed_cents IS NULL OR fixed_cents >= 0", name="fixed_not_negative"),
        CheckConstraint("step_cents IS NULL OR step_cents > 0", name="step_positive"),
        CheckConstraint(
            "floor_cents IS NULL OR ceiling_cents IS NULL OR floor_cents <= ceiling_cents",
            name="floor_under_ceiling",
        ),
    )

    def __str__(self) -> str:
        return self.name


class OfferState(StrEnum):
    draft = auto()
    to_check = auto()
    second_chance = auto()
    accepted = auto()
    declined = auto()
    refused = auto()
    deleted = auto()
    abandoned = auto()
    received = auto()
    settled = auto()


class Offer(Model):
    """What a person proposes to sell us: a cart first, a numbered proposal once finalised."""

    __tablename__ = "offer"
    __owner__ = owned_by("vendor_id")
    id: Mapped[pk]
    token: Mapped[str] = mapped_column(String(32), unique=True)
    number: Mapped[str | None] = mapped_column(String(12), unique=True)
    site_id: Mapped[int] = mapped_column(ForeignKey("site.id"), index=True)
    vendor_id: Mapped[int] = mapped_column(ForeignKey("vendor.id"))
    customer_id: Mapped[int | None] = mapped_column(ForeignKey("customer.id"))
    status: Mapped[OfferState] = status(OfferState, OfferState.draft)
    remark: Mapped[str] = mapped_column(Text, default="")
    motive: Mapped[str] = mapped_column(Text, default="")
    # Sums of the lines that are kept, written by services/buyback/offers.py so that lists need no
    # join.
    articles: Mapped[int] = mapped_column(default=0)
    total_cents: Mapped[cents] = mapped_column(default=0)
    proposed_cents: Mapped[cents] = mapped_column(default=0)
    # How the seller wants to be paid, and until when they may answer what the bench found.
    means: Mapped[PaymentMeans] = choice(PaymentMeans, PaymentMeans.transfer)
    reception_answer_by: Mapped[moment | None]
    received_at: Mapped[moment | None]
    reception_told_at: Mapped[moment | None]
    created_at: Mapped[moment]
    touched_at: Mapped[moment]
    finalised_at: Mapped[moment | None]
    decided_at: Mapped[moment | None]
    answer_by: Mapped[moment | None]
    drop_off_by: Mapped[moment | None]
    conditions_sha256: Mapped[str] = mapped_column(String(64), default="")
    version: Mapped[int] = mapped_column(default=1)
    site: Mapped["Site"] = relationship()
    vendor: Mapped["Vendor"] = relationship()
    customer: Mapped[Optional["Customer"]] = relationship(back_populates="offers")
    lines: Mapped[list["OfferLine"]] = relationship(back_populates="offer", order_by="OfferLine.id")
    parcels: Mapped[list["Parcel"]] = relationship(back_populates="offer", order_by="Parcel.id")
    payments: Mapped[list["SellerPayment"]] = relationship(
        back_populates="offer", order_by="SellerPayment.id"
    )
    __mapper_args__ = {"version_id_col": version}
    __table_args__ = (
        Index("ix_offer_vendor_id_status_finalised_at", "vendor_id", "status", "finalised_at"),
        Index("ix_offer_status_finalised_at", "status", "finalised_at"),
        Index("ix_offer_finalised_at", "finalised_at"),
        Index("ix_offer_customer_id_status", "customer_id", "status"),
        CheckConstraint(
            "status IN ('draft', 'deleted') OR (number IS NOT NULL AND customer_id IS NOT NULL AND"
            " finalised_at IS NOT NULL)",
            name="finalised_has_number_and_seller",
        ),
        CheckConstraint(
            "status != 'second_chance' OR answer_by IS NOT NULL",
            name="second_chance_has_a_deadline",
        ),
        CheckConstraint(
            "status != 'accepted' OR drop_off_by IS NOT NULL", name="accepted_has_a_deadline"
        ),
        CheckConstraint(
            "status NOT IN ('received', 'settled') OR received_at IS NOT NULL",
            name="received_has_a_date",
        ),
        CheckConstraint("total_cents >= 0", name="total_not_negative"),
    )

    @property
    def seller(self) -> "Customer":
        """The customer of a finalised offer, whom a CHECK of the table wants."""
        if self.customer is None:
            raise LookupError(f"offer {self.id} is a cart of nobody")
        return self.customer

    @property
    def slip(self) -> str:
        """The number (CDE…) of a finalised offer, which a CHECK of the table wants."""
        if self.number is None:
            raise LookupError(f"offer {self.id} is a cart without a number")
        return self.number

    @property
    def payment(self) -> Optional["SellerPayment"]:
        """The payment to speak of: the first one whose money has not left, else one that is on its
        way, else one that was paid.
        """
        gone = (PaymentState.in_file, PaymentState.paid)
        waiting = [one for one in self.payments if one.status not in gone]
        made = [one for one in self.payments if one.amount_cents] or self.payments
        made = sorted(made, key=lambda one: one.status is PaymentState.paid)
        return next(iter(waiting or made), None)

    def __str__(self) -> str:
        return self.number or "—"


class LineState(StrEnum):
    expected = auto()
    received = auto()
    accepted = auto()
    countered = auto()
    refused = auto()
    missing = auto()
    to_return = auto()
    sent_back = auto()
    given = auto()
    recycled = auto()


class OfferLine(Model):
    """One article of an offer: the price promised and everything it was computed from, frozen; then
    what the bench found.
    """

    __tablename__ = "offer_line"
    __owner__ = through("offer_id")
    id: Mapped[pk]
    offer_id: Mapped[int] = mapped_column(ForeignKey("offer.id"), index=True)
    variant_id: Mapped[int] = mapped_column(ForeignKey("variant.id"), index=True)
    ean: Mapped[str] = mapped_column(String(14))
    title: Mapped[str] = mapped_column(String(300))
    platform: Mapped[str] = mapped_column(String(100))
    argus_cents: Mapped[cents]
    rule_id: Mapped[int | None] = mapped_column(ForeignKey("buying_rule.id", ondelete="SET NULL"))
    rate_bp: Mapped[int | None]
    price_cents: Mapped[cents]
    counter_cents: Mapped[cents | None]
    explanation: Mapped[words]
    priced_at: Mapped[moment]
    removed_at: Mapped[moment | None]
    removed_reason: Mapped[str] = mapped_column(String(300), default="")
    removed_by: Mapped[str] = mapped_column(String(200), default="")
    # The bench. `bench_cents` is the price proposed after control, `paid_cents` the one agreed in
    # the end.
    status: Mapped[LineState] = status(LineState, LineState.expected)
    is_surplus: Mapped[yes_no] = mapped_column(default=False)
    grade_article: Mapped[Grade | None] = choice(Grade)
    grade_box: Mapped[Grade | None] = choice(Grade)
    grade_manual: Mapped[Grade | None] = choice(Grade)
    comment: Mapped[str] = mapped_column(Text, default="")
    bench_cents: Mapped[cents | None]
    paid_cents: Mapped[cents | None]
    bench_motive: Mapped[str] = mapped_column(Text, default="")
    controlled_at: Mapped[moment | None]
    controlled_by: Mapped[str] = mapped_column(String(200), default="")
    answered_at: Mapped[moment | None]
    version: Mapped[int] = mapped_column(default=1)
    offer: Mapped["Offer"] = relationship(back_populates="lines")
    variant: Mapped["Variant"] = relationship()
    photos: Mapped[list["Photo"]] = relationship(back_populates="line", order_by="Photo.id")

    @property
    def vendor_id(self) -> int:
        return self.offer.vendor_id

    __mapper_args__ = {"version_id_col": version}
    __table_args__ = (
        CheckConstraint("price_cents > 0 OR is_surplus", name="price_positive"),
        CheckConstraint("counter_cents IS NULL OR counter_cents >= 0", name="counter_not_negative"),
        CheckConstraint("bench_cents IS NULL OR bench_cents >= 0", name="bench_not_negative"),
        CheckConstraint(
            "status != 'accepted' OR paid_cents IS NOT NULL", name="accepted_has_a_price"
        ),
        CheckConstraint(
            "status != 'countered' OR (bench_cents IS NOT NULL AND bench_motive != '')",
            name="countered_says_why",
        ),
        CheckConstraint("status != 'refused' OR bench_motive != ''", name="refused_says_why"),
    )

    def __str__(self) -> str:
        return f"{self.title} · {self.ean}"


class Photo(Model):
    """A picture taken at the bench, of an article as it arrived."""

    __tablename__ = "photo"
    __owner__ = owned_by("vendor_id")
    id: Mapped[pk]
    vendor_id: Mapped[int] = mapped_column(ForeignKey("vendor.id"))
    line_id: Mapped[int] = mapped_column(ForeignKey("offer_line.id"), index=True)
    item_id: Mapped[int | None] = mapped_column(ForeignKey("item.id"), index=True)
    file: Mapped[str] = mapped_column(String(80), unique=True)
    by_name: Mapped[label]
    at: Mapped[moment]
    line: Mapped["OfferLine"] = relationship(back_populates="photos")


class ParcelState(StrEnum):
    not_sent = auto()
    in_transit = auto()
    at_relay = auto()
    delivered = auto()
    inspecting = auto()
    checked = auto()
    abandoned = auto()
    incident = auto()
    to_return = auto()
    returned = auto()


class Parcel(Model):
    """What travels for an offer: the games on their way to us, or refused articles on their way
    back.
    """

    __tablename__ = "parcel"
    __owner__ = owned_by("vendor_id")
    id: Mapped[pk]
    vendor_id: Mapped[int] = mapped_column(ForeignKey("vendor.id"))
    offer_id: Mapped[int] = mapped_column(ForeignKey("offer.id"), index=True)
    is_return: Mapped[yes_no] = mapped_column(default=False)
    status: Mapped[ParcelState] = status(ParcelState)
    weight_grams: Mapped[int] = mapped_column(default=0)
    store_id: Mapped[int | None] = mapped_column(ForeignKey("store.id"))
    # Where a return goes, chosen by the seller.
    relay_number: Mapped[str] = mapped_column(String(6), default="")
    fee_cents: Mapped[cents] = mapped_column(default=0)
    created_at: Mapped[moment]
    dropped_at: Mapped[moment | None]
    arrived_at: Mapped[moment | None]
    delivered_at: Mapped[moment | None]
    opened_at: Mapped[moment | None]
    opened_by: Mapped[str] = mapped_column(String(200), default="")
    checked_at: Mapped[moment | None]
    reminded_at: Mapped[moment | None]
    texted_at: Mapped[moment | None]
    mail_opened_at: Mapped[moment | None]
    link_clicked_at: Mapped[moment | None]
    version: Mapped[int] = mapped_column(default=1)
    offer: Mapped["Offer"] = relationship(back_populates="parcels")
    vendor: Mapped["Vendor"] = relationship()
    # The label it travels with: the one that was not cancelled.
    label: Mapped["Label | None"] = relationship(
        primaryjoin="and_(Label.parcel_id == Parcel.id, Label.status != 'cancelled')",
        viewonly=True,
        uselist=False,
    )
    __mapper_args__ = {"version_id_col": version}
    __table_args__ = (
        Index("ix_parcel_vendor_id_status_created_at", "vendor_id", "status", "created_at"),
        # An offer has one parcel on its way to us at a time.
        Index(
            "uq_parcel_live_offer",
            "offer_id",
            unique=True,
            sqlite_where=text("NOT is_return AND status != 'abandoned'"),
            postgresql_where=text("NOT is_return AND status != 'abandoned'"),
        ),
        CheckConstraint("fee_cents >= 0", name="fee_not_negative"),
    )

    @property
    def label_number(self) -> str:
        """The number of its label; empty while there is none."""
        return self.label.number if self.label is not None else ""

    @property
    def contact(self) -> tuple[str, str]:
        """The e-mail and the telephone of its seller."""
        customer = self.offer.seller
        return customer.email, customer.phone

    @property
    def awaited_since(self) -> datetime:
        """Since when its seller can drop it off."""
        made_at = self.label.made_at if self.label is not None else None
        return made_at or self.offer.decided_at or self.created_at

    def __str__(self) -> str:
        return self.offer.number or "—"


class RecordKind(StrEnum):
    purchase = auto()
    correction = auto()


class PoliceRecord(Model):
    """An entry of a vendor's « livre de police » (art. R321-3 to R321-6-1 c. pén.): a frozen copy,
    sealed, chained. Only ever added.
    """

    __tablename__ = "police_record"
    __owner__ = owned_by("vendor_id")
    id: Mapped[pk]
    vendor_id: Mapped[int] = mapped_column(ForeignKey("vendor.id"))
    number: Mapped[int]
    kind: Mapped[RecordKind] = choice(RecordKind)
    corrects: Mapped[int | None]
    item_id: Mapped[int | None] = mapped_column(ForeignKey("item.id"), index=True)
    customer_id: Mapped[int | None] = mapped_column(ForeignKey("customer.id"), index=True)
    # To find an entry; the sealed copy is what counts.
    seller: Mapped[label]
    what: Mapped[str] = mapped_column(String(400))
    ean: Mapped[str] = mapped_column(String(14))
    reference: Mapped[code]
    price_cents: Mapped[cents]
    sealed: Mapped[words]
    previous_hash: Mapped[str] = mapped_column(String(64))
    hash: Mapped[str] = mapped_column(String(64))
    recorded_at: Mapped[moment]
    __table_args__ = (
        UniqueConstraint("vendor_id", "number"),
        Index("ix_police_record_vendor_id_recorded_at", "vendor_id", "recorded_at"),
    )

    def __str__(self) -> str:
        return str(self.number)


class RegisterSeal(Model):
    """The state of a register at the end of a Paris day, told elsewhere too: what was sealed cannot
    be rewritten unseen.
    """

    __tablename__ = "register_seal"
    __owner__ = owned_by("vendor_id")
    id: Mapped[pk]
    vendor_id: Mapped[int] = mapped_column(ForeignKey("vendor.id"))
    day: Mapped[date] = mapped_column(Date)
    first_number: Mapped[int]
    last_number: Mapped[int]
    count: Mapped[int]
    head_hash: Mapped[str] = mapped_column(String(64))
    at: Mapped[moment]
    __table_args__ = (UniqueConstraint("vendor_id", "day"),)


class Consultation(Model):
    """Somebody looked into the register: who, when, why (arrêté du 15 mai 2020, art. 3, 2°). Kept a
    year.
    """

    __tablename__ = "consultation"
    __owner__ = owned_by("vendor_id")
    id: Mapped[pk]
    vendor_id: Mapped[int] = mapped_column(ForeignKey("vendor.id"), index=True)
    user_id: Mapped[int | None]
    by_name: Mapped[label]
    purpose: Mapped[label]
    authority: Mapped[str] = mapped_column(String(200), default="")
    what: Mapped[code]
    since: Mapped[date | None] = mapped_column(Date)
    until: Mapped[date | None] = mapped_column(Date)
    at: Mapped[moment] = mapped_column(index=True)


def _refuse_tables_without_an_owner() -> None:
    for mapper in Model.registry.mappers:
        if mapper.class_.__module__ == __name__ and "__owner__" not in vars(mapper.class_):
            raise TypeError(f"models.{mapper.class_.__name__} does not say whose its rows are")


_refuse_tables_without_an_owner()


# ── Orders ──────────────────────────────────────────────────────────────────────────────────────


class Cart(Model):
    """What a visitor of a shop put aside to buy. Nothing is kept for a cart: units are reserved
    with its final button (domain 2.87).
    """

    __tablename__ = "cart"
    __owner__ = nobody("of one visitor, who holds its token")
    id: Mapped[pk]
    token_sha256: Mapped[str] = mapped_column(String(64), unique=True)
    site_id: Mapped[int] = mapped_column(ForeignKey("site.id"))
    customer_id: Mapped[int | None] = mapped_column(ForeignKey("customer.id"))
    created_at: Mapped[moment]
    touched_at: Mapped[moment] = mapped_column(index=True)
    site: Mapped["Site"] = relationship()
    lines: Mapped[list["CartLine"]] = relationship(
        back_populates="cart", order_by="CartLine.id", cascade="all, delete-orphan"
    )
    __table_args__ = (
        # A customer has one cart a site.
        Index(
            "uq_cart_customer_id_site_id",
            "customer_id",
            "site_id",
            unique=True,
            sqlite_where=text("customer_id IS NOT NULL"),
            postgresql_where=text("customer_id IS NOT NULL"),
        ),
    )


class CartLine(Model):
    """Units of one listing, to be had in one store."""

    __tablename__ = "cart_line"
    __owner__ = nobody("of the visitor whose cart it is in")
    id: Mapped[pk]
    cart_id: Mapped[int] = mapped_column(ForeignKey("cart.id", ondelete="CASCADE"))
    listing_id: Mapped[int] = mapped_column(ForeignKey("listing.id"), index=True)
    store_id: Mapped[int] = mapped_column(ForeignKey("store.id"))
    quantity: Mapped[int]
    # The price of one unit as the buyer last saw it; what moved since is said.
    seen_cents: Mapped[cents]
    removed_at: Mapped[moment | None]  # in the bin, from which it can be taken back
    added_at: Mapped[moment]
    cart: Mapped["Cart"] = relationship(back_populates="lines")
    listing: Mapped["Listing"] = relationship()
    store: Mapped["Store"] = relationship()
    __table_args__ = (
        UniqueConstraint("cart_id", "listing_id", "store_id"),
        CheckConstraint("quantity BETWEEN 1 AND 99", name="quantity_in_bounds"),
    )


class Order(Model):
    """One purchase of one buyer (« 1702 »), whatever the number of shops it comes from. Who bought
    is frozen here: an account that changes changes no order.
    """

    __tablename__ = "customer_order"
    __owner__ = nobody("of the buyer; vendors read their own parts, the operator all of them")
    id: Mapped[pk]
    number: Mapped[str] = mapped_column(String(12), unique=True)
    site_id: Mapped[int] = mapped_column(ForeignKey("site.id"))
    customer_id: Mapped[int | None] = mapped_column(ForeignKey("customer.id"), index=True)
    first_name: Mapped[str] = mapped_column(String(100))
    last_name: Mapped[str] = mapped_column(String(100))
    email: Mapped[str] = mapped_column(String(320), index=True)
    phone: Mapped[str] = mapped_column(String(20))
    # What was asked for when it was placed; the parts say what became of it.
    total_cents: Mapped[cents]
    placed_at: Mapped[moment] = mapped_column(index=True)
    site: Mapped["Site"] = relationship()
    customer: Mapped[Optional["Customer"]] = relationship()
    parts: Mapped[list["VendorOrder"]] = relationship(
        back_populates="order", order_by="VendorOrder.id"
    )
    __table_args__ = (CheckConstraint("total_cents > 0", name="asks_for_something"),)

    @property
    def name(self) -> str:
        return f"{self.first_name} {self.last_name}".strip()

    def __str__(self) -> str:
        return self.number


class HandOver(StrEnum):
    """How goods reach their buyer."""

    reserve_collect = auto()


class VendorOrderState(StrEnum):
    waiting_acceptance = auto()
    shipping = auto()
    to_collect = auto()
    received = auto()
    refused = auto()
    canceled = auto()


class OrderEnd(StrEnum):
    """Why a part, or some units of it, came to nothing."""

    out_of_stock = auto()
    price_error = auto()
    closed = auto()
    other = auto()
    too_late = auto()
    not_collected = auto()
    buyer = auto()
    operator = auto()


class VendorOrder(Model):
    """The part of a purchase that one store of one vendor does (« 1702-A »): what is accepted,
    made ready and handed over.
    """

    __tablename__ = "vendor_order"
    __owner__ = owned_by("vendor_id")
    __stores__ = of_store("store_id")
    id: Mapped[pk]
    order_id: Mapped[int] = mapped_column(ForeignKey("customer_order.id"))
    letter: Mapped[str] = mapped_column(String(3))
    reference: Mapped[str] = mapped_column(String(16), unique=True)
    vendor_id: Mapped[int] = mapped_column(ForeignKey("vendor.id"))
    store_id: Mapped[int] = mapped_column(ForeignKey("store.id"))
    hand_over: Mapped[HandOver] = choice(HandOver)
    status: Mapped[VendorOrderState] = status(VendorOrderState, VendorOrderState.waiting_acceptance)
    # Sums of the lines, written by services/orders so that lists need no join: what was ordered,
    # and what the shop has of it.
    units: Mapped[int]
    ordered_cents: Mapped[cents]
    total_cents: Mapped[cents]
    why: Mapped[OrderEnd | None] = choice(OrderEnd)
    remark: Mapped[str] = mapped_column(Text, default="")
    # The six digits the buyer shows and what the QR code beside them holds, sealed.
    code_sealed: Mapped[str] = mapped_column(Text, default="")
    code_tries: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[moment] = mapped_column(index=True)
    # Until when somebody must do something about it, whatever that is; None once it is over.
    due_at: Mapped[moment | None]
    accept_by: Mapped[moment]
    accepted_at: Mapped[moment | None]
    modified_at: Mapped[moment | None]
    ready_at: Mapped[moment | None]
    collect_by: Mapped[moment | None]
    ended_at: Mapped[moment | None]
    version: Mapped[int] = mapped_column(default=1)
    order: Mapped["Order"] = relationship(back_populates="parts")
    vendor: Mapped["Vendor"] = relationship()
    store: Mapped["Store"] = relationship()
    lines: Mapped[list["OrderLine"]] = relationship(back_populates="part", order_by="OrderLine.id")
    __mapper_args__ = {"version_id_col": version}
    __table_args__ = (
        UniqueConstraint("order_id", "letter"),
        Index("ix_vendor_order_vendor_id_status_due_at", "vendor_id", "status", "due_at"),
        Index("ix_vendor_order_status_due_at", "status", "due_at"),
        Index("ix_vendor_order_store_id_status_due_at", "store_id", "status", "due_at"),
        CheckConstraint("ordered_cents > 0", name="asks_for_something"),
        CheckConstraint("total_cents BETWEEN 0 AND ordered_cents", name="total_in_bounds"),
        CheckConstraint(
            "status NOT IN ('shipping', 'to_collect') OR"
            " (accepted_at IS NOT NULL AND code_sealed != '')",
            name="accepted_has_a_code",
        ),
        CheckConstraint(
            "status != 'to_collect' OR (ready_at IS NOT NULL AND collect_by IS NOT NULL)",
            name="ready_has_a_deadline",
        ),
        CheckConstraint(
            "status NOT IN ('refused', 'canceled') OR (why IS NOT NULL AND ended_at IS NOT NULL)",
            name="ended_says_why",
        ),
        CheckConstraint(
            "status != 'received' OR (accepted_at IS NOT NULL AND ended_at IS NOT NULL)",
            name="received_has_a_date",
        ),
    )

    def __str__(self) -> str:
        return self.reference


class OrderLine(Model):
    """Units of one listing in an order, with all that was promised of them, frozen."""

    __tablename__ = "order_line"
    __owner__ = through("vendor_order_id")
    id: Mapped[pk]
    vendor_order_id: Mapped[int] = mapped_column(ForeignKey("vendor_order.id"), index=True)
    listing_id: Mapped[int] = mapped_column(ForeignKey("listing.id"), index=True)
    variant_id: Mapped[int] = mapped_column(ForeignKey("variant.id"), index=True)
    item_id: Mapped[int | None] = mapped_column(ForeignKey("item.id"), index=True)
    title: Mapped[label]
    details: Mapped[label] = mapped_column(default="")
    ean: Mapped[str] = mapped_column(String(14))
    condition: Mapped[Condition | None] = choice(Condition)  # None: new
    unit_cents: Mapped[cents]
    quantity: Mapped[int]
    kept: Mapped[int]  # how many of them the shop has; the rest comes to nothing
    problem: Mapped[OrderEnd | None] = choice(OrderEnd)
    # What VAT and margin are computed from, as it was when it was ordered (domain 2.54).
    vat_regime: Mapped[VatRegime] = choice(VatRegime)
    vat_bp: Mapped[int]
    cost_cents: Mapped[cents | None]
    part: Mapped["VendorOrder"] = relationship(back_populates="lines")
    variant: Mapped["Variant"] = relationship()
    item: Mapped[Optional["Item"]] = relationship()
    __table_args__ = (
        CheckConstraint("unit_cents > 0", name="price_positive"),
        CheckConstraint("quantity BETWEEN 1 AND 99", name="quantity_in_bounds"),
        CheckConstraint("kept BETWEEN 0 AND quantity", name="kept_in_bounds"),
    )

    @property
    def total_cents(self) -> int:
        """What the units the shop has cost together."""
        return self.kept * self.unit_cents

    def __str__(self) -> str:
        return self.title


class CallTask(Model):
    """A buyer somebody of the operator calls, because what was ordered will not come (SP-036)."""

    __tablename__ = "call_task"
    __owner__ = nobody("of the operator's people")
    id: Mapped[pk]
    vendor_order_id: Mapped[int] = mapped_column(ForeignKey("vendor_order.id"), unique=True)
    created_at: Mapped[moment]
    done_at: Mapped[moment | None] = mapped_column(index=True)
    done_by: Mapped[str] = mapped_column(String(200), default="")
    note: Mapped[str] = mapped_column(Text, default="")
    part: Mapped["VendorOrder"] = relationship()

    def __str__(self) -> str:
        return self.part.reference
