"""Scripts that a Python of the target's version runs, possibly not this one: standard library only."""
