"""Every table, in story order. Data and constraints only: no query, no move, no formatting.

The house    Event  Message  Outbox  Setting  Counter  FormUse  SavedView  VisitDay  UnknownDemand
People       Vendor  Store  Site  SiteHost  Membership  StaffAccount  Customer
Stock        Platform  Product  Variant  ArgusValue  ImportRun  Item  Movement
Buy-back     BuyingRule  Offer  OfferLine
"""

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
    ForeignKey,
    Index,
    Integer,
    String,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import Mapped, mapped_column, relationship
from sqlalchemy.types import TypeDecorator

# Named constraints, so that Alembic can find them again on both engines. Before any class, FAB's included.
Model.metadata.naming_convention = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}

from flask_appbuilder.security.sqla.models import User  # noqa: E402  (after the naming convention, which must name its constraints)


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
    return mapped_column(Enum(enum, native_enum=False, length=24, create_constraint=False), default=default, index=True)


# ───────────────────────────────────────────── The house ─────────────────────────────────────────────


class Event(Model):
    """Something happened to a row: who moved it, from where to where, with which facts. Only ever added."""

    __tablename__ = "event"
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

    def __str__(self) -> str:
        return f"{self.subject} {self.subject_id} · {self.verb}"


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
    id: Mapped[pk]
    public_id: Mapped[str] = mapped_column(String(32), unique=True)
    kind: Mapped[MessageKind] = status(MessageKind)
    event: Mapped[code]
    vendor_id: Mapped[int | None] = mapped_column(ForeignKey("vendor.id"), index=True)
    site_id: Mapped[int | None] = mapped_column(ForeignKey("site.id"))
    customer_id: Mapped[int | None] = mapped_column(ForeignKey("customer.id"), index=True)
    offer_id: Mapped[int | None] = mapped_column(ForeignKey("offer.id"), index=True)
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
    __table_args__ = (CheckConstraint("state != 'sent' OR sent_at IS NOT NULL", name="sent_has_a_date"),)

    def __str__(self) -> str:
        return self.subject


class OutboxState(StrEnum):
    todo = auto()
    running = auto()
    done = auto()
    dead = auto()


class Outbox(Model):
    """What must still be told to the outside, written with the fact that caused it; a worker claims it by lease."""

    __tablename__ = "outbox"
    id: Mapped[pk]
    kind: Mapped[code]
    key: Mapped[str] = mapped_column(String(120), unique=True)
    payload: Mapped[facts]
    state: Mapped[OutboxState] = status(OutboxState, OutboxState.todo)
    attempts: Mapped[int] = mapped_column(default=0)
    next_at: Mapped[moment]
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


class Setting(Model):
    """What a shop decided under « Paramétrages divers », from a moment on; the newest row of a key is in force."""

    __tablename__ = "setting"
    id: Mapped[pk]
    key: Mapped[code]
    value: Mapped[Any] = mapped_column(JSON)
    by_name: Mapped[label]
    since: Mapped[moment]
    __table_args__ = (Index("ix_setting_key_since", "key", "since"),)


class Counter(Model):
    """The last number given in a gap-free series (CDE…)."""

    __tablename__ = "counter"
    name: Mapped[str] = mapped_column(String(60), primary_key=True)
    value: Mapped[int] = mapped_column(default=0)


class FormUse(Model):
    """A form that was already sent once: the second sending is answered with the same page."""

    __tablename__ = "form_use"
    token: Mapped[str] = mapped_column(String(64), primary_key=True)
    location: Mapped[words]
    at: Mapped[moment] = mapped_column(index=True)


class SavedView(Model):
    """A list as one member of staff likes to see it: its search, filters and order, under a name."""

    __tablename__ = "saved_view"
    id: Mapped[pk]
    user_id: Mapped[int] = mapped_column(ForeignKey("ab_user.id", ondelete="CASCADE"), index=True)
    view: Mapped[code]
    name: Mapped[label]
    query: Mapped[words]
    __table_args__ = (UniqueConstraint("user_id", "view", "name"),)


class VisitDay(Model):
    """How many different visitors a site had on one Paris day (a daily count: days cannot be summed into people)."""

    __tablename__ = "visit_day"
    id: Mapped[pk]
    site_id: Mapped[int] = mapped_column(ForeignKey("site.id"))
    day: Mapped[date] = mapped_column(Date)
    visitors: Mapped[int] = mapped_column(default=0)
    site: Mapped["Site"] = relationship()
    __table_args__ = (UniqueConstraint("site_id", "day"),)


class UnknownDemand(Model):
    """A barcode people asked us to buy and our catalogue does not know."""

    __tablename__ = "unknown_demand"
    id: Mapped[pk]
    ean: Mapped[str] = mapped_column(String(14), unique=True)
    times: Mapped[int] = mapped_column(default=0, index=True)
    first_at: Mapped[moment]
    last_at: Mapped[moment]

    def __str__(self) -> str:
        return self.ean


# ───────────────────────────────────────────── People ────────────────────────────────────────────────


class Vendor(Model):
    """A legal entity that buys back and sells (« enseigne »); the operator's own company is number 1."""

    __tablename__ = "vendor"
    id: Mapped[pk]
    name: Mapped[str] = mapped_column(String(200), unique=True)
    legal_name: Mapped[str] = mapped_column(String(200), default="")
    siren: Mapped[str] = mapped_column(String(9), default="")
    vat_number: Mapped[str] = mapped_column(String(20), default="")
    email: Mapped[str] = mapped_column(String(320), default="")
    phone: Mapped[str] = mapped_column(String(20), default="")
    address: Mapped[str] = mapped_column(Text, default="")
    created_at: Mapped[moment]

    def __str__(self) -> str:
        return self.name


class Store(Model):
    """A place of a vendor that holds stock (« point de vente »)."""

    __tablename__ = "store"
    id: Mapped[pk]
    vendor_id: Mapped[int] = mapped_column(ForeignKey("vendor.id"), index=True)
    name: Mapped[label]
    address: Mapped[str] = mapped_column(String(200), default="")
    postcode: Mapped[str] = mapped_column(String(5), default="")
    city: Mapped[str] = mapped_column(String(100), default="")
    phone: Mapped[str] = mapped_column(String(20), default="")
    opening_hours: Mapped[str] = mapped_column(Text, default="")
    vendor: Mapped["Vendor"] = relationship()
    __table_args__ = (UniqueConstraint("vendor_id", "name"),)

    def __str__(self) -> str:
        return self.name


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
    hosts: Mapped[list["SiteHost"]] = relationship(back_populates="site", cascade="all, delete-orphan", order_by="SiteHost.id")
    __table_args__ = (
        CheckConstraint("threshold_cents >= 0", name="threshold_not_negative"),
        CheckConstraint("copies_per_cart IS NULL OR copies_per_cart > 0", name="copies_per_cart_positive"),
        CheckConstraint("copies_per_seller IS NULL OR copies_per_seller > 0", name="copies_per_seller_positive"),
        CheckConstraint("stock_cap IS NULL OR stock_cap > 0", name="stock_cap_positive"),
        Index("ix_site_one_default", "is_default", unique=True, sqlite_where=text("is_default"), postgresql_where=text("is_default")),
    )

    def __str__(self) -> str:
        return self.name


class SiteHost(Model):
    """A host name that a site answers; the first one is written in its mails."""

    __tablename__ = "site_host"
    id: Mapped[pk]
    site_id: Mapped[int] = mapped_column(ForeignKey("site.id", ondelete="CASCADE"), index=True)
    host: Mapped[str] = mapped_column(String(253), unique=True)
    site: Mapped["Site"] = relationship(back_populates="hosts")

    def __str__(self) -> str:
        return self.host


class Membership(Model):
    """A member of staff works for a vendor, possibly in one store of it only."""

    __tablename__ = "membership"
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
    """What we add to a staff user: the epoch of his sessions and whether his password is still the first one."""

    __tablename__ = "staff_account"
    user_id: Mapped[int] = mapped_column(ForeignKey("ab_user.id", ondelete="CASCADE"), primary_key=True)
    session_epoch: Mapped[int] = mapped_column(default=0)
    must_change_password: Mapped[bool] = mapped_column(Boolean, default=False)


class Customer(Model):
    """A person with an account: sells to us, buys from us, or both; never a member of staff."""

    __tablename__ = "customer"
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
    created_at: Mapped[moment] = mapped_column(index=True)
    erased_at: Mapped[moment | None]
    offers: Mapped[list["Offer"]] = relationship(back_populates="customer", viewonly=True)

    @property
    def name(self) -> str:
        return f"{self.first_name} {self.last_name}".strip()

    def __str__(self) -> str:
        return self.name


# ───────────────────────────────────────────── Stock ─────────────────────────────────────────────────


class Platform(Model):
    """What a game runs on; also what a box of it weighs when nobody weighed the game itself."""

    __tablename__ = "platform"
    id: Mapped[pk]
    name: Mapped[str] = mapped_column(String(100), unique=True)
    weight_grams: Mapped[int] = mapped_column(default=150)
    __table_args__ = (CheckConstraint("weight_grams > 0", name="weight_positive"),)

    def __str__(self) -> str:
        return self.name


class Product(Model):
    """A model (« fiche »): what one talks about, whatever its barcode."""

    __tablename__ = "product"
    id: Mapped[pk]
    title: Mapped[str] = mapped_column(String(300), index=True)
    platform_id: Mapped[int | None] = mapped_column(ForeignKey("platform.id"), index=True)
    category: Mapped[str] = mapped_column(String(60), default="")
    cover: Mapped[str | None] = mapped_column(String(80))
    created_at: Mapped[moment]
    platform: Mapped[Optional["Platform"]] = relationship()
    variants: Mapped[list["Variant"]] = relationship(back_populates="product")

    def __str__(self) -> str:
        return self.title


class Variant(Model):
    """What carries a barcode (« référence »), with the argus in force copied here so that a quote is one read."""

    __tablename__ = "variant"
    id: Mapped[pk]
    product_id: Mapped[int] = mapped_column(ForeignKey("product.id"), index=True)
    ean: Mapped[str] = mapped_column(String(14), unique=True)
    argus_cents: Mapped[cents | None] = mapped_column(index=True)
    argus_on: Mapped[date | None] = mapped_column(Date)
    voucher_cents: Mapped[cents | None]
    cash_cents: Mapped[cents | None]
    weight_grams: Mapped[int | None]
    product: Mapped["Product"] = relationship(back_populates="variants")
    __table_args__ = (CheckConstraint("argus_cents IS NULL OR argus_cents >= 0", name="argus_not_negative"),)

    def __str__(self) -> str:
        return self.ean


class ArgusValue(Model):
    """What a variant was worth on the market from a day on, and who says so. Only ever added."""

    __tablename__ = "argus_value"
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


class ImportState(StrEnum):
    waiting = auto()
    running = auto()
    complete = auto()
    failed = auto()


class ImportRun(Model):
    """One file given to us: what it was, what became of each line, and where its refused lines are."""

    __tablename__ = "import_run"
    id: Mapped[pk]
    kind: Mapped[code]
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
    report: Mapped[facts] = mapped_column(default=dict)
    errors_path: Mapped[str] = mapped_column(String(80), default="")
    error: Mapped[str] = mapped_column(Text, default="")
    by_name: Mapped[label]
    started_at: Mapped[moment]
    ended_at: Mapped[moment | None]

    def __str__(self) -> str:
        return self.file_name


class ItemState(StrEnum):
    in_stock = auto()
    sold = auto()
    withdrawn = auto()
    lost = auto()
    returned = auto()


class Item(Model):
    """One physical second-hand unit in a store."""

    __tablename__ = "item"
    id: Mapped[pk]
    vendor_id: Mapped[int] = mapped_column(ForeignKey("vendor.id"))
    store_id: Mapped[int] = mapped_column(ForeignKey("store.id"), index=True)
    variant_id: Mapped[int] = mapped_column(ForeignKey("variant.id"), index=True)
    status: Mapped[ItemState] = status(ItemState, ItemState.in_stock)
    place: Mapped[str] = mapped_column(String(60), default="")
    comment: Mapped[str] = mapped_column(Text, default="")
    cost_cents: Mapped[cents]
    entered_at: Mapped[moment] = mapped_column(index=True)
    version: Mapped[int] = mapped_column(default=1)
    store: Mapped["Store"] = relationship()
    variant: Mapped["Variant"] = relationship()
    __mapper_args__ = {"version_id_col": version}
    __table_args__ = (
        Index("ix_item_vendor_id_variant_id_status", "vendor_id", "variant_id", "status"),
        CheckConstraint("cost_cents >= 0", name="cost_not_negative"),
    )

    def __str__(self) -> str:
        return f"{self.variant.product.title} · {self.id}"


class MovementKind(StrEnum):
    entry = auto()
    sale = auto()
    withdrawal = auto()
    loss = auto()
    return_ = "return"


class Movement(Model):
    """A change of stock with its cause; a sale carries its price. Only ever added."""

    __tablename__ = "movement"
    id: Mapped[pk]
    vendor_id: Mapped[int] = mapped_column(ForeignKey("vendor.id"))
    store_id: Mapped[int] = mapped_column(ForeignKey("store.id"))
    variant_id: Mapped[int] = mapped_column(ForeignKey("variant.id"))
    item_id: Mapped[int | None] = mapped_column(ForeignKey("item.id"), index=True)
    kind: Mapped[MovementKind] = mapped_column(Enum(MovementKind, native_enum=False, length=24, values_callable=lambda e: [m.value for m in e]))
    quantity: Mapped[int]
    price_cents: Mapped[cents | None]
    channel: Mapped[str] = mapped_column(String(60), default="")
    by_name: Mapped[label]
    at: Mapped[moment]
    variant: Mapped["Variant"] = relationship()
    store: Mapped["Store"] = relationship()
    __table_args__ = (
        Index("ix_movement_vendor_id_variant_id_kind", "vendor_id", "variant_id", "kind"),
        CheckConstraint("kind != 'sale' OR price_cents IS NOT NULL", name="sale_has_a_price"),
        CheckConstraint("quantity != 0", name="moves_something"),
    )


# ───────────────────────────────────────────── Buy-back ──────────────────────────────────────────────


class RuleEffect(StrEnum):
    percentage = auto()
    fixed = auto()
    exclude = auto()


class BuyingRule(Model):
    """How a vendor prices what he buys: the first rule, by rank, that fits a reference answers; exclusions come first."""

    __tablename__ = "buying_rule"
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
    # What it answers: basis points of the argus (4000 = 40 %), or a price, then bounded and rounded.
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
        CheckConstraint("effect != 'percentage' OR rate_bp IS NOT NULL", name="percentage_has_a_rate"),
        CheckConstraint("effect != 'fixed' OR fixed_cents IS NOT NULL", name="fixed_has_a_price"),
        CheckConstraint("rate_bp IS NULL OR rate_bp BETWEEN 0 AND 20000", name="rate_in_bounds"),
        CheckConstraint("fixed_cents IS NULL OR fixed_cents >= 0", name="fixed_not_negative"),
        CheckConstraint("step_cents IS NULL OR step_cents > 0", name="step_positive"),
        CheckConstraint("floor_cents IS NULL OR ceiling_cents IS NULL OR floor_cents <= ceiling_cents", name="floor_under_ceiling"),
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
    id: Mapped[pk]
    token: Mapped[str] = mapped_column(String(32), unique=True)
    number: Mapped[str | None] = mapped_column(String(12), unique=True)
    site_id: Mapped[int] = mapped_column(ForeignKey("site.id"), index=True)
    vendor_id: Mapped[int] = mapped_column(ForeignKey("vendor.id"))
    customer_id: Mapped[int | None] = mapped_column(ForeignKey("customer.id"))
    status: Mapped[OfferState] = status(OfferState, OfferState.draft)
    remark: Mapped[str] = mapped_column(Text, default="")
    motive: Mapped[str] = mapped_column(Text, default="")
    # Sums of the lines that are kept, written by services/buyback/offers.py so that lists need no join.
    articles: Mapped[int] = mapped_column(default=0)
    total_cents: Mapped[cents] = mapped_column(default=0)
    proposed_cents: Mapped[cents] = mapped_column(default=0)
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
    __mapper_args__ = {"version_id_col": version}
    __table_args__ = (
        Index("ix_offer_vendor_id_status_finalised_at", "vendor_id", "status", "finalised_at"),
        Index("ix_offer_status_finalised_at", "status", "finalised_at"),
        Index("ix_offer_finalised_at", "finalised_at"),
        Index("ix_offer_customer_id_status", "customer_id", "status"),
        CheckConstraint(
            "status IN ('draft', 'deleted') OR (number IS NOT NULL AND customer_id IS NOT NULL AND finalised_at IS NOT NULL)",
            name="finalised_has_number_and_seller",
        ),
        CheckConstraint("status != 'second_chance' OR answer_by IS NOT NULL", name="second_chance_has_a_deadline"),
        CheckConstraint("status != 'accepted' OR drop_off_by IS NOT NULL", name="accepted_has_a_deadline"),
        CheckConstraint("total_cents >= 0", name="total_not_negative"),
    )

    def __str__(self) -> str:
        return self.number or "—"


class OfferLine(Model):
    """One article of an offer: the price promised and everything it was computed from, frozen."""

    __tablename__ = "offer_line"
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
    offer: Mapped["Offer"] = relationship(back_populates="lines")
    variant: Mapped["Variant"] = relationship()
    __table_args__ = (
        CheckConstraint("price_cents > 0", name="price_positive"),
        CheckConstraint("counter_cents IS NULL OR counter_cents >= 0", name="counter_not_negative"),
    )

    def __str__(self) -> str:
        return f"{self.title} · {self.ean}"
