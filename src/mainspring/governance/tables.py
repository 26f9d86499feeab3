"""The table of files that are to go: written in one transaction, obeyed in a later one."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Table, Text

from mainspring.core.database import Moment, metadata

condemned_table = Table(
    # Of no workspace: bytes are shared by all.
    "condemned_file",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("size", BigInteger, nullable=False),
    # When its bytes had last come by then: whatever came later is somebody's who is naming it.
    Column("put_by", Moment, nullable=False),
)
