#!/usr/bin/perl
# The traffic of benches/run: one server and one client for all contenders.
#
#   traffic.pl serve PORT                    until the process that started it has gone
#   traffic.pl up|down HOST PORT BYTES N     N streams, BYTES in all
#   traffic.pl ask HOST PORT COUNT           COUNT questions and answers of 64 bytes, one after another
#   traffic.pl ask-udp HOST PORT COUNT       the same by datagrams
#   traffic.pl connect HOST PORT COUNT       COUNT connections, one byte each
#
# Streams of both ends are not paced, whatever the machine's choice (bbr paces): what is
# measured is who carries them. Whatever waits, waits twenty seconds at most. A client says
# how many microseconds it took, from before it connects, or of datagrams before the first
# question.
use strict;
use warnings;
use Time::HiRes qw(time);
use Socket qw(:DEFAULT IPPROTO_TCP TCP_NODELAY);
use IO::Select;
use POSIX ();

my $CHUNK = 128 * 1024;
my ($what, @words) = @ARGV;
$SIG{PIPE} = 'DEFAULT';

sub serve {
    my ($port) = @_;
    my $parent = getppid;
    # Waited for at once: what they have used is the server's from then on.
    $SIG{CHLD} = sub { 1 while waitpid(-1, POSIX::WNOHANG) > 0 };
    socket(my $listener, PF_INET, SOCK_STREAM, 0) or die "socket: $!";
    setsockopt($listener, SOL_SOCKET, SO_REUSEADDR, 1);
    bind($listener, sockaddr_in($port, INADDR_ANY)) or die "bind: $!";
    unpaced($listener);
    listen($listener, 4096) or die "listen: $!";
    socket(my $datagrams, PF_INET, SOCK_DGRAM, 0) or die "socket: $!";
    bind($datagrams, sockaddr_in($port, INADDR_ANY)) or die "bind: $!";
    # What takes long has a process of its own; one-byte connections have none.
    socket(my $quick, PF_INET, SOCK_STREAM, 0) or die "socket: $!";
    setsockopt($quick, SOL_SOCKET, SO_REUSEADDR, 1);
    bind($quick, sockaddr_in($port + 1, INADDR_ANY)) or die "bind: $!";
    unpaced($quick);
    listen($quick, 4096) or die "listen: $!";
    my $all = IO::Select->new($listener, $datagrams, $quick);
    while (getppid == $parent) {
        for my $ready ($all->can_read(1)) {
            if ($ready == $datagrams) {
                my $from = recv($datagrams, my $question, 65536, 0);
                send($datagrams, $question, 0, $from) if defined $from;
                next;
            }
            accept(my $client, $ready) or next;
            if ($ready == $quick) {
                syswrite $client, 'x';
                next;
            }
            next if fork;
            alarm 20;
            answer($client);
            exit;
        }
    }
}

# TCP_CONGESTION of tcp(7); every kernel has this one. What is accepted has it too.
sub unpaced { setsockopt($_[0], IPPROTO_TCP, 13, 'reno') or die "reno: $!" }

sub answer {
    my ($client) = @_;
    setsockopt($client, IPPROTO_TCP, TCP_NODELAY, 1);
    sysread($client, my $line, 16) == 16 or return;
    my ($mode, $bytes) = split ' ', $line;
    if ($mode eq 'up') {
        sink($client, $bytes);
        syswrite $client, 'x';
    } elsif ($mode eq 'down') {
        source($client, $bytes);
    } else {
        while (sysread $client, my $question, 64) { syswrite $client, $question }
    }
}

sub source {
    my ($to, $bytes) = @_;
    my $chunk = "\0" x $CHUNK;
    while ($bytes > 0) {
        $bytes -= syswrite($to, $chunk, $bytes < $CHUNK ? $bytes : $CHUNK) // die "write: $!";
    }
}

sub sink {
    my ($from, $bytes) = @_;
    my $chunk;
    while ($bytes > 0) {
        my $count = sysread($from, $chunk, $CHUNK) || die 'read: ' . ($! || 'too early an end');
        $bytes -= $count;
    }
}

sub call {
    my ($host, $port) = @_;
    socket(my $server, PF_INET, SOCK_STREAM, 0) or die "socket: $!";
    setsockopt($server, IPPROTO_TCP, TCP_NODELAY, 1);
    unpaced($server);
    connect($server, sockaddr_in($port, inet_aton($host))) or die "connect: $!";
    return $server;
}

sub stream {
    my ($host, $port, $bytes, $streams) = @_;
    my $part = int($bytes / $streams);
    for (1 .. $streams) {
        next if fork;
        alarm 20;
        my $server = call($host, $port);
        syswrite $server, sprintf '%-16s', "$what $part";
        if ($what eq 'up') {
            source($server, $part);
            sysread($server, my $done, 1) == 1 or die 'no answer';
        } else {
            sink($server, $part);
        }
        exit;
    }
    my $failed = 0;
    while (wait > 0) { $failed ||= $? }
    exit 1 if $failed;
}

sub ask {
    my ($host, $port, $count) = @_;
    alarm 20;
    my $server = call($host, $port);
    syswrite $server, sprintf '%-16s', 'ask 0';
    for (1 .. $count) {
        syswrite $server, 'q' x 64;
        my $got = 0;
        while ($got < 64) { $got += sysread($server, my $answer, 64) || die 'no answer' }
    }
}

sub ask_udp {
    my ($host, $port, $count) = @_;
    alarm 20;
    socket(my $server, PF_INET, SOCK_DGRAM, 0) or die "socket: $!";
    connect($server, sockaddr_in($port, inet_aton($host))) or die "connect: $!";
    for (1 .. $count) {
        send($server, 'q' x 64, 0);
        defined recv($server, my $answer, 64, 0) or die 'no answer';
    }
}

sub connects {
    my ($host, $port, $count) = @_;
    alarm 20;
    for (1 .. $count) {
        my $server = call($host, $port + 1);
        sysread($server, my $byte, 1) == 1 or die 'no answer';
    }
}

my $began = time;
if ($what eq 'serve') { serve(@words) }
elsif ($what eq 'up' || $what eq 'down') { stream(@words) }
elsif ($what eq 'ask') { ask(@words) }
elsif ($what eq 'ask-udp') { ask_udp(@words) }
elsif ($what eq 'connect') { connects(@words) }
else { die "there is no $what" }
printf "%d\n", (time - $began) * 1e6;
