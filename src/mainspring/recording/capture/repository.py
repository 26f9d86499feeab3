"""A git repository that is only read, and never trusted: nothing that it configures is run.

A repository may bring commands of its own: hooks, a file system monitor, filters, drivers for diffs,
helpers for objects that are fetched late. Each is switched off here, and a test brings one of each.
"""

from __future__ import annotations

import os
import selectors
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from mainspring.core.settings import clean_environment

CALL_S = 5.0
ALL_CALLS_S = 20.0
MAX_OUTPUT = 64 * 2**20
FOREIGN = (
    "GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_EXTERNAL_DIFF", "GIT_CONFIG_PARAMETERS",
    "GIT_CONFIG_COUNT", "GIT_OBJECT_DIRECTORY", "GIT_NAMESPACE", "GIT_DIFF_OPTS", "GIT_TRACE",
)  # fmt: skip
"""Variables that a hook's process has and that would lead us to another repository or program."""
QUIET = {
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ASKPASS": "",
    "SSH_ASKPASS": "",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_ALLOW_PROTOCOL": "none",
    "GIT_PAGER": "cat",
    "LC_ALL": "C",
}
SAFE = (
    "core.fsmonitor=false",
    "core.hooksPath=/dev/null",
    "core.untrackedCache=false",
    "core.quotePath=true",
    "core.pager=cat",
    "protocol.allow=never",
    "diff.external=",
    "diff.noprefix=false",
    "diff.mnemonicPrefix=false",
    "diff.autoRefreshIndex=true",
)
DIFF = ("--no-ext-diff", "--no-textconv", "--no-color", "--no-renames", "--ignore-submodules=dirty")


class Unreadable(Exception):
    """When git does not answer: it is missing, too slow, or says no."""


class Repository:
    """The repository that a folder lies in; use it with `with`.

    git refreshes its index whenever it compares, so it is given a copy of it to write to.
    """

    def __init__(self, folder: Path) -> None:
        git = shutil.which("git")
        if git is None:
            raise Unreadable("git is not installed")
        self._git = git
        self._folder = folder
        self._until = time.monotonic() + ALL_CALLS_S
        self._environment = {
            name: value
            for name, value in clean_environment(**QUIET).items()
            if name not in FOREIGN and not name.startswith("GIT_CONFIG_KEY")
        }
        self._settings: list[str] = []
        for setting in SAFE:
            self._settings += ["-c", setting]
        self.root = self._found_root()
        self._settings += self._without_filters()
        self._folder = self.root
        self._aside = tempfile.TemporaryDirectory(prefix="mainspring-")
        self._copy_index()

    def __enter__(self) -> Repository:
        return self

    def __exit__(self, *_: object) -> None:
        self._aside.cleanup()

    def _copy_index(self) -> None:
        copy = Path(self._aside.name) / "index"
        try:
            shutil.copyfile(self.root / self.line("rev-parse", "--git-path", "index"), copy)
        except FileNotFoundError:
            pass  # nothing was ever added
        except (OSError, Unreadable) as error:
            self._aside.cleanup()
            raise Unreadable(f"the index cannot be read: {error}") from error
        self._environment["GIT_INDEX_FILE"] = str(copy)

    def _found_root(self) -> Path:
        root = Path(self.line("rev-parse", "--show-toplevel"))
        # A repository may name any folder as its tree; only what lies around us is ours to read.
        if root not in (self._folder, *self._folder.parents):
            raise Unreadable(f"the repository's files are elsewhere, in {root}")
        return root

    def _without_filters(self) -> list[str]:
        """Switch off the filters that the repository itself configures; the user's own are theirs."""
        try:
            found = self.output("config", "--show-scope", "-z", "--get-regexp", r"^filter\.")
        except Unreadable:
            return []
        texts = found.decode("utf-8", "replace").split("\0")
        switched = set()
        for scope, text in zip(texts[::2], texts[1::2], strict=False):
            name = text.partition("\n")[0].rpartition(".")[0]
            if scope not in ("system", "global"):
                switched.add(name)
        parts: list[str] = []
        for name in sorted(switched):
            for setting in ("clean=", "smudge=", "process=", "required=false"):
                parts += ["-c", f"{name}.{setting}"]
        return parts

    def line(self, *arguments: str) -> str:
        """The one line that git answers."""
        return self.output(*arguments).decode("utf-8", "replace").rstrip("\n")

    def maybe(self, *arguments: str) -> str | None:
        """The one line that git answers; None if it says no."""
        try:
            return self.line(*arguments) or None
        except Unreadable:
            return None

    def names(self, *arguments: str) -> list[str]:
        """What git answers between NUL characters."""
        return [
            part.decode("utf-8", "surrogateescape")
            for part in self.output(*arguments).split(b"\0")
            if part
        ]

    def output(self, *arguments: str) -> bytes:
        """All that git answers, if it does so in time and in reason."""
        limit = min(CALL_S, self._until - time.monotonic())
        if limit <= 0:
            raise Unreadable(f"git took longer than {ALL_CALLS_S:g} s in all")
        process = subprocess.Popen(  # noqa: S603  fixed arguments, no shell
            [self._git, "--no-pager", *self._settings, "-C", str(self._folder), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=self._environment,
        )
        with process:
            try:
                found, said = _read(process, time.monotonic() + limit)
            except BaseException:
                process.kill()
                raise
        if process.returncode != 0:
            why = said.decode("utf-8", "replace").strip().partition("\n")[0]
            raise Unreadable(why or f"git {arguments[0]} ended with {process.returncode}")
        return found


def _read(process: subprocess.Popen[bytes], deadline: float) -> tuple[bytes, bytes]:
    """What comes out of both ends until they close; raises `Unreadable` for too much or too late."""
    assert process.stdout is not None
    assert process.stderr is not None
    parts: dict[int, list[bytes]] = {process.stdout.fileno(): [], process.stderr.fileno(): []}
    size = 0
    with selectors.DefaultSelector() as selector:
        for handle in parts:
            selector.register(handle, selectors.EVENT_READ)
        while selector.get_map():
            ready = selector.select(max(0.0, deadline - time.monotonic()))
            if not ready:
                raise Unreadable("git does not answer in time")
            for key, _ in ready:
                piece = os.read(key.fd, 2**16)
                size += len(piece)
                if size > MAX_OUTPUT:
                    raise Unreadable(f"git answers with more than {MAX_OUTPUT >> 20} MB")
                if piece:
                    parts[key.fd].append(piece)
                else:
                    selector.unregister(key.fd)
    found, said = parts.values()
    return b"".join(found), b"".join(said)
