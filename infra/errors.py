"""What goes wrong before a stack is deployed. Each message names the value, the limit and the remedy."""


class InfraError(Exception):
    """A stack cannot be put together."""


class InvalidStack(InfraError):
    """The configuration of the stack is wrong."""

    def __init__(self, key: str, value: object, valid: str) -> None:
        super().__init__(f"reme-cloud:{key} is {value!r}; valid: {valid}")
        self.key = key


class MissingSetting(InfraError):
    """The plan needs a value that the stack's configuration does not have."""

    def __init__(self, key: str, purpose: str, *, secret: bool = False) -> None:
        option = "--secret " if secret else ""
        super().__init__(f"reme-cloud:{key} is not set: {purpose}. Set it by `pulumi config set {option}{key} …`")
        self.key = key


class NotEnoughZones(InfraError):
    """The region has fewer zones than the plan spreads over."""

    def __init__(self, region: str, found: int, needed: int) -> None:
        super().__init__(
            f"region {region} has {found} zones and the plan needs {needed}: choose another region or a smaller tier"
        )
