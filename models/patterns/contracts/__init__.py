"""Contracts: how events are wrapped, read by older and newer code, and rolled out."""
