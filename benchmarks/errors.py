"""What can go wrong in a benchmark.

    BenchmarkError
    +-- EngineFailed   an engine raised, or its process died
    +-- EngineTooSlow  an engine did not answer in time

An engine that fails is left out by name with the reason; the run goes on.
"""


class BenchmarkError(Exception):
    """The benchmark cannot be run."""


class EngineFailed(BenchmarkError):
    """An engine raised an error."""


class EngineTooSlow(BenchmarkError):
    """An engine did not answer in time."""
