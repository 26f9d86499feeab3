"""What happens in the registry is queued for everybody who listens."""

from __future__ import annotations

from mainspring.core.event import Event
from mainspring.core.jobs import on
from mainspring.core.operation import Client
from mainspring.webhooks import contract
from mainspring.webhooks.contract import Tell
from mainspring.webhooks.store import anybody_listens
from mainspring.webhooks.topic import KINDS, told


def tell_listeners(client: Client, event: Event) -> None:
    """Queue the event for the webhooks that want it; they are called from elsewhere."""
    assert event.model is not None
    what = told(event.kind, event.model, event.facts)
    if what is not None:
        topic, data = what
        request = Tell(event=event.id, topic=topic, happened_at=event.recorded_at, data=data)
        client.call(contract.tell, request)


for _kind in KINDS:
    on(_kind, name=f"webhooks.tell-{_kind}", when=anybody_listens)(tell_listeners)
