"""Folding: the form of a text in which accents, case and typographic variants no longer matter.

Documents and queries are folded by this one function before Elasticsearch sees them, so the server needs no
language plugin and both sides always agree. A text is decomposed (NFKD), case-folded, rid of the marks that people
leave out when they type, and composed again. Marks that make another letter stay: the Japanese voicing marks and the
vowel signs, viramas and tones of Indic and South-East Asian scripts.
"""

import re
import unicodedata
from collections.abc import Iterator
from typing import Final

# Letters with a stroke, ligatures and the like, which Unicode does not decompose; already in lower case.
_LETTERS: Final = {
    "æ": "ae",
    "ð": "d",
    "ø": "o",
    "þ": "th",
    "đ": "d",
    "ħ": "h",
    "\N{LATIN SMALL LETTER DOTLESS I}": "i",
    "ĸ": "k",
    "ł": "l",
    "ŋ": "n",
    "œ": "oe",
    "ŧ": "t",
    "ɨ": "i",
    "ƶ": "z",
    "\N{MODIFIER LETTER APOSTROPHE}": "'",
    "\N{RIGHT SINGLE QUOTATION MARK}": "'",
    # Says only where a word may be broken.
    "\N{SOFT HYPHEN}": "",
}


def _accents() -> Iterator[str]:
    """Yields the marks to drop, by canonical combining class (Unicode, section 4.3).

    1 are overlays, 10 to 36 the Hebrew, Arabic and Syriac points, 200 and up what stands above, below or attached to
    a letter. 6 to 9 and 84 to 132 are nuktas, voicing marks, viramas, vowel signs and tones. Combining marks lie
    below U+1F000.
    """
    for code in range(0x300, 0x1F000):
        combining = unicodedata.combining(chr(code))
        if combining == 1 or 10 <= combining <= 36 or combining >= 200:
            yield chr(code)


_ACCENTS: Final = re.compile(f"[{''.join(_accents())}]+")
_LETTER: Final = re.compile(f"[{''.join(_LETTERS)}]")


def fold(text: str) -> str:
    """Answers the folded text: equal for texts that a search must not tell apart. Folding twice changes nothing."""
    if text.isascii():
        return text.lower()
    decomposed = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    plain = _LETTER.sub(lambda match: _LETTERS[match[0]], _ACCENTS.sub("", decomposed))
    return unicodedata.normalize("NFC", plain)
