"""The command line ``reme``: one module a subcommand, loaded when it is used."""
