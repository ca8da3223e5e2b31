"""The console script ``ppc-s3sync``."""
