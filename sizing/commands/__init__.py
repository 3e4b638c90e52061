"""The command line ``reme-size``: one module a subcommand, loaded when it is used."""
