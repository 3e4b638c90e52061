"""What became of requests about tools: calls that were recorded, tools that were summarised."""

from dataclasses import dataclass

from app.domain.memory import Memory


@dataclass(frozen=True, kw_only=True, slots=True)
class ToolRecorded:
    """What became of one tool's calls: how many came, were there already, and were added; whether it is a new tool."""

    tool_name: str
    memory: Memory
    received: int
    deduplicated: int
    added: int
    created: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class ToolsRecorded:
    """What became of a request's calls. `filtered` ones name no tool and are not kept."""

    tools: tuple[ToolRecorded, ...]
    total_input: int
    filtered: int

    @property
    def memories(self) -> tuple[Memory, ...]:
        """The tools' memories as they are now."""
        return tuple(tool.memory for tool in self.tools)

    @property
    def valid(self) -> int:
        """How many calls name their tool."""
        return self.total_input - self.filtered

    @property
    def deduplicated(self) -> int:
        """How many calls were there already: same tool, input, output and success."""
        return sum(tool.deduplicated for tool in self.tools)

    @property
    def added(self) -> int:
        """How many calls were added."""
        return sum(tool.added for tool in self.tools)

    @property
    def created(self) -> int:
        """How many tools are new."""
        return sum(tool.created for tool in self.tools)

    @property
    def updated(self) -> int:
        """How many tools that were known have new calls."""
        return sum(not tool.created and tool.added > 0 for tool in self.tools)


@dataclass(frozen=True, kw_only=True, slots=True)
class ToolsSummarised:
    """Which tools were summarised, which had nothing new, which are not known; and the memories of the first two.

    `model_skipped` says why rules wrote what a model should have, for the first such tool; empty where none did.
    """

    memories: tuple[Memory, ...]
    summarised: tuple[str, ...]
    skipped: tuple[str, ...]
    missing: tuple[str, ...]
    model_skipped: str = ""
