"""People, services, tokens, roles, workspaces; and the log and the queue to look at."""
