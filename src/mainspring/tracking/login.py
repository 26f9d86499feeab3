"""Under what name people were logged in where their runs ran: theirs too, whatever it is."""

from __future__ import annotations

from sqlalchemy import Connection, select, update

from mainspring.administration.erasing import forgets
from mainspring.administration.erasure_store import USER_TAG
from mainspring.tracking.tables import run_table, tag_table


@forgets
def forget_logins(connection: Connection, name: str, new: str) -> dict[str, int]:
    """Erase it from the runs of the person."""
    run, tag = run_table.c, tag_table.c
    own = (run.author == name) & (run.author_kind == "person")
    users = update(run_table).where(own, run.user != "").values(user=new)
    runs = select(run.id).where(own)
    tags = update(tag_table).where(tag.key == USER_TAG, tag.run_id.in_(runs)).values(value=new)
    return {
        "run.user": connection.execute(users).rowcount,
        "tag.value": connection.execute(tags).rowcount,
    }
