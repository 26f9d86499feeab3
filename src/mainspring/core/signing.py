"""The Ed25519 key of a home: the private part in the home, the public part for whoever verifies."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mainspring.core.errors import Invalid
from mainspring.core.extras import require
from mainspring.core.ids import new_id

ED25519 = "cryptography.hazmat.primitives.asymmetric.ed25519"
SERIALIZATION = "cryptography.hazmat.primitives.serialization"


@dataclass(frozen=True, slots=True)
class PublicKey:
    """Tells whether a signature is its owner's."""

    key: Any

    @property
    def id(self) -> str:
        """The first half of the SHA-256 of its 32 bytes."""
        return hashlib.sha256(self.key.public_bytes_raw()).hexdigest()[:32]

    def pem(self) -> bytes:
        """As every tool reads it."""
        formats = require(SERIALIZATION, None)
        pem: bytes = self.key.public_bytes(
            formats.Encoding.PEM, formats.PublicFormat.SubjectPublicKeyInfo
        )
        return pem

    def signed(self, text: bytes, signature: str) -> bool:
        """Whether the owner signed the text."""
        invalid = require("cryptography.exceptions", None).InvalidSignature
        try:
            self.key.verify(bytes.fromhex(signature), text)
        except (invalid, ValueError):
            return False
        return True


@dataclass(frozen=True, slots=True)
class PrivateKey:
    """Signs."""

    key: Any

    @property
    def public(self) -> PublicKey:
        """What others verify with."""
        return PublicKey(self.key.public_key())

    def sign(self, text: bytes) -> str:
        """The signature in hex characters."""
        return bytes(self.key.sign(text)).hex()


def read_private_key(path: Path) -> PrivateKey | None:
    """The key in the file, if there is one."""
    if not path.exists():
        return None
    key = _loaded(path, "load_pem_private_key", password=None)
    if not isinstance(key, require(ED25519, None).Ed25519PrivateKey):
        raise _no_key(path)
    return PrivateKey(key)


def read_public_key(path: Path) -> PublicKey | None:
    """The public key in the file, if there is one."""
    if not path.exists():
        return None
    key = _loaded(path, "load_pem_public_key")
    if not isinstance(key, require(ED25519, None).Ed25519PublicKey):
        raise _no_key(path)
    return PublicKey(key)


def make_private_key(path: Path) -> PrivateKey:
    """A fresh key in a file that only its owner reads, there whole or not at all."""
    formats = require(SERIALIZATION, None)
    made = PrivateKey(require(ED25519, None).Ed25519PrivateKey.generate())
    pem = made.key.private_bytes(
        formats.Encoding.PEM, formats.PrivateFormat.PKCS8, formats.NoEncryption()
    )
    write_whole(path, pem, mode=0o600)
    return made


def write_whole(path: Path, content: bytes, mode: int = 0o644) -> None:
    """Put a file in place that has survived power loss by then."""
    aside = path.with_name(f".{new_id()}.part")
    handle = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(handle)
    aside.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder survive power loss."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _loaded(path: Path, load: str, **more: Any) -> Any:
    try:
        return getattr(require(SERIALIZATION, None), load)(path.read_bytes(), **more)
    except OSError as error:
        raise Invalid(
            f"the key {path} cannot be read: {error.strerror}", field="key", fix="chmod 600, chown"
        ) from error
    except (ValueError, TypeError) as error:
        raise _no_key(path) from error


def _no_key(path: Path) -> Invalid:
    return Invalid(
        f"{path} holds no Ed25519 key in PEM, as this one was or should be",
        field="key",
        fix="restore it from a backup",
    )
