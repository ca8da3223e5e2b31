"""Readers tell what AWS has; they change nothing."""
