"""``python -m app`` and the console script ``reme``."""


def main() -> None:
    """Run the command line."""
    from app.commands.main import run  # noqa: PLC0415 - click is loaded when a command runs, not when this is imported

    run()


if __name__ == "__main__":
    main()
