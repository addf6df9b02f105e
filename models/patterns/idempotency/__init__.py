"""Idempotency: what a second delivery does, and who writes when two owners meet."""
