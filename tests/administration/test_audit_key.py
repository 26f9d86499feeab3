"""The key that a home signs checkpoints with, and the folder that they go into."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mainspring.app import App
from mainspring.core.chain import Mark
from mainspring.core.checkpoint import PRIVATE, PUBLIC, Checkpoints
from mainspring.core.clock import utc_now
from mainspring.core.errors import Conflict, Invalid
from mainspring.core.signing import read_private_key, read_public_key
from mainspring.notary import Notary
from tests.administration.test_checkpoints import sign


@pytest.fixture
def database_kind() -> str:
    """The key does not depend on the database."""
    return "SQLite"


def test_only_the_owner_reads_it(app: App) -> None:
    sign(app)

    assert (app.settings.home / PRIVATE).stat().st_mode & 0o777 == 0o600
    public = read_public_key(app.settings.audit_folder / PUBLIC)
    private = read_private_key(app.settings.home / PRIVATE)
    assert public is not None
    assert private is not None
    assert public.id == private.public.id


def test_it_stays(app: App) -> None:
    sign(app, 1)
    before = (app.settings.home / PRIVATE).read_bytes()
    sign(app, 2)

    assert (app.settings.home / PRIVATE).read_bytes() == before


def test_a_folder_of_another_home_is_refused(app: App, tmp_path: Path) -> None:
    sign(app, 1)
    (tmp_path / "other").mkdir()
    other = Checkpoints(tmp_path / "other", app.settings.audit_folder)

    with pytest.raises(Conflict, match="are signed with the key"):
        other.prepare(make_folder=True)


def test_a_folder_that_was_named_must_be_there(app: App, tmp_path: Path) -> None:
    app.settings = replace(app.settings, audit=str(tmp_path / "not mounted"))
    app.checkpoints = Checkpoints(app.settings.home, app.settings.audit_folder)

    with pytest.raises(Invalid, match="No such file"):
        Notary(app)


def test_a_file_that_holds_no_key_is_refused(app: App) -> None:
    (app.settings.home / PRIVATE).write_text("no key")

    with pytest.raises(Invalid, match="holds no Ed25519 key"):
        sign(app)


def test_another_folder_begins_anew(app: App, tmp_path: Path) -> None:
    sign(app, 1)
    (tmp_path / "second").mkdir()
    moved = Checkpoints(app.settings.home, tmp_path / "second")
    moved.prepare(make_folder=False)
    moved.append([("default", Mark(2, "f" * 64))], utc_now())

    assert moved.read().fault is None
    assert [point.sequence for point in moved.read().points] == [2]
