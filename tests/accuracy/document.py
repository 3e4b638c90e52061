"""The published account of our accuracy: ``docs/accuracy.md`` and ``docs/accuracy.csv``.

Both are written from the reproduction alone (``tools/write_accuracy.py``), so that no figure in them
can be edited by hand.
"""

import csv
import io
from collections.abc import Iterable, Sequence
from decimal import Decimal
from pathlib import Path

from sizing.catalogue import EVIDENCE

from .evidence import BANDS, RESTS, Coverage, Pair, Share, checks_without_price, compare_sources, cover_plans
from .figures import read_sources
from .reproduction import Backing, Cause, Outcome, Reproduction, reproduce_all

DOCS = Path(__file__).parents[2] / "docs"
ALL_FIGURES = DOCS / "accuracy.csv"
ACCOUNT = DOCS / "accuracy.md"

COLUMNS = (
    *("kind", "source", "resource", "part", "component", "quantity", "unit", "figure", "theirs_usd", "ours_usd"),
    *("outcome", "detail", "backing", "price", "price_as_of"),
)


def write_account() -> str:
    """Return the text of ``docs/accuracy.md``."""
    results, pairs, plans = reproduce_all(), compare_sources(), cover_plans()
    parts = [
        _introduction(results),
        "## Reproduction of Infracost's figures\n\n" + _summary(results),
        "## Every difference\n\n" + _differences(results),
        "## What we cannot reproduce\n\n" + _gaps(results),
        "## Two sources for one price\n\n" + _sources(pairs),
        "## What stands behind the sample plans\n\n" + _plans(plans),
        "## What this does not show\n" + LIMITS,
        "## Where the figures stand\n\n" + _files(results),
    ]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def write_figures() -> str:
    """Return the text of ``docs/accuracy.csv``: every component, their figure and ours."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(COLUMNS)
    for result in reproduce_all():
        component, price = result.component, result.price
        table.writerow(
            [
                component.kind,
                component.source,
                component.resource,
                component.part,
                component.component,
                "" if component.quantity is None else component.quantity,
                component.unit,
                "unit price" if component.monthly_usd is None else "monthly cost",
                component.figure_usd,
                "" if result.our_usd is None else _plain(result.our_usd),
                result.outcome,
                result.detail or result.cause,
                result.backing if result.is_matched else "",
                price.name if price else "",
                price.as_of if price else "",
            ]
        )
    return text.getvalue()


def kinds(results: Iterable[Reproduction]) -> tuple[str, ...]:
    """Return the kinds of resource in the order of the figures."""
    return tuple(dict.fromkeys(result.component.kind for result in results))


def _introduction(results: Sequence[Reproduction]) -> str:
    matched = [result for result in results if result.is_matched]
    return f"""# Accuracy

This page is generated (`tools/write_accuracy.py`); a test fails when it is out of date. There is no single
percentage here on purpose: a share of matched lines depends on which examples one picks.

We take every cost component of {len({r.component.source for r in results})} public examples of Infracost that \
contain a kind of resource that our stacks
contain, in all their variants, also those that we never create. Of **{len(results)}** components tried,
**{_count(results, Outcome.MATCHED)}** match to the cent in the monthly cost and \
**{_count(results, Outcome.UNIT_PRICE)}** more in the unit price, where the
example gives no usage. **{_count(results, Outcome.DIFFERS)}** differ, \
**{_count(results, Outcome.UNSUPPORTED)}** use an argument that our functions do not have,
for **{_count(results, Outcome.NO_PRICE)}** we have no price, and **{_count(results, Outcome.NOT_BILLED)}** \
we do not bill at all. Many examples repeat one
price: the {len(matched)} matches rest on {_skus(matched)} different prices. [accuracy.csv](accuracy.csv) lists \
every component."""


def _summary(results: Sequence[Reproduction]) -> str:
    rows = []
    for kind in (*kinds(results), "all"):
        kept = [result for result in results if kind in {"all", result.component.kind}]
        matched = [result for result in kept if result.is_matched]
        name = "**all**" if kind == "all" else _words(kind)
        rows.append(
            [
                name,
                len(kept),
                _count(kept, Outcome.MATCHED),
                _count(kept, Outcome.UNIT_PRICE),
                *(sum(result.backing is backing for result in matched) for backing in Backing),
                _skus(matched),
                *(
                    _count(kept, outcome)
                    for outcome in (Outcome.DIFFERS, Outcome.UNSUPPORTED, Outcome.NO_PRICE, Outcome.NOT_BILLED)
                ),
            ]
        )
    header = (
        "Kind|Tried|Cost matched|Unit price matched|Independent price|Confirmed|Arithmetic only|Prices"
        "|Differ|Unsupported|No price|Not billed"
    )
    zero = sum(result.outcome is Outcome.MATCHED and not result.component.figure_usd for result in results)
    return f"""{_table(header, rows)}

*Cost matched*: our function's quantity times our price, to the cent, and the quantity agrees. *Unit price
matched*: the example gives no usage, so only the price could be compared. Of the matches, *independent* ones
use a price that we did not take from Infracost; *confirmed* ones use a price read from Infracost's figures
that a second source states too; *arithmetic only* ones use a price that we know from those figures alone, so
that they test our quantities and nothing else. *Prices* counts the different prices behind the matches.
{zero} of the cost matches are figures that round to $0.00 and prove little; the S3 example counts twice,
once for each way that Terraform writes it."""


def _differences(results: Sequence[Reproduction]) -> str:
    rows = [
        [
            f"`{result.component.resource}`",
            _name(result),
            f"${result.component.figure_usd:,}",
            "" if result.our_usd is None else f"${_plain(result.our_usd, grouped=True)}",
            result.cause,
            result.detail,
        ]
        for result in results
        if result.outcome is Outcome.DIFFERS
    ]
    drifted = sum(result.cause is Cause.PRICE_DRIFT for result in results)
    return f"""{_table("Example|Component|Infracost|Ours|Cause|Detail", rows)}

**The capacity-unit rule.** A balancer's capacity units are counted per hour: the largest of new connections a
second, active connections, GB in that hour, rule evaluations a second, each over what one unit holds (25, 3000,
1, 1000; a network balancer 800, 100,000, 1). Infracost documents new connections as a rate per second, divides
them by 100, compares that with the GB of a whole month, and takes the result for the month's capacity-unit
hours ([lb.go](https://github.com/infracost/infracost/blob/95ba4f49/internal/resources/aws/lb.go)). We keep the
difference, and check that their rule, applied to the same arguments, gives their figure.

**Rounding.** $16.425 is $16.43 rounded half up, $16.42 rounded half to even, as every line of ours is.

**CloudFront.** Our table has one price of HTTPS requests, that of the US, for the US and the EU; the EU's is
higher. {drifted} of the differences come from a price of ours that is newer than theirs."""


def _gaps(results: Sequence[Reproduction]) -> str:
    groups: dict[tuple[str, Outcome, str], list[Reproduction]] = {}
    for result in results:
        if result.outcome in {Outcome.UNSUPPORTED, Outcome.NO_PRICE, Outcome.NOT_BILLED}:
            detail = result.detail
            if result.outcome is Outcome.NO_PRICE and result.component.kind == "egress":
                detail = f"{detail.partition('@')[0]} in regions that we do not offer or price"
            groups.setdefault((result.component.kind, result.outcome, detail), []).append(result)
    order = [Outcome.UNSUPPORTED, Outcome.NO_PRICE, Outcome.NOT_BILLED]
    rows = []
    for (kind, outcome, detail), members in sorted(groups.items(), key=lambda item: order.index(item[0][1])):
        costs = [result for result in members if result.component.monthly_usd is not None]
        theirs = sum((result.component.figure_usd for result in costs), Decimal(0))
        ours = [result.our_usd for result in costs if result.our_usd is not None]
        cost = f"${theirs:,.2f}" if costs else ""
        rows.append(
            [_words(kind), outcome, detail, len(members), cost, f"${sum(ours, Decimal(0)):,.2f}" if ours else ""]
        )
    return f"""Their figures and ours are sums of the monthly costs in the group; ours is empty where we show no figure.

{_table("Kind|Cause|What|Components|Infracost|Ours", rows)}"""


def _sources(pairs: Sequence[Pair]) -> str:
    names = sorted({(pair.listed.provider, pair.listed.service) for pair in pairs})
    rows = []
    for provider, service in names:
        kept = [pair for pair in pairs if (pair.listed.provider, pair.listed.service) == (provider, service)]
        rows.append([f"{provider} {service}", len(kept), *(sum(p.band == band for p in kept) for band in BANDS)])
    rows.append(["**all**", len(pairs), *(sum(pair.band == band for pair in pairs) for band in BANDS)])
    apart = [
        [
            f"`{pair.listed.name}`",
            f"{pair.listed.amount} {pair.listed.currency}",
            f"{pair.listed.as_of}, {_short(pair.listed.source)}",
            f"{pair.check.amount} {pair.check.currency}",
            f"{pair.check.as_of}, {_short(pair.check.source)}",
            f"{pair.difference * 100:+.1f} %",
        ]
        for pair in pairs
        if pair.difference
    ]
    missing = checks_without_price()
    unpaired = f" {len(missing)} checks have no listed price beside them." if missing else ""
    return f"""Where the catalogue has a second source for a SKU, both are compared; neither is averaged away.{unpaired}

{_table("Service|Pairs|" + "|".join(name.capitalize() for name in BANDS), rows)}

The pairs that disagree:

{_table("Price|Listed|From|Second source|From|Difference", apart)}"""


def _plans(plans: Sequence[Coverage]) -> str:
    evidence = [
        [f"{plan.users} ({plan.tier})", plan.total.lines, f"${plan.total.usd:,.2f}"]
        + [_shares(plan.by_evidence[name], plan.total) for name in EVIDENCE]
        for plan in plans
    ]
    rests = [
        [f"{plan.users} ({plan.tier})"] + [_shares(plan.by_rest[name], plan.total) for name in RESTS] for plan in plans
    ]
    return f"""Share of lines / share of dollars a month, at the expected values, by the evidence class of the price:

{_table("Users (tier)|Lines|Total|" + "|".join(name.capitalize() for name in EVIDENCE), evidence)}

A line without a price has no dollars, so its share of dollars is unknown, not zero: a total with such lines is
partial. The same lines by what stands behind the price:

{_table("Users (tier)|" + "|".join(text[0].upper() + text[1:] for text in RESTS.values()), rests)}"""


def _files(results: Sequence[Reproduction]) -> str:
    sources = read_sources()
    rows = [
        [f"`{source.file}`", source.changed_on, sum(r.component.source == source.source for r in results)]
        for source in sources.values()
    ]
    return f"""The date is that of the file's last change, not of the price list behind it: a price may be older.

{_table("File|Last changed|Components", rows)}"""


LIMITS = """
* **No invoice.** None of our figures has been compared with a bill that somebody paid; until a plan has been,
  list prices are all there is.
* **The totals of the tiers are not verified.** Matching components says that quantities are multiplied by the
  right prices. It says nothing of whether 500 users need these quantities: that rests on the drivers and the
  formulas, and shows as the range between the low and the high case.
* **One origin.** Copies of AWS's price feeds, Infracost's figures and tables typed from AWS's pages all go back
  to AWS's price list. Their agreement rules out mistakes of copying and ageing, not an error at the origin.
* **Alibaba Cloud has no second source**, and no published figures like Infracost's to reproduce: its lines rest
  on one dated source each, or have no price.
* **No discounts.** Free allowances, commitments, private prices and taxes are not in any figure here.
* **The examples are not stacks of ours.** They cover each resource in many variants; most of what we do not
  bill are variants that our stacks never contain.
"""


def _table(header: str, rows: Iterable[Sequence[object]]) -> str:
    names = header.split("|")
    lines = ["| " + " | ".join(names) + " |", "|" + "---|" * len(names)]
    lines += ["| " + " | ".join(str(cell).replace("|", "/") for cell in row) + " |" for row in rows]
    return "\n".join(lines)


def _words(kind: str) -> str:
    return kind.replace("_", " ")


def _count(results: Iterable[Reproduction], outcome: Outcome) -> int:
    return sum(result.outcome is outcome for result in results)


def _skus(results: Iterable[Reproduction]) -> int:
    return len({result.price.key for result in results if result.price is not None})


def _name(result: Reproduction) -> str:
    component = result.component
    return f"{component.part}: {component.component}" if component.part else component.component


def _plain(amount: Decimal, *, grouped: bool = False) -> str:
    kept = amount.normalize() if amount != amount.quantize(Decimal("0.01")) else amount.quantize(Decimal("0.01"))
    return f"{kept:,f}" if grouped else f"{kept:f}"


def _short(source: str) -> str:
    return source.partition("@")[0].partition(" (")[0]


def _shares(share: Share, total: Share) -> str:
    if not share.lines:
        return "-"
    money = share.usd / total.usd * 100 if total.usd else Decimal(0)
    return f"{share.lines / total.lines:.0%} / {money:.0f}%"
