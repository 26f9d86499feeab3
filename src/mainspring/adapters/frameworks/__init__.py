"""Training libraries that record themselves: one file for each, found by its entry point."""
