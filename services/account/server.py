"""The account service on gRPC: protobuf in and out, nothing else."""

from protos.gen.ecommerce.account import v1 as account_v1
from services import rpc
from services.account.keyring import KeyRing
from services.account.service import Account, Accounts, Session
from services.account.service_sign_in import ServiceSignIn


class AccountServer(account_v1.AccountServiceBase):
    """Answers each call as whoever its verified token says is calling."""

    def __init__(self, accounts: Accounts, ring: KeyRing, services: ServiceSignIn) -> None:
        self._accounts = accounts
        self._ring = ring
        self._services = services

    async def register(self, message: account_v1.RegisterRequest) -> account_v1.RegisterResponse:
        """Creates an account and signs it in."""
        session = await self._accounts.register(message.name, message.email, message.password)
        return account_v1.RegisterResponse(session=_session_message(session))

    async def login(self, message: account_v1.LoginRequest) -> account_v1.LoginResponse:
        """Signs in."""
        session = await self._accounts.login(message.email, message.password)
        return account_v1.LoginResponse(session=_session_message(session))

    async def get_account(self, message: account_v1.GetAccountRequest) -> account_v1.GetAccountResponse:
        """Answers one account."""
        account = await self._accounts.get_account(rpc.caller(), message.id)
        return account_v1.GetAccountResponse(account=_account_message(account))

    async def get_accounts(self, message: account_v1.GetAccountsRequest) -> account_v1.GetAccountsResponse:
        """Answers accounts by ids, or a page of all of them when no id is given."""
        if message.ids:
            accounts = await self._accounts.get_accounts(rpc.caller(), message.ids)
        else:
            accounts = await self._accounts.page(rpc.caller(), message.skip, message.take)
        return account_v1.GetAccountsResponse(accounts=[_account_message(account) for account in accounts])

    async def get_public_keys(self, message: account_v1.GetPublicKeysRequest) -> account_v1.GetPublicKeysResponse:  # noqa: ARG002 the generated base names it
        """Answers the public halves of every key whose tokens are still accepted."""
        keys = await self._ring.public_keys()
        return account_v1.GetPublicKeysResponse(
            keys=[account_v1.PublicKey(key_id=key["kid"], x=key["x"], y=key["y"]) for key in keys]
        )

    async def issue_service_token(
        self, message: account_v1.IssueServiceTokenRequest
    ) -> account_v1.IssueServiceTokenResponse:
        """Signs in a service of the platform."""
        token, expires_at = await self._services.sign_in(message.service, message.secret)
        return account_v1.IssueServiceTokenResponse(token=token, expires_at=expires_at)


def _account_message(account: Account) -> account_v1.Account:
    return account_v1.Account(id=account.id, name=account.name, email=account.email)


def _session_message(session: Session) -> account_v1.Session:
    return account_v1.Session(
        token=session.token, expires_at=session.expires_at, account=_account_message(session.account)
    )
