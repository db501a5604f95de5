"""The gateway: the one GraphQL address of the platform, in front of its gRPC services."""
