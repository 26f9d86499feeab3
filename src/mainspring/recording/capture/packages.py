"""This Python and what is installed for it; also run as a script, by the Python that is asked about.

It imports nothing but the standard library, of any version of Python that trains today.
"""

import json
import platform
import re
import sys
from importlib.metadata import Distribution, distributions

_CREDENTIALS = re.compile(r"://[^/@]*@")


def described() -> dict[str, object]:
    """The interpreter, the version of each package, and where those came from that no index has."""
    versions: dict[str, str] = {}
    sources: dict[str, str] = {}
    for distribution in distributions():
        name, version = _head(distribution)
        # The first on the path is the one that is imported.
        if name and name not in versions:
            versions[name] = version
            source = _source(distribution)
            if source:
                sources[name] = source
    return {
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "executable": sys.executable,
        "packages": dict(sorted(versions.items(), key=lambda item: item[0].lower())),
        "package_sources": sources,
    }


def _head(distribution: Distribution) -> "tuple[str, str]":
    """Name and version, read off the first lines: a parser of mails takes ten times as long."""
    try:
        text = distribution.read_text("METADATA") or distribution.read_text("PKG-INFO") or ""
    except (OSError, UnicodeDecodeError):
        return "", ""
    found = {"Name": "", "Version": ""}
    for line in text.split("\n"):
        key, colon, value = line.partition(":")
        if not line.strip() or all(found.values()):
            break
        if colon and key in found:
            found[key] = value.strip()
    return found["Name"], found["Version"]


def _source(distribution: Distribution) -> str:
    """The repository and commit, or the folder, that a package was installed from."""
    try:
        about = json.loads(distribution.read_text("direct_url.json") or "{}")
        address = _CREDENTIALS.sub("://", str(about.get("url", "")))
        commit = about.get("vcs_info", {}).get("commit_id", "")
    except (OSError, ValueError, AttributeError):
        return ""
    return f"{address}@{commit}" if commit else address


if __name__ == "__main__":
    print(json.dumps(described()))  # noqa: T201  its output is its answer
