"""Work of a stage spread over a Ray cluster; only imported where ``cluster.engine`` is ``ray``."""
