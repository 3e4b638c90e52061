"""The stand-in answers the real client as a provider would."""

from contextlib import closing

import pytest
from openai import APIStatusError, AuthenticationError, OpenAI

from app.backends.models.language import open_language_model
from app.domain.language import ModelTask, Prompt
from app.domain.usage import TokenUsage
from tests.standin import KEY, ChatRequest, Fault, model_server


def test_chat_streamed_and_whole() -> None:
    with model_server() as server, OpenAI(base_url=server.address, api_key=KEY, max_retries=0) as client:
        server.script("nine characters and more")
        whole = client.chat.completions.create(model="m", messages=[{"role": "user", "content": "Hi"}])
        assert whole.choices[0].message.content == "nine characters and more"
        chunks = list(
            client.chat.completions.create(
                model="m",
                messages=[{"role": "user", "content": "Hi"}],
                stream=True,
                stream_options={"include_usage": True},
            )
        )
        text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
        assert text == "nine characters and more"
        assert whole.usage is not None
        assert chunks[-1].usage == whole.usage
        assert server.usage == TokenUsage(input_tokens=2, output_tokens=16)


def test_scripts_by_model_words_and_turn() -> None:
    with model_server() as server, OpenAI(base_url=server.address, api_key=KEY, max_retries=0) as client:

        def ask(model: str, text: str) -> str | None:
            answer = client.chat.completions.create(model=model, messages=[{"role": "user", "content": text}])
            return answer.choices[0].message.content

        def shout(request: ChatRequest) -> str | None:
            return request.user.upper() if request.user.startswith("shout") else None

        server.script("one", "two")
        server.script(shout)
        server.script({"a": 1}, model="json")
        server.script("tea!", containing="tea")
        said = [ask("m", "x"), ask("m", "x"), ask("m", "x"), ask("m", "shout"), ask("json", "x"), ask("json", "tea")]
        assert said == ["one", "two", "two", "SHOUT", '{"a": 1}', "tea!"]


def test_scripts_by_task() -> None:
    with model_server() as server, closing(open_language_model(server.choices())) as model:
        server.script("a memory", task=ModelTask.PERSONAL)
        server.script("a summary", task=ModelTask.COMPRESSION)
        said = {
            task: model.complete(Prompt(task=task, system="", user="x")).text
            for task in (ModelTask.COMPRESSION, ModelTask.PERSONAL, ModelTask.TOOL)
        }
        assert list(said.values()) == ["a summary", "a memory", "You said: x"]
        assert model.complete(Prompt(task=ModelTask.TASK, system="", user="x", schema={"enum": ["y"]})).value == "y"


def test_faults_at_the_nth_call_and_the_key() -> None:
    with model_server() as server, OpenAI(base_url=server.address, api_key=KEY, max_retries=0) as client:
        server.fail(Fault.RATE_LIMITED, after=1, times=2, on="embeddings", retry_after="7")
        client.embeddings.create(model="m", input="tea")
        for _ in range(2):
            with pytest.raises(APIStatusError) as caught:
                client.embeddings.create(model="m", input="tea")
            assert caught.value.response.headers["retry-after"] == "7"
        vectors = client.embeddings.create(model="m", input=["tea", "coffee"], dimensions=8).data
        assert sorted(len(item.embedding) for item in vectors) == [8, 8]
        assert [call.fault for call in server.calls] == [None, Fault.RATE_LIMITED, Fault.RATE_LIMITED, None]
        server.fail(Fault.HANG, times=None)
        server.recover()
        with pytest.raises(AuthenticationError):
            client.with_options(api_key="another").embeddings.create(model="m", input="tea")
        server.forget()
        assert (server.calls, server.usage) == ([], TokenUsage())
