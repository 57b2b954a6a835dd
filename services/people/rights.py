"""The tables of docs/rules/rights.md: whose each row is, what each role opens."""

import re
from typing import Any

import models
from services import access
from services.people import staff

Opens = dict[str, list[str]]


def owners_table() -> str:
    """One line for each kind of owner, with the tables it holds for."""
    groups: dict[str, list[str]] = {}
    for mapper in sorted(models.Model.registry.mappers, key=lambda m: m.class_.__name__):
        if mapper.class_.__module__ == models.__name__:
            groups.setdefault(_owner_words(mapper.class_), []).append(mapper.class_.__name__)
    lines = [f"| {', '.join(names)} | {words} |" for words, names in sorted(groups.items())]
    return "\n".join(["| rows of | belong to |", "|---|---|", *lines])


def _owner_words(model: Any) -> str:
    owner = access.owner_of(model)
    if owner.why:
        return f"nobody: {owner.why}"
    if owner.sold_by:
        return "every vendor the customer has made an offer to"
    words = "their vendor"
    if owner.through:
        target = access.target_of(model, owner.through).__name__
        words = f"whoever owns their {target}" + (", else everybody" if owner.or_none else "")
    if hasattr(model, "__stores__"):
        words += "; of staff tied to stores, only " + " or ".join(
            f"`{name}`" for name in model.__stores__
        )
    return words


def opens(appbuilder: Any) -> dict[str, Opens]:
    """For each role the views it opens, with the permissions it has there, as the generator decides
    it.
    """
    found: dict[str, Opens] = {}
    for role in staff.ROLES:
        holder = type("Role", (), {"name": role})()
        for view in sorted(appbuilder.baseviews, key=lambda v: type(v).__name__):
            wanted = sorted({*(view.base_permissions or []), *getattr(view, "actions", {})})
            allowed = [
                permission
                for permission in wanted
                if appbuilder.sm._has_access_builtin_roles(
                    holder, permission, view.class_permission_name
                )
            ]
            if allowed:
                found.setdefault(role, {})[type(view).__name__] = allowed
    return found


def pages_table(appbuilder: Any) -> str:
    """One line a role: what it only reads, and where it may act."""
    lines = ["| role | reads | acts on |", "|---|---|---|"]
    reading = {"can_list", "can_show", "can_export", "can_save_view"}
    for role, views in opens(appbuilder).items():
        reads = [name for name, allowed in views.items() if set(allowed) <= reading]
        acts = [name for name in views if name not in reads]
        if role == staff.ADMINISTRATOR:
            reads, acts = [], ["every page"]
        names = (", ".join(name.removesuffix("View") for name in part) for part in (reads, acts))
        lines.append(f"| {role} | {' | '.join(names)} |")
    return "\n".join(lines)


def written(page: str, appbuilder: Any) -> str:
    """The page with its two tables made anew."""
    for name, table in (("owners", owners_table()), ("pages", pages_table(appbuilder))):
        mark = re.compile(rf"(<!-- {name}:[^\n]*-->\n).*?(<!-- /{name} -->)", re.S)
        found = mark.search(page)
        assert found is not None, name
        page = page[: found.start()] + f"{found[1]}\n{table}\n\n{found[2]}" + page[found.end() :]
    return page
