"""Puts this folder on the path, so that the trainers' tests share ``scripted``."""
