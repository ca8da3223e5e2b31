"""Scripts that run in a Python of the target's version and so use only the standard library."""
