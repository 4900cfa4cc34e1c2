// Worker holds a lease while it works, as every client of the admission service does: it waits its turn, stops when the
// lease is lost, and gives it back.
package main

//go:generate npx buf generate

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	pb "ggen-backpressure.example/worker/gen/ggen/backpressure/v1"
)

// A dead connection is noticed here after 15 s, when the stream ends: well within the ttl, for which the server keeps
// the permits of a holder that it has lost.
const (
	keepaliveTime    = 10 * time.Second
	keepaliveTimeout = 5 * time.Second
	ttl              = 30 * time.Second
)

func main() {
	address := flag.String("address", "localhost:50051", "the server's gRPC port")
	limiter := flag.String("limiter", "sample", "the limiter to ask")
	permits := flag.Uint("permits", 1, "how many of its permits")
	maxWait := flag.Duration("max-wait", time.Minute, "how long to wait at most")
	duration := flag.Duration("work", 5*time.Second, "how long the work takes")
	var who identity
	flag.StringVar(&who.caFile, "ca-file", "", "the server's authority, in PEM; speaks TLS")
	flag.StringVar(&who.certFile, "cert-file", "", "this client's certificate, in PEM")
	flag.StringVar(&who.keyFile, "key-file", "", "its private key, in PEM")
	flag.StringVar(&who.tokenFile, "token-file", "", "a file with this client's token")
	flag.Parse()

	// Ctrl-C ends the work, or the wait for it.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()

	options, err := who.dialOptions()
	if err != nil {
		fail(err)
	}
	options = append(options,
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: keepaliveTime, Timeout: keepaliveTimeout}))
	conn, err := grpc.NewClient(*address, options...)
	if err != nil {
		fail(err)
	}
	defer conn.Close()

	request := &pb.AcquireRequest{
		Claims:  []*pb.Claim{{Limiter: *limiter, Permits: proto.Uint32(uint32(*permits))}},
		Holder:  "examples/go",
		MaxWait: durationpb.New(*maxWait),
		Ttl:     durationpb.New(ttl),
	}
	err = withLease(ctx, pb.NewAdmissionServiceClient(conn), request, func(ctx context.Context, lease *pb.Lease) error {
		fmt.Printf("holding %s under fencing token %d\n", lease.Id, lease.Claims[0].FencingToken)
		select {
		case <-time.After(*duration):
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	})
	if err != nil {
		fail(err)
	}
}

// withLease waits for a lease, holds it while the work runs, and gives it back. The context of the work ends when the
// lease is lost; its cause says why.
func withLease(
	ctx context.Context,
	client pb.AdmissionServiceClient,
	request *pb.AcquireRequest,
	work func(context.Context, *pb.Lease) error,
) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil) // The stream is the lease: this ends both, whatever has happened.

	// No deadline, which would bound waiting and holding together: max_wait bounds the wait.
	stream, err := client.Acquire(ctx, request)
	if err != nil {
		return err
	}
	granted, err := awaitGrant(stream)
	if err != nil {
		return err
	}
	if granted.Secret == "" {
		return work(ctx, granted.Lease) // The limiter has a rate limit alone, so there is nothing to hold.
	}
	go func() { cancel(awaitLoss(stream)) }()

	outcome := pb.WorkOutcome_WORK_OUTCOME_SUCCESS
	err = work(ctx, granted.Lease)
	if err != nil {
		outcome = pb.WorkOutcome_WORK_OUTCOME_IGNORED
	}
	// The end of the stream would do. This also says how the work went, and the permits are free when it returns.
	releasing, done := context.WithTimeout(context.WithoutCancel(ctx), keepaliveTimeout)
	defer done()
	release := &pb.ReleaseRequest{LeaseId: granted.Lease.Id, Secret: granted.Secret, Outcome: outcome}
	if _, err := client.Release(releasing, release); err != nil {
		fmt.Fprintln(os.Stderr, "left to the end of the stream:", err)
	}
	return err
}

func awaitGrant(stream grpc.ServerStreamingClient[pb.AcquireResponse]) (*pb.Granted, error) {
	for {
		response, err := stream.Recv()
		if err != nil {
			return nil, err
		}
		switch event := response.Event.(type) {
		case *pb.AcquireResponse_Waiting:
			fmt.Printf("waiting, %d before me\n", event.Waiting.WaitersAhead)
		case *pb.AcquireResponse_Granted:
			return event.Granted, nil
		}
	}
}

// awaitLoss returns why the work has to stop.
func awaitLoss(stream grpc.ServerStreamingClient[pb.AcquireResponse]) error {
	for {
		response, err := stream.Recv()
		if err != nil {
			return err
		}
		switch event := response.Event.(type) {
		case *pb.AcquireResponse_Revoking:
			return errors.New("an operator asks for the lease back: " + event.Revoking.Message)
		case *pb.AcquireResponse_Draining:
			fmt.Printf("the server stops at %v\n", event.Draining.EndTime.AsTime())
		}
	}
}

// fail says why, with the reason of reason.proto that every refusal brings.
func fail(err error) {
	text := err.Error()
	if refusal, ok := status.FromError(err); ok {
		text = refusal.Message()
		for _, detail := range refusal.Details() {
			switch detail := detail.(type) {
			case *errdetails.ErrorInfo:
				text = detail.Reason + ": " + text
			case *errdetails.RetryInfo:
				text += fmt.Sprintf("; ask again in %v", detail.RetryDelay.AsDuration())
			}
		}
	}
	fmt.Fprintln(os.Stderr, text)
	os.Exit(1)
}
