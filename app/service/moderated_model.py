"""A language model whose answers are judged before anything is made of them."""

from app.domain.language import Answer, ModelTask, Prompt
from app.domain.memory import Scope
from app.domain.moderation import TextSource
from app.domain.spending import current_payer
from app.errors import AnswerWithheld, ContentRefused, ModelUnavailable, ModerationUnavailable
from app.ports import LanguageModel
from app.service.moderation import Moderation, Passage, join_texts


class ModeratedModel:
    """A `LanguageModel` that withholds answers which may not be kept, so that rules do its work.

    The order of search results is not judged: its answers name places, and hold no text.
    """

    def __init__(self, model: LanguageModel, moderation: Moderation) -> None:
        self._model = model
        self._moderation = moderation

    def model_of(self, task: ModelTask) -> str:
        """The name of the model that does a task."""
        return self._model.model_of(task)

    def complete(self, prompt: Prompt) -> Answer:
        """Ask; raises `AnswerWithheld`, `ModelUnavailable` for what could not be judged, and what the model raises."""
        answer = self._model.complete(prompt)
        if prompt.task is ModelTask.RERANK:
            return answer
        payer = current_payer()
        scope = Scope(tenant_id=payer.tenant_id, workspace_id=payer.workspace_id)
        name = self._model.model_of(prompt.task)
        # A value has the characters that JSON may have escaped.
        text = answer.text if answer.value is None else join_texts(answer.value)
        try:
            self._moderation.check(
                scope,
                [Passage(place=f"the answer of model {name}", text=text)],
                source=TextSource.OUTPUT,
                key_id=payer.key_id,
            )
        except ContentRefused as refused:
            raise AnswerWithheld(refused.message) from None
        except ModerationUnavailable as fault:
            raise ModelUnavailable(fault.message) from None
        return answer
