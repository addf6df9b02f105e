"""Sagas: what several services do together, and how they go back."""
