"""Servers on loopback that speak as much of a payment provider's API as the shop uses, and keep what they are told."""
