"""What an administrator types: `flask --app app init`, `staff add`, `demo`, `argus import`, `worker`."""

import shutil
import sys
from pathlib import Path

import click
from flask import Flask
from flask.cli import AppGroup
from flask_babel import force_locale
from flask_babel import gettext as _
from flask_migrate import upgrade

from models import Counter, Store, Vendor
from services import audit, backups, clock, days, files, keys, limits, retention, sealing, workflow
from services.buyback import pricing
from services.finance import books, restores
from services.people import sites, staff
from services.stock import argus
from services.unit import db, unit_of_work
from services.workflow import Actor, Refused

COMMAND = Actor("command", None, "Commande")


def register(app: Flask) -> None:
    staff_group = AppGroup("staff", help="Members of staff.")
    argus_group = AppGroup("argus", help="Price lists.")

    @app.cli.command("init")
    def init() -> None:
        """Bring an empty or older database up to date; a new one gets a vendor, a store, a site and a rule."""
        upgrade(directory=str(Path(app.root_path) / "migrations"))
        click.echo(bring_to_life())

    @staff_group.command("add")
    @click.argument("email")
    @click.option("--role", default=staff.ADMINISTRATOR, show_default=True, help=", ".join(staff.ROLES))
    @click.option("--vendor", default="", help="Name of the vendor he works for.")
    def staff_add(email: str, role: str, vendor: str) -> None:
        """Give somebody access; prints a one-time password to change at the first sign-in."""
        with _sentences(), unit_of_work() as session:
            staff.make_roles()
            user, password = staff.add(email, role, by=COMMAND)
            if role not in staff.SEE_ALL:
                found = session.scalars(db.select(Vendor).where(Vendor.name == vendor) if vendor else db.select(Vendor).order_by(Vendor.id)).first()
                if found is None:
                    raise Refused(_("There is no vendor « %(name)s ».", name=vendor))
                staff.belongs_to(user, found)
        click.echo(_("One-time password of %(user)s: %(password)s", user=email, password=password))

    @argus_group.command("import")
    @click.argument("path", type=click.Path(exists=True, dir_okay=False, path_type=Path))
    @click.option("--refused", type=click.Path(path_type=Path), help="Where to write the refused lines.")
    def argus_import(path: Path, refused: Path | None) -> None:
        """Load a price list (CSV or XLSX); prints what became of its lines."""
        with _sentences():
            run = argus.import_file(path, by=COMMAND)
        if run.error:
            raise click.ClickException(run.error)
        click.echo(
            _("%(read)s lines read, %(created)s created, %(updated)s updated, %(unchanged)s unchanged, %(refused)s refused.",
              read=run.lines_read, created=run.created, updated=run.updated, unchanged=run.unchanged, refused=run.refused)
        )  # fmt: skip
        for line, ean in run.report["repeated"]:
            click.echo(_("Line %(line)s: %(ean)s was already named in this file; the last line counts.", line=line, ean=ean))
        for line, _words, sentence in run.report["refused"][:50]:
            click.echo(_("Line %(line)s refused: %(sentence)s", line=line, sentence=sentence))
        if run.errors_path:
            target = refused or files.path(run.errors_path).parent.parent / "imports" / f"{path.stem}-refusees.csv"
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(files.path(run.errors_path), target)
            click.echo(_("Refused lines, to correct and load again: %(path)s", path=target))

    @app.cli.command("demo")
    def demo() -> None:
        """Add the demonstration: a month in the life of a shop. Does nothing when it is already there."""
        if app.extensions["comptoir"].is_production:
            raise click.ClickException("The demonstration has public passwords: it is closed in production.")
        import demo as story

        with force_locale("fr"):
            click.echo(story.tell())

    @app.cli.command("check-invariants")
    def check_invariants() -> None:
        """Recompute everything that must agree (totals, stock, ledger, payments, files, registers) and say so in words."""
        with force_locale("fr"):
            found = books.check()
            for sentence in found:
                click.echo(sentence)
            click.echo(_("Everything agrees.") if not found else _("%(count)s things do not agree.", count=len(found)))
        if found:
            sys.exit(1)

    @app.cli.command("backup")
    @click.option(
        "--to", "folder", type=click.Path(file_okay=False, path_type=Path), help="Where to write it (COMPTOIR_BACKUP_DIR, else under the data)."
    )
    def backup(folder: Path | None) -> None:
        """Write one encrypted file with the database, every stored file and a manifest; safe while people work."""
        machine = app.extensions["comptoir"]
        with _sentences():
            made = backups.make(machine.database_url, machine.data_dir, folder or machine.backups)
            with unit_of_work():
                days.beat("backup", file=made.path.name, bytes=made.size, files=made.files)
                audit.note("backup_made", by=COMMAND, subject=made.path.name)
        click.echo(_("%(path)s: %(size)s MB, %(files)s files.", path=made.path, size=round(made.size / 1e6, 1), files=made.files))

    @app.cli.command("restore")
    @click.argument("path", type=click.Path(exists=True, dir_okay=False, path_type=Path))
    @click.option("--verify", is_flag=True, help="Restore into a place of its own, check everything, and leave this installation as it is.")
    def restore(path: Path, verify: bool) -> None:
        """Restore a backup into this empty installation, check everything, and hold all sendings; or only --verify it."""
        with _sentences():
            report = restores.verify(app, path) if verify else restores.into_here(app, path, by=COMMAND)
        for sentence in report.troubles:
            click.echo(sentence)
        click.echo(
            _("Backup of %(day)s (version %(revision)s): %(files)s files, %(rows)s rows.", day=clock.paris(report.made_at).strftime("%d/%m/%Y %H:%M"),
              revision=report.revision, files=report.files, rows=report.rows)
        )  # fmt: skip
        click.echo(_("Everything agrees.") if not report.troubles else _("%(count)s things do not agree.", count=len(report.troubles)))
        if not verify:
            click.echo(_("Sendings are held: look at « Tâches » before you resume them, then start the worker."))
        if report.troubles:
            sys.exit(1)

    @app.cli.command("rotate-keys")
    def rotate_keys() -> None:
        """Seal again, with the first key of COMPTOIR_SEALING_KEYS, what older keys sealed. May be stopped and started again."""
        with _sentences():
            report = keys.rotate(by=COMMAND, step=lambda done: click.echo(f"{done}…", nl=False))
            click.echo("")
            click.echo(_("%(count)s texts and files sealed again with the key « %(name)s ».", count=report.sealed, name=sealing.current()))
            for name, count in report.still_needed.items():
                click.echo(_("The key « %(name)s » must stay: %(count)s entries of the register hang on it, ten years.", name=name, count=count))
            click.echo(_("Backups made before hang on the key that sealed them: keep it apart as long as you keep them."))
            for place in report.unreadable:
                click.echo(_("Cannot be opened by any key: %(place)s.", place=place), err=True)
        if report.unreadable or keys.left():
            sys.exit(1)

    @app.cli.command("forget")
    def forget() -> None:
        """Forget now what is over its time, and print the report (the worker does it each night)."""
        with _sentences():
            report = retention.run(by=COMMAND)
        for name, counts in report.counts.items():
            click.echo(f"{name}: {counts['forgotten']}" + (f" ({counts['kept']})" if counts["kept"] else ""))

    @staff_group.command("unlock")
    @click.argument("email")
    def staff_unlock(email: str) -> None:
        """Forget the wrong passwords counted against somebody, from wherever they came."""
        limits.forgive(f"staff:{email.strip().lower()}")
        with _sentences():
            click.echo(_("%(email)s may try again.", email=email))

    @app.cli.command("workflows")
    def workflows() -> None:
        """Write docs/workflows.md, one diagram per table of moves."""
        path = Path(app.root_path) / "docs" / "workflows.md"
        path.write_text(workflow.diagrams(workflow.all_flows()))
        click.echo(path)

    app.cli.add_command(staff_group)
    app.cli.add_command(argus_group)


def bring_to_life() -> str:
    """One vendor, one store, one site, one rule « 40 % de l'argus » in a new database, and nothing in another."""
    with force_locale("fr"), unit_of_work() as session:
        staff.make_roles()
        if session.scalar(db.select(Vendor.id).limit(1)):
            return _("The database is up to date.")
        vendor = Vendor(name="Ma boutique", created_at=clock.now())
        session.add(vendor)
        session.flush()
        session.add(Store(vendor=vendor, name="Magasin"))
        sites.open_site(vendor, "Ma boutique", by=COMMAND, is_default=True, short_conditions="Boîte et notice requises\nPas de jeux import")
        pricing.first_rule(vendor.id)
        session.add(Counter(name="CDE", value=0))
    return _(
        "The database is ready: one vendor, one store, one site, one rule « 40 % de l'argus ». Give yourself access: flask --app app staff add E-MAIL"
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
