"""Compares what `dl` says of Delta tables with the log itself, delta-rs and DuckDB. See `__main__`."""
