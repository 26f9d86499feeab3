"""Runs and what they leave behind: parameters, metrics, datasets, files, trained models."""
