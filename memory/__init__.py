"""What is remembered: the SQLite store and the files beside it."""
