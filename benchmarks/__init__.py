"""What is measured beside others, or against a bar. Run one with `python -m benchmarks.NAME`."""
