"""The names of inputs that the platform reads; no model sees them."""

REQUEST_ID = "mainspring.request_id"
EVENT_TIME = "mainspring.event_time"
ENTITY_KEY = "mainspring.entity_key"
