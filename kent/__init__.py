"""The daemon and its face."""
