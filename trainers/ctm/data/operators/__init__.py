"""Mutation operators: the ways in which a sound function gets a bug, by the kinds of taxonomy."""
