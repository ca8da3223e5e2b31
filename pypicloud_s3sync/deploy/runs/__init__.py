"""Allow one run at a time on this host, record it for other processes, and describe its result."""
