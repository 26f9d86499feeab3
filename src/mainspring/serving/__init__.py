"""The data plane: answers predictions from a snapshot, without a database."""
