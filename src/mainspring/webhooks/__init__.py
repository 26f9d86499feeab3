"""Webhooks: what happens in the registry is told to addresses outside."""
