"""What the nouns declare about themselves when they are loaded, in one list: `flask --app app
declared` prints it, tests hold it against the tables.
"""

from models import Model
from services import access, files, outbox, personal, retention, sealing, workflow
from services.imports import runs


def lines() -> list[tuple[str, str, str]]:
    """Every declaration: (kind, name, what it says)."""
    found: list[tuple[str, str, str]] = []
    for mapper in Model.registry.mappers:
        owner = access.owner_of(mapper.class_)
        says = owner.why or owner.column or owner.through or owner.sold_by
        found.append(("owner", mapper.class_.__name__, says))
    found += [("table of moves", f.name, f"{len(f.moves)} moves") for f in workflow.all_flows()]
    found += [
        ("state", f"{enum}.{state}", str(w)) for (enum, state), (w, _t) in workflow.WORDS.items()
    ]
    found += [("word of the log", f"{n}.{verb}", str(w)) for (n, verb), w in workflow.VERBS.items()]
    found += [("task", name, str(kind.label)) for name, kind in outbox.KINDS.items()]
    found += [("file", name, str(kind.label)) for name, kind in runs.KINDS.items()]
    found += [("sealed", f"{s.model.__name__}.{s.column}", "") for s in sealing.SEALED]
    found += [("stored file", f"{model.__name__}.{column}", "") for model, column in files.NAMED_BY]
    found += [("forgotten", rule.name, str(rule.what)) for rule in retention.RULES]
    found += [("personal", name, "") for name in personal.RULES]
    return sorted(found)
