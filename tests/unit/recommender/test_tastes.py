from services.recommender import tastes
from services.recommender.tastes import MOST_WEIGHED, Taste
from tests.unit.recommender.shelves import NOW, model, purchase, view


def test_views_are_shown_again_and_purchases_are_not() -> None:
    """Seen products come newest first and once; what was bought at any time is hidden."""
    deeds = [view("a", 30), view("b", 20), view("a", 10), view("c", 5), purchase("c", 900)]
    taste = tastes.of_deeds(deeds, None)
    assert taste == Taste({}, ("a", "b"), frozenset({"c"}))


def test_values_are_those_of_training() -> None:
    """A purchase says four times as much as a view, and several deeds add up."""
    values = tastes.of_deeds([view("a"), view("a"), purchase("b")], model()).values
    assert round(values["a"], 3) == 2
    assert round(values["b"], 3) == 4


def test_only_the_newest_deeds_of_a_busy_account_are_weighed() -> None:
    """Older ones count no more, but what was bought stays hidden."""
    deeds = [purchase(f"p{age}", age) for age in range(MOST_WEIGHED + 10)]
    taste = tastes.of_deeds(deeds[::-1], model())
    assert set(taste.values) == {f"p{age}" for age in range(MOST_WEIGHED)}
    assert len(taste.hidden) == MOST_WEIGHED + 10


def test_a_session_hides_itself() -> None:
    """What a session viewed counts as viewed now, and is not shown again; a second view of it says no more."""
    taste = tastes.of_session(["a", "b", "a"], NOW, model())
    assert (taste.seen, taste.hidden) == ((), frozenset({"a", "b"}))
    assert {product_id: round(value, 3) for product_id, value in taste.values.items()} == {"a": 1, "b": 1}


def test_the_model_knows_what_it_was_trained_with() -> None:
    """Where nothing else is known of an account, its values, views and purchases are in the model."""
    made = model(histories={3: [("east-1", 1.5, False), ("both", 4.0, True)], 9: [("cold", 1.0, False)]})
    assert tastes.of_model(made, 3) == Taste({"east-1": 1.5, "both": 4.0}, ("east-1",), frozenset({"both"}))
    assert tastes.of_model(made, 9).seen == ("cold",)
    assert [tastes.of_model(made, unknown) for unknown in (1, 5, 10)] == [Taste()] * 3
