"""One resource in the engine's files, which a state and a preview write alike, and its place: the region."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from sizing.graph.resources import Resource
from sizing.graph.values import unwrap

_PROVIDERS = "pulumi:providers:"


class RecordedState(BaseModel):
    """A resource of the engine's deployments of version 3 (pulumi v3.200, sdk/go/common/apitype/core.go ResourceV3).

    What we do not read is let through: engines add properties with time.
    """

    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)

    urn: str = Field(min_length=1)
    type: str = Field(min_length=1)
    custom: bool = False
    delete: bool = False
    external: bool = False
    id: str = ""
    inputs: dict[str, Any] = {}
    outputs: dict[str, Any] = {}
    parent: str = ""
    provider: str = ""
    protect: bool = False
    retain: bool = Field(default=False, alias="retainOnDelete")
    pending_replacement: bool = Field(default=False, alias="pendingReplacement")
    dependencies: list[str] | None = None
    property_dependencies: dict[str, list[str] | None] | None = Field(default=None, alias="propertyDependencies")
    secret_outputs: list[str] | None = Field(default=None, alias="additionalSecretOutputs")
    aliases: list[str] | None = None


class Places:
    """Finds the region of a resource: its own, its provider's, or the configuration's.

    `configured` has regions by package, such as `{"aws": "us-east-1"}`: a preview's file has no default providers, and
    their region comes from the stack's configuration.
    """

    def __init__(self, configured: Mapping[str, str]) -> None:
        self._configured = dict(configured)
        self._of_providers: dict[str, str] = {}

    def learn(self, state: RecordedState) -> None:
        """Remember the region of a provider's resource; other resources are passed over."""
        if state.type.startswith(_PROVIDERS):
            region = unwrap(state.inputs.get("region"))[0]
            self._of_providers[state.urn] = region if isinstance(region, str) else ""

    def find(self, state: RecordedState, inputs: Mapping[str, Any]) -> str:
        """A region's id, or "" where none is known."""
        package = state.type.partition(":")[0]
        # pulumi-aws 7 gives every regional resource a region of its own; elsewhere the word may mean something else
        own = inputs.get("region") if package == "aws" else None
        if state.type.startswith(_PROVIDERS):
            return self._of_providers.get(state.urn, "")
        if isinstance(own, str) and own:
            return own
        provider = urn_of(state.provider)
        known = self._of_providers.get(provider)
        if known is None or (not known and provider.rpartition("::")[2].startswith("default")):
            return self._configured.get(package, "")
        return known


def urn_of(reference: str) -> str:
    """The URN in a provider's reference, which is `URN::ID`."""
    return reference.rpartition("::")[0] if reference.count("::") > 3 else reference


def name_of(urn: str) -> str:
    """The logical name: what stands after the type in `urn:pulumi:STACK::PROJECT::TYPE::NAME`."""
    return urn.split("::", 3)[-1]


def stack_of(urn: str) -> str:
    """The stack's name in a URN, "" where the text is none."""
    head = urn.partition("::")[0]
    return head.removeprefix("urn:pulumi:") if head.startswith("urn:pulumi:") else ""


def read_resource(state: RecordedState, places: Places) -> Resource:
    """A resource of the graph, secrets unwrapped and named."""
    inputs, secret_inputs = _unwrap_all(state.inputs)
    outputs, secret_outputs = _unwrap_all(state.outputs)
    return Resource(
        urn=state.urn,
        type=state.type,
        name=name_of(state.urn),
        inputs=inputs,
        outputs=outputs,
        id=str(unwrap(state.id)[0]) if isinstance(unwrap(state.id)[0], str) else "",
        parent=state.parent,
        provider=urn_of(state.provider),
        custom=state.custom,
        protected=state.protect,
        retained=state.retain,
        external=state.external,
        region=places.find(state, inputs),
        secrets=frozenset({*secret_inputs, *secret_outputs, *(state.secret_outputs or ())}),
        dependencies=tuple(state.dependencies or ()),
        property_dependencies={key: tuple(urns or ()) for key, urns in (state.property_dependencies or {}).items()},
    )


def _unwrap_all(values: Mapping[str, Any]) -> tuple[dict[str, Any], set[str]]:
    found = {key: unwrap(value) for key, value in values.items()}
    return {key: value for key, (value, _) in found.items()}, {key for key, (_, secret) in found.items() if secret}
