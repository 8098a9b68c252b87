"""Rooms: who may know which task it is."""

import ast
import re
from pathlib import Path

import helo
from helo import tasks

SOURCE = Path(helo.__file__).parent
KNOWING = ("tasks", "reports", "models")  # rooms
DEMOS = ("demo.py", "embedded.py")


def named(code: str) -> list[str]:
    """Where code names a task: it imports its file, compares with its name, looks it up, or says it before a flag's help."""
    names, found = "|".join(tasks.names()), []
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.ImportFrom) and re.fullmatch(rf"helo\.tasks\.({names})", node.module or ""):
            found.append(node)
        elif isinstance(node, ast.ImportFrom) and node.module == "helo.tasks":
            found += [node] * any(re.fullmatch(names, a.name) for a in node.names)
        elif isinstance(node, ast.Compare | ast.Call | ast.keyword):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) != "find":
                continue
            parts = [
                p
                for n in ast.iter_child_nodes(node)
                for p in (n.elts if isinstance(n, ast.Tuple | ast.Set | ast.List) else [n])
            ]
            texts = [p.value for p in parts if isinstance(p, ast.Constant) and isinstance(p.value, str)]
            pattern = rf"({names})(, ({names}))*( --\w+)?:.*" if isinstance(node, ast.keyword) else names
            found += [node] * any(re.fullmatch(pattern, t) for t in texts)
    return [f"line {n.lineno}" for n in found]


def test_no_room_but_those_of_tasks_names_one():
    at = {}
    for file in sorted(SOURCE.rglob("*.py")):
        if file.relative_to(SOURCE).parts[0] not in KNOWING and file.name not in DEMOS:
            at |= {str(file.relative_to(SOURCE)): where} if (where := named(file.read_text())) else {}
    assert not at, at


def test_it_would_be_found():
    for code in (
        "from helo.tasks.lm import LM", "from helo.tasks import tag", 'if about["task"] != "lm": pass',
        'if task in ("tag", "classify"): pass', 'kind = tasks.find("caption")', 'option("--beam", help="caption, translate: wide")',
    ):  # fmt: skip
        assert named(code), code
    assert not named('entry.get("caption"); find("lstm"); option("--x", help="a tag: of git")')
