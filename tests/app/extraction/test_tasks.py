"""Lessons of agents' runs: what worked, what failed, and how errors were overcome."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.backends.extractors.rule import RuleExtractor
from app.backends.extractors.tasks import LESSON_CHARACTERS, TASK_CHARACTERS, find_lessons
from app.domain.conversation import Message, Trajectory
from app.domain.memory import MemoryDraft, MemoryKind

Said = tuple[str, str] | tuple[str, str, str]

DEPLOYMENT: tuple[Said, ...] = (
    ("system", "You are an agent."),
    ("user", "Hi, please deploy the web service to staging and tell me its address."),
    ("assistant", "I build the image.\n```bash\ndocker build -t web .\ndocker push web\n```"),
    ("tool", "Step 1/5\nERROR: failed to solve: no space left on device\n", "shell"),
    ("assistant", "The disk is full. I remove unused images and build again."),
    ("tool", "Successfully built 12ab", "shell"),
    ("assistant", "Deployed. The address is https://staging.example.org."),
)


def _run(*said: Said, score: float | None = None, task_id: str = "") -> Trajectory:
    messages = tuple(Message(role=role, content=content, name=rest[0] if rest else "") for role, content, *rest in said)
    return Trajectory(messages=messages, score=score, task_id=task_id)


def _drafts(*trajectories: Trajectory) -> tuple[MemoryDraft, ...]:
    return RuleExtractor().extract_tasks(trajectories).drafts


def test_a_run_that_worked() -> None:
    run, error = _drafts(_run(*DEPLOYMENT, score=0.9, task_id="t1"))
    assert run.kind is MemoryKind.TASK
    assert run.when_to_use == "deploy the web service to staging and tell me its address."
    assert run.content.splitlines() == [
        "What worked (0.90):",
        "Errors overcome:",
        "- ERROR: failed to solve: no space left on device → The disk is full. I remove unused images and build again.",
        "Steps:",
        "1. I build the image. `docker build -t web . …`",
        "2. [shell] ERROR: failed to solve: no space left on device",
        "3. The disk is full. I remove unused images and build again.",
        "4. [shell] Successfully built 12ab",
        "Result: Deployed. The address is https://staging.example.org.",
    ]
    assert run.score == 0.9
    assert run.details == {"task_id": "t1"}
    assert run.metadata == {"extractor": "rule", "rule": "run", "outcome": "worked"}
    assert run.tags == ("task", "worked")
    assert (run.origin.start_line, run.origin.end_line) == (2, 7)
    assert error.when_to_use == "ERROR: failed to solve: no space left on device"
    assert error.content == "Overcome by: The disk is full. I remove unused images and build again."
    assert error.metadata["rule"] == "error"
    assert error.tags == ("task", "worked", "error")
    assert (error.origin.start_line, error.origin.end_line) == (4, 6)


def test_a_run_that_failed() -> None:
    (run,) = _drafts(
        _run(
            ("user", "Fix the login test"),
            ("assistant", "I raise the timeout."),
            ("tool", "FAILED tests/test_login.py - TypeError: x", "pytest"),
            ("assistant", "I could not find the cause."),
            score=0.2,
        )
    )
    assert run.content.splitlines() == [
        "What did not work (0.20):",
        "Errors not overcome:",
        "- FAILED tests/test_login.py - TypeError: x",
        "Steps:",
        "1. I raise the timeout.",
        "2. [pytest] FAILED tests/test_login.py - TypeError: x",
        "Result: I could not find the cause.",
    ]
    assert run.metadata["outcome"] == "failed"
    assert run.score == 0.2


def test_chinese_runs_are_told_in_chinese() -> None:
    run, error = _drafts(
        _run(
            ("user", "你好，请帮我把数据库迁移到新服务器"),
            ("assistant", "先导出数据。"),
            ("tool", "导出失败：权限不足", "psql"),
            ("assistant", "改用管理员账号导出。"),
            ("tool", "导出成功", "psql"),
            ("assistant", "迁移完成。"),
        )
    )
    assert run.when_to_use == "帮我把数据库迁移到新服务器"
    assert run.content.startswith("有效的做法 (未评分):\n已解决的错误:\n- 导出失败:权限不足 → 改用管理员账号导出。")
    assert run.content.endswith("\n结果: 迁移完成。")
    assert error.content == "解决办法: 改用管理员账号导出。"


@pytest.mark.parametrize(("score", "worked"), [(None, True), (1.0, True), (0.5, True), (0.49, False), (0.0, False)])
def test_the_score_says_whether_it_worked(score: float | None, worked: bool) -> None:
    (run,) = _drafts(_run(("user", "Count the files"), ("assistant", "There are 12."), score=score))
    assert run.content.startswith("What worked" if worked else "What did not work")
    assert run.metadata["outcome"] == ("worked" if worked else "failed")


@pytest.mark.parametrize(
    "said",
    [
        (),
        (("user", "Only a question"),),
        (("assistant", "Hello, what can I do?"),),
        (("system", "Be kind"), ("user", "  ")),
        (("assistant", "Hello"), ("user", "Do it")),
    ],
)
def test_where_nothing_was_done_nothing_is_learnt(said: tuple[Said, ...]) -> None:
    assert list(find_lessons(_run(*said))) == []


def test_a_run_without_a_user_is_known_by_its_task() -> None:
    (lesson,) = find_lessons(_run(("assistant", "Backed up 3 databases."), task_id="nightly backup"))
    assert lesson.when_to_use == "nightly backup"
    assert lesson.content == "What worked (not judged):\nResult: Backed up 3 databases."


def test_a_step_that_did_not_help_is_not_the_fix() -> None:
    _, error = _drafts(
        _run(
            ("user", "Install the package"),
            ("tool", "error: compiler missing", "pip"),
            ("assistant", "I try again."),
            ("tool", "error: compiler missing", "pip"),
            ("assistant", "I install gcc first."),
            ("tool", "installed", "pip"),
        )
    )
    assert error.content == "Overcome by: I install gcc first."


def test_an_error_that_the_user_reports_is_overcome_when_a_later_answer_says_so() -> None:
    _, error = _drafts(
        _run(
            ("user", "My build stops with ModuleNotFoundError: no module named yaml"),
            ("assistant", "Install pyyaml in the build image."),
            ("user", "Thanks, it works"),
        )
    )
    assert error.when_to_use.endswith("ModuleNotFoundError: no module named yaml")
    assert error.content == "Overcome by: Install pyyaml in the build image."


def test_each_error_is_told_once_and_three_at_most() -> None:
    said: list[Said] = [("user", "Do much")]
    for number in range(6):
        said += [("tool", f"Error {number // 2}: broken", "x"), ("assistant", f"I mend {number}."), ("tool", "ok", "x")]
    lessons = list(find_lessons(_run(*said)))
    assert [lesson.when_to_use for lesson in lessons if lesson.rule == "error"] == [
        f"Error {number}: broken" for number in range(3)
    ]


def test_long_runs_keep_their_beginning_their_end_and_their_result() -> None:
    steps: list[Said] = [("assistant", f"Step {number}. " + "x" * 30) for number in range(1, 60)]
    (lesson,) = find_lessons(_run(("user", "Long"), *steps, ("assistant", "The end.")))
    assert "5. Step 5." in lesson.content
    assert "(49 more)" in lesson.content
    assert "59. Step 59." in lesson.content
    assert "6. Step 6." not in lesson.content.splitlines()
    assert lesson.content.endswith("Result: The end.")


def test_the_lines_of_several_runs_go_on() -> None:
    first, second = _drafts(
        _run(("user", "One"), ("assistant", "Done one.")), _run(("user", "Two"), ("assistant", "Done two."))
    )
    assert (first.origin.start_line, first.origin.end_line) == (1, 2)
    assert (second.origin.start_line, second.origin.end_line) == (3, 4)


ROLES = st.sampled_from(["user", "assistant", "tool", "system", "function", "?"])
TEXTS = st.text(max_size=200) | st.sampled_from(
    ["Error: x", "ok", "失败", "成功", "```\ncode\n```", "x" * 5000, "Fixed."]
)


@given(st.lists(st.tuples(ROLES, TEXTS), max_size=20), st.none() | st.floats(0, 1))
def test_any_run_gives_bounded_lessons_alike_each_time(said: list[tuple[str, str]], score: float | None) -> None:
    run = _run(*said, score=score)
    lessons = list(find_lessons(run))
    assert lessons == list(find_lessons(run))
    for lesson in lessons:
        assert 0 < len(lesson.content) <= LESSON_CHARACTERS
        assert 0 < len(lesson.when_to_use) <= TASK_CHARACTERS
        assert 1 <= lesson.start_line <= lesson.end_line <= len(said)
