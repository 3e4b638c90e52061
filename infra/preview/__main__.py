"""``python -m infra.preview`` and the console script ``reme-preview``."""


def main() -> None:
    """Run the command line."""
    from infra.preview.commands.main import run  # noqa: PLC0415 - click is loaded when a command runs

    run()


if __name__ == "__main__":
    main()
