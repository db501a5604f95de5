"""The providers behind the port of services/payment/provider.py."""
