"""Servers, fakes and helpers of the tests; nothing here is a test."""
