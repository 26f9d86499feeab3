"""A run's configuration: a dictionary whose entries are also attributes, and whose changes are kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from mainspring.core.errors import Invalid


class Config(dict[str, Any]):
    """The parameters of a run.

    >>> config = ms.Config({"rate": 0.1})
    >>> config.rate, config["rate"]
    (0.1, 0.1)
    """

    def __init__(
        self,
        entries: Mapping[str, Any] | None = None,
        changed: Callable[[dict[str, Any]], None] | None = None,
    ) -> None:
        super().__init__(entries or {})
        object.__setattr__(self, "_changed", changed)

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"the configuration has no {name!r}") from None

    def __setattr__(self, name: str, value: Any) -> None:
        self[name] = value

    def __setitem__(self, key: str, value: Any) -> None:
        super().__setitem__(key, value)
        self._tell({key: value})

    def update(self, *entries: Any, **named: Any) -> None:
        """Add or replace entries; an `argparse.Namespace` will do too.

        >>> run.config.update({"depth": 6}, rounds=100)
        """
        added: dict[str, Any] = {}
        for one in entries:
            added.update(as_mapping(one))
        added.update(named)
        super().update(added)
        self._tell(added)

    def setdefault(self, key: str, default: Any = None) -> Any:
        """The entry, made if there is none.

        >>> run.config.setdefault("seed", 7)
        7
        """
        if key not in self:
            self[key] = default
        return self[key]

    def __reduce__(self) -> tuple[type, tuple[dict[str, Any]]]:
        return dict, (dict(self),)

    def _tell(self, entries: dict[str, Any]) -> None:
        changed: Callable[[dict[str, Any]], None] | None = self.__dict__.get("_changed")
        if changed is not None and entries:
            changed(entries)


def as_mapping(config: Any) -> dict[str, Any]:
    """A configuration as a dictionary: a mapping, a namespace, a dataclass's or object's attributes."""
    if config is None:
        return {}
    if isinstance(config, Mapping):
        return {str(key): value for key, value in config.items()}
    to_dict = getattr(config, "to_dict", None) or getattr(config, "model_dump", None)
    if callable(to_dict):
        return as_mapping(to_dict())
    try:
        found = vars(config)
    except TypeError:
        raise Invalid(
            f"a configuration is a mapping, a namespace or a dataclass, found {config!r:.100}",
            field="config",
        ) from None
    return {key: value for key, value in found.items() if not key.startswith("_")}
