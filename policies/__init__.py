"""Policy as code: security, compliance and budget rules over any Pulumi program."""
