"""The « livre de police »: what a vendor bought, from whom, with which document, for how much, paid
how.

Sources: art. 321-7 and R321-3 to R321-6-1 c. pén.; arrêté du 15 mai 2020 art. 3. An entry is a
frozen copy, sealed and chained (SHA-256 of its canonical JSON and of the entry before); a
correction is a new entry that points at it; each evening the head of the chain is sealed and told
elsewhere; each look into it is logged with its purpose.
"""

import hashlib
import json
from datetime import date, datetime, timedelta
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import delete, exists, func, or_, select

from models import (
    Consultation,
    Customer,
    Item,
    ItemState,
    OfferLine,
    PoliceRecord,
    RecordKind,
    RegisterSeal,
    Vendor,
)
from services import (
    audit,
    clock,
    messages,
    money,
    numbering,
    personal,
    retention,
    sealing,
    workflow,
)
from services.chain import Verdict, Walk, chain_breaks
from services.people import identity, sites
from services.unit import db
from services.workflow import Actor, Refused

workflow.name_states(
    (RecordKind.purchase, _l("Purchase"), "ok"), (RecordKind.correction, _l("Correction"), "warn")
)
FIRST = "0" * 64
sealing.keeps(PoliceRecord, "sealed", lambda row: _place(row.vendor_id, row.number), is_frozen=True)
# Why one may look into it.
PURPOSES = {
    "check": _l("Internal check"),
    "authority": _l("Request of an authority"),
    "seller": _l("Request of a seller about his data"),
}


def record(item: Item, line: OfferLine, *, by: Actor) -> PoliceRecord:
    """Enter a unit that becomes ours, in the unit that makes it ours."""
    offer = line.offer
    document = identity.of(offer.vendor_id, offer.seller.id)
    facts = {
        "reference": offer.number,
        "article": f"{line.title} ({line.platform})",
        "ean": line.ean,
        "description": _description(line),
        "provenance": _(
            "bought from a private person on the site « %(site)s »", site=offer.site.name
        ),
        "price_cents": line.paid_cents,
        "means": workflow.words_of(offer.means),
        "seller": _seller(offer.seller, document),
        "document": _document(document),
    }
    entry = _append(offer.vendor_id, RecordKind.purchase, facts, item=item, customer=offer.seller)
    item.register_number = entry.number
    return entry


def correct(entry: PoliceRecord, motive: str, *, by: Actor, **facts: Any) -> PoliceRecord:
    """Say that an entry was wrong, or complete it: a new entry with the reason and the number it
    corrects.
    """
    motive = motive.strip()
    if not motive:
        raise Refused(_("Write why the entry is corrected."))
    before = opened(entry)
    customer = db.session.get(Customer, entry.customer_id) if entry.customer_id else None
    item = db.session.get(Item, entry.item_id) if entry.item_id else None
    said = {
        **{k: before[k] for k in ("reference", "article", "ean", "price_cents")},
        **facts,
        "motive": motive[:500],
        "by": by.name,
        "corrects": entry.number,
    }
    return _append(
        entry.vendor_id,
        RecordKind.correction,
        said,
        item=item,
        customer=customer,
        corrects=entry.number,
    )


def identity_came(vendor_id: int, customer: Customer, *, by: Actor) -> int:
    """The document was shown after the purchase: complete the entries that lack it. Returns how
    many.
    """
    document = identity.of(vendor_id, customer.id)
    done = 0
    rows = (
        select(PoliceRecord)
        .where(PoliceRecord.vendor_id == vendor_id, PoliceRecord.customer_id == customer.id)
        .order_by(PoliceRecord.number)
    )
    entries = db.session.scalars(rows).all()
    completed = {
        entry.corrects for entry in entries if entry.corrects and opened(entry).get("document")
    }
    undone = select(Item.id).where(
        Item.id.in_({e.item_id for e in entries if e.item_id}), Item.status == ItemState.returned
    )
    given_back = set(db.session.scalars(undone))
    for entry in entries:
        if (
            entry.kind is not RecordKind.purchase
            or entry.number in completed
            or entry.item_id in given_back
        ):
            continue
        if not opened(entry)["document"]:
            correct(
                entry,
                _("identity document shown after the purchase"),
                by=by,
                seller=_seller(customer, document),
                document=_document(document),
            )
            done += 1
    return done


def of_item(item: Item) -> PoliceRecord | None:
    return db.session.scalar(
        select(PoliceRecord).where(
            PoliceRecord.item_id == item.id, PoliceRecord.kind == RecordKind.purchase
        )
    )


def opened(entry: PoliceRecord) -> dict[str, Any]:
    """What an entry says. Raises sealing.CannotOpen when it was tampered with."""
    said: dict[str, Any] = json.loads(
        sealing.unseal(entry.sealed, _place(entry.vendor_id, entry.number))
    )
    return said


# ── sealing and verifying ──


def verify(vendor_id: int) -> Verdict:
    """Read the whole register again: numbers without a gap, copies untouched, chain unbroken, seals
    as they were.
    """
    # Read first, so that what is written meanwhile is beyond them and never looks like a hole.
    expected = numbering.last(_series(vendor_id))
    seals = db.session.scalars(
        select(RegisterSeal).where(RegisterSeal.vendor_id == vendor_id).order_by(RegisterSeal.day)
    ).all()
    # What is older than ten years is gone by whole sealed days: the chain then hangs on the seal of
    # the last of them.
    first, oldest = first_kept(vendor_id), (clock.now() - TEN_YEARS).date()
    anchor = next((s for s in seals if s.last_number == first - 1 and s.day < oldest), None)
    if first > 1 and anchor is None:
        return Verdict(0, 1, _("Entry %(number)s is missing.", number=1))
    walk = Walk(number=first - 1, previous=anchor.head_hash if anchor else FIRST)
    heads: dict[int, str] = {}

    def why_wrong(entry: PoliceRecord) -> str | None:
        heads[entry.number] = entry.hash
        return _why_wrong(entry)

    entries = db.session.scalars(
        select(PoliceRecord)
        .where(PoliceRecord.vendor_id == vendor_id)
        .order_by(PoliceRecord.number)
        .execution_options(yield_per=500)
    )
    if wrong := walk.read(entries, why_wrong):
        return wrong
    for seal in seals:
        if seal.last_number >= first and heads.get(seal.last_number) != seal.head_hash:
            sentence = _(
                "The seal of %(day)s does not fit entry %(number)s.",
                day=seal.day.strftime("%d/%m/%Y"),
                number=seal.last_number,
            )
            return Verdict(walk.count, seal.last_number, sentence)
    if walk.number < expected:
        return walk.missing(walk.number + 1)
    count = walk.number
    return Verdict(
        count, None, _("%(count)s entries read: none is missing, changed or moved.", count=count)
    )


def _why_wrong(entry: PoliceRecord) -> str | None:
    """None when an entry opens, is the one that was written, and shows what its copy says."""
    number = entry.number
    try:
        text = sealing.unseal(entry.sealed, _place(entry.vendor_id, number))
    except sealing.CannotOpen:
        return _(
            "Entry %(number)s cannot be opened: it was changed, moved, or its key is lost.",
            number=number,
        )
    if entry.hash != _hash(text, entry.previous_hash):
        return chain_breaks(number)
    facts = json.loads(text)
    shown = {
        "number": number,
        "at": _stamp(entry.recorded_at),
        "ean": entry.ean,
        "price_cents": entry.price_cents,
        "reference": entry.reference,
        "article": entry.what,
        "corrects": entry.corrects,
    }
    kept = {**facts, "article": facts["article"][:400], "corrects": facts.get("corrects")}
    if any(kept[name] != value for name, value in shown.items()):
        return _("Entry %(number)s shows something else than its sealed copy.", number=number)
    return None


def first_kept(vendor_id: int) -> int:
    """The first number that must still be there: those before went with their ten years."""
    first = db.session.scalar(
        select(func.min(PoliceRecord.number)).where(PoliceRecord.vendor_id == vendor_id)
    )
    if first is not None:
        return first
    last = numbering.last(_series(vendor_id))  # nothing left of it, or nothing yet
    sealed = select(RegisterSeal.id).where(
        RegisterSeal.vendor_id == vendor_id, RegisterSeal.last_number == last
    )
    return last + 1 if db.session.scalar(sealed) is not None else 1


def unsealed_days(vendor_id: int) -> list[date]:
    """Paris days that are over, have entries and no seal."""
    since = db.session.scalar(
        select(func.max(RegisterSeal.day)).where(RegisterSeal.vendor_id == vendor_id)
    )
    rows = select(PoliceRecord.recorded_at).where(PoliceRecord.vendor_id == vendor_id)
    if since is not None:
        rows = rows.where(PoliceRecord.recorded_at > clock.end_of_day(since))
    return sorted(
        {
            day
            for moment in db.session.scalars(rows)
            if (day := clock.paris(moment).date()) < clock.today()
        }
    )


def seal_day(vendor: Vendor, day: date) -> RegisterSeal | None:
    """Seal a day that is over; the head of the chain is mailed, so that it is known elsewhere
    too.
    """
    start, end = clock.end_of_day(day - timedelta(days=1)), clock.end_of_day(day)
    rows = db.session.scalars(
        select(PoliceRecord)
        .where(
            PoliceRecord.vendor_id == vendor.id,
            PoliceRecord.recorded_at > start,
            PoliceRecord.recorded_at <= end,
        )
        .order_by(PoliceRecord.number)
    ).all()
    if not rows or db.session.scalar(
        select(RegisterSeal.id).where(RegisterSeal.vendor_id == vendor.id, RegisterSeal.day == day)
    ):
        return None
    seal = RegisterSeal(
        vendor_id=vendor.id,
        day=day,
        first_number=rows[0].number,
        last_number=rows[-1].number,
        count=len(rows),
        head_hash=rows[-1].hash,
        at=clock.now(),
    )
    db.session.add(seal)
    if site := sites.of_vendor(vendor.id):
        messages.tell_shop(
            "register_sealed",
            site=site,
            day=day,
            first=seal.first_number,
            last=seal.last_number,
            count=seal.count,
            head=seal.head_hash,
        )
    return seal


# ── looking into it ──


def consult(
    vendor: Vendor,
    purpose: str,
    *,
    by: Actor,
    what: str,
    authority: str = "",
    since: date | None = None,
    until: date | None = None,
) -> Consultation:
    """Log a look into the register before it is shown. Raises Refused without a purpose."""
    if purpose not in PURPOSES:
        raise Refused(_("Choose why you look into the register: it is written down."))
    if since and until and since > until:
        raise Refused(_("The first day comes after the last one: exchange them."))
    if purpose == "authority" and not authority.strip():
        raise Refused(_("Write the officer's name, service and reference."))
    row = Consultation(
        vendor_id=vendor.id,
        user_id=by.id,
        by_name=by.name,
        purpose=str(PURPOSES[purpose]),
        authority=authority.strip()[:200],
        what=what,
        since=since,
        until=until,
        at=clock.now(),
    )
    db.session.add(row)
    db.session.flush()
    audit.note(
        "register_read", by=by, subject=vendor.name, vendor_id=vendor.id, purpose=purpose, how=what
    )
    return row


def consultations(vendor_id: int, limit: int = 20) -> list[Consultation]:
    return list(
        db.session.scalars(
            select(Consultation)
            .where(Consultation.vendor_id == vendor_id)
            .order_by(Consultation.id.desc())
            .limit(limit)
        )
    )


def entries(
    vendor_id: int, words: str = "", since: date | None = None, until: date | None = None
) -> Any:
    """The entries of a period, found by seller, title, EAN or CDE, in order; a statement, to be
    paged or streamed.
    """
    rows = select(PoliceRecord).where(PoliceRecord.vendor_id == vendor_id)
    if words:
        like = "%" + words.replace("\\", "\\\\").replace("%", r"\%").replace("_", r"\_") + "%"
        columns = (PoliceRecord.seller, PoliceRecord.what, PoliceRecord.ean, PoliceRecord.reference)
        rows = rows.where(or_(*(column.ilike(like, escape="\\") for column in columns)))
    if since:
        rows = rows.where(PoliceRecord.recorded_at > clock.end_of_day(since - timedelta(days=1)))
    if until:
        rows = rows.where(PoliceRecord.recorded_at <= clock.end_of_day(until))
    return rows.order_by(PoliceRecord.number)


def columns() -> list[str]:
    """The headings of an extract, in the order of the official model (annex I of the arrêté du 15
    mai 2020).
    """
    return [
        _("No."),
        _("Date"),
        _("Seller: name, first names, profession, address"),
        _("Identity document: type, number, date, authority"),
        _("Article: description, provenance"),
        _("Price"),
        _("Means of payment"),
        _("Observations"),
    ]


def as_row(entry: PoliceRecord) -> list[str]:
    """An entry under those headings."""
    facts = opened(entry)
    seller, document = facts.get("seller") or {}, facts.get("document") or {}
    who = ", ".join(
        filter(
            None,
            (
                seller.get("name"),
                seller.get("first_names"),
                seller.get("profession"),
                seller.get("address"),
            ),
        )
    )
    shown = ", ".join(
        filter(
            None,
            (
                document.get("kind"),
                document.get("number"),
                document.get("issued_on"),
                document.get("issued_by"),
            ),
        )
    )
    article = ", ".join(
        filter(
            None,
            (
                facts["article"],
                f"EAN {facts['ean']}",
                facts.get("description"),
                facts.get("provenance"),
                facts["reference"],
            ),
        )
    )
    note = ""
    if entry.kind is RecordKind.correction:
        note = _(
            "corrects no. %(number)s: %(motive)s", number=facts["corrects"], motive=facts["motive"]
        )
    elif not document:
        note = _("document not shown on that day")
    return [
        str(entry.number),
        clock.paris(entry.recorded_at).strftime("%d/%m/%Y %H:%M"),
        who,
        shown,
        article,
        money.text(facts["price_cents"]),
        facts.get("means", ""),
        note,
    ]


# ── private ──


def _append(
    vendor_id: int,
    kind: RecordKind,
    facts: dict[str, Any],
    *,
    item: Item | None,
    customer: Customer | None,
    corrects: int | None = None,
) -> PoliceRecord:
    """Number, chain and add, in one unit: the number's row stays locked until it ends, so that
    entries queue.
    """
    db.session.flush()
    number = numbering.take(_series(vendor_id))
    at = clock.now()
    previous = db.session.scalar(
        select(PoliceRecord.hash).where(
            PoliceRecord.vendor_id == vendor_id, PoliceRecord.number == number - 1
        )
    )
    if previous is None:
        # No previous entry (the first of all, or those before it were purged after ten years):
        # the chain goes on from the last daily seal.
        sealed = select(RegisterSeal.head_hash).where(
            RegisterSeal.vendor_id == vendor_id, RegisterSeal.last_number == number - 1
        )
        previous = db.session.scalar(sealed) or FIRST
    text = json.dumps(
        {**facts, "number": number, "at": _stamp(at)},
        ensure_ascii=False,
        sort_keys=True,
        separators=(",", ":"),
    )
    entry = PoliceRecord(
        vendor_id=vendor_id,
        number=number,
        kind=kind,
        corrects=corrects,
        item_id=item.id if item else None,
        customer_id=customer.id if customer else None,
        seller=customer.name if customer else "",
        what=facts["article"][:400],
        ean=facts["ean"],
        reference=facts["reference"],
        price_cents=facts["price_cents"],
        sealed=sealing.seal(text, _place(vendor_id, number)),
        previous_hash=previous,
        hash=_hash(text, previous),
        recorded_at=at,
    )
    db.session.add(entry)
    db.session.flush()
    return entry


def _hash(text: str, previous: str) -> str:
    return hashlib.sha256(f"{previous}\n{text}".encode()).hexdigest()


def _stamp(at: datetime) -> str:
    return at.astimezone(clock.UTC).isoformat(timespec="microseconds")


def _series(vendor_id: int) -> str:
    return f"register:{vendor_id}"


def _place(vendor_id: int, number: int) -> str:
    return f"police_record:{vendor_id}:{number}"


def _description(line: OfferLine) -> str:
    grades = (
        ("", line.grade_article),
        (_("box"), line.grade_box),
        (_("manual"), line.grade_manual),
    )
    # « boîte : bon »: a grade agrees with no noun, so it stands behind a colon.
    parts = [
        f"{name}\u00a0: {workflow.words_of(grade).lower()}"
        if name
        else workflow.words_of(grade).lower()
        for name, grade in grades
        if grade
    ]
    return ", ".join(filter(None, [*parts, line.comment.strip()]))


def _seller(customer: Customer, document: Any) -> dict[str, str]:
    more = f", {customer.address_more}" if customer.address_more else ""
    return {
        "name": customer.last_name,
        "first_names": document.first_names if document else customer.first_name,
        "profession": document.profession if document else "",
        "address": f"{customer.address}{more}, {customer.postcode} {customer.city}",
        "birth_date": document.birth_date.isoformat() if document else "",
        "consent_by": document.consent_by if document else "",
    }


def _document(document: Any) -> dict[str, str] | None:
    if document is None:
        return None
    return {
        "kind": workflow.words_of(document.kind),
        "number": identity.number_of(document),
        "issued_on": document.issued_on.strftime("%d/%m/%Y"),
        "issued_by": document.issued_by,
    }


# ── how long ──


def _ended(now: datetime) -> Any:
    """Sealed days whose every entry is older than ten years, and that still hold entries."""
    inside = exists().where(
        PoliceRecord.vendor_id == RegisterSeal.vendor_id,
        PoliceRecord.number.between(RegisterSeal.first_number, RegisterSeal.last_number),
    )
    return (
        select(RegisterSeal.id)
        .where(RegisterSeal.day < (now - TEN_YEARS).date(), inside)
        .order_by(RegisterSeal.last_number)
    )


def _forget_day(seal: RegisterSeal) -> None:
    """A sealed day goes as a whole: its seal stays, and the chain of what follows hangs on it."""
    gone = delete(PoliceRecord).where(
        PoliceRecord.vendor_id == seal.vendor_id, PoliceRecord.number <= seal.last_number
    )
    db.session.execute(gone)


TEN_YEARS = timedelta(days=3653)
retention.rule(
    "register",
    _l("Entries of the police register"),
    lambda: _l("ten years from the entry"),
    _l("Art. R321-6-1 c. pén.: neither less nor more."),
    RegisterSeal,
    _ended,
    _forget_day,
)
retention.rule(
    "consultations",
    _l("Looks into the police register"),
    lambda: _l("one year"),
    _l("Arrêté du 15 mai 2020, art. 3, 2°."),
    Consultation,
    lambda now: select(Consultation.id).where(Consultation.at < now - timedelta(days=366)),
    retention.gone,
)


# ── what it holds of a person: kept ten years (art. R321-6 c. pén.), never erased before ──


def _export(customer: Customer) -> list[dict[str, Any]]:
    rows = select(PoliceRecord).where(PoliceRecord.customer_id == customer.id)
    return [
        {
            "vendor": r.vendor_id,
            "number": r.number,
            "article": r.what,
            "price_cents": r.price_cents,
            "at": r.recorded_at.isoformat(),
        }
        for r in db.session.scalars(rows.order_by(PoliceRecord.id))
    ]


personal.rule("register", export=_export)
