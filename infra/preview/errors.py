"""What goes wrong with a preview. Each message names the value, the limit and the remedy.

PreviewError
├── InvalidResult        a result is none that this program wrote
├── InvalidGuardrails    the guardrails file is wrong
├── PostingFailed        the comment could not be written
├── CheckoutFailed       base or head cannot be had from git
└── InvalidProject       a project's files are wrong
"""

from infra.errors import InfraError


class PreviewError(InfraError):
    """A preview failed."""

    exit_code = 1


class InvalidResult(PreviewError):
    """A file is no result of a preview."""

    exit_code = 2

    def __init__(self, file: str, problem: str) -> None:
        super().__init__(f"{file} is no result of reme-preview: {problem}. Make it by `reme-preview run --json FILE`")


class InvalidGuardrails(PreviewError):
    """The guardrails file is wrong."""

    exit_code = 2

    def __init__(self, file: str, problem: str) -> None:
        super().__init__(f"{file} {problem}. `reme-preview schema guardrails` shows what it may hold")


class PostingFailed(PreviewError):
    """The comment could not be written."""

    def __init__(self, where: str, problem: str) -> None:
        super().__init__(f"the comment could not be written to {where}: {problem}")


class CheckoutFailed(PreviewError):
    """Base or head cannot be had from git; the message says what to do."""

    exit_code = 2


class InvalidProject(PreviewError):
    """A project cannot be previewed; the message names the file and what is wrong with it."""

    exit_code = 2
