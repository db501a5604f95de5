"""The operator: turns an EcommercePlatform resource into the platform's objects, and keeps them so."""
