"""Everything that the recommender keeps in PostgreSQL; each part says how."""

from services.recommender.store_intake import Intake
from services.recommender.store_models import Models
from services.recommender.store_reading import Reading
from services.recommender.store_training import Training


class PostgresRecommender(Intake, Reading, Models, Training):
    """The catalogue, what was done with it, and what was learnt from that."""
