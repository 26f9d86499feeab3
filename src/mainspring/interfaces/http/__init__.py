"""The HTTP API: a route for every operation, read off its declaration."""
