"""Derive the desired resources from the settings, without calling AWS."""
