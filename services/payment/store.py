"""Payments in PostgreSQL: checkouts, the provider's facts, the loops' jobs and the provider's list of products."""

from services.payment.store_checkouts import Checkouts
from services.payment.store_facts import Facts
from services.payment.store_jobs import Jobs
from services.payment.store_listings import Listings


class PostgresPayments(Checkouts, Facts, Jobs, Listings):
    """Everything that the payment service keeps; each part says how."""
