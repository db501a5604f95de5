"""gRPC between the services: grpc.aio carries, codec.py writes the bytes, betterproto2's classes are what code sees.

betterproto2 generates servers and stubs for grpclib. Its servers describe themselves (`__mapping__()`: route to
handler), so `Server` calls the handlers with a stand-in for grpclib's stream. Its stubs make every unary call through
one method, so `Channel.stub` overrides that method in a subclass. grpclib itself never carries a byte.

What travels with a call, from the first service to the last: the deadline (each hop gets what is left of it), the
caller's token (each service verifies it anew) and the trace. All three are context variables of the handler's task
(context.py), so code in between passes nothing along. Errors travel as statuses.py says. Unary methods only.
"""

from services.rpc.channel import Channel
from services.rpc.context import acting_as, caller
from services.rpc.health import LIVENESS
from services.rpc.server import GrpcSettings, Server, ServerSettings

__all__ = ["LIVENESS", "Channel", "GrpcSettings", "Server", "ServerSettings", "acting_as", "caller"]
