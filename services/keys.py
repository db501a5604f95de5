"""Public keys for those who check tokens without holding the account service's database.

They are asked for over gRPC and handed to `tokens.Verifier`, which decides when. Asking needs no sign-in, and is done
as nobody: it happens while a caller's token is being checked, so there is no caller yet.
"""

from collections.abc import Awaitable, Callable

from protos.gen.ecommerce.account import v1 as account_v1
from services import rpc
from services.errors import EcommerceError, UnavailableError
from services.tokens import PublicJwk


def account_keys(channel: rpc.Channel) -> Callable[[], Awaitable[list[PublicJwk]]]:
    """Answers what fetches the account service's public keys; that raises UnavailableError when it cannot."""
    stub = channel.stub(account_v1.AccountServiceStub)

    async def fetch() -> list[PublicJwk]:
        try:
            with rpc.acting_as(None):
                response = await stub.get_public_keys(account_v1.GetPublicKeysRequest())
        except EcommerceError as error:
            # Whatever it is, nobody who checks a token can do anything but go on with the keys already known.
            raise UnavailableError("The public keys cannot be had now.") from error
        return [_jwk(key) for key in response.keys]

    return fetch


def _jwk(key: account_v1.PublicKey) -> PublicJwk:
    return {"kty": "EC", "crv": "P-256", "x": key.x, "y": key.y, "kid": key.key_id}
