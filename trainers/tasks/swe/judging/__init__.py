"""Judges SWE tasks without containers: by a release's test files, in an environment of its own."""
