"""What a working tree has that its commit has not: as one patch to read, as one digest to compare."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from mainspring.core.settings import home_folder
from mainspring.recording.capture.repository import DIFF, Repository, Unreadable
from mainspring.recording.capture.sources import LARGE, digest_of_file, is_source
from mainspring.recording.redaction import Redactor

MAX_PATCH = 2**20
MAX_NAMES = 5_000
NAMES_TOLD = 50
_DIFF = (
    *DIFF,
    "--no-relative",
    "--unified=3",
    "--src-prefix=a/",
    "--dst-prefix=b/",
    "--submodule=short",
)
_QUOTED = re.compile(r'[\x00-\x1f"\\\x7f]')


class Patch(NamedTuple):
    """The difference as text, and what is not in it."""

    text: bytes
    files: int
    left_out: list[str]
    """Names with the reason."""
    secrets: int


class Changes:
    """The tracked files that differ from the commit, and the untracked ones that git does not ignore."""

    def __init__(self, repository: Repository, commit: str | None) -> None:
        self._repository = repository
        self._root = repository.root
        # Before the first commit everything is new.
        self.base = commit or repository.line("hash-object", "-t", "tree", "/dev/null")
        self.tracked = sorted(_raw(repository.names("diff", *DIFF, "--raw", "-z", self.base)))
        self.trouble: str | None = None
        """Why new files are not known, if they are not."""
        others: list[str] = []
        try:
            others = repository.names("ls-files", "--others", "--exclude-standard", "-z")
        except Unreadable as error:  # a million files that nobody ignores
            self.trouble = f"new files were not looked at: {error}"
        self.untracked = sorted(name for name in others[:MAX_NAMES] if not self._is_ours(name))

    @property
    def new_sources(self) -> list[str]:
        """The untracked files that are code: what a run writes beside them is none."""
        return [name for name in self.untracked if is_source(name)]

    def digest(self) -> str:
        """What the code is: the tree of the commit, and the content of whatever differs from it."""
        hasher = hashlib.sha256()
        tree = self._repository.maybe("rev-parse", f"{self.base}^{{tree}}") or self.base
        hasher.update(tree.encode())
        for name in sorted({*self.tracked, *self.new_sources}):
            line = f"\n{name}\0{self._content(name)}"
            hasher.update(line.encode("utf-8", "surrogateescape"))
        return f"sha256:{hasher.hexdigest()}"

    def patch(self) -> Patch:
        """The difference, applicable with `git apply`, without binary files and secrets."""
        redactor, parts, left_out = Redactor(), [], []
        room = MAX_PATCH
        for name, section, why in self._sections():
            lines = section.decode("utf-8", "surrogateescape").splitlines(keepends=True)
            text = "".join(map(redactor.line, lines)).encode("utf-8", "surrogateescape")
            if why is not None or len(text) > room:
                left_out.append(f"{name} ({why or 'over 1 MB in all'})")
                continue
            room -= len(text)
            parts.append(text)
        head = _head(left_out, redactor.found)
        return Patch(head + b"".join(parts), len(parts), left_out, redactor.found)

    def _sections(self) -> Iterator[tuple[str, bytes, str | None]]:
        """Each file's name, its part of the patch, or why there is none."""
        try:
            whole = self._repository.output("diff", *_DIFF, self.base) if self.tracked else b""
        except Unreadable as error:
            yield from ((name, b"", str(error)) for name in self.tracked)
            whole = b""
        for section in re.split(rb"^(?=diff --git )", whole, flags=re.MULTILINE):
            if section.startswith(b"diff --git "):
                yield _named(section)
        for name in self.untracked:
            yield self._new(name)

    def _new(self, name: str) -> tuple[str, bytes, str | None]:
        path = self._root / os.fsencode(name).decode("utf-8", "surrogateescape")
        try:
            found = path.lstat()
            if stat.S_ISLNK(found.st_mode):
                return name, _added(name, "120000", os.fsencode(path.readlink())), None
            if not stat.S_ISREG(found.st_mode):
                return name, b"", "no file"
            if found.st_size > MAX_PATCH:
                return name, b"", f"{found.st_size / 2**20:,.1f} MB"
            content = path.read_bytes()
        except OSError as error:
            return name, b"", error.strerror or "unreadable"
        if b"\0" in content[:8192]:
            return name, b"", f"binary, {len(content):,} bytes"
        mode = "100755" if found.st_mode & stat.S_IXUSR else "100644"
        return name, _added(name, mode, content), None

    def _content(self, name: str) -> str:
        path = self._root / name
        try:
            found = path.lstat()
            if stat.S_ISLNK(found.st_mode):
                return f"link {path.readlink()}"
            if stat.S_ISDIR(found.st_mode):  # a submodule: what it has checked out
                return self._repository.maybe("-C", str(path), "rev-parse", "HEAD") or "folder"
            executable = bool(found.st_mode & stat.S_IXUSR)
            return f"{executable} {digest_of_file(path, LARGE)}"
        except OSError:
            return "deleted"

    def _is_ours(self, name: str) -> bool:
        """Whether the file is Mainspring's own: a home often lies beside the code."""
        place = self._root / name
        return home_folder() in (place, *place.parents) or name.startswith(".mainspring/")


def _raw(fields: list[str]) -> Iterable[str]:
    """The paths of `git diff --raw -z`: each stands behind its description."""
    return [
        name for about, name in zip(fields[::2], fields[1::2], strict=False) if about[:1] == ":"
    ]


def _named(section: bytes) -> tuple[str, bytes, str | None]:
    head, _, _ = section.partition(b"\n@@")
    first = section.partition(b"\n")[0].decode("utf-8", "surrogateescape")
    name = first.rpartition(" b/")[2] or first
    for line in head.splitlines():
        if line.startswith((b"Binary files ", b"GIT binary patch")):
            return name, b"", "binary"
    return name, section, None


def _added(name: str, mode: str, content: bytes) -> bytes:
    """The part of a patch that makes a file."""
    left, right = _quoted(f"a/{name}"), _quoted(f"b/{name}")
    head = f"diff --git {left} {right}\nnew file mode {mode}\n".encode("utf-8", "surrogateescape")
    if not content:
        return head
    lines = content.split(b"\n")
    torn = lines[-1] != b""
    lines = lines if torn else lines[:-1]
    place = f"--- /dev/null\n+++ {right}\n@@ -0,0 +1,{len(lines)} @@\n"
    body = b"".join(b"+" + line + b"\n" for line in lines)
    end = b"\\ No newline at end of file\n" if torn else b""
    return head + place.encode("utf-8", "surrogateescape") + body + end


def _quoted(name: str) -> str:
    """A path as git writes it: in quotes if it holds what ends one."""
    if not _QUOTED.search(name):
        return name
    escaped = _QUOTED.sub(lambda match: f"\\{ord(match[0]):03o}", name)
    return f'"{escaped}"'


def _head(left_out: list[str], secrets: int) -> bytes:
    """What is not in the patch; lines before the first file mean nothing to git."""
    lines = [f"# left out: {name}" for name in left_out[:NAMES_TOLD]]
    if len(left_out) > NAMES_TOLD:
        lines.append(f"# left out: {len(left_out) - NAMES_TOLD:,} more files")
    if secrets:
        lines.append(f"# secrets redacted: {secrets}; where they stood the patch may not apply")
    return "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogateescape")
