"""The fractal coder: draft, flood, verify, localise, patch, on arithmetic and on real Python.

Source: the seed ``fractal_coder.md``.
"""
