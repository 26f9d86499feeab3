"""Models, their versions, and the gates between a version and production."""
