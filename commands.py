"""What an administrator types: `flask --app app init`, `staff add`, `demo`, `argus import`,
`worker`.
"""

import functools
import shutil
import sys
import tempfile
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import click
from flask import Flask, current_app
from flask.cli import AppGroup
from flask_babel import force_locale, ngettext
from flask_babel import gettext as _
from flask_migrate import upgrade

from models import Counter, ImportRun, Store, Vendor
from services import (
    clock,
    files,
    limits,
    outbox,
    retention,
    sealing,
    storage,
    workflow,
)
from services.buyback import pricing
from services.catalogue import referencer
from services.imports import runs
from services.installation import (
    agreement,
    backups,
    declared,
    envelopes,
    keys,
    machines,
    restores,
)
from services.people import rights, sites, staff
from services.unit import db, unit_of_work
from services.workflow import Actor, Refused

COMMAND = Actor("command", None, "Commande")


class Commands(AppGroup):
    """Commands that refuse to work with other sealing keys than this database was served with:
    what they sealed would open for nobody. `any_keys`: the command seals and opens nothing here.
    """

    def command(self, *args: Any, any_keys: bool = False, **kwargs: Any) -> Any:
        add = super().command(*args, **kwargs)

        def decorate(work: Callable[..., Any]) -> Any:
            @functools.wraps(work)
            def checked(*given: Any, **named: Any) -> Any:
                if not any_keys:
                    try:
                        machines.know_keys()
                    except machines.OtherKeys as refusal:
                        raise click.ClickException(str(refusal)) from None
                return work(*given, **named)

            return add(checked)

        return decorate


# What one types after « flask --app app ».
main = Commands("comptoir")
staff_group = Commands("staff", help="Members of staff.")
argus_group = Commands("argus", help="Price lists.")
catalogue_group = Commands("catalogue", help="The référencier.")
stock_group = Commands("stock", help="Stock of stores.")
files_group = Commands("files", help="Where stored files lie.")


def register(app: Flask) -> None:
    """Called once by app.py."""
    groups = (staff_group, argus_group, catalogue_group, stock_group, files_group)
    for command in (*main.commands.values(), *groups):
        app.cli.add_command(command)


def _app() -> Flask:
    return current_app._get_current_object()  # type: ignore[no-any-return, attr-defined]


@main.command("init", any_keys=True)
def init() -> None:
    """Bring an empty or older database up to date; a new one gets a vendor, a store, a site and a
    rule.
    """
    upgrade(directory=str(Path(current_app.root_path) / "migrations"))
    click.echo(bring_to_life())


@staff_group.command("add")
@click.argument("email")
@click.option("--role", default=staff.ADMINISTRATOR, show_default=True, help=", ".join(staff.ROLES))
@click.option("--vendor", default="", help="Name of the vendor they work for.")
def staff_add(email: str, role: str, vendor: str) -> None:
    """Give somebody access; prints a one-time password to change at the first sign-in."""
    with _sentences(), unit_of_work() as session:
        staff.make_roles()
        user, password = staff.add(email, role, by=COMMAND)
        if role not in staff.SEE_ALL:
            found = session.scalars(
                db.select(Vendor).where(Vendor.name == vendor)
                if vendor
                else db.select(Vendor).order_by(Vendor.id)
            ).first()
            if found is None:
                raise Refused(_("There is no vendor « %(name)s ».", name=vendor))
            staff.belongs_to(user, found)
    click.echo(_("One-time password of %(user)s: %(password)s", user=email, password=password))


@argus_group.command("import")
@click.argument("path", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--refused", type=click.Path(path_type=Path), help="Where to write the refused lines."
)
def argus_import(path: Path, refused: Path | None) -> None:
    """Load a price list (CSV or XLSX); prints what became of its lines."""
    with _sentences():
        run = runs.import_file(path, "argus", by=COMMAND)
        _tell(
            run,
            path,
            refused or files.data_dir() / "imports" / f"{path.stem}-refusees.csv",
        )


@catalogue_group.command("import")
@click.argument("path", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def catalogue_import(path: Path) -> None:
    """Load a référencier (CSV or XLSX); prints its counters and writes the refused lines beside
    it.
    """
    with _sentences():
        _tell(
            runs.import_file(path, "catalogue", by=COMMAND),
            path,
            path.with_name(f"{path.stem}-refusees.csv"),
        )


@catalogue_group.command("export")
@click.argument("path", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--since",
    type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]),
    help="Only what changed since then (Paris).",
)
def catalogue_export(path: Path, since: datetime | None) -> None:
    """Write the référencier, whole or since a moment; .xlsx or .csv by its name."""
    with _sentences():
        moment = clock.from_paris(since) if since else None
        if path.suffix.lower() == ".xlsx":
            path.write_bytes(referencer.as_xlsx(moment))
        else:
            with path.open("w", encoding="utf-8", newline="") as file:
                file.writelines(referencer.as_csv(moment))
        click.echo(_("%(path)s: %(size)s kB.", path=path, size=path.stat().st_size // 1000))


@stock_group.command("import")
@click.argument("path", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--store", "code", required=True, help="Code of the store it counts.")
@click.option("--full", is_flag=True, help="What the file does not name is no longer there.")
@click.option("--confirm", is_flag=True, help="Apply it even if it empties most of the store.")
def stock_import(path: Path, code: str, full: bool, confirm: bool) -> None:
    """Load the stock of a store; prints its counters and writes the refused lines beside it."""
    with _sentences():
        store = db.session.scalar(db.select(Store).where(Store.code == code))
        if store is None:
            raise Refused(_("There is no store « %(code)s ».", code=code))
        run = runs.import_file(
            path, "stock", by=COMMAND, store=store, mode=runs.FULL if full else runs.DELTA
        )
        if run.state is runs.S.to_confirm:
            for name, emptied, held in run.report["would_empty"]:
                click.echo(
                    _(
                        "%(store)s: this file would take the stock of %(emptied)s references of"
                        " %(held)s away. Nothing was changed yet.",
                        store=name,
                        emptied=emptied,
                        held=held,
                    )
                )
            if not confirm:
                raise Refused(_("Say --confirm, or confirm it under « Imports »."))
            with unit_of_work() as session:
                runs.confirm(session.get_one(ImportRun, run.id), by=COMMAND)
            outbox.work_now(f"import:{run.id}:confirmed")
            db.session.expire_all()
            run = db.session.get_one(ImportRun, run.id)
        _tell(run, path, path.with_name(f"{path.stem}-refusees.csv"))


@main.command("demo")
def demo() -> None:
    """Add the demonstration: a month in the life of a shop. Does nothing when it is already
    there.
    """
    if current_app.extensions["comptoir"].is_production:
        raise click.ClickException(
            "The demonstration has public passwords: it is closed in production."
        )
    import demo as story

    with force_locale("fr"):
        click.echo(story.tell())


@main.command("check-invariants")
def check_invariants() -> None:
    """Recompute everything that must agree (totals, stock, ledger, payments, files, registers) and
    say so in words.
    """
    with force_locale("fr"):
        found = agreement.check()
        for sentence in found:
            click.echo(sentence)
        click.echo(
            _("Everything agrees.")
            if not found
            else ngettext(
                "%(num)s thing does not agree.", "%(num)s things do not agree.", len(found)
            )
        )
    if found:
        sys.exit(1)


@main.command("backup")
@click.option(
    "--to",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where to write it (COMPTOIR_BACKUP_DIR, else under the data).",
)
def backup(folder: Path | None) -> None:
    """Write one encrypted file with the database, every stored file and a manifest; safe while
    people work.
    """
    machine = current_app.extensions["comptoir"]
    with _sentences():
        made = backups.back_up(
            machine.database_url, machine.data_dir, folder or machine.backups, by=COMMAND
        )
    click.echo(
        _(
            "%(path)s: %(size)s MB, %(files)s files.",
            path=made.path,
            size=round(made.size / 1e6, 1),
            files=made.files,
        )
    )
    if made.lost:
        click.echo(backups.what_is_lost(made), err=True)
        sys.exit(1)


@main.command("backup-key")
def backup_key() -> None:
    """Print the key that opens the backups made from today on, as the age program reads it. Whoever
    has it reads everything: on paper, apart, or not at all.
    """
    click.echo(envelopes.identity())


@main.command("restore", any_keys=True)
@click.argument("path", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--verify",
    is_flag=True,
    help=(
        "Restore into a place of its own, check everything, and leave this installation as it is."
    ),
)
def restore(path: Path, verify: bool) -> None:
    """Restore a backup into this empty installation, check everything, and hold all sendings; or
    only --verify it.
    """
    with _sentences(), tempfile.TemporaryDirectory(dir=files.data_dir()) as scratch:
        if not path.exists():  # the name of one that lies in the store
            path = backups.fetch(path.name, Path(scratch))
        report = (
            restores.verify(_app(), path)
            if verify
            else restores.into_here(_app(), path, by=COMMAND)
        )
    for sentence in report.troubles:
        click.echo(sentence)
    click.echo(
        _(
            "Backup of %(day)s (version %(revision)s): %(files)s files, %(rows)s rows.",
            day=clock.paris(report.made_at).strftime("%d/%m/%Y %H:%M"),
            revision=report.revision,
            files=report.files,
            rows=report.rows,
        )
    )
    click.echo(
        _("Everything agrees.")
        if not report.troubles
        else ngettext(
            "%(num)s thing does not agree.", "%(num)s things do not agree.", len(report.troubles)
        )
    )
    if not verify:
        click.echo(
            _(
                "Sendings are held: look at « Tâches » before you resume them, then start the"
                " worker."
            )
        )
    if report.troubles:
        sys.exit(1)


@files_group.command("move")
@click.option("--to", "url", required=True, help="s3://bucket/prefix?endpoint=…, or « folder ».")
def move_files(url: str) -> None:
    """Copy every stored file to another place and compare each; then set COMPTOIR_FILES_URL and
    start again. Run a second time it copies what came meanwhile.
    """
    machine = current_app.extensions["comptoir"]
    with _sentences():
        target = storage.open_store(
            "" if url == "folder" else url,
            machine.files_key,
            machine.files_secret,
            machine.data_dir,
        )
        moved = storage.move(files.store(), target)
    click.echo(
        _(
            "%(copied)s files copied, %(there)s were there already; all of them were compared.",
            copied=moved.copied,
            there=moved.there,
        )
    )


@main.command("rotate-keys")
def rotate_keys() -> None:
    """Seal again, with the first key of COMPTOIR_SEALING_KEYS, what older keys sealed. May be
    stopped and started again.
    """
    with _sentences():
        report = keys.rotate(by=COMMAND, step=lambda done: click.echo(f"{done}…", nl=False))
        click.echo("")
        click.echo(
            _(
                "%(count)s texts and files sealed again with the key « %(name)s ».",
                count=report.sealed,
                name=sealing.current(),
            )
        )
        for name, count in report.still_needed.items():
            click.echo(
                _(
                    "The key « %(name)s » must stay: %(count)s entries of the register hang on"
                    " it, ten years.",
                    name=name,
                    count=count,
                )
            )
        click.echo(
            _(
                "Backups made before hang on the key that sealed them: keep it apart as long as"
                " you keep them."
            )
        )
        for place in report.unreadable:
            click.echo(_("Cannot be opened by any key: %(place)s.", place=place), err=True)
    if report.unreadable or keys.left():
        sys.exit(1)


@main.command("forget")
def forget() -> None:
    """Forget now what is over its time, and print the report (the worker does it each night)."""
    with _sentences():
        report = retention.run(by=COMMAND)
    for name, counts in report.counts.items():
        click.echo(
            f"{name}: {counts['forgotten']}" + (f" ({counts['kept']})" if counts["kept"] else "")
        )


@staff_group.command("unlock")
@click.argument("email")
def staff_unlock(email: str) -> None:
    """Forget the wrong passwords counted against somebody, from wherever they came."""
    limits.forgive(f"staff:{email.strip().lower()}")
    with _sentences():
        click.echo(_("%(email)s may try again.", email=email))


@main.command("workflows", any_keys=True)
def workflows() -> None:
    """Write docs/workflows.md, one diagram per table of moves."""
    path = Path(current_app.root_path) / "docs" / "workflows.md"
    path.write_text(workflow.diagrams(workflow.all_flows()))
    click.echo(path)


@main.command("rights")
def write_rights() -> None:
    """Write the tables of docs/rules/rights.md: whose each row is, what each role opens."""
    path = Path(current_app.root_path) / "docs" / "rules" / "rights.md"
    path.write_text(rights.written(path.read_text(), current_app.extensions["appbuilder"]))
    click.echo(path)


@main.command("declared")
def print_declared() -> None:
    """List what the nouns declare about themselves: owners, moves, words, tasks, rules."""
    for kind, name, says in declared.lines():
        click.echo(f"{kind:<16} {name:<40} {says}")


def _tell(run: ImportRun, path: Path, refused: Path) -> None:
    """What became of a file: its counters, the first lines that were wrong, and where all of them
    are.
    """
    if run.error:
        raise click.ClickException(run.error)
    click.echo(
        _(
            "%(read)s lines read, %(created)s created, %(updated)s updated, %(unchanged)s"
            " unchanged, %(refused)s refused.",
            read=run.lines_read,
            created=run.created,
            updated=run.updated,
            unchanged=run.unchanged,
            refused=run.refused,
        )
    )
    if run.ignored or run.removed:
        click.echo(
            _(
                "%(ignored)s ignored, %(removed)s taken off.",
                ignored=run.ignored,
                removed=run.removed,
            )
        )
    for line, ean in run.report["repeated"]:
        click.echo(
            _(
                "Line %(line)s: %(ean)s was already named in this file; the last line counts.",
                line=line,
                ean=ean,
            )
        )
    for line, _words, sentence in run.report["refused"][:50]:
        click.echo(_("Line %(line)s refused: %(sentence)s", line=line, sentence=sentence))
    if run.errors_path:
        refused.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(files.path(run.errors_path), refused)
        click.echo(_("Refused lines, to correct and load again: %(path)s", path=refused))


def bring_to_life() -> str:
    """One vendor, one store, one site, one rule « 40 % de l'argus » in a new database, and nothing
    in another.
    """
    with force_locale("fr"), unit_of_work() as session:
        staff.make_roles()
        if session.scalar(db.select(Vendor.id).limit(1)):
            return _("The database is up to date.")
        vendor = Vendor(name="Ma boutique", created_at=clock.now())
        session.add(vendor)
        session.flush()
        session.add(Store(vendor=vendor, name="Magasin", code="M1"))
        sites.open_site(
            vendor,
            "Ma boutique",
            by=COMMAND,
            is_default=True,
            short_conditions="Boîte et notice requises\nPas de jeux import",
        )
        pricing.first_rule(vendor.id)
        session.add(Counter(name="CDE", value=0))
    return _(
        "The database is ready: one vendor, one store, one site, one rule « 40 % de l'argus ». Give"
        " yourself access: flask --app app staff add E-MAIL"
    )


class _sentences:
    """A refusal is printed as its sentence, in French, without a traceback."""

    def __enter__(self) -> None:
        self._locale = force_locale("fr")
        self._locale.__enter__()

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self._locale.__exit__(None, None, None)
        if isinstance(error, Refused):
            click.echo(str(error), err=True)
            sys.exit(1)
