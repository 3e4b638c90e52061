"""The data of the benchmarks: generated memories, questions about them, their vectors and the exact answers."""
