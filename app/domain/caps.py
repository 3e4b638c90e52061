"""What a workspace may spend on models, and money as whole numbers that add up exactly."""

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from app.domain.spending import Reservation, SpendCap
from app.errors import SpendCapReached

PICO_PER_USD = 10**12
"""The ledger counts in 10^-12 USD: the cheapest token in the planner's catalogue costs 5,000 of them."""
LARGEST_CAP_USD = Decimal(1_000_000)
"""A larger cap is taken for a slip of the keyboard. Sums of the ledger are exact up to 9 times this, in 64 bits."""


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkspaceCaps:
    """The most that one workspace may spend in a day and in a calendar month (UTC); None where nobody set it."""

    daily_usd: Decimal | None = None
    monthly_usd: Decimal | None = None


NO_CAPS = WorkspaceCaps()


def count_picousd(usd: Decimal) -> int:
    """USD in whole 10^-12, half of one rounded up."""
    return int((usd * PICO_PER_USD).to_integral_value(ROUND_HALF_UP))


def read_picousd(picousd: int) -> Decimal:
    """10^-12 USD as USD, exactly."""
    return Decimal(picousd).scaleb(-12)


def check_cap(reservation: Reservation, cap: SpendCap, *, used_picousd: int) -> None:
    """Raise `SpendCapReached` where a reservation on top of what is spent and set aside is more than a cap."""
    wanted = count_picousd(reservation.usd)
    if used_picousd + wanted > count_picousd(cap.usd):
        raise SpendCapReached(
            f"workspace {reservation.payer.workspace_id!r} has spent or set aside {read_picousd(used_picousd):.6f} of "
            f"the {cap.usd} USD that it may spend on models, and this call may cost {reservation.usd:.6f}: "
            "raise the cap, or wait for the next day or month (UTC)"
        )
