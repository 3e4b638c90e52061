"""Models of providers as the settings name them; a part of the composition root.

Imported only where a provider is configured: with what it imports it takes 0.2 s.
"""

from typing import TYPE_CHECKING

from app.backends.models.choices import ModelChoice
from app.backends.models.embedding import OpenAIEmbeddingModel
from app.backends.models.language import OpenAILanguageModel
from app.domain.language import ModelTask
from app.settings import EmbeddingSettings
from app.settings.models import LlmSettings
from app.settings.moderation import ModerationSettings

if TYPE_CHECKING:
    from app.backends.green import GreenModerator


def make_language_model(settings: LlmSettings) -> OpenAILanguageModel:
    """The models of the tasks that have one; nothing is sent yet. Raises `SettingsError`."""
    chosen = {}
    for task in ModelTask:
        choice = settings.choice(task)
        if choice.usable:
            chosen[task] = ModelChoice(
                model_name=choice.model_name,
                api_base=choice.api_base or "",
                api_key=choice.revealed_key or "",
                temperature=choice.temperature,
                max_tokens=choice.max_tokens,
                timeout_s=choice.timeout_s,
                deadline_s=choice.deadline_s,
                requests_per_minute=choice.requests_per_minute,
                structured="none" if choice.structured == "prompt" else choice.structured,
            )
    return OpenAILanguageModel(chosen)


def make_embedding_model(settings: EmbeddingSettings) -> OpenAIEmbeddingModel:
    """The configured embedding model; nothing is sent yet. Raises `SettingsError`."""
    return OpenAIEmbeddingModel(
        model_name=settings.model_name,
        api_base=settings.api_base or "",
        api_key=settings.revealed_key or "",
        dimensions=settings.dimensions or 0,
        timeout_s=settings.timeout_s,
        deadline_s=settings.deadline_s,
        query_deadline_s=settings.query_deadline_s,
        requests_per_minute=settings.requests_per_minute,
        batch_texts=settings.batch_texts or 0,
        batch_tokens=settings.batch_tokens or 0,
    )


def make_moderator(settings: ModerationSettings) -> "GreenModerator":
    """The configured content moderation, with a key of the settings or of the machine's role; nothing is sent yet."""
    from app.backends.green import (  # noqa: PLC0415 - brings a client of HTTP, and few need it
        AccessKey,
        AccessKeys,
        GreenChoice,
        GreenModerator,
        RoleKeys,
        SettledKey,
    )

    keys: AccessKeys = RoleKeys(settings.ram_role)
    if settings.revealed_key is not None:
        key_id, secret, token = settings.revealed_key
        keys = SettledKey(AccessKey(id=key_id, secret=secret, session_token=token))
    return GreenModerator(
        GreenChoice(
            address=settings.address,
            input_service=settings.input_service,
            output_service=settings.output_service,
            refuse_from=settings.refuse_from,
            timeout_s=settings.timeout_s,
            deadline_s=settings.deadline_s,
            requests_per_minute=settings.requests_per_minute,
        ),
        keys,
    )
