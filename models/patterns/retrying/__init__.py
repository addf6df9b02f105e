"""Retries and dead letters: what becomes of an event that cannot be handled now, or ever."""
