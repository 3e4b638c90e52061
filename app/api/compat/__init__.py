"""The API of ReMe 0.2 at the root, for the clients that speak it, with 0.3's add_task_memory and a few of 0.4's jobs.

What differs from upstream, all on purpose: a failure is a 4xx or 5xx with the same envelope, and nothing found is
none; a search stays within its memory type; `score` of an answer is the similarity and the stored score is kept;
`action_result` is JSON unless `compat.repr` is set; dumps stay in the data directory; a workspace id may not be a path.
"""
