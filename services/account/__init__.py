"""Accounts: people, their passwords, and the tokens that prove who they are."""
