"""The tables of the documentation, made from the code they describe.

`python -m tests.rules.pages` writes them into the pages; a test compares.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path

from mainspring import stages
from mainspring.core import access, event, jobs, plugins, settings
from mainspring.interfaces.http.api import path_of
from mainspring.interfaces.mlflow_api import ROOMS, dispatch

DOCS = Path(__file__).parents[2] / "docs"
BEGIN, END = "<!-- from the code -->\n", "<!-- end -->\n"


def _table(header: str, rows: Iterable[Iterable[str]]) -> str:
    names = header.split(" | ")
    lines = [f"| {header} |", "|" + "---|" * len(names)]
    lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def api() -> str:
    """Every operation."""
    rows = [
        (f"`{one.name}`", f"`{one.verb} {path_of(one)}`", f"`{one.allow}`", one.summary)
        for one in stages.operations().values()
    ]
    return _table("operation | request | permission | what it does", rows)


def events() -> str:
    """Every kind of event, and what reacts to it."""
    stages.load()
    followers: dict[str, list[str]] = {}
    for reaction in jobs.REACTIONS.values():
        followers.setdefault(reaction.kind, []).append(f"`{reaction.name}` ({reaction.lane})")
    rows = [
        (f"`{kind}`", meaning, ", ".join(sorted(followers.get(kind, []))))
        for kind, meaning in sorted(event.KINDS.items())
    ]
    return _table("kind | meaning | reactions (lane)", rows)


def variables() -> str:
    """Every environment variable."""
    rows = [(f"`{name}`", meaning) for name, meaning in settings.VARIABLES.items()]
    return _table("variable | meaning", rows)


def permissions() -> str:
    """Every verb, and who has it."""
    rows = [
        (
            f"`{verb}`",
            meaning,
            ", ".join(sorted(role for role, verbs in access.ROLES.items() if verb in verbs)),
        )
        for verb, meaning in access.PERMISSIONS.items()
    ]
    return _table("verb | allows to | roles", rows)


def plugs() -> str:
    """Every kind of plug, and the ones that come with Mainspring."""
    rows = [
        (f"`mainspring.{kind}`", meaning, ", ".join(plugins.installed(kind)))
        for kind, meaning in plugins.KINDS.items()
    ]
    return _table("entry-point group | a plug of the kind can | built in", rows)


def mlflow_routes() -> str:
    """Every route of MLflow's that is answered."""
    assert ROOMS
    found = dict(dispatch.ROUTES)
    found |= {(method, path): endpoint for method, path, endpoint in dispatch.TEMPLATES}
    rows = []
    for (method, path), endpoint in sorted(found.items(), key=lambda item: item[0][::-1]):
        twin = path.replace("/ajax-api/", "/api/", 1)
        if path.startswith("/ajax-api/") and (method, twin) in found:
            continue
        both = (method, path.replace("/api/", "/ajax-api/", 1)) in found
        shown = path.removeprefix("/api") if both and path.startswith("/api/") else path
        told = (endpoint.function.__doc__ or "").partition("\n")[0]
        rows.append((f"`{method} {shown}`", told))
    return _table("request | what it does", rows)


PAGES: dict[str, Callable[[], str]] = {
    "access.md": permissions,
    "api.md": api,
    "events.md": events,
    "mlflow.md": mlflow_routes,
    "plugs.md": plugs,
    "settings.md": variables,
}


def inserted(text: str, table: str) -> str:
    """The page with the table between its marks."""
    return re.sub(f"{BEGIN}.*?{END}", lambda _: BEGIN + table + END, text, flags=re.DOTALL)


def main() -> None:
    """Write the tables into the pages."""
    for name, table in PAGES.items():
        page = DOCS / name
        page.write_text(inserted(page.read_text(), table()))


if __name__ == "__main__":
    main()
