"""What both ends agree on: sizes, and the options of gRPC that are not its defaults, each with its reason."""

from typing import Final

# Bytes of one message, both ways: gRPC's own default for what it receives, here for what is sent as well.
MAX_MESSAGE: Final = 4 * 1024 * 1024

_COMMON: Final = (
    ("grpc.max_send_message_length", MAX_MESSAGE),
    ("grpc.max_receive_message_length", MAX_MESSAGE),
    # A peer that vanished without closing is found after 30 + 5 s, also while no call is under way.
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.keepalive_permit_without_calls", 1),
)

SERVER: Final = (
    *_COMMON,
    # Below the clients' 30 s, or the server would take their pings for an attack.
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 10_000),
    # Without it two servers share a port in silence; with it the second fails to start.
    ("grpc.so_reuseport", 0),
    # Clients look the name up again every few seconds, and so find new replicas; calls under way are let finish. It
    # is shorter than the pause between a pod's end being decided and its server being stopped (the charts' preStop):
    # by then every client has left in order. With connections that live longer each rollout lost a few calls.
    ("grpc.max_connection_age_ms", 5_000),
    ("grpc.max_connection_age_grace_ms", 60_000),
)

CLIENT: Final = (
    *_COMMON,
    ("grpc.http2.max_pings_without_data", 0),
    # A restarted server is found again within about a second; the minimum is the time that one attempt may take.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 1_000),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    ("grpc.dns_min_time_between_resolutions_ms", 1_000),
    # Behind a headless Kubernetes service every replica gets its share.
    ("grpc.lb_policy_name", "round_robin"),
    # Services talk to each other directly, whatever proxy the environment names for the world outside.
    ("grpc.enable_http_proxy", 0),
)
