"""Where a version's files come from, and what that proves about them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from mainspring.core.errors import Invalid, NotFound
from mainspring.registry.catalog_contract import AddVersion
from mainspring.registry.catalog_store import CatalogStore
from mainspring.registry.source import is_ours, leads_to
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
    """None unless the files are ours, of the run that is named, and fetched from us."""
    engine: str = ""
    task: str = ""
    signature: Any = field(default_factory=lambda: NOTHING)
    location: str = ""
    """Where they are fetched from, if it is not for the request to say."""


def origin(store: RegistryStore, catalog: CatalogStore, request: AddVersion) -> Origin:
    """Fix the files as they are now; a client's word for the run behind them proves nothing."""
    said = Origin(request.run or None)
    if request.trained_model is not None:
        row = _trained(catalog, request.trained_model)
        said = Origin(request.run or row.run or row.claimed_run or None, request.trained_model)
    found = said
    if request.copied_model is not None and request.copied_version is not None:
        row = store.version_row(request.copied_model, request.copied_version)
        found = _copied(row, request.location)
    elif request.place is not None:
        found = _at_place(catalog, request, said)
    trained_model = said.trained_model or found.trained_model
    if said.run not in (None, found.run):
        # Its files are not of the run that it names: what is known of either says nothing of it.
        return Origin(said.run, trained_model)
    return replace(found, trained_model=trained_model)


def _at_place(catalog: CatalogStore, request: AddVersion, said: Origin) -> Origin:
    """What lies at a place of ours, which must be what others fetch: else it would prove nothing."""
    place = request.place or ""
    kind, _, public_id = place.partition("/")
    if kind == "models":
        trained = _trained(catalog, public_id)
        found, kept = _of_trained_model(trained, catalog, request.prefix), trained.kept
    else:
        kept = catalog.kept(public_id)
        if kept is None:
            return said
        files = catalog.files(place, request.prefix)
        found = Origin(public_id, files=files, digest=_digest(files))
    uri = request.location or request.source
    if not leads_to(uri, place, request.prefix, kept):
        owner = public_id if kind == "runs" else f"m-{public_id}"
        wanted = f"{kind}:/{owner}/{request.prefix}".rstrip("/")
        far = "" if is_ours(kept) else f": its experiment keeps files at {kept!r}"
        raise Invalid(
            f"{uri!r} does not lead to {request.prefix!r} in {place}{far}",
            field="location" if request.location else "source",
            fix=f"give {wanted} if the files are ours, and no place if they are elsewhere",
        )
    return found


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


def _copied(row: Any, wanted: str) -> Origin:
    """The same files, which are fetched from where they were."""
    files = msgspec.convert(row.files, list[FileEntry])
    location = row.location or row.source
    if not location and row.trained_model is not None:
        known = leads_to(wanted, f"models/{row.trained_model}", "", "")
        location = wanted if known else f"models:/m-{row.trained_model}"
    return Origin(
        row.run, row.trained_model, files, row.digest, row.engine, row.task, row.signature, location
    )


def _digest(files: list[FileEntry]) -> str | None:
    if not files:
        return None
    return files_digest((file.path, file.digest, file.size) for file in files)
