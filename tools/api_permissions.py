"""What each operation of the HTTP API needs, by its operation id."""

from collections.abc import Mapping

from app.domain.access import Permission

PUBLIC, ANY_KEY, SCRAPER = "nothing", "any key", "a key that reads every workspace, or none at a local address"

READ, WRITE, DELETE, ADMIN = (
    Permission.MEMORY_READ.value,
    Permission.MEMORY_WRITE.value,
    Permission.MEMORY_DELETE.value,
    Permission.ADMINISTER.value,
)
NEEDS: Mapping[str, str] = {
    **dict.fromkeys(("home", "health", "livez", "readyz"), PUBLIC),
    **dict.fromkeys(("docs", "openapi", "health_check", "version"), ANY_KEY),
    "metrics": SCRAPER,
    **dict.fromkeys(
        (
            "search",
            "status",
            "retrieve_personal_memory",
            "retrieve_task_memory",
            "retrieve_task_memory_simple",
            "retrieve_tool_memory",
            "list_workspaces",
            "get_workspace",
            "list_users",
            "get_user",
            "get_profile",
            "list_memories",
            "get_memory",
            "search_memories",
            "export_memories",
            "get_job",
            "grep_working_memory",
            "read_working_memory",
            "list_offloads",
            "get_offload",
            "read_offload",
            "search_offload",
            "read_usage",
            "read_spending",
            "read_ledger",
        ),
        READ,
    ),
    **dict.fromkeys(
        (
            "auto_memory",
            "summary_personal_memory",
            "summary_task_memory",
            "summary_task_memory_simple",
            "summary_tool_memory",
            "summary_working_memory",
            "summary_working_memory_for_as",
            "compact_working",
            "add_tool_call_result",
            "add_task_memory",
            "record_task_memory",
            "create_workspace",
            "update_workspace",
            "put_user",
            "replace_user",
            "update_user",
            "replace_profile",
            "update_profile",
            "add_memory",
            "add_memories",
            "record_use",
            "update_memory",
            "remember_conversation",
            "import_memories",
        ),
        WRITE,
    ),
    **dict.fromkeys(
        (
            "delete_task_memory",
            "delete_user",
            "delete_profile",
            "delete_unused",
            "delete_memory",
            "restore_memory",
            "purge_memories",
            "delete_offload",
        ),
        DELETE,
    ),
    **dict.fromkeys(
        (
            "delete_workspace",
            "erase_memories",
            "list_keys",
            "issue_key",
            "rotate_key",
            "revoke_key",
            "set_spending_caps",
        ),
        ADMIN,
    ),
    "vector_store": READ,
}
"""What each operation needs. A test holds it against the matrix by which every route is tried with every role."""
EXCEPTIONS: Mapping[str, str] = {
    "vector_store": (
        "for `list`; `copy`, `dump` and `load` need `memory:write` (`copy` also `memory:read` on the source), "
        "`delete_ids` needs `memory:delete`, `delete` needs `admin`"
    ),
    "purge_memories": "with `user_id`; with `deleted_before` or `everything` it needs `admin`",
    "erase_memories": "but with `user` only `memory:delete`",
}
