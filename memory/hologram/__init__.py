"""Memory by hypervectors: codebook, resonator, neural memory, constraints, circuits, and more."""
