# The networks of benches/run: published ports, the way out, and between containers.
# Each contender has a namespace with the same server or client (traffic.pl) in it;
# `far` is the machine's own address, and `port` the first of those that are used.
# The client says how long it took: how it is brought into its namespace does not count.

has_traffic() {
  has perl || { missing "$1" 'apt-get install perl'; return 1; }
  far=$(ip -4 -o addr show scope global | awk '{ sub("/.*", "", $4); print $4; exit }')
  far=${far:-127.0.0.1} port=$((20000 + RANDOM % 20000)) servers=()
  rounds=$((rounds < 8 ? rounds : 8))
}

# What this script has started in the background, and nothing else.
stop_traffic() {
  works >/dev/null && R rm -f traffic traffic2 >/dev/null 2>&1
  kill "${servers[@]}" 2>/dev/null
  wait "${servers[@]}" 2>/dev/null
}

# A client that never waits for ever.
traffic() { timed=$(timeout -k 5 "${limit:-25}" perl "$HOME/traffic.pl" "$@"); }

# A container with what the programs need.
container() {
  works >/dev/null && R run -d --name "$1" "${@:2}" -v /usr:/usr:ro -v /lib:/lib:ro -v /lib64:/lib64:ro \
    -v "$HOME/traffic.pl:/traffic.pl:ro" -e PATH=/usr/bin:/bin $image sh -c "$command" >/dev/null
}

# Sets `holder` to a process that keeps a namespace, in which a peer can be the network.
hold() {
  unshare -rn sleep 600 & holder=$!
  servers+=("$holder")
  sleep 0.3
}
within() { timed=$(nsenter -t "$1" -U -n --preserve-credentials timeout -k 5 25 perl "$HOME/traffic.pl" "${@:2}"); }

# pasta and slirp4netns with the namespaces `pasta_in` and `slirp_in`, and the words of each.
join_pasta() {
  has pasta || return
  hold; pasta_in=$holder
  pasta -q -f --config-net -a 10.9.0.100 -n 24 -g 10.9.0.2 "$@" "$holder" >/dev/null 2>&1 & pasta=$!
  servers+=("$pasta")
}
join_slirp() {
  has slirp4netns || return
  hold; slirp_in=$holder
  slirp4netns --configure --mtu=65520 --disable-host-loopback "$@" "$holder" tap0 >/dev/null 2>&1 & slirp=$!
  servers+=("$slirp")
}

# Published ports: a client on the machine, by its own address and by its loopback.
# Of each contender: its port, the process that forwards and the one that serves.
inbound() {
  has_traffic inbound || return
  # Some stop for ever in the middle of a stream, now and then.
  local limit=8 twice=1
  declare -A gate=() forwarder=() server=()
  perl "$HOME/traffic.pl" serve $port & servers+=($!)
  gate[loopback]=$port server[loopback]=$!
  command='exec perl /traffic.pl serve 5000' container traffic -p $((port + 10)):5000 -p $((port + 11)):5001 -p $((port + 10)):5000/udp &&
    gate[rpod]=$((port + 10)) server[rpod]=$(R inspect -f '{{.State.Pid}}' traffic) forwarder[rpod]=$(pgrep -u "$(id -u)" -n rpod-ports)
  join_pasta -t $((port + 20)):5000,$((port + 21)):5001 -u $((port + 20)):5000 -T none -U none &&
    gate[pasta]=$((port + 20)) forwarder[pasta]=$pasta && serve_within pasta "$pasta_in"
  join_slirp --api-socket "$HOME/run/slirp.sock" &&
    gate[slirp4netns]=$((port + 30)) forwarder[slirp4netns]=$slirp && serve_within slirp4netns "$slirp_in"
  sleep 1
  [[ -n ${gate[slirp4netns]:-} ]] && {
    hostfwd tcp 30 5000
    hostfwd tcp 31 5001
    hostfwd udp 30 5000
  }
  sleep 1
  say "published port, 500 MB in one stream, from the machine's own address; hold ≥ 0.6 × loopback, 2 × pasta, 3 × slirp4netns"
  arrive up "$far" 500000000
  say 'the same the other way; hold as above'
  arrive down "$far" 500000000
  say 'from its loopback; hold ≥ pasta'
  arrive up 127.0.0.1 500000000
  say 'four streams, from its own address'
  arrive up "$far" 500000000 4
  say '2,000 connections one after another, one byte each; hold 1.5 × pasta'
  arrive connect 127.0.0.1 2000
  say 'the same from its own address'
  arrive connect "$far" 2000
  say '5,000 questions and answers, one after another, by TCP'
  arrive ask 127.0.0.1 5000
  say '5,000 by UDP'
  arrive ask-udp 127.0.0.1 5000
  stop_traffic
}

serve_within() {
  nsenter -t "$2" -U -n --preserve-credentials perl "$HOME/traffic.pl" serve 5000 & servers+=($!)
  server[$1]=$!
}

# hostfwd PROTOCOL OFFSET PORT: asks slirp4netns for a port.
hostfwd() {
  perl -MIO::Socket::UNIX -e 'my $s = IO::Socket::UNIX->new(Peer => $ARGV[0]) or die; print $s $ARGV[1]; $s->shutdown(1); <$s>' \
    "$HOME/run/slirp.sock" "{\"execute\":\"add_hostfwd\",\"arguments\":{\"proto\":\"$1\",\"host_port\":$((port + $2)),\"guest_port\":$3}}"
}

# arrive WAY HOST COUNT [STREAMS]: the contest, and what it costs in processor time,
# of the forwarder alone and of all with client and server: a second is what limits two
# processors that have nothing else to do.
arrive() {
  flow=("$1" "$2") amount=("${@:3}")
  [[ $1 == up || $1 == down ]] && ((${#amount[@]} == 1)) && amount+=(1)
  : >"$HOME/cpu"
  contest rpod_in loopback_in pasta_in slirp4netns_in
  local each=1e9 unit='s a gigabyte'
  [[ $1 == up || $1 == down ]] || each=1000 unit='s a thousand'
  sort -k1,1 -k3,3n "$HOME/cpu" | awk -v each=$each -v count="$3" -v unit="$unit" '
    { part[$1] = part[$1] " " $2; all[$1] = all[$1] " " $3 }
    END { for (who in all) { n = split(all[who], a, " "); split(part[who], p, " "); m = int((n + 1) / 2)
      printf "  %-22s CPU: forwarder %.3f, with client and server %.3f %s\n", who, p[m] / 100 * each / count, a[m] / 100 * each / count, unit } }'
}

# arrived NAME: one round of a contender's, and what its processes have used meanwhile.
arrived() {
  [[ -n ${gate[$1]:-} ]] || { echo 'it does not run here'; return 1; }
  local before=0 after=0 serving client status
  [[ -n ${forwarder[$1]:-} ]] && before=$(ticks "${forwarder[$1]}")
  serving=$(ticks "${server[$1]}" all)
  client=$({ TIMEFORMAT='%U %S'; time traffic "${flow[0]}" "${flow[1]}" "${gate[$1]}" "${amount[@]}" >"$HOME/traffic.log" 2>&1; } 2>&1)
  status=$?
  ((status)) && { grep . "$HOME/traffic.log" || echo "no end within $limit s"; return $status; }
  [[ -n ${forwarder[$1]:-} ]] && after=$(ticks "${forwarder[$1]}")
  awk -v name="$1" -v own=$((after - before)) -v server=$(($(ticks "${server[$1]}" all) - serving)) -v client="$client" \
    'BEGIN { split(client, c, " "); print name, own, own + server + 100 * (c[1] + c[2]) }' >>"$HOME/cpu"
}
loopback_in() { arrived loopback; }
rpod_in() { arrived rpod; }
pasta_in() { arrived pasta; }
slirp4netns_in() { arrived slirp4netns; }

# The way out: a client in each namespace, and a server at the machine's own address.
outbound() {
  has_traffic outbound || return
  perl "$HOME/traffic.pl" serve $port & servers+=($!)
  command='exec sleep 600' container traffic
  inside=$(R inspect -f '{{.State.Pid}}' traffic)
  # The one process of the network, by its name.
  net=$(pgrep -u "$(id -u)" -n rpod-net)
  join_pasta -t none -u none -T none -U none
  join_slirp
  sleep 1
  local way streams
  for way in up down; do
    for streams in 1 4; do
      say "out, 400 MB $way, streams: $streams; hold ≥ 1.3 × pasta, 3.5 × slirp4netns, at less CPU a gigabyte"
      flow=("$way" "$far" $port 400000000 $streams)
      : >"$HOME/cpu"
      contest rpod_out loopback_out pasta_out slirp4netns_out
      awk '{ own[$1] += $2; all[$1] += $3; times[$1]++ }
        END { for (who in own) printf "  %-22s %9.2f s of CPU a gigabyte (the machine %.2f, with both ends)\n",
          who, own[who] / times[who] / 0.4, all[who] / times[who] / 0.4 }' "$HOME/cpu" | sort
    done
  done
  say '10,000 questions and answers, one after another, by TCP; hold ≤ pasta'
  flow=(ask "$far" $port 10000)
  contest rpod_out loopback_out pasta_out slirp4netns_out
  say '10,000 by UDP; hold ≤ pasta'
  flow=(ask-udp "$far" $port 10000)
  contest rpod_out loopback_out pasta_out slirp4netns_out
  say '2,000 connections one after another, one byte each'
  flow=(connect "$far" $port 2000)
  contest rpod_out loopback_out pasta_out slirp4netns_out
  stop_traffic
}

# Ticks of a process, of 10 ms: what it has used itself, its threads together; `all`:
# with its children that have ended.
ticks() { awk -v all="${2:-}" '{ sub(/.*\) /, ""); print $12 + $13 + (all ? $14 + $15 : 0) }' "/proc/$1/stat"; }
# Seconds a process has used itself, its threads together; and those the machine has: what the
# kernel does in nobody's name counts there.
used() { awk 'FNR == 1 { own += $1 } END { printf "%.6f\n", own / 1e9 }' /proc/"$1"/task/*/schedstat; }
busy() { awk -v hz="$(getconf CLK_TCK)" '/^cpu / { print ($2 + $3 + $4 + $7 + $8) / hz }' /proc/stat; }
# metered NAME PROCESS COMMAND…: also notes what was used meanwhile.
metered() {
  local own all status
  own=$(used "$2") all=$(busy)
  "${@:3}"
  status=$?
  ((status == 0)) && [[ -z $warm ]] && echo "$1 $own $(used "$2") $all $(busy)" |
    awk '{ print $1, $3 - $2, $5 - $4 }' >>"$HOME/cpu"
  return $status
}
loopback_out() { traffic "${flow[@]}"; }
rpod_out() { metered rpod "$net" within "$inside" "${flow[@]}"; }
pasta_out() { metered pasta "$pasta" within "$pasta_in" "${flow[@]}"; }
slirp4netns_out() { metered slirp4netns "$slirp" within "$slirp_in" "${flow[@]}"; }

# From one container to another, and the same over two ends of a cable.
between() {
  has_traffic between || return
  command='exec sleep 600' container traffic
  inside=$(R inspect -f '{{.State.Pid}}' traffic)
  command='exec perl /traffic.pl serve 5000' container traffic2
  there=$(R inspect -f '{{.NetworkSettings.IPAddress}}' traffic2)
  hold; bare=$holder
  nsenter -t "$bare" -U -n --preserve-credentials sh -c 'ip link set lo up
    unshare -n sleep 600 & echo $! >"$HOME/run/other"; sleep 0.3
    ip link add name cable-a type veth peer name cable-b netns $(cat "$HOME/run/other")
    ip addr add 10.8.0.1/24 dev cable-a; ip link set dev cable-a mtu 65520 up
    nsenter -t $(cat "$HOME/run/other") -n sh -c "ip link set lo up; ip addr add 10.8.0.2/24 dev cable-b; ip link set dev cable-b mtu 65520 up"
    exec nsenter -t $(cat "$HOME/run/other") -n perl "$HOME/traffic.pl" serve 5000' & servers+=($!)
  sleep 1.5
  servers+=("$(cat "$HOME/run/other")")
  local way
  for way in up down; do
    say "between containers, 2 GB $way in one stream; hold ≥ 0.9 × a bare veth pair"
    flow=("$way" 5000 2000000000 1)
    contest rpod_between veth_between
  done
  say '20,000 questions and answers, one after another'
  flow=(ask 5000 20000)
  contest rpod_between veth_between
  stop_traffic
}

rpod_between() { within "$inside" "${flow[0]}" "$there" "${flow[@]:1}"; }
veth_between() { within "$bare" "${flow[0]}" 10.8.0.2 "${flow[@]:1}"; }
