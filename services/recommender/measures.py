"""What an operator of the shop watches of the serving side: how fresh it is, and how well it can answer."""

from datetime import datetime

from prometheus_client import Counter, Gauge, Histogram

from services.recommender.domain import ModelRecord

model_version = Gauge("recommender_model_version", "The model that is served; 0 while there is none.")
model_age = Gauge("recommender_model_age_seconds", "Since that model was made.")
data_age = Gauge("recommender_data_age_seconds", "Since the newest interaction that it was made from.")
model_coverage = Gauge("recommender_model_coverage", "Share of the catalogue among what it recommends, as measured.")
models_unreadable = Counter("recommender_models_unreadable_total", "Models that could not be read.")
fallbacks = Counter("recommender_fallbacks_total", "Answers made from less than there should be.", ["kind"])
recommended = Counter("recommender_recommended_total", "Products recommended, by reason.", ["reason"])
ranking_seconds = Histogram(
    "recommender_ranking_seconds",
    "Time to answer inside the service, the account's history included.",
    # Close to each other around the 10 ms that are promised.
    buckets=(0.0005, 0.001, 0.002, 0.003, 0.004, 0.005, 0.006, 0.008, 0.01, 0.015, 0.02, 0.03, 0.05, 0.1, 0.25, 1.0),
)


def show_model(record: ModelRecord, now: datetime) -> None:
    """Sets what is shown of the model that is served."""
    model_version.set(record.version)
    model_age.set((now - record.made_at).total_seconds())
    data_age.set((now - record.data_to).total_seconds())
    model_coverage.set(record.metrics.get("coverage", 0.0))
