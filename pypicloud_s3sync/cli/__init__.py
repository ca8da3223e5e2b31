"""Implement the console script ``ppc-s3sync``."""
