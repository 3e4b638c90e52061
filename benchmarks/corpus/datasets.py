"""The data sets of the suites: which corpus, how large, which questions."""

from dataclasses import dataclass
from pathlib import Path

from benchmarks.corpus import synthetic
from benchmarks.corpus.blocks import Corpus, Questions
from benchmarks.corpus.memories import BLOCK
from benchmarks.corpus.preparation import (
    EMBEDDED,
    USE_DIMENSIONS,
    Say,
    neighbourhood,
    prepare_embeddings,
    prepare_memories,
    prepare_near_copies,
    prepare_questions,
)

QUESTIONS = 1000


@dataclass(frozen=True, kw_only=True, slots=True)
class Dataset:
    """`count` memories of a corpus to be loaded, and questions about them. Beyond `count` lie memories for writes."""

    name: str
    count: int
    corpus: Corpus
    questions_path: Path
    questions: Questions
    embedded: int

    def describe(self) -> dict[str, float]:
        """How close questions and memories are, so that a made corpus can be compared with a real one."""
        return {
            "embedded": self.embedded,
            **neighbourhood(self.corpus, self.count, self.questions.vectors[:200]),
        }


def prepare_dataset(folder: Path, count: int, *, dimensions: int, embedded: int = EMBEDDED, say: Say) -> Dataset:
    """Make a data set or find it on disk; `embedded` bounds how many texts are really embedded."""
    memories, real = folder / "memories", folder / "use"
    held = count + BLOCK
    prepare_memories(memories, held, say)
    reach = min(held, max(embedded, BLOCK))
    corpus = Corpus(memories=memories, vectors=real, dimensions=USE_DIMENSIONS)
    prepare_embeddings(memories, real, reach, say)
    # Questions are about memories whose vectors are real, else their own memory could not be found.
    about = min(count, reach)
    asked = prepare_questions(corpus, folder / f"questions-{about}", about, QUESTIONS, say)
    if dimensions == synthetic.DIMENSIONS:
        corpus = Corpus(memories=memories, vectors=folder / "synthetic", dimensions=dimensions)
        synthetic.prepare_vectors(corpus, held, say)
        path = folder / f"questions-synthetic-{about}"
        questions = synthetic.prepare_queries(path, asked)
        return Dataset(
            name="synthetic", count=count, corpus=corpus, questions_path=path, questions=questions, embedded=0
        )
    if reach < count:
        corpus = Corpus(memories=memories, vectors=folder / f"near-{reach}", dimensions=dimensions)
        prepare_near_copies(corpus, real, reach, held, say)
    elif reach < held:
        prepare_embeddings(memories, real, held, say)
    return Dataset(
        name=corpus.vectors.name,
        count=count,
        corpus=corpus,
        questions_path=folder / f"questions-{about}",
        questions=asked,
        embedded=min(reach, count),
    )
