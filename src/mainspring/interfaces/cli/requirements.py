"""Which packages this installation needs and has, read off its own metadata."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version

DISTRIBUTION = "mainspring"


@dataclass(frozen=True, slots=True)
class Requirement:
    """One package that is wanted."""

    package: str
    wanted: str
    extra: str | None
    found: str | None

    @property
    def fits(self) -> bool:
        """Whether it is installed in a version that is wanted."""
        return self.found is not None and all(
            _holds(self.found, part) for part in self.wanted.split(",") if part
        )


def requirements() -> list[Requirement]:
    """What the installed Mainspring asks for; extras that name other extras are left out."""
    found = []
    for line in requires(DISTRIBUTION) or []:
        text, _, marker = line.partition(";")
        match = re.match(r"([A-Za-z0-9._-]+)(\[[^]]*\])?(.*)", text.strip())
        extra = re.search(r"extra == ['\"]([\w-]+)['\"]", marker)
        if match is None or match[1] == DISTRIBUTION:
            continue
        wanted = match[3].replace(" ", "")
        found.append(Requirement(match[1], wanted, extra[1] if extra else None, _found(match[1])))
    return found


def _found(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.match(r"[0-9.]*", text)[0].split(".") if part)  # type: ignore[index]


def _holds(found: str, condition: str) -> bool:
    """Compare by numbers alone: a release candidate counts as its release."""
    sign, wanted = re.match(r"([<>=!~]*)(.*)", condition).groups()  # type: ignore[union-attr]
    have, want = _numbers(found), _numbers(wanted)
    size = max(len(have), len(want))
    have, want = (numbers + (0,) * (size - len(numbers)) for numbers in (have, want))
    return {">=": have >= want, "<": have < want, "==": have == want}.get(sign, True)
