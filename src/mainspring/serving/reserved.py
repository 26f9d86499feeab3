"""The names of inputs that the platform reads, which no model sees, and the ids of rows without any."""

REQUEST_ID = "mainspring.request_id"
EVENT_TIME = "mainspring.event_time"
ENTITY_KEY = "mainspring.entity_key"


def ids_of_rows(request: str, rows: int) -> list[str]:
    """The ids of the rows of a request that does not name them."""
    return [request] if rows == 1 else [f"{request}/{row}" for row in range(rows)]
