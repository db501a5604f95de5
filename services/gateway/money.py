"""Where exact money meets GraphQL's Float.

Inside the platform an amount is a count of minor units. A Float arrives as the binary number nearest to what the
client wrote; the shortest decimal that stands for the same binary number (Python's repr) is what the client wrote,
for any amount of up to 15 digits. On the way out, one correctly rounded division gives the nearest binary number
again. So 19.99 in is 1999 inside and 19.99 out.
"""

import math
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from protos.gen.ecommerce.money.v1 import Money
from services.errors import InvalidError

# Of a price: twelve digits and a zero leave room to the 15 that a Float keeps apart.
MAX_MINOR_UNITS: Final = 10**12
# Of an order, and so of a refund.
MAX_TOTAL: Final = 10**15 - 1


@dataclass(frozen=True, slots=True)
class Currency:
    """The shop's currency: its ISO 4217 code and how many decimals its amounts have."""

    code: str = "USD"
    decimals: int = 2

    def to_money(self, amount: float, what: str = "price", most: int = MAX_MINOR_UNITS) -> Money:
        """Answers the exact amount; raises InvalidError when it is not one of this currency or out of range.

        `what` is the word for it in an error, `most` the bound in minor units.
        """
        if not math.isfinite(amount):
            raise InvalidError(f"The {what} is not a number.")
        if amount < 0:
            raise InvalidError(f"The {what} is negative.")
        minor = Decimal(repr(amount)).scaleb(self.decimals)
        if minor > most:
            raise InvalidError(f"The {what} is above {most // 10**self.decimals}.")
        if minor != minor.to_integral_value():
            raise InvalidError(f"The {what} has more than {self.decimals} decimals.")
        return Money(minor_units=int(minor), currency=self.code)

    def to_float(self, money: Money | None) -> float:
        """Answers the Float nearest to the amount; 0.0 for none, as protobuf reads an absent message."""
        # Not by its truth: a message finds that out by making the default of each of its fields.
        return 0.0 if money is None else money.minor_units / 10**self.decimals
