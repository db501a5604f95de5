"""Names, e-mail addresses and passwords."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.account import rules
from services.errors import InvalidError

ANYTHING = st.text(st.characters(exclude_categories=()), max_size=400)
WORD = st.text(st.characters(categories=["L", "M", "N", "Pd"]), min_size=1, max_size=20)


@pytest.mark.parametrize(
    "name", ["Ada", "李小龍", "محمد بن سلمان", "Ὀδυσσεύς", "नरेन्द्र", "O'Brien-Ngũgĩ", "👩‍🚀", "می‌خواهم", "X" * 100]
)
def test_names_of_every_script_are_kept(name: str) -> None:
    """A name is kept as it is written, joiners and marks included."""
    assert rules.clean_name(f"  {name}\u3000") == name


def test_a_name_is_composed_before_it_is_counted() -> None:
    """A hundred letters with accents are a hundred characters, however they were typed."""
    assert rules.clean_name("e\u0301" * 100) == "é" * 100


@pytest.mark.parametrize(
    "name",
    [
        "",
        "   ",
        "\u200b",
        "\u0301",
        "A\0B",
        "A\nB",
        "A\x7fB",
        "A\u2028B",
        "\ud800",
        "A\u202eB",
        "X" * 101,
        "e\u0301" * 101,
    ],
)
def test_names_that_cannot_be_names_are_refused(name: str) -> None:
    """Nothing, nothing visible, controls, lone surrogates, direction overrides and too much are refused."""
    with pytest.raises(InvalidError):
        rules.clean_name(name)


@settings(deadline=None)
@given(ANYTHING)
def test_any_name_is_kept_or_refused(name: str) -> None:
    """Whatever the text is, it is refused as invalid or becomes a name that is itself a name."""
    try:
        clean = rules.clean_name(name)
    except InvalidError:
        return
    assert 1 <= len(clean) <= 100
    assert "\0" not in clean
    assert clean.encode()
    assert rules.clean_name(clean) == clean


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Ada@Example.com", "ada@example.COM"),
        ("STRASSE@example.com", "straße@example.com"),
        ("ΣΊΣΥΦΟΣ@example.com", "σίσυφος@example.com"),
        ("jose\u0301@example.com", "JOSÉ@example.com"),
        ("ada@bücher.example", "ada@xn--bcher-kva.example"),
        (" ada@example.com\n", "ada@example.com"),
    ],
)
def test_addresses_are_compared_without_regard_to_case(one: str, other: str) -> None:
    """Case, composition and the form of the domain make no other address."""
    assert rules.clean_email(one).key == rules.clean_email(other).key


@pytest.mark.parametrize(
    ("one", "other"),
    [("ada@straße.de", "ada@strasse.de"), ("ada@example.com", "ada+shop@example.com"), ("ada@a.de", "ada@b.de")],
)
def test_other_addresses_stay_others(one: str, other: str) -> None:
    """What only looks alike is another mailbox."""
    assert rules.clean_email(one).key != rules.clean_email(other).key


def test_an_address_is_kept_as_it_was_typed() -> None:
    """The local part keeps its case; only the domain, which has none, is normalised."""
    assert rules.clean_email("Ada.Lovelace@EXAMPLE.com").address == "Ada.Lovelace@example.com"


@pytest.mark.parametrize(
    "email",
    [
        "",
        "ada",
        "ada@",
        "@example.com",
        "ada@@example.com",
        "ada@localhost",
        "ada@example..com",
        "a\0da@example.com",
        "ada@exam\0ple.com",
        "ada lovelace@example.com",
        "Ada <ada@example.com>",
        "ada@[127.0.0.1]",
        "\ud800@example.com",
        "a" * 65 + "@example.com",
        "a" * 10_000 + "@example.com",
        "ada@" + "a." * 200 + "com",
    ],
)
def test_what_is_no_address_is_refused_without_repeating_it(email: str) -> None:
    """The error names the rule and not the address, because errors reach logs."""
    with pytest.raises(InvalidError) as refused:
        rules.clean_email(email)
    assert refused.value.message in {"The e-mail address is not valid.", "The e-mail address is too long."}


@settings(deadline=None)
@given(ANYTHING | st.builds("{}@{}.{}".format, WORD, WORD, WORD))
def test_any_address_is_kept_or_refused(email: str) -> None:
    """Whatever the text is, it is refused as invalid or becomes an address that has the same key again."""
    try:
        clean = rules.clean_email(email)
    except InvalidError:
        return
    assert "\0" not in clean.address
    assert clean.key.encode()
    assert rules.clean_email(clean.address) == clean


@pytest.mark.parametrize("password", ["12345678", "пароль-пароль", "パスワードは八文字", " " * 8, "🔑" * 256])
def test_passwords_may_be_anything_of_a_length(password: str) -> None:
    """From 8 to 256 characters of any kind."""
    assert rules.clean_password(password) == password


def test_a_password_is_the_same_on_every_keyboard() -> None:
    """Composed and decomposed letters give one password."""
    assert rules.clean_password("cafe\u0301 cafe\u0301") == rules.clean_password("café café")


@pytest.mark.parametrize("password", ["", "1234567", "x" * 257, "nul\0 nul\0", "\ud800" * 8, "\U0001d15e" * 256])
def test_passwords_that_cannot_be_one_are_refused(password: str) -> None:
    """Too short, too long in characters or bytes, a NUL, and what has no UTF-8 are refused."""
    with pytest.raises(InvalidError):
        rules.clean_password(password)


def test_a_short_password_may_be_tried() -> None:
    """At sign-in the least length is not asked for, as it may have been less when the account was made."""
    assert rules.given_password("old") == "old"


@settings(deadline=None)
@given(ANYTHING)
def test_any_password_is_kept_or_refused(password: str) -> None:
    """Whatever the text is, it is refused as invalid or is of bounded size."""
    try:
        clean = rules.clean_password(password)
    except InvalidError:
        return
    assert len(clean.encode()) <= rules.MAX_PASSWORD_BYTES
    assert "\0" not in clean
