"""Data as datasets: read from any library, digested by schema and values, summarised by column."""
