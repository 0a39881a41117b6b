"""The parts of the models, one a file."""
