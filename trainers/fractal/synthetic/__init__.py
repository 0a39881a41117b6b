"""The synthetic domain: chains of arithmetic, and the small networks that write and repair them."""
