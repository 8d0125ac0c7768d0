// SPDX-License-Identifier: BSD-2-Clause

// A relay that terminates TLS, on Go's crypto/tls and as one would write it: a goroutine a
// connection and one more for the way back. Nothing is resumed.
package main

import (
	"crypto/tls"
	"crypto/x509"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"runtime"
)

var (
	listen      = flag.String("listen", "", "`address` to accept TLS on")
	backend     = flag.String("backend", "", "`address` of the plain backend")
	certificate = flag.String("certificate", "", "PEM `file`: the chain, leaf first")
	key         = flag.String("key", "", "PEM `file`: the leaf's key")
	clientCA    = flag.String("client-ca", "", "PEM `file`: who vouches for clients; empty: they are not asked")
	tickets     = flag.Bool("tickets", false, "send session tickets")
	version     = flag.Bool("version", false, "print the version of Go")
)

func settings() (*tls.Config, error) {
	pair, err := tls.LoadX509KeyPair(*certificate, *key)
	if err != nil {
		return nil, err
	}
	config := &tls.Config{
		Certificates:           []tls.Certificate{pair},
		MinVersion:             tls.VersionTLS13,
		CurvePreferences:       []tls.CurveID{tls.X25519},
		SessionTicketsDisabled: !*tickets,
	}
	if *clientCA == "" {
		return config, nil
	}
	pem, err := os.ReadFile(*clientCA)
	if err != nil {
		return nil, err
	}
	config.ClientCAs = x509.NewCertPool()
	if !config.ClientCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s: no certificate", *clientCA)
	}
	config.ClientAuth = tls.RequireAndVerifyClientCert
	return config, nil
}

// relay passes on both ways until both have ended.
func relay(client *tls.Conn) {
	defer client.Close()
	if client.Handshake() != nil {
		return
	}
	conn, err := net.Dial("tcp", *backend)
	if err != nil {
		return
	}
	plain := conn.(*net.TCPConn)
	defer plain.Close()
	done := make(chan struct{})
	go func() {
		io.Copy(plain, client)
		plain.CloseWrite()
		close(done)
	}()
	io.Copy(client, plain)
	client.CloseWrite()
	<-done
}

func main() {
	flag.Parse()
	if *version {
		fmt.Println(runtime.Version())
		return
	}
	config, err := settings()
	if err != nil {
		log.Fatal(err)
	}
	listener, err := net.Listen("tcp", *listen)
	if err != nil {
		log.Fatal(err)
	}
	for {
		conn, err := listener.Accept()
		if err != nil {
			log.Fatal(err)
		}
		go relay(tls.Server(conn, config))
	}
}
