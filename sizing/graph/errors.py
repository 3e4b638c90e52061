"""What can go wrong while a stack's resources are read."""

from sizing.errors import SizingError


class InvalidGraph(SizingError):
    """An engine's file cannot be read as a stack's resources."""

    def __init__(self, file: str, problem: str, remedy: str) -> None:
        self.file = file
        super().__init__(f"{file} is not usable: {problem}. {remedy}.")
