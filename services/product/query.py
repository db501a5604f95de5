"""From words to a search: what matches, and in which order it comes.

A product matches when each word is found in its name or its description, the last one perhaps only begun, as people
search while they type. How well it matches is a sum of tiers that outweigh one another, and of BM25, scaled down so
that it decides only within a tier:

    8  the words stand in the name, next to each other
    4  all words are in the name
    2  the words stand in the description, next to each other
    1  all words are in one of the two

A product that matches only if a typing mistake is forgiven comes after all of those. Forgiving costs twice as much as
all the rest, and is not needed where enough matches without: hence two queries, `exact` and `forgiving`. The second
contains the first and scores it the same, so pages of one continue pages of the other. Ties go by id: the order is
total, and pages neither repeat nor skip.
"""

import hashlib
from collections.abc import Mapping
from typing import Any, Final

# One mistake in words of 3 to 5 letters, two in longer ones; the first letter must be right, which keeps the number
# of candidate terms small.
_MISTAKES: Final = {"fuzziness": "AUTO", "prefix_length": 1, "max_expansions": 25}
# Each forgiven word takes memory and time in the server. Who writes more words than this has enough to be found by.
_MAX_FORGIVEN_WORDS: Final = 10
# BM25 of a search of ten words stays under 1 with it.
_WITHIN_TIER: Final = 0.005

ORDER: Final = [{"_score": "desc"}, {"id": "asc"}]


def exact(words: str) -> dict[str, Any]:
    """Answers the query for folded words as they are."""
    every = {"query": words, "operator": "and"}
    return {
        "bool": {
            "must": _tier(1, _all_words(words)),
            "should": [
                _tier(8, {"match_phrase": {"name": {"query": words}}}),
                _tier(4, {"match_bool_prefix": {"name": every}}),
                _tier(2, {"match_phrase": {"description": {"query": words}}}),
                {"match": {"name": {"query": words, "boost": 4 * _WITHIN_TIER}}},
                {"match": {"description": {"query": words, "boost": _WITHIN_TIER}}},
            ],
        }
    }


def forgiving(words: str) -> dict[str, Any] | None:
    """Answers the query that also finds words with typing mistakes; None where there are too many words."""
    if len(words.split()) > _MAX_FORGIVEN_WORDS:
        return None
    every = {"query": words, "operator": "and", **_MISTAKES}
    mistaken = {
        "bool": {
            "must_not": _all_words(words),
            "filter": {
                "bool": {"should": [{"match": {"words": every}}, {"match_bool_prefix": {"words": every}}]},
            },
            "should": [
                {"match": {"name": {"query": words, "boost": 4 * _WITHIN_TIER, **_MISTAKES}}},
                {"match": {"description": {"query": words, "boost": _WITHIN_TIER, **_MISTAKES}}},
            ],
        }
    }
    return {"bool": {"should": [exact(words), mistaken]}}


def preference(words: str) -> str:
    """Answers what sends every page of one search to the same copy of the index: copies may score differently."""
    return hashlib.blake2b(words.encode(), digest_size=8).hexdigest()


def _all_words(words: str) -> dict[str, Any]:
    return {"match_bool_prefix": {"words": {"query": words, "operator": "and"}}}


def _tier(weight: int, query: Mapping[str, Any]) -> dict[str, Any]:
    return {"constant_score": {"filter": query, "boost": weight}}
