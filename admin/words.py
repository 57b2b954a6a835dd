"""The event log as people read it."""

from typing import Any

from services import money


def facts_words(facts: dict[str, Any]) -> str:
    """Amounts in euros, lists with commas, the rest as it is."""
    parts = []
    for name, fact in (facts or {}).items():
        if name.endswith("_cents") and isinstance(fact, int):
            parts.append(money.text(fact))
        elif isinstance(fact, list):
            parts.append(", ".join(map(str, fact)))
        elif fact not in (None, ""):
            parts.append(str(fact))
    return " · ".join(parts)[:300]
