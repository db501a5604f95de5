"""The platform's services: one package each, and the few modules that they share."""
