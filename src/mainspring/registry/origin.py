"""Where a version's files come from, and what that proves about them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from mainspring.core.errors import NotFound
from mainspring.registry.catalog_contract import AddVersion
from mainspring.registry.catalog_store import CatalogStore
from mainspring.registry.store import RegistryStore
from mainspring.tracking.contract import FileEntry
from mainspring.tracking.run import files_digest

NOTHING: dict[str, list[Any]] = {"inputs": [], "outputs": []}
"""The signature of files of which we know none."""


@dataclass(frozen=True, slots=True)
class Origin:
    """What a new version is made of."""

    run: str | None = None
    trained_model: str | None = None
    files: list[FileEntry] = field(default_factory=list)
    digest: str | None = None
    """None unless the files are ours and of the run that is named."""
    engine: str = ""
    task: str = ""
    signature: Any = field(default_factory=lambda: NOTHING)


def origin(store: RegistryStore, catalog: CatalogStore, request: AddVersion) -> Origin:
    """Fix the files as they are now; a client's word for the run behind them proves nothing."""
    said = Origin(request.run or None)
    if request.trained_model is not None:
        row = _trained(catalog, request.trained_model)
        said = Origin(request.run or row.run or row.claimed_run or None, request.trained_model)
    found = said
    if request.copied_model is not None and request.copied_version is not None:
        found = _copied(store.version_row(request.copied_model, request.copied_version))
    elif request.place is not None:
        kind, _, public_id = request.place.partition("/")
        if kind == "models":
            found = _of_trained_model(_trained(catalog, public_id), catalog, request.prefix)
        elif catalog.has_run(public_id):
            files = catalog.files(request.place, request.prefix)
            found = Origin(public_id, files=files, digest=_digest(files))
    trained_model = said.trained_model or found.trained_model
    if said.run not in (None, found.run):
        # Its files are not of the run that it names: what is known of either says nothing of it.
        return Origin(said.run, trained_model)
    return replace(found, trained_model=trained_model)


def _trained(catalog: CatalogStore, public_id: str) -> Any:
    row = catalog.trained_model(public_id)
    if row is None:
        raise NotFound(f"no trained model {public_id!r} in this workspace", field="trained_model")
    return row


def _of_trained_model(trained: Any, catalog: CatalogStore, prefix: str) -> Origin:
    run = trained.run or trained.claimed_run or None
    if trained.digest is None:  # its files are still coming
        return Origin(run, trained.public_id)
    if prefix.strip("/"):
        files = catalog.files(f"models/{trained.public_id}", prefix)
        return Origin(run, trained.public_id, files, _digest(files) if trained.run else None)
    files = msgspec.convert(trained.files, list[FileEntry])
    # A run that is only claimed may be opened later by anybody, who would then be believed.
    digest = _digest(files) if trained.run else None
    return Origin(
        run, trained.public_id, files, digest, trained.engine, trained.task, trained.signature
    )


def _copied(row: Any) -> Origin:
    files = msgspec.convert(row.files, list[FileEntry])
    return Origin(
        row.run, row.trained_model, files, row.digest, row.engine, row.task, row.signature
    )


def _digest(files: list[FileEntry]) -> str | None:
    if not files:
        return None
    return files_digest((file.path, file.digest, file.size) for file in files)
