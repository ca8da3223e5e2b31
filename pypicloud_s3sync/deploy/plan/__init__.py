"""Compare what is desired with what is observed, and return the difference as a list of actions."""
