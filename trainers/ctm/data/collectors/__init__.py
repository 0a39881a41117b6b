"""Collectors: where pairs of broken and sound programs come from.

Every collector gives ``Pair``s; what it leaves out it counts.
"""
