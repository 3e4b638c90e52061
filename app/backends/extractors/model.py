"""The extractor that asks a language model, and falls back on rules for what it does not answer."""

from collections.abc import Sequence
from dataclasses import replace

from app.backends.extractors.answers import read_personal, read_tasks
from app.backends.extractors.prompts import ask_personal, ask_tasks
from app.backends.extractors.windows import Line, fit, number_lines, split_windows
from app.domain.conversation import LENGTH, NO_MODEL, Extraction, Trajectory, why_skipped
from app.domain.language import ModelTask
from app.domain.memory import MemoryDraft
from app.errors import ModelError
from app.ports import Extractor, LanguageModel

WINDOW_TOKENS = 6_000
"""Of a conversation, in one question: small models lose facts in the middle of longer ones."""
RUN_TOKENS = 12_000
"""Of all runs of a question; longer outputs of tools are cut in their middle."""
WINDOWS = 4
"""Windows that are asked about in one call: whoever waits for it waits for so many answers. The rest is left to rules,
and said to be, so that it can be asked for later."""


class ModelExtractor:
    """An `Extractor` over a language model. Whatever goes wrong with the model, `rules` answer instead, and the
    extraction says why. May be used from any thread.

    A conversation is asked about in windows; from the first that fails on the rules do the rest. Runs are asked about
    together, so hand in those of one task to have them compared. A draft's lines are counted as `RuleExtractor` does.
    """

    def __init__(
        self,
        model: LanguageModel,
        *,
        rules: Extractor,
        window_tokens: int = WINDOW_TOKENS,
        run_tokens: int = RUN_TOKENS,
        windows: int = WINDOWS,
    ) -> None:
        self._model = model
        self._rules = rules
        self._window_tokens = window_tokens
        self._run_tokens = run_tokens
        self._windows = windows

    def extract_personal(self, trajectories: Sequence[Trajectory], *, user_id: str) -> Extraction:
        """What the users among the speakers say about themselves."""
        name = self._name(ModelTask.PERSONAL)
        windows = [
            window for lines in number_lines(trajectories) for window in split_windows(lines, self._window_tokens)
        ]
        if name and not windows:
            return Extraction(drafts=(), extractor=name)
        drafts: list[MemoryDraft] = []
        skipped, asked = "" if name else NO_MODEL, 0
        for window in windows if name else ():
            if asked == self._windows:
                skipped = LENGTH
                break
            try:
                answer = self._model.complete(ask_personal(window))
                drafts += read_personal(answer.value, window, user_id=user_id, extractor=name)
            except ModelError as failure:
                skipped = why_skipped(failure)
                break
            asked += 1
        if not skipped:
            return Extraction(drafts=tuple(drafts), extractor=name)
        begun = _begin(windows, asked)
        ruled = self._rules.extract_personal(trajectories, user_id=user_id)
        rest = [draft for draft in ruled.drafts if draft.origin.start_line >= begun]
        return Extraction(
            drafts=(*drafts, *rest),
            extractor=name if asked else ruled.extractor,
            skipped=skipped,
            skipped_from=begun,
        )

    def extract_tasks(self, trajectories: Sequence[Trajectory]) -> Extraction:
        """What runs teach, each alone and compared with the others."""
        name = self._name(ModelTask.TASK)
        numbered = list(number_lines(trajectories))
        share = self._run_tokens // max(1, len(numbered))
        runs = [
            (trajectory.score, fit(lines, share))
            for trajectory, lines in zip(trajectories, numbered, strict=True)
            if lines
        ]
        if name and not runs:
            return Extraction(drafts=(), extractor=name)
        if name:
            task_id = next((trajectory.task_id for trajectory in trajectories if trajectory.task_id), "")
            try:
                answer = self._model.complete(ask_tasks(runs))
                shown = [line for _, lines in runs for line in lines]
                drafts = read_tasks(answer.value, shown, task_id=task_id, extractor=name)
            except ModelError as failure:
                skipped = why_skipped(failure)
            else:
                return Extraction(drafts=tuple(drafts), extractor=name)
        else:
            skipped = NO_MODEL
        return replace(self._rules.extract_tasks(trajectories), skipped=skipped)

    def _name(self, task: ModelTask) -> str:
        """The extractor's name; empty where no model does the task."""
        model = self._model.model_of(task)
        return f"model:{model}" if model else ""


def _begin(windows: Sequence[Sequence[Line]], asked: int) -> int:
    """The number of the first line that no window asked about holds."""
    return windows[asked][0].number if asked < len(windows) and asked else 1
