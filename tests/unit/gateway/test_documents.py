"""Claims about prepared documents: good ones are parsed and validated once, and what is kept is bounded."""

from typing import Any

import pytest
from graphql import parse

from services.gateway import documents
from services.gateway.documents import Documents, RequestError
from services.gateway.limits import Limits
from services.gateway.schema import SCHEMA


@pytest.fixture
def prepared() -> Documents:
    return Documents(SCHEMA._schema, Limits(), introspection=True)


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The texts that were parsed."""
    texts: list[str] = []

    def note(text: str, **options: Any) -> Any:
        texts.append(text)
        return parse(text, **options)

    monkeypatch.setattr(documents, "parse", note)
    return texts


def test_a_document_is_prepared_once(prepared: Documents, parsed: list[str]) -> None:
    """The same text is parsed and validated once, whichever of its operations is asked for."""
    text = "query A { __typename } mutation B { logout }"
    assert prepared.operation(text, "A").kind == "query"
    assert prepared.operation(text, "B").kind == "mutation"
    assert parsed == [text]


def test_a_bad_document_is_not_kept(prepared: Documents, parsed: list[str]) -> None:
    """A text that fails fails each time, and takes no room."""
    for _ in range(2):
        with pytest.raises(RequestError):
            prepared.operation("{ nothing }", None)
    assert len(parsed) == 2
    assert not prepared._kept


def test_few_documents_are_kept(prepared: Documents, parsed: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the bound the one that was not used for longest goes."""
    monkeypatch.setattr(documents, "MAX_KEPT", 2)
    texts = ["{ __typename }", "{ a: __typename }", "{ b: __typename }"]
    for text in (*texts[:2], texts[0], texts[2], texts[0], texts[1]):
        prepared.operation(text, None)
    assert parsed == [texts[0], texts[1], texts[2], texts[1]]


def test_little_text_is_kept(prepared: Documents, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bound on text holds as well, down to keeping nothing."""
    monkeypatch.setattr(documents, "MAX_KEPT_TEXT", 40)
    for name in ("a", "b", "c", "d"):
        prepared.operation(f"{{ {name}: __typename }}", None)
    assert len(prepared._kept) == 2
    prepared.operation("{ __typename " + " " * 100 + "}", None)
    assert not prepared._kept
    assert prepared._kept_text == 0
