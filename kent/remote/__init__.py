"""A rented GPU box at Lambda Cloud, from launch to termination: ``scripts/gpu_box.py``."""
