"""Orders: what was bought, by whom, at the price of the moment of sale, and how far it has come since."""
