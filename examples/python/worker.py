"""Holds a lease while it works, as every client of the admission service does: it waits its turn, stops when the lease
is lost, and gives it back."""

import argparse
import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import grpc
from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo
from grpc_status import rpc_status

from ggen.backpressure.v1.admission_service_pb2 import AcquireRequest, Granted, ReleaseRequest
from ggen.backpressure.v1.admission_service_pb2_grpc import AdmissionServiceStub
from ggen.backpressure.v1.lease_pb2 import WORK_OUTCOME_IGNORED, WORK_OUTCOME_SUCCESS, Claim, Lease

# A dead connection is noticed here after 15 s, when the stream ends: well within the ttl, for which the server keeps
# the permits of a holder that it has lost.
TTL = timedelta(seconds=30)
KEEPALIVE = [
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    # Without it gRPC stops pinging while the stream says nothing.
    ("grpc.http2.max_pings_without_data", 0),
]


class LeaseLost(Exception):
    """Why the work has to stop."""


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--address", default="localhost:50051", help="the server's gRPC port")
    parser.add_argument("--limiter", default="sample", help="the limiter to ask")
    parser.add_argument("--permits", type=int, default=1, help="how many of its permits")
    parser.add_argument("--max-wait", type=float, default=60, help="seconds to wait at most")
    parser.add_argument("--work", type=float, default=5, help="seconds that the work takes")
    parser.add_argument("--ca-file", help="the server's authority, in PEM; speaks TLS")
    parser.add_argument("--cert-file", help="this client's certificate, in PEM")
    parser.add_argument("--key-file", help="its private key, in PEM")
    parser.add_argument("--token-file", help="a file with this client's token")
    args = parser.parse_args()

    # As Ctrl-C does: ends the work, or the wait for it.
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, asyncio.current_task().cancel)

    async def work(lease: Lease) -> None:
        print(f"holding {lease.id} under fencing token {lease.claims[0].fencing_token}", flush=True)
        await asyncio.sleep(args.work)

    request = AcquireRequest(
        claims=[Claim(limiter=args.limiter, permits=args.permits)],
        holder="examples/python",
        max_wait=timedelta(seconds=args.max_wait),
        ttl=TTL,
    )
    async with open_channel(args) as channel:
        await with_lease(AdmissionServiceStub(channel), request, work)


def open_channel(args: argparse.Namespace) -> grpc.aio.Channel:
    """Speaks TLS where a file says whom to trust or who calls."""
    files = [args.ca_file, args.cert_file, args.key_file, args.token_file]
    if not any(files):
        return grpc.aio.insecure_channel(args.address, options=KEEPALIVE)
    ca, cert, key = (Path(file).read_bytes() if file else None for file in files[:3])
    credentials = grpc.ssl_channel_credentials(ca, key, cert)
    if args.token_file:
        token = grpc.metadata_call_credentials(TokenFile(args.token_file))
        credentials = grpc.composite_channel_credentials(credentials, token)
    return grpc.aio.secure_channel(args.address, credentials, options=KEEPALIVE)


class TokenFile(grpc.AuthMetadataPlugin):
    """Reads the token for each call: what Kubernetes mounts changes."""

    def __init__(self, path: str) -> None:
        self.path = Path(path)

    def __call__(self, context: grpc.AuthMetadataContext, callback: grpc.AuthMetadataPluginCallback) -> None:
        try:
            callback((("authorization", f"Bearer {self.path.read_text().strip()}"),), None)
        except OSError as error:
            callback((), error)


async def with_lease(
    admission: AdmissionServiceStub, request: AcquireRequest, work: Callable[[Lease], Awaitable[None]]
) -> None:
    """Waits for a lease, holds it while the work runs, and gives it back. Cancels the work when the lease is lost."""
    # No timeout, which would bound waiting and holding together: max_wait bounds the wait.
    stream = admission.Acquire(request)
    try:
        granted = await wait_for_grant(stream)
        if granted.secret:
            await work_and_release(admission, stream, granted, work)
        else:
            await work(granted.lease)  # The limiter has a rate limit alone, so there is nothing to hold.
    finally:
        stream.cancel()  # The stream is the lease: this ends both, whatever has happened.


async def wait_for_grant(stream: grpc.aio.UnaryStreamCall) -> Granted:
    async for response in stream:
        match response.WhichOneof("event"):
            case "waiting":
                print(f"waiting, {response.waiting.waiters_ahead} before me", flush=True)
            case "granted":
                return response.granted
    raise LeaseLost("the server ended the stream")


async def work_and_release(
    admission: AdmissionServiceStub,
    stream: grpc.aio.UnaryStreamCall,
    granted: Granted,
    work: Callable[[Lease], Awaitable[None]],
) -> None:
    outcome = WORK_OUTCOME_IGNORED
    try:
        async with asyncio.TaskGroup() as tasks:
            losing = tasks.create_task(wait_for_loss(stream))
            await work(granted.lease)
            losing.cancel()
        outcome = WORK_OUTCOME_SUCCESS
    except ExceptionGroup as group:
        raise group.exceptions[0] from None
    finally:
        # The end of the stream would do. This also says how the work went, and the permits are free when it returns.
        release = ReleaseRequest(lease_id=granted.lease.id, secret=granted.secret, outcome=outcome)
        try:
            await admission.Release(release, timeout=5)
        except grpc.aio.AioRpcError as error:
            print("left to the end of the stream:", error.details(), file=sys.stderr)


async def wait_for_loss(stream: grpc.aio.UnaryStreamCall) -> None:
    """Raises when the work has to stop."""
    async for response in stream:
        match response.WhichOneof("event"):
            case "revoking":
                raise LeaseLost(f"an operator asks for the lease back: {response.revoking.message}")
            case "draining":
                print("the server stops at", response.draining.end_time.ToDatetime(), flush=True)
    raise LeaseLost("another client has released it")


def explain(error: grpc.aio.AioRpcError) -> str:
    """Says why, with the reason of reason.proto that every refusal brings."""
    text = error.details()
    status = rpc_status.from_call(error)
    for detail in status.details if status else []:
        info, retry = ErrorInfo(), RetryInfo()
        if detail.Unpack(info):
            text = f"{info.reason}: {text}"
        elif detail.Unpack(retry):
            text += f"; ask again in {retry.retry_delay.ToTimedelta()}"
    return text


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except grpc.aio.AioRpcError as error:
        sys.exit(explain(error))
    except LeaseLost as error:
        sys.exit(str(error))
    except (KeyboardInterrupt, asyncio.CancelledError):
        sys.exit("interrupted")
