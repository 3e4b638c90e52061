"""``python -m sizing`` and the console script ``reme-size``."""


def main() -> None:
    """Run the command line."""
    from sizing.commands.main import run

    run()


if __name__ == "__main__":
    main()
