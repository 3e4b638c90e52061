"""What guards a balancer: the web firewall of its edition, and a limit of requests for each address.

An ALB of the edition StandardWithWaf hands each request to WAF 3.0, which takes the balancer as a protected object by
itself; its default template of core rules (SQL injection, scripts, commands, files, known flaws) blocks from the first
request (WAF user guide, "Protection configuration overview"). That stands for the managed groups of rules that AWS's
balancers get. An account has one WAF instance for all of its stacks, which the first such balancer starts, so a stack
makes no rules in it: what follows is for the console, or for whoever owns the account's WAF.

- An exception for the bodies of requests to the service: texts of memories hold code and SQL, which the core rules
  take for attacks, while the service binds each value. AWS's rules count such bodies and let them pass.
- Logs of what was blocked, which WAF bills by themselves.

The limit of requests is the listener's own, so it needs no WAF.
"""

from infra.tables import read_table
from infra.way_in import FIREWALL_RULES


def choose_edition(waf_rules: int) -> str:
    """The edition of the balancer: with the web firewall where the plan has rules of it."""
    return "StandardWithWaf" if waf_rules else "Standard"


def find_rate_limit(waf_rules: int) -> int | None:
    """How many requests a second one address may send: the limit among the first `waf_rules` of the table, else None.

    AWS counts over a window of minutes; ALB counts each second.
    """
    rows = sorted(read_table(FIREWALL_RULES), key=lambda row: int(row["priority"]))[:waf_rules]
    limits = [int(row["limit"]) // int(row["window_s"]) for row in rows if row["kind"] == "rate"]
    return min(limits, default=None)
