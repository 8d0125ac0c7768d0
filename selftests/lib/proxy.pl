#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
#
# proxy.pl http|socks5 [USER:PASSWORD]: a proxy on a port of its own, which it prints; ends with its standard input.
# Names are resolved by a table of one: target.test is 127.0.0.1. Prints what was asked for, a line each. A connection that
# is let through begins with the proxy's last byte and the target's first in one piece: who reads too much loses data.
use strict;
use warnings;
use IO::Select;
use IO::Socket::INET;
use MIME::Base64;

my ($kind, $login) = @ARGV;
$SIG{CHLD} = $SIG{PIPE} = 'IGNORE';
$| = 1;
my $listen = IO::Socket::INET->new(Listen => 16, LocalAddr => '127.0.0.1') or die "listen: $!";
print $listen->sockport, "\n";

sub take { # HANDLE LENGTH
	my ($from, $len) = @_;
	my $data = '';
	while (length $data < $len) {
		sysread($from, $data, $len - length $data, length $data) or exit 0;
	}
	return $data;
}

sub reach { # HOST PORT
	my ($host, $port) = @_;
	print "asked for $host:$port\n";
	return IO::Socket::INET->new(PeerAddr => $host eq 'target.test' ? '127.0.0.1' : $host, PeerPort => $port);
}

sub http {
	my ($client) = @_;
	my $request = '';
	$request .= take($client, 1) until $request =~ /\r\n\r\n$/;
	my ($host, $port) = $request =~ /^CONNECT \[?([^\s\]]+?)\]?:(\d+) HTTP\/1\.1\r\n/ or return syswrite $client, "HTTP/1.1 400 no\r\n\r\n";
	if ($login) {
		my ($said) = $request =~ /\r\nProxy-Authorization: Basic (\S+)\r\n/;
		return syswrite $client, "HTTP/1.1 407 who are you\r\nProxy-Authenticate: Basic realm=\"test\"\r\n\r\n"
			unless defined $said && $said eq encode_base64($login, '');
	}
	my $target = reach($host, $port) or return syswrite $client, "HTTP/1.1 502 not there\r\n\r\n";
	syswrite $client, "HTTP/1.1 200 Connection established\r\nVia: 1.1 test\r\n\r\n";
	relay($client, $target);
}

sub socks5 {
	my ($client) = @_;
	my ($version, $count) = unpack 'CC', take($client, 2);
	return unless $version == 5;
	my @methods = unpack 'C*', take($client, $count);
	my $method = $login ? 2 : 0;
	return syswrite $client, "\5\xff" unless grep { $_ == $method } @methods;
	syswrite $client, pack 'CC', 5, $method;
	if ($login) {
		my (undef, $len) = unpack 'CC', take($client, 2);
		my $user = take($client, $len);
		my $password = take($client, unpack 'C', take($client, 1));
		return syswrite $client, "\1\1" unless "$user:$password" eq $login;
		syswrite $client, "\1\0";
	}
	my (undef, undef, undef, $type) = unpack 'CCCC', take($client, 4);
	my $host = $type == 1 ? join('.', unpack 'C4', take($client, 4))
		: $type == 3 ? take($client, unpack 'C', take($client, 1)) : return syswrite $client, "\5\10\0\1\0\0\0\0\0\0";
	my $target = reach($host, unpack 'n', take($client, 2)) or return syswrite $client, "\5\5\0\1\0\0\0\0\0\0";
	syswrite $client, "\5\0\0\3\4test\0\1";
	relay($client, $target);
}

sub relay {
	my ($client, $target) = @_;
	my %to = ($client => $target, $target => $client);
	my $open = IO::Select->new($client, $target);
	while ($open->count) {
		for my $from ($open->can_read) {
			my $len = sysread $from, my $data, 65536;
			if ($len) {
				for (my $at = 0; $at < $len;) { $at += syswrite($to{$from}, $data, $len - $at, $at) // exit 0; }
			} else {
				$open->remove($from);
				shutdown $to{$from}, 1;
			}
		}
	}
}

my $ends = IO::Select->new($listen, \*STDIN);
for (;;) {
	for my $ready ($ends->can_read) {
		exit 0 if $ready == \*STDIN;
		my $client = $listen->accept or next;
		next if fork;
		close $listen;
		$kind eq 'http' ? http($client) : socks5($client);
		exit 0;
	}
}
