// SPDX-License-Identifier: BSD-2-Clause

// Command client PORT CA CHAIN KEY VERSION sends standard input to an echo server over TLS, and what comes back to standard
// output. The server's name is localhost. It ends with close_notify, and wants the server's.
package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"os"
)

func settings(arguments []string) (*tls.Config, error) {
	pem, err := os.ReadFile(arguments[1])
	if err != nil {
		return nil, err
	}
	pair, err := tls.LoadX509KeyPair(arguments[2], arguments[3])
	if err != nil {
		return nil, err
	}
	version := uint16(tls.VersionTLS13)
	if arguments[4] == "1.2" {
		version = tls.VersionTLS12
	}
	config := &tls.Config{
		ServerName:   "localhost",
		RootCAs:      x509.NewCertPool(),
		Certificates: []tls.Certificate{pair},
		MinVersion:   version,
		MaxVersion:   version,
	}
	if !config.RootCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s: no certificate", arguments[1])
	}
	return config, nil
}

func exchange(arguments []string) error {
	config, err := settings(arguments)
	if err != nil {
		return err
	}
	data, err := io.ReadAll(os.Stdin)
	if err != nil {
		return err
	}
	conn, err := tls.Dial("tcp", "127.0.0.1:"+arguments[0], config)
	if err != nil {
		return err
	}
	defer conn.Close()
	go func() {
		if _, err := io.Copy(conn, bytes.NewReader(data)); err == nil {
			conn.CloseWrite()
		}
	}()
	// To the server's close_notify: without it this is an error.
	_, err = io.Copy(os.Stdout, conn)
	return err
}

func main() {
	if len(os.Args) != 6 {
		fmt.Fprintln(os.Stderr, "client PORT CA CHAIN KEY VERSION")
		os.Exit(2)
	}
	if err := exchange(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "client:", err)
		os.Exit(1)
	}
}
