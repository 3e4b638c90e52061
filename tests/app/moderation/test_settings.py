"""The settings of content moderation: what is missing is told, and secrets are never shown."""

import pytest

from app.backends.green import GreenModerator
from app.domain.moderation import TextSource
from app.errors import SettingsError
from app.providers import make_moderator
from app.settings import ModerationSettings, Settings, load_settings


def test_nobody_judges_unless_told() -> None:
    assert Settings().moderation.backend == "none"
    assert Settings().moderation.on_error == "refuse"


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"backend": "baidu"}, "green"),
        ({"region": ""}, "pattern"),
        ({"access_key": "LTAI"}, "belong together"),
        ({"access_key": "LTAI", "secret_key": "two\nlines"}, "on one line"),
        ({"input_service": "a b"}, "pattern"),
    ],
)
def test_what_cannot_be_used_is_told_without_secrets(fields: dict[str, str], said: str) -> None:
    arguments = [f"moderation.{name}={value}" for name, value in fields.items()]
    with pytest.raises(SettingsError, match=said) as refused:
        load_settings(arguments)
    assert "lines" not in str(refused.value)


@pytest.mark.parametrize(
    ("said", "backend"),
    [
        ({"enabled": "true", "provider": "alibaba_green", "check_interval": "realtime"}, "green"),
        ({"enabled": "false", "provider": "alibaba_green"}, "none"),
        ({"provider": "alibaba_green"}, "green"),
    ],
)
def test_the_block_of_the_requirements_turns_it_on(said: dict[str, str], backend: str) -> None:
    settings = load_settings([f"china_compliance.content_moderation.{name}={value}" for name, value in said.items()])
    assert (settings.moderation.backend, settings.moderation.region) == (backend, "cn-beijing")


def test_another_provider_is_refused() -> None:
    with pytest.raises(SettingsError, match="alibaba_green"):
        load_settings(["china_compliance.content_moderation.provider=another"])


def test_the_address_follows_from_the_region() -> None:
    region = ModerationSettings(backend="green", region="cn-beijing")
    assert region.address == "https://green-cip.cn-beijing.aliyuncs.com"
    inside = ModerationSettings.model_validate(
        {"backend": "green", "endpoint": "https://green-cip-vpc.cn-beijing.aliyuncs.com/"}
    )
    assert inside.address == "https://green-cip-vpc.cn-beijing.aliyuncs.com"


def test_secrets_reach_workers_and_nobody_else() -> None:
    given = {"backend": "green", "region": "cn-beijing", "access_key": "LTAI1", "secret_key": "s-e-c-r-e-t"}
    settings = Settings.model_validate({"moderation": given})
    assert "s-e-c-r-e-t" not in repr(settings) + settings.model_dump_json()
    assert "s-e-c-r-e-t" in settings.hand_over()
    moderator = make_moderator(settings.moderation)
    assert isinstance(moderator, GreenModerator)
    assert moderator.name_of(TextSource.OUTPUT) == "green:llm_response_moderation"
    moderator.close()
