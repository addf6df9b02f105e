"""Asking another service: by a call, by a topic and a wait, or by going on later."""
