"""``reme mcp``: memory as tools of an MCP client that starts this command."""

import os
import signal
from pathlib import Path

import click

from app.commands.opening import check_embedded, local_admin, read_settings
from app.commands.options import place_options, workspace_option
from app.domain.identifiers import check_workspace_id
from app.errors import InvalidRequest


@click.command()
@click.option("--url", default="", help="Address of a running service to use.  [default: the store of this folder]")
@click.option("--key-env", metavar="NAME", help="Environment variable that holds the API key for --url.")
@click.option("--compat", is_flag=True, help="Offer the tools of ReMe 0.2 too, by their names.")
@workspace_option
@place_options
def mcp(
    url: str,
    key_env: str | None,
    compat: bool,
    workspace: str,
    tenant: str,
    working_dir: Path | None,
    config_file: Path | None,
) -> None:
    """Offer memory to an MCP client over standard input and output, until the input ends.

    \b
      reme mcp
      reme mcp --working-dir /var/lib/reme --workspace notes
      reme mcp --url http://127.0.0.1:8002 --key-env REME_KEY

    Clients start this command themselves. It works on the store as its administrator, or on a running service with the
    rights of a key. Tools that name no workspace use --workspace. Log lines go to standard error.
    """
    key = _read_key(url, key_env)
    check_workspace_id(workspace)
    principal = local_admin(tenant)
    # A read that waits for input cannot be broken off; what was answered is on disk, so nothing is lost by a hard end.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    from app.mcp.stdio import serve_embedded, serve_remote

    if url:
        serve_remote(url, key, principal, workspace, compatible=compat)
        return
    # No address is listened at, so what guards an open one has nothing to say.
    settings = read_settings(working_dir, config_file, arguments=["http.host=127.0.0.1"])
    check_embedded(settings, make=True)
    from app.main import create_app

    serve_embedded(create_app(settings), principal, workspace, compatible=compat)


def _read_key(url: str, key_env: str | None) -> str:
    """The key for a service, or `InvalidRequest` where the options contradict each other or no key is there."""
    if not url:
        if key_env is not None:
            raise InvalidRequest("--key-env goes with --url: the store of this folder needs no key")
        return ""
    if not url.startswith(("http://", "https://")):
        raise InvalidRequest("--url is no address: write it as http://host:8002")
    if key_env is None:
        return ""
    key = os.environ.get(key_env, "").strip()
    if not key:
        raise InvalidRequest(f"the environment variable {key_env!r} of --key-env is empty: put the API key in it")
    return key
