"""``python -m infra.deployment`` and the console script ``reme-deploy``."""


def main() -> None:
    """Run the command line."""
    from infra.deployment.commands.main import run  # noqa: PLC0415 - click is loaded when a command runs

    run()


if __name__ == "__main__":
    main()
