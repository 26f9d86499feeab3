"""Versions at work: deployments, their processes, and rolling a version out."""
