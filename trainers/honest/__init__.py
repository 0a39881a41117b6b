"""What honest benchmarks share: the frozen memory, a process for each task, checks for leaks."""
