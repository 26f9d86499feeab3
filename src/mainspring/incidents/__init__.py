"""Incidents: something is wrong in production, somebody is on it, and how it ended."""
