"""Puts this folder on the path, so that the tests of engines share their helpers."""
