"""Front doors: HTTP, command line, SDK. They see contracts, never services, stores or SQL."""
