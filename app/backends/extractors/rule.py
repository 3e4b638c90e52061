"""The extractor that needs no model: the same conversation always gives the same memories."""

from collections.abc import Iterator, Sequence

from app.backends.extractors.personal import Statement, find_statements
from app.backends.extractors.tasks import Lesson, find_lessons
from app.domain.conversation import Extraction, Trajectory
from app.domain.memory import Layer, MemoryDraft, MemoryKind, Origin, normalise_text

EXTRACTOR = "rule"
SLOT_CHARACTERS = 128
"""The store takes no longer ones."""


class RuleExtractor:
    """Extracts by the rules of the data files, in English and Chinese; finds only what these describe.

    A draft's origin gives the message that it comes from as its lines, counted from 1 through the messages of all
    trajectories of a call; hand in one trajectory at a time where the place matters.
    """

    def extract_personal(self, trajectories: Sequence[Trajectory], *, user_id: str) -> Extraction:
        """Statements of the users among the speakers about themselves, in the order in which they were made."""
        drafts: list[MemoryDraft] = []
        standing: dict[str, str] = {}
        for line, role, content in _number(trajectories):
            for statement in find_statements(content) if role == "user" else ():
                text = normalise_text(statement.text)
                key = statement.slot or text
                # Said again while it stands, a statement is nothing new; said after the opposite, it is.
                if standing.get(key) != text:
                    standing[key] = text
                    drafts.append(_draft_statement(statement, user_id, line))
        return Extraction(drafts=tuple(drafts), extractor=EXTRACTOR)

    def extract_tasks(self, trajectories: Sequence[Trajectory]) -> Extraction:
        """The lesson of each run, and of each error that was overcome in it."""
        drafts: list[MemoryDraft] = []
        before = 0
        for trajectory in trajectories:
            drafts += [_draft_lesson(lesson, trajectory, before) for lesson in find_lessons(trajectory)]
            before += len(trajectory.messages)
        return Extraction(drafts=tuple(drafts), extractor=EXTRACTOR)


def _number(trajectories: Sequence[Trajectory]) -> Iterator[tuple[int, str, str]]:
    line = 0
    for trajectory in trajectories:
        for message in trajectory.messages:
            line += 1
            yield line, message.role, message.content


def _draft_statement(statement: Statement, user_id: str, line: int) -> MemoryDraft:
    rule = statement.rule
    return MemoryDraft(
        kind=MemoryKind.PERSONAL,
        layer=Layer.DISTILLED,
        content=statement.text,
        user_id=user_id,
        author="user",
        tags=rule.tags,
        metadata={"extractor": EXTRACTOR, "rule": rule.name},
        details={"target": user_id or "user", "reflection_subject": rule.subject},
        score=rule.score,
        origin=Origin(source="conversation", start_line=line, end_line=line),
        slot=statement.slot[:SLOT_CHARACTERS],
    )


def _draft_lesson(lesson: Lesson, trajectory: Trajectory, before: int) -> MemoryDraft:
    return MemoryDraft(
        kind=MemoryKind.TASK,
        layer=Layer.DISTILLED,
        content=lesson.content,
        when_to_use=lesson.when_to_use,
        author=EXTRACTOR,
        tags=("task", "worked" if lesson.worked else "failed", *(("error",) if lesson.rule == "error" else ())),
        metadata={"extractor": EXTRACTOR, "rule": lesson.rule, "outcome": "worked" if lesson.worked else "failed"},
        details={"task_id": trajectory.task_id},
        score=trajectory.score or 0.0,
        origin=Origin(source="conversation", start_line=before + lesson.start_line, end_line=before + lesson.end_line),
    )
