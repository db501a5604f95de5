"""Anonymous reads of the catalogue, answered through the cache.

What HTTP has for repeated reads is up to this module: the compressed form where the client takes it, and 304 where the
client has it already. Whoever is shown a product has viewed it, also where nobody computed anything for the answer.
"""

from collections.abc import Iterable

from services.gateway.answers import Answer
from services.gateway.catalogue_cache import CatalogueCache, Computed
from services.gateway.context import Context, Platform
from services.gateway.documents import Operation
from services.gateway.identity import Caller
from services.gateway.request import GraphQLRequest, Headers
from services.gateway.running import Runner, in_time
from services.gateway.stored_answers import StoredAnswer, names_tag
from services.tokens import Verifier


class CatalogueReads:
    """Answers the reads that may be shared; nobody with a token comes here."""

    def __init__(self, cache: CatalogueCache, platform: Platform, verifier: Verifier, runner: Runner) -> None:
        self._cache = cache
        self._platform = platform
        self._verifier = verifier
        self._runner = runner

    def recalled(self, body: bytes, method: str, headers: Headers) -> Answer | None:
        """Answers a request that came in the very same bytes before, or None where that takes looking into it."""
        found = self._cache.recall(body)
        return self._stored(*found, method, headers) if found else None

    def serving(self) -> bool:
        """Answers whether reads are shared now."""
        return self._cache.serving()

    async def answer(
        self, body: bytes, request: GraphQLRequest, operation: Operation, method: str, headers: Headers
    ) -> Answer:
        """Answers the request from the cache, or together with all who wait for the same; its operation has a key."""
        if operation.key is None:
            raise ValueError("This operation is no read of the catalogue.")
        key = operation.key.of(request.variables)
        self._cache.remember(body, key)
        answer = await self._cache.answer(key, lambda: self._compute(request, operation))
        if isinstance(answer, StoredAnswer):
            return self._stored(key, answer, method, headers)
        self._viewed(answer.reads.viewed)
        return answer.answer

    async def _compute(self, request: GraphQLRequest, operation: Operation) -> Computed:
        limits = self._runner.limits
        # Without the headers of the one that came first: nothing may depend on them.
        context = Context(self._platform, Caller(None, self._verifier), objects_left=limits.objects, shared=True)
        answer = await in_time(self._runner.run(request, operation, context), limits.seconds)
        return Computed(answer, context.reads)

    def _stored(self, key: bytes, answer: StoredAnswer, method: str, headers: Headers) -> Answer:
        self._viewed(answer.viewed)
        form, grown = answer.form(headers.accept_encoding)
        if grown:
            self._cache.measure(key)
        # For other methods than GET the header asks for a failure (RFC 9110, section 13.1.2), and is not for answers.
        if headers.if_none_match and method == "GET" and names_tag(headers.if_none_match, form.tag):
            return form.unchanged
        return form.answer

    def _viewed(self, product_ids: Iterable[str]) -> None:
        for product_id in product_ids:
            self._platform.interactions.viewed(product_id, None)
