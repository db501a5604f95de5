"""Payment: taking money for orders through a provider's hosted pages, and giving it back."""
