"""The code of a run is known: its commit, what differs from it, and one digest of what it is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mainspring.recording.capture import Code, Entry, code, entry_of
from mainspring.recording.redaction import MARK

WHO = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-c", "commit.gpgsign=false")


@pytest.fixture(autouse=True)
def _nobodys_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No settings of whoever runs the tests; the home of Mainspring is inside the working folder."""
    (tmp_path / "nobody").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "nobody"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "nobody" / "gitconfig"))


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *WHO, "-C", str(folder), *arguments], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """A repository with one commit: a script, a module in a package, a table."""
    folder = tmp_path / "work"
    (folder / "delays").mkdir(parents=True)
    git(tmp_path, "init", "-q", "-b", "main", str(folder))
    (folder / "train.py").write_text("import delays.model\n\nrate = 0.1\n")
    (folder / "delays" / "model.py").write_text("depth = 6\n")
    (folder / "flights.csv").write_text("a,b\n1,2\n")
    (folder / ".gitignore").write_text("*.log\n")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "first")
    return folder


def looked(folder: Path, script: str = "train.py", *arguments: str) -> Code:
    return code(Entry(folder / script, arguments, folder=folder))


def patch_of(found: Code) -> str:
    return (found.diff or b"").decode("utf-8", "surrogateescape")


def test_a_clean_tree_is_its_commit(work: Path) -> None:
    git(work, "remote", "add", "origin", "https://ada:hunter2@example.org/delays.git")

    found = looked(work, "train.py", "--rate", "0.1", "--password", "hunter2")

    assert found.diff is None
    assert found.document["commit"] == git(work, "rev-parse", "HEAD")
    assert found.document["branch"] == "main"
    assert found.document["dirty"] is False
    assert found.document["remote"] == "https://example.org/delays.git"
    assert found.document["entry_point"] == "train.py"
    assert found.document["arguments"] == ["--rate", "0.1", "--password", MARK]
    assert found.document["working_folder"] == str(work)
    assert "hunter2" not in json.dumps(found.document)


def test_the_patch_holds_what_the_commit_lacks_and_applies_to_it(work: Path) -> None:
    (work / "train.py").write_text("import delays.model\n\nrate = 0.2\n")
    (work / "delays" / "model.py").unlink()
    (work / "new file.py").write_text("x = 1\nno line end")
    (work / 'odd "name"\n.py').write_text("y = 1\n")
    (work / "empty.py").write_text("")
    (work / "run.sh").write_text("echo\n")
    (work / "run.sh").chmod(0o755)
    (work / "link.py").symlink_to("train.py")
    (work / "left.log").write_text("ignored")

    found = looked(work)
    fresh = work.parent / "fresh"
    git(work.parent, "clone", "-q", str(work), str(fresh))
    (fresh / "dirty.patch").write_bytes(found.diff or b"")
    git(fresh, "apply", "dirty.patch")
    (fresh / "dirty.patch").unlink()

    assert found.document["dirty"] is True
    assert found.document["diff"]["files"] == 7
    assert (fresh / "new file.py").read_text() == "x = 1\nno line end"
    assert (fresh / "train.py").read_text() == (work / "train.py").read_text()
    assert (fresh / "link.py").readlink() == Path("train.py")
    assert os.access(fresh / "run.sh", os.X_OK)
    assert "left.log" not in patch_of(found)
    assert looked(fresh).document["digest"] == found.document["digest"]


def test_secrets_are_not_in_the_patch_and_count_in_the_digest(work: Path) -> None:
    (work / "train.py").write_text('password = "hunter2"\n')
    first = looked(work)
    (work / "train.py").write_text('password = "hunter3"\n')
    second = looked(work)

    assert f'+password = "{MARK}"' in patch_of(first)
    assert "# secrets redacted: 1" in patch_of(first)
    assert first.diff is not None
    assert b"hunter" not in first.diff
    assert first.document["digest"] != second.document["digest"]


def test_binary_and_large_files_are_named_alone(work: Path) -> None:
    (work / "weights.bin").write_bytes(b"\0" * 100)
    (work / "flights.csv").write_bytes(b"a\0b")
    (work / "large.sql").write_text("select 1;\n" * 200_000)
    (work / "half.sql").write_text("-- 0123456789\n" * 40_000)
    (work / "rest.sql").write_text("-- 0123456789\n" * 40_000)
    (work / "small.py").write_text("x = 1\n")

    found = looked(work)

    assert found.document["diff"]["left_out"] == [
        "flights.csv (binary)",
        "large.sql (1.9 MB)",
        "rest.sql (over 1 MB in all)",
        "weights.bin (binary, 100 bytes)",
    ]
    assert "# left out: weights.bin (binary, 100 bytes)" in patch_of(found)
    assert "+++ b/small.py" in patch_of(found)
    assert len(found.diff or b"") < 2**20 + 1000


def test_what_a_run_writes_beside_the_code_changes_neither_digest_nor_dirt(work: Path) -> None:
    before = looked(work).document

    (work / "results.csv").write_text("auc\n0.7\n")
    (work / "model.pkl").write_bytes(b"\0\1")
    (work / ".mainspring").mkdir()
    (work / ".mainspring" / "code.py").write_text("ours = 1\n")
    found = looked(work)

    assert (found.document["digest"], found.document["dirty"]) == (before["digest"], False)
    assert "results.csv" in patch_of(found)
    assert "code.py" not in patch_of(found)


@pytest.mark.parametrize(
    "change",
    [
        lambda work: (work / "train.py").write_text("rate = 0.3\n"),
        lambda work: (work / "new.py").write_text("x = 1\n"),
        lambda work: (work / "flights.csv").write_text("a,b\n1,3\n"),
        lambda work: (work / "delays" / "model.py").unlink(),
        lambda work: (work / "train.py").chmod(0o755),
        lambda work: git(work, "rm", "-q", "--cached", "delays/model.py"),
    ],
    ids=["edited", "new", "another file", "removed", "executable", "forgotten"],
)
def test_the_digest_changes_with_the_code_and_returns_with_it(
    work: Path, change: Callable[[Path], object]
) -> None:
    clean = looked(work).document["digest"]

    change(work)
    changed = looked(work).document["digest"]
    git(work, "reset", "-q", "--hard")
    git(work, "clean", "-fdq")

    assert changed != clean
    assert looked(work).document["digest"] == clean


def test_two_scripts_of_one_commit_are_two_codes(work: Path) -> None:
    one, other = looked(work).document, looked(work, "delays/model.py").document

    assert other["entry_point"] == "delays/model.py"
    assert one["digest"] != other["digest"]


def test_a_tree_before_its_first_commit_is_all_new(tmp_path: Path) -> None:
    folder = tmp_path / "fresh"
    git(tmp_path, "init", "-q", "-b", "trunk", str(folder))
    (folder / "train.py").write_text("x = 1\n")
    git(folder, "add", "train.py")
    (folder / "train.py").write_text("x = 2\n")

    found = looked(folder)

    assert "commit" not in found.document
    assert (found.document["branch"], found.document["dirty"]) == ("trunk", True)
    assert "+x = 2" in patch_of(found)
    assert found.document["digest"].startswith("sha256:")


def test_a_detached_head_has_no_branch(work: Path) -> None:
    git(work, "checkout", "-q", "--detach")

    assert looked(work).document["branch"] is None


def test_worktrees_and_submodules_are_repositories(work: Path, tmp_path: Path) -> None:
    git(work, "worktree", "add", "-q", str(tmp_path / "beside"))
    outer = tmp_path / "outer"
    git(tmp_path, "init", "-q", str(outer))
    git(outer, "-c", "protocol.file.allow=always", "submodule", "add", "-q", str(work), "inner")
    git(outer, "commit", "-q", "-m", "with a part")
    (outer / "main.py").write_text("x = 1\n")
    before = looked(outer, "main.py").document["digest"]
    (outer / "inner" / "train.py").write_text("rate = 9\n")
    git(outer / "inner", "commit", "-q", "-am", "further")

    beside, inner, whole = (
        looked(tmp_path / "beside"),
        looked(outer / "inner"),
        looked(outer, "main.py"),
    )

    assert beside.document["commit"] == git(work, "rev-parse", "HEAD")
    assert inner.document["commit"] == git(outer / "inner", "rev-parse", "HEAD")
    assert "Subproject commit" in patch_of(whole)
    assert whole.document["digest"] != before


def test_without_a_repository_the_python_files_around_the_script_are_the_code(
    tmp_path: Path,
) -> None:
    def made(name: str) -> Path:
        folder = tmp_path / name
        for path in ("train.py", "lib/a.py", ".venv/b.py", "env/c.py", "data.csv"):
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(f"# {path}\n")
        (folder / "env" / "pyvenv.cfg").touch()
        return folder

    one, other = made("one"), made("other")
    same = looked(one).document["digest"], looked(other).document["digest"]
    for ignored in (".venv/b.py", "env/c.py", "data.csv"):
        (other / ignored).write_text("changed")
    still = looked(other).document["digest"]
    (other / "lib" / "a.py").write_text("changed")

    assert same[0] == same[1] == still
    assert looked(other).document["digest"] != still
    assert "commit" not in looked(one).document
    assert looked(one).diff is None


def test_without_git_the_folder_counts(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(work))

    document = looked(work).document

    assert document["git"] == "git is not installed"
    assert document["digest"].startswith("sha256:")


def test_a_repository_whose_files_are_elsewhere_is_not_read(work: Path, tmp_path: Path) -> None:
    (tmp_path / "private").mkdir()
    (tmp_path / "private" / "diary.txt").write_text("dear diary\n")
    git(work, "config", "core.worktree", str(tmp_path / "private"))

    found = looked(work)

    assert "elsewhere" in found.document["git"]
    assert found.diff is None


def test_a_hostile_repository_runs_nothing(work: Path, tmp_path: Path) -> None:
    mark = tmp_path / "was here"
    evil = tmp_path / "evil.sh"
    evil.write_text(f"#!/bin/sh\ntouch '{mark}'\ncat\n")
    evil.chmod(0o755)
    for setting in (
        "core.fsmonitor", "diff.external", "diff.evil.command", "diff.evil.textconv",
        "filter.evil.clean", "filter.evil.smudge", "core.pager", "core.sshCommand", "core.askPass",
        "credential.helper", "gpg.program", "core.alternateRefsCommand", "remote.origin.uploadpack",
    ):  # fmt: skip
        git(work, "config", setting, str(evil))
    git(work, "config", "filter.evil.required", "true")
    (work / ".git" / "hooks").mkdir(exist_ok=True)
    for hook in ("post-index-change", "post-checkout", "pre-commit", "fsmonitor-watchman"):
        (work / ".git" / "hooks" / hook).symlink_to(evil)
    (work / ".git" / "info").mkdir(exist_ok=True)
    (work / ".git" / "info" / "attributes").write_text("* diff=evil filter=evil\n")
    (work / "train.py").write_text("rate = 0.9\n")
    (work / "new.py").write_text("x = 1\n")
    os.utime(work / "flights.csv", (1, 1))

    found = looked(work)

    assert not mark.exists()
    assert "+rate = 0.9" in patch_of(found)
    subprocess.run(["git", "-C", str(work), "status"], check=False, capture_output=True)
    assert mark.exists(), "the repository was not hostile at all"


def test_a_slow_git_is_given_up(
    work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = tmp_path / "bin" / "git"
    slow.parent.mkdir()
    slow.write_text("#!/bin/sh\nexec sleep 600\n")
    slow.chmod(0o755)
    monkeypatch.setenv("PATH", f"{slow.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr("mainspring.recording.capture.repository.CALL_S", 0.2)

    document = looked(work).document

    assert document["git"] == "git does not answer in time"
    assert document["entry_point"] == "train.py"


def test_the_index_is_left_as_it_was(work: Path) -> None:
    os.utime(work / "train.py", (1, 1))  # git wants to note that it is the same all the same
    before = (work / ".git" / "index").read_bytes()

    looked(work)

    assert (work / ".git" / "index").read_bytes() == before


def test_a_tool_that_came_with_a_package_is_not_the_users_code(work: Path) -> None:
    document = code(Entry(Path(sys.executable).parent / "pytest", ["-q"], folder=work)).document

    assert document["entry_point"] == "pytest"
    assert document["commit"] == git(work, "rev-parse", "HEAD")
    assert "digest" not in document


@pytest.mark.parametrize(
    ("command", "path", "arguments", "module"),
    [
        ("python train.py --rate 1", "train.py", ["--rate", "1"], None),
        ("python3.11 -u -W error -X dev train.py a", "train.py", ["a"], None),
        ("python -m delays.model x", "delays/model.py", ["x"], "delays.model"),
        ("python -mdelays.model", "delays/model.py", [], "delays.model"),
        ("python -c pass x", None, ["-c", "pass", "x"], None),
        ("python nowhere.py", None, [], None),
        ("torchrun --nproc-per-node 2 train.py --rate 1", "train.py", ["--rate", "1"], None),
        ("uv run python train.py b", "train.py", ["b"], None),
        ("uv run --no-sync train.py b", "train.py", ["b"], None),
    ],
)
def test_a_command_line_names_what_it_runs(
    work: Path, command: str, path: str | None, arguments: list[str], module: str | None
) -> None:
    entry = entry_of(command.split(), work)

    assert entry.path == (work / path if path else None)
    assert (list(entry.arguments), entry.module) == (arguments, module)


def test_very_long_and_very_many_arguments_are_cut_and_still_told_apart(work: Path) -> None:
    one = looked(work, "train.py", "x" * 9_000, *["y"] * 2_000).document["arguments"]
    other = looked(work, "train.py", "x" * 9_001, *["y"] * 1_999, "z").document["arguments"]

    assert len(one) == 501
    assert len(json.dumps(one)) < 10_000
    assert one[0] != other[0]
    assert one[-1] != other[-1]
    assert one[1:-1] == other[1:-1]


def test_more_new_files_than_can_be_listed_leave_the_rest_known(
    work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (work / "train.py").write_text("rate = 0.4\n")
    for number in range(300):
        (work / f"{number:03}{'x' * 200}.txt").touch()
    monkeypatch.setattr("mainspring.recording.capture.repository.MAX_OUTPUT", 50_000)

    found = looked(work)

    assert "new files were not looked at" in found.document["git"]
    assert found.document["dirty"] is True
    assert "+rate = 0.4" in patch_of(found)


def test_a_program_that_is_no_python_is_its_own_entry_point(work: Path) -> None:
    (work / "run.sh").write_text("#!/bin/sh\necho\n")
    (work / "run.sh").chmod(0o755)

    entry = entry_of([str(work / "run.sh"), "x"], work)

    assert entry.path == work / "run.sh"
    assert code(entry._replace(folder=work)).document["entry_point"] == "run.sh"
