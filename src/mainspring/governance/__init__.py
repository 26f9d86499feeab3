"""Governance: what was deleted goes, what anything refers to stays."""
