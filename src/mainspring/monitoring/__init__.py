"""Watching a deployed model: its traffic against its reference, and against the truth."""
