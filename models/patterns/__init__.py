"""Patterns of event-driven architecture; each differs from its wrong twins in one thing."""
