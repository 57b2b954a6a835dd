"""S17: the table of ASVS 5.0, level 1: every requirement has its line, every « met » points at a
test or a function that exists.
"""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
TABLE = ROOT / "docs" / "asvs.md"
LEVEL_ONE = 70


def lines() -> list[tuple[str, str, str, str]]:
    found = []
    for line in TABLE.read_text().splitlines():
        cells = [c.strip() for c in line.strip().strip("|").split(" | ")]
        if len(cells) == 4 and re.fullmatch(r"\d+\.\d+\.\d+", cells[0]):
            found.append((cells[0], cells[1], cells[2], cells[3]))
    return found


def exists(link: str) -> bool:
    file, _colons, name = link.partition("::") if "::" in link else link.partition(":")
    path = ROOT / file
    if not path.exists():
        return False
    if not name:
        return True
    if path.suffix != ".py":
        return name in path.read_text()
    tree = ast.parse(path.read_text())
    names = {
        n.name
        for n in ast.walk(tree)
        if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    }
    names |= {
        t.id
        for n in ast.walk(tree)
        if isinstance(n, ast.Assign | ast.AnnAssign)
        for t in (n.targets if isinstance(n, ast.Assign) else [n.target])
        if isinstance(t, ast.Name)
    }
    return name in names


def test_every_requirement_of_level_one_has_its_line_and_its_evidence(figure):
    rows = lines()
    assert len({row[0] for row in rows}) == len(rows) == LEVEL_ONE
    wrong = []
    for number, _what, status, evidence in rows:
        assert status in ("met", "not applicable", "NOT MET"), (number, status)
        links = re.findall(
            r"`((?:tests|services|admin|portal|api|gateways|docs|app|config|commands|tasks|models|static|templates|requirements)[\w./-]*(?::{1,2}\w+)?)`",
            evidence,
        )
        if status == "met" and not links:
            wrong.append(f"{number}: no link")
        wrong += [f"{number}: {link} does not exist" for link in links if not exists(link)]
        if status == "not applicable" and len(evidence) < 10:
            wrong.append(f"{number}: why not?")
    assert wrong == []
    figure("met", sum(row[2] == "met" for row in rows))
    figure("not applicable", sum(row[2] == "not applicable" for row in rows))
    figure("not met", sum(row[2] == "NOT MET" for row in rows), at_most=0)
