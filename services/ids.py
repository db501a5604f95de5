"""Ids for what the platform writes down, as the composition roots hand them down."""

import uuid_utils


def new_id() -> str:
    """Answers a new UUID of version 7 (RFC 9562): later ones sort after earlier ones, which keeps indexes dense."""
    return str(uuid_utils.uuid7())
