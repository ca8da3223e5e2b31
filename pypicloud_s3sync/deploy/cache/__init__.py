"""Open, count and reconcile the cache from this host."""
