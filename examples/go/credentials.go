package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"os"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
)

// identity says who the client is, and whom it trusts. Empty: plain text, without a credential.
type identity struct {
	caFile, certFile, keyFile, tokenFile string
}

func (who identity) dialOptions() ([]grpc.DialOption, error) {
	if who == (identity{}) {
		return []grpc.DialOption{grpc.WithTransportCredentials(insecure.NewCredentials())}, nil
	}
	config, err := who.tlsConfig()
	if err != nil {
		return nil, err
	}
	options := []grpc.DialOption{grpc.WithTransportCredentials(credentials.NewTLS(config))}
	if who.tokenFile != "" {
		options = append(options, grpc.WithPerRPCCredentials(tokenFile(who.tokenFile)))
	}
	return options, nil
}

func (who identity) tlsConfig() (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if who.caFile != "" {
		pem, err := os.ReadFile(who.caFile)
		if err != nil {
			return nil, err
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, errors.New(who.caFile + " has no certificate in PEM")
		}
	}
	if who.certFile != "" {
		// For each connection anew, so that renewed files need no restart.
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			certificate, err := tls.LoadX509KeyPair(who.certFile, who.keyFile)
			return &certificate, err
		}
	}
	return config, nil
}

// tokenFile is the path of a token, which is read for each call: what Kubernetes mounts changes.
type tokenFile string

func (path tokenFile) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	token, err := os.ReadFile(string(path))
	if err != nil {
		return nil, err
	}
	return map[string]string{"authorization": "Bearer " + strings.TrimSpace(string(token))}, nil
}

// RequireTransportSecurity keeps the token off the wire in plain text.
func (tokenFile) RequireTransportSecurity() bool { return true }
