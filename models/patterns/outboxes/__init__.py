"""Outboxes: a change and its event in one transaction, and who brings the event to its topic."""
