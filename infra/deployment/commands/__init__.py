"""The command `reme-deploy`, a module per subcommand."""
