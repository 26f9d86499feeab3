"""Judging a version before it may be used: checks with a finding in words and numbers."""
