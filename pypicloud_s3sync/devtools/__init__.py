"""Processes for development, tests and the demo."""
