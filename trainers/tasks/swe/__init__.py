"""SWE tasks: an issue, a repository at a base commit, and the change that fixed it."""
