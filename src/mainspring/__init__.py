"""Mainspring: track, register, validate, deploy, monitor, retrain, and round again."""

__version__ = "0.1.0.dev0"
