"""The fractal loop on real Python: statements are the roots, a code model renders them."""
