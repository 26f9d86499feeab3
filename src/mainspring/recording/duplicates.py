"""Whether a run was tried already: its configuration and code are digested, its data are known by digest.

`warn` says so and goes on, `stop` raises `AlreadyTried`, `reuse` marks the run as reused: whoever
started it looks at `run.reused` and takes what the earlier run made.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from mainspring.core.blobs import canonical_json, digest_of
from mainspring.core.errors import Conflict, Invalid, MainspringError
from mainspring.core.operation import Client
from mainspring.recording import active
from mainspring.recording.forking import importing
from mainspring.recording.values import plain
from mainspring.tracking import surroundings_contract
from mainspring.tracking.surroundings_contract import FindTried, Tried

OnDuplicate = Literal["warn", "reuse", "stop"]
DUPLICATE_OF = "duplicate_of"
SETTLE_S = 3.0
LOOKED_AT = 10
"""Earlier runs that are asked for: some may be of this very process."""

log = logging.getLogger("mainspring.run")


class AlreadyTried(Conflict):
    """When a run may not be tried again, and equals an earlier one, which `earlier` names.

    >>> for _ in range(2):
    ...     try:
    ...         with ms.run("first try", config={"rate": 0.3}, on_duplicate="stop") as run:
    ...             run.log({"auc": 0.71})
    ...     except ms.AlreadyTried as found:
    ...         print(found.earlier.name)
    first try
    """

    def __init__(self, earlier: Tried) -> None:
        super().__init__(
            f"{said(earlier)}: this one stops here",
            field="on_duplicate",
            fix=f"mainspring runs show {earlier.id}; to run it again: on_duplicate='warn'",
        )
        self.earlier = earlier


def setup_digest(config: Mapping[str, Any], code: Mapping[str, Any]) -> str | None:
    """What a run is set up to do: SHA-256 of the canonical JSON of configuration and code.

    Of the code its digest, entry point and arguments count, and not who ran it where. None if the
    code is not known.
    """
    if not code.get("digest"):
        return None
    parts = [code.get("digest"), code.get("entry_point"), code.get("arguments")]
    return digest_of(canonical_json([plain(dict(config)), *map(plain, parts)]))


class Duplicates:
    """Looks for earlier runs as soon as enough is known of this one."""

    def __init__(self) -> None:
        self.found: Tried | None = None
        self.reused = False
        self._ask: Callable[[FindTried], list[Tried]] | None = None
        self._tell: Callable[[Tried], None] = lambda _tried: None
        self._policy: OnDuplicate = "warn"
        self._setup: str | None = None
        self._data: list[str] = []
        self._run = ""
        self._asking: list[threading.Thread] = []
        self._lock = threading.Lock()

    def watch(
        self, client: Client, run: str, policy: OnDuplicate, tell: Callable[[Tried], None]
    ) -> None:
        """Ask the server from now on; `tell` is called once with the run that is equal."""
        self._ask = lambda request: client.call(surroundings_contract.find_tried, request)
        self._run, self._policy, self._tell = run, policy, tell

    @property
    def waits(self) -> bool:
        """Whether an answer is needed before the training goes on."""
        return self._ask is not None and self._policy != "warn"

    @property
    def setup(self) -> str | None:
        """The digest of configuration and code, once it is known."""
        return self._setup

    def set_up(self, setup: str | None) -> None:
        """The setup is known."""
        self._setup = setup
        self._look()

    def trains_on(self, digest: str) -> None:
        """A dataset is trained on."""
        if digest in self._data or self._ask is None:
            return
        self._data.append(digest)
        if self.waits:
            self._look()
        else:
            asking = threading.Thread(target=self._ask_beside, name="mainspring-tried", daemon=True)
            self._asking.append(asking)
            asking.start()

    def settle(self) -> None:
        """Wait a little for answers that are on their way: a short training is over before them."""
        for asking in self._asking:
            asking.join(SETTLE_S)

    def _ask_beside(self) -> None:
        with importing():
            self._look()

    def _look(self) -> None:
        with self._lock:
            if self._ask is None or self._setup is None or self.found is not None:
                return
            request = FindTried(
                setup=self._setup, data=self._data, but=self._run or None, limit=LOOKED_AT
            )
            try:
                earlier = self._ask(request)
            except MainspringError as error:
                log.debug("nobody could say whether run %s was tried: %s", self._run, error.message)
                return
            if not self.waits:  # a program that opens several runs need not be told of its own
                earlier = [one for one in earlier if one.id not in active.begun_here()]
            if not earlier:
                return
            self.found = earlier[0]
        self._act(self.found)

    def _act(self, earlier: Tried) -> None:
        self._tell(earlier)
        if self._policy == "stop":
            raise AlreadyTried(earlier)
        self.reused = self._policy == "reuse"


def said(earlier: Tried) -> str:
    """The earlier run in a sentence."""
    when = f"{earlier.finished_at:%Y-%m-%d %H:%M} UTC" if earlier.finished_at else "an unknown time"
    name = f" ({earlier.name})" if earlier.name else ""
    return (
        f"run {earlier.id[:8]}{name} of {earlier.author} had the same configuration, code and data "
        f"and finished at {when}"
    )


def on_duplicate(given: str | None, otherwise: str | None) -> OnDuplicate:
    """The policy that was asked for."""
    wanted = given or otherwise or "warn"
    choices: Sequence[OnDuplicate] = ("warn", "reuse", "stop")
    for choice in choices:
        if choice == wanted:
            return choice
    raise Invalid(
        f"on_duplicate is {wanted!r}, wanted one of {', '.join(choices)}", field="on_duplicate"
    )
