//! The whole network in a machine of a test's own: a net process, containers on
//! its bridge, published ports, and clients from near and far.

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::dataplane::control::{self, Client, NetJob, Wanted};
use crate::dataplane::publish::{self, PortsJob};
use crate::dataplane::register::Register;
use crate::dataplane::uplink::Uplink;
use crate::dataplane::{link, relay, switch};
use crate::error::Result;
use crate::network::plan::{InUse, Plan, default_network, pool_of};
use crate::spec::id::{ContainerId, ContainerName, NetworkId};
use crate::spec::network::{Attachment, Endpoint, Seat};
use crate::spec::port::parse_publish;
use crate::sys::sandbox::{Child, child, close_inherited, machine};
use crate::sys::{net, socket};

/// A network namespace with nobody in it but a process that sleeps.
struct Place {
    _holder: Child,
    fd: File,
}

impl Place {
    fn new() -> Self {
        let (mut read, mut write) = std::io::pipe().expect("a pipe");
        let holder = child(move || {
            net::unshare_network().expect("a namespace");
            write.write_all(b"x").expect("told");
            loop {
                std::thread::sleep(Duration::from_secs(3600));
            }
        });
        read.read_exact(&mut [0]).expect("heard");
        let fd = File::open(format!("/proc/{}/ns/net", holder.pid())).expect("open");
        Self {
            _holder: holder,
            fd,
        }
    }

    fn fd(&self) -> OwnedFd {
        self.fd.as_fd().try_clone_to_owned().expect("copied")
    }

    /// Runs something in it.
    fn spawn(&self, body: impl FnOnce()) -> Child {
        child(|| {
            net::enter_network(&self.fd).expect("entered");
            body();
        })
    }
}

/// What `role::net` does, which tests of this room may not import.
fn net_process(job: NetJob) {
    let start = || {
        let uplink = Uplink::start()?;
        match &job.adopt {
            Some(network) => net::enter_network(network)?,
            None => net::unshare_network()?,
        }
        link::prepare()?;
        drop(uplink.open());
        switch::Switch::serve(&job.runtime, Register::default(), uplink)
    };
    match start() {
        Ok(mut switch) => {
            job.ready.tell(&Ok(None));
            switch.run().expect("served");
        }
        Err(error) => job.ready.tell(&Err(error)),
    }
}

fn launch(runtime: &Path, adopt: Option<OwnedFd>, children: &mut Vec<Child>) -> Result<()> {
    let (ready, waiting) = control::ready()?;
    let job = NetJob {
        runtime: runtime.to_owned(),
        ready,
        adopt,
        comes_back: false,
    };
    // The fork has a copy of the whole job; ours goes with the closure.
    children.push(child(move || net_process(job)));
    waiting.wait().map(drop)
}

/// Connects to the net process, started if need be.
fn connected(runtime: &Path, children: &mut Vec<Child>) -> control::Client {
    let start = || launch(runtime, None, children);
    control::connect_or(runtime, || {}, start).expect("connected")
}

fn id(digit: u8) -> ContainerId {
    ContainerId::from_random([digit; 32])
}

fn name(text: &str) -> ContainerName {
    text.parse().expect(text)
}

fn bridge() -> Plan {
    Plan::of(&default_network())
}

/// Another network, of these IPv4 addresses.
fn network(name: &str, subnet: &str) -> Plan {
    Plan {
        id: NetworkId::from_random([subnet.len().to_le_bytes()[0] ^ name.as_bytes()[0]; 32]),
        name: name.to_owned(),
        bridge: name.to_owned(),
        v4: pool_of(subnet.parse().expect(subnet)),
        v6: None,
        ..bridge()
    }
}

/// Any place on a network.
fn any(plan: Plan) -> Wanted {
    Wanted {
        place: Attachment::to(&plan.name),
        plan,
    }
}

/// A place on the default network with an address of one's own choice.
fn at(ip: [u8; 4]) -> Wanted {
    let mut wanted = any(bridge());
    wanted.place.ip = Some(ip.into());
    wanted
}

/// A container on networks.
struct Container {
    place: Place,
    endpoints: Vec<Endpoint>,
    client: Client,
}

impl Container {
    fn start(client: Client, digit: u8) -> Self {
        Self::on(client, digit, &[any(bridge())])
    }

    fn on(mut client: Client, digit: u8, networks: &[Wanted]) -> Self {
        let place = Place::new();
        let attached = client
            .attach(&id(digit), &name(&format!("container{digit}")), networks)
            .expect("attached");
        client.link(place.fd.as_fd(), None).expect("linked");
        let endpoints = attached.endpoints;
        place
            .spawn(|| link::configure(&endpoints).expect("configured"))
            .join();
        Self {
            place,
            endpoints,
            client,
        }
    }

    fn ip(&self) -> String {
        self.endpoints[0].v4.ip.to_string()
    }
}

fn temporary() -> tempfile::TempDir {
    tempfile::tempdir().expect("a directory")
}

fn local_up() {
    link::loopback_only().expect("loopback");
}

fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < Duration::from_secs(10), "never: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn connect(address: &str) -> std::io::Result<TcpStream> {
    let stream =
        TcpStream::connect_timeout(&address.parse().expect(address), Duration::from_secs(5))?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    Ok(stream)
}

/// Serves streams: each connection is handed to `serve`, one after the other.
fn serve_streams(place: &Place, at: &'static str, serve: impl Fn(TcpStream, SocketAddr)) -> Child {
    let (mut read, mut write) = std::io::pipe().expect("a pipe");
    let server = place.spawn(move || {
        let listener = TcpListener::bind(at).expect("bound");
        write.write_all(b"x").expect("told");
        loop {
            let (stream, client) = listener.accept().expect("accepted");
            serve(stream, client);
        }
    });
    read.read_exact(&mut [0]).expect("heard");
    server
}

fn tell_address(mut stream: TcpStream, client: SocketAddr) {
    write!(stream, "{client}").expect("told");
}

fn what_it_says(mut stream: TcpStream) -> String {
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("heard");
    text
}

#[test]
fn containers_reach_each_other_and_the_network_goes_with_the_last() {
    machine(|| {
        local_up();
        let runtime = temporary();
        let runtime = runtime.path().join("a/b");
        let mut children = Vec::new();
        let mut first = || connected(&runtime, &mut children);
        let one = Container::start(first(), 1);
        let two = Container::start(first(), 2);
        assert_eq!(one.ip(), "172.17.0.2");
        assert_eq!(two.ip(), "172.17.0.3");
        assert_eq!(two.endpoints[0].mac.to_string(), "02:42:ac:11:00:03");

        let server = serve_streams(&two.place, "0.0.0.0:80", tell_address);
        one.place
            .spawn(|| {
                let said = what_it_says(connect("172.17.0.3:80").expect("reached"));
                assert!(said.starts_with("172.17.0.2:"), "{said}");
                // The gateway is there, and refuses what nobody serves.
                let refused = connect("172.17.0.1:9").expect_err("nobody");
                assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
                // The machine has loopback only, and so no way: that is said at once.
                assert!(connect("198.51.100.1:9").is_err());
            })
            .join();

        let mut asking = control::connect(&runtime)
            .expect("connected")
            .expect("served");
        let members = asking.members().expect("listed");
        let shown: Vec<String> = members
            .iter()
            .map(|m| format!("{} {}", m.name.as_str(), m.endpoints[0].v4.ip))
            .collect();
        assert_eq!(shown, ["container1 172.17.0.2", "container2 172.17.0.3"]);
        let taken = asking.attach(&id(7), &name("late"), &[at([172, 17, 0, 2])]);
        assert_eq!(
            taken.expect_err("taken").to_string(),
            "cannot connect \"late\" to network \"bridge\": container \"container1\" has it: 172.17.0.2 is taken"
        );
        let mut two = two;
        two.client.end();
        drop((server, two));
        eventually("the address is free", || {
            asking.members().expect("listed").len() == 1
        });
        let attached = asking
            .attach(&id(8), &name("next"), &[any(bridge())])
            .expect("attached");
        assert_eq!(attached.endpoints[0].v4.ip.to_string(), "172.17.0.3");
        drop((one, asking));
        assert_eq!(children.len(), 1);
        children.pop().expect("one").join();
        assert!(control::connect(&runtime).expect("looked").is_none());
        let left: Vec<_> = std::fs::read_dir(&runtime)
            .expect("listed")
            .map(|entry| entry.expect("read").file_name())
            .collect();
        assert_eq!(left, ["net.lock"]);
    });
}

#[test]
fn a_killed_net_process_loses_nothing() {
    machine(|| {
        local_up();
        let runtime = temporary();
        let mut children = Vec::new();
        let client = connected(runtime.path(), &mut children);
        let one = Container::start(client, 1);
        let two = Container::start(
            control::connect(runtime.path())
                .expect("looked")
                .expect("served"),
            2,
        );
        let network = File::open(format!("/proc/{}/ns/net", children[0].pid())).expect("open");
        children[0].kill(9);
        children.clear();
        drop((one.client, two.client));
        let mut again = control::connect_or(
            runtime.path(),
            || {},
            || launch(runtime.path(), Some(network.into()), &mut children),
        )
        .expect("connected");
        let attached = again
            .adopt(
                &id(2),
                &name("container2"),
                &[any(bridge())],
                &two.endpoints,
            )
            .expect("adopted");
        assert_eq!(attached.endpoints, two.endpoints);
        let _server = serve_streams(&two.place, "0.0.0.0:80", tell_address);
        one.place
            .spawn(|| drop(connect("172.17.0.3:80").expect("reached")))
            .join();
        // One has not come back yet: its link says that its address is taken.
        let third = Container::start(
            control::connect(runtime.path())
                .expect("looked")
                .expect("served"),
            3,
        );
        assert_eq!(third.ip(), "172.17.0.4");
        let mut other = control::connect(runtime.path())
            .expect("looked")
            .expect("served");
        other
            .adopt(
                &id(1),
                &name("container1"),
                &[any(bridge())],
                &one.endpoints,
            )
            .expect("adopted");
    });
}

#[test]
fn networks_are_apart_whatever_a_container_does() {
    machine(|| {
        local_up();
        let runtime = temporary();
        let mut children = Vec::new();
        let mut client = || connected(runtime.path(), &mut children);
        let blue = || any(network("blue", "172.18.0.0/16"));
        let inner = || {
            let mut inner = any(network("inner", "10.9.0.0/24"));
            inner.plan.internal = true;
            inner
        };
        let one = Container::on(client(), 1, &[any(bridge())]);
        let two = Container::on(client(), 2, &[blue()]);
        let both = Container::on(client(), 3, &[any(bridge()), blue(), inner()]);
        let alone = Container::on(client(), 4, &[inner()]);
        let places = [&one, &two, &both, &alone];
        let _servers = places.map(|c| serve_streams(&c.place, "0.0.0.0:80", tell_address));
        let six = both.endpoints[0].v6.expect("IPv6").ip;
        let _server6 = serve_streams(&both.place, "[::]:81", tell_address);
        let reaches = |from: &Container, to: &str| {
            let to = to.to_owned();
            from.place
                .spawn(move || drop(what_it_says(connect(&to).expect(&to))))
                .join();
        };
        reaches(&one, "172.17.0.3:80");
        reaches(&one, &format!("[{six}]:81"));
        reaches(&two, "172.18.0.3:80");
        reaches(&both, "172.18.0.2:80");
        reaches(&both, "10.9.0.3:80");
        reaches(&alone, "10.9.0.2:80");
        let apart = |from: &Container, to: &'static str| {
            let refused = move || drop(connect(to).expect_err("networks are apart"));
            from.place.spawn(refused).join();
        };
        apart(&one, "172.18.0.2:80");
        apart(&two, "172.17.0.2:80");
        apart(&two, "10.9.0.3:80");
        // Also with a route of its own, and in somebody else's name.
        alone
            .place
            .spawn(|| link::configure(&[open_ended(&alone.endpoints[0])]).expect("configured"))
            .join();
        apart(&alone, "172.18.0.2:80");
        apart(&alone, "198.51.100.1:80");
        let lie = Endpoint {
            v6: one.endpoints[0].v6,
            ..place_of(
                &network("blue", "172.18.0.0/16"),
                Ipv4Addr::new(172, 18, 0, 9),
            )
        };
        one.place
            .spawn(|| {
                link::configure(&[one.endpoints[0].clone(), lie]).expect("configured");
                let socket = UdpSocket::bind("172.18.0.9:0").expect("bound");
                socket.send_to(b"lie", "172.18.0.2:80").ok();
                let waits = Some(Duration::from_millis(200));
                socket.set_read_timeout(waits).expect("set");
                socket.recv(&mut [0; 8]).expect_err("nobody answers");
                let refused = TcpStream::connect_timeout(
                    &"172.18.0.2:80".parse().expect("an address"),
                    Duration::from_millis(500),
                );
                refused.expect_err("networks are apart");
            })
            .join();
    });
}

#[test]
fn members_that_are_kept_apart_reach_the_gateway_alone() {
    machine(|| {
        local_up();
        let runtime = temporary();
        let mut children = Vec::new();
        let mut client = || connected(runtime.path(), &mut children);
        let mut shy = any(network("shy", "172.18.0.0/16"));
        shy.plan.traits.apart = true;
        shy.plan.v6 = Some(pool_of("fd00:18::/64".parse().expect("a subnet")));
        shy.plan.traits.prefix = Some("lan".to_owned());
        let one = Container::on(client(), 1, std::slice::from_ref(&shy));
        let mut placed = shy.clone();
        placed.place.device = Some("lan0".to_owned());
        let both = Container::on(client(), 2, &[any(bridge()), shy, placed_elsewhere(placed)]);
        let devices: Vec<&str> = both.endpoints.iter().map(|e| e.device.as_str()).collect();
        assert_eq!(devices, ["eth0", "lan1", "lan0"]);
        let friend = Container::on(client(), 3, &[any(bridge())]);
        let _server = serve_streams(&both.place, "0.0.0.0:80", tell_address);
        let _server6 = serve_streams(&both.place, "[::]:81", tell_address);
        let answered = |who: &Container, to: &'static str| {
            let try_it = move || drop(what_it_says(connect(to).expect(to)));
            who.place.spawn(try_it).join();
        };
        // By the network on which they are not.
        answered(&friend, "172.17.0.2:80");
        let silent = |who: &Container, to: &'static str| {
            let try_it = move || {
                let to = to.parse().expect(to);
                let wait = Duration::from_millis(500);
                TcpStream::connect_timeout(&to, wait).expect_err("they are apart");
            };
            who.place.spawn(try_it).join();
        };
        silent(&one, "172.18.0.3:80");
        silent(&one, "[fd00:18::3]:81");
        one.place
            .spawn(|| {
                let refused = connect("172.18.0.1:9").expect_err("nobody");
                assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
            })
            .join();
        // Nor with the gateway's help.
        one.place
            .spawn(|| {
                let words = ["route", "add", "172.18.0.3/32", "via", "172.18.0.1"];
                let added = std::process::Command::new("ip").args(words).status();
                assert!(added.expect("ip").success());
            })
            .join();
        silent(&one, "172.18.0.3:80");
    });
}

/// The same wish, of another network.
fn placed_elsewhere(mut wanted: Wanted) -> Wanted {
    wanted.plan = network("elsewhere", "10.9.0.0/24");
    wanted
}

#[test]
fn the_way_out_is_the_network_with_precedence() {
    machine(|| {
        local_up();
        let runtime = temporary();
        let mut children = Vec::new();
        let client = connected(runtime.path(), &mut children);
        let mut no_way = any(network("shut", "172.18.0.0/16"));
        no_way.plan.traits.no_way = true;
        no_way.place.priority = 9;
        let mut near = any(network("near", "10.9.0.0/24"));
        near.plan.traits.metric = Some(7);
        let mut one = Container::on(client, 1, &[no_way, any(bridge()), near]);
        let way = |one: &Container, gateway: &'static str| {
            let look = move || {
                let words = ["route", "show", "default"];
                let shown = std::process::Command::new("ip").args(words).output();
                let shown = String::from_utf8(shown.expect("ip").stdout).expect("text");
                let begin = format!("default via {gateway} ");
                assert!(
                    shown.starts_with(&begin) && shown.lines().count() == 1,
                    "{shown}"
                );
            };
            one.place.spawn(look).join();
        };
        way(&one, "10.9.0.1");
        let left = one.endpoints.pop().expect("three");
        one.client.leave(&left.network_id).expect("left");
        let rest = one.endpoints.clone();
        one.place
            .spawn(move || link::configure_less(&rest).expect("configured"))
            .join();
        way(&one, "172.17.0.1");
    });
}

#[test]
fn nobody_goes_out_by_ipv6_with_an_address_of_another_network() {
    machine(|| {
        local_up();
        let words = ["addr", "add", "2001:db8:5::5/128", "dev", "lo", "nodad"];
        let added = std::process::Command::new("ip").args(words).status();
        assert!(added.expect("ip").success());
        let runtime = temporary();
        let mut children = Vec::new();
        let mut client = || connected(runtime.path(), &mut children);
        let mut blue = any(network("blue", "172.18.0.0/16"));
        blue.plan.v6 = Some(pool_of("fd00:18::/64".parse().expect("a subnet")));
        let liar = Container::on(client(), 1, &[any(bridge())]);
        let friend = Container::on(client(), 2, &[blue]);
        let machine = UdpSocket::bind("[::]:0").expect("bound");
        let port = machine.local_addr().expect("named").port();
        let wait = Some(Duration::from_millis(200));
        machine.set_read_timeout(wait).expect("set");
        let heard = || {
            let mut heard = [0; 16];
            let length = machine.recv(&mut heard).unwrap_or(0);
            String::from_utf8_lossy(&heard[..length]).into_owned()
        };
        let send = |who: &Container, from: &str, to: &str, text: &str| {
            who.place
                .spawn(|| {
                    let socket = UdpSocket::bind((from, 0)).expect("bound");
                    // Where the way is forbidden, that may be said at once.
                    drop(socket.send_to(text.as_bytes(), (to, port)));
                })
                .join();
        };
        let own = liar.endpoints[0].v6.expect("IPv6");
        // The machine is known by its address and as the gateway; the link is up.
        for to in ["2001:db8:5::5", "fd00:172:17::1"] {
            eventually(to, || {
                send(&liar, &own.ip.to_string(), to, "true");
                heard() == "true"
            });
        }
        while !heard().is_empty() {}
        for lie in ["fd00:18::9", "fd00:18::2", "2001:db8::9"] {
            let mut endpoint = liar.endpoints[0].clone();
            endpoint.v6 = Some(Seat {
                ip: lie.parse().expect(lie),
                prefix: 128,
                ..own
            });
            let places = [endpoint, liar.endpoints[0].clone()];
            liar.place
                .spawn(|| link::configure(&places).expect("configured"))
                .join();
            for to in ["2001:db8:5::5", "fd00:172:17::1", "fd00:18::1"] {
                send(&liar, lie, to, "a lie");
            }
        }
        // What was sent before would have come before.
        let told = std::cell::RefCell::new(String::new());
        eventually("the friend is heard", || {
            send(&friend, "fd00:18::2", "2001:db8:5::5", "friend");
            *told.borrow_mut() = heard();
            !told.borrow().is_empty()
        });
        assert_eq!(told.into_inner(), "friend");
    });
}

/// The same place, with a way out that it was not given.
fn open_ended(endpoint: &Endpoint) -> Endpoint {
    Endpoint {
        internal: false,
        ..endpoint.clone()
    }
}

#[test]
fn a_running_container_joins_and_leaves_networks() {
    machine(|| {
        local_up();
        let runtime = temporary();
        let mut children = Vec::new();
        let mut client = || connected(runtime.path(), &mut children);
        let blue = any(network("blue", "172.18.0.0/16"));
        let mut one = Container::start(client(), 1);
        let two = Container::on(client(), 2, std::slice::from_ref(&blue));
        let _server = serve_streams(&two.place, "0.0.0.0:80", tell_address);
        let joined = one.client.join(blue.clone(), "eth1").expect("joined");
        assert_eq!(joined.v4.ip.to_string(), "172.18.0.3");
        let twice = one.client.join(blue.clone(), "eth2").expect_err("twice");
        assert!(
            twice.to_string().ends_with("it is on that network already"),
            "{twice}"
        );
        one.client
            .link(one.place.fd.as_fd(), Some("eth1"))
            .expect("linked");
        let all = [one.endpoints[0].clone(), joined.clone()];
        one.place
            .spawn(|| {
                link::configure_more(&joined, &all).expect("configured");
                drop(what_it_says(connect("172.18.0.2:80").expect("reached")));
            })
            .join();
        one.client.leave(&bridge().id).expect("left");
        one.place
            .spawn(|| {
                link::configure_less(&[joined]).expect("configured");
                drop(what_it_says(connect("172.18.0.2:80").expect("reached")));
                // The way out is the other network's now, and that it leads nowhere is told.
                assert!(connect("198.51.100.1:9").is_err());
            })
            .join();
        one.client.rename(&name("renamed")).expect("renamed");
        let mut asking = client();
        let members = asking.members().expect("listed");
        assert_eq!(members[0].name, name("renamed"));
        assert_eq!(members[0].endpoints.len(), 1);
        one.client.leave(&blue.plan.id).expect("left");
        let error = one.client.leave(&blue.plan.id).expect_err("left already");
        assert_eq!(error.kind(), crate::error::Kind::NotFound);
        let back = one.client.join(any(bridge()), "eth0").expect("joined");
        assert_eq!(back.v4.ip.to_string(), "172.17.0.2");
    });
}

#[test]
fn of_several_first_starts_one_launches() {
    machine(|| {
        local_up();
        let runtime = temporary();
        let runs: Vec<Child> = (1..=6)
            .map(|digit| {
                let runtime = runtime.path().to_owned();
                child(move || {
                    let mut children = Vec::new();
                    let mut client = connected(&runtime, &mut children);
                    let attached = client.attach(&id(digit), &name("some"), &[any(bridge())]);
                    attached.expect("attached");
                    eventually("all are there", || {
                        client.members().expect("listed").len() == 6
                    });
                    // Whoever launched outlives the others' questions.
                    std::thread::sleep(Duration::from_millis(300));
                })
            })
            .collect();
        for run in runs {
            run.join();
        }
    });
}

#[test]
fn nonsense_is_refused_and_harms_nobody() {
    machine(|| {
        local_up();
        let runtime = temporary();
        let mut children = Vec::new();
        let mut client = connected(runtime.path(), &mut children);
        let null = File::open("/dev/null").expect("open");
        assert!(client.link(null.as_fd(), None).is_err());
        client
            .attach(&id(1), &name("one"), &[any(bridge())])
            .expect("attached");
        let refused = client
            .link(null.as_fd(), None)
            .expect_err("no namespace")
            .to_string();
        assert!(
            refused.starts_with("cannot link the container"),
            "{refused}"
        );
        for nonsense in [
            &b"{}"[..],
            b"\xff\0",
            b"{\"ask\":\"attach\"}",
            &[b'['; 9000],
            &[0; 40_000],
        ] {
            let other = control::connect(runtime.path())
                .expect("looked")
                .expect("served");
            drop(socket::send_message(
                &other,
                nonsense,
                &[null.as_fd(), null.as_fd()],
            ));
            drop(socket::receive_message(&other, &mut [0; control::FRAME]));
        }
        assert_eq!(client.members().expect("listed").len(), 1);
    });
}

#[test]
fn a_program_of_another_version_is_told_so_at_either_end() {
    machine(|| {
        local_up();
        // A newer program meets an older net process.
        let runtime = temporary();
        let directory = control::open_directory(runtime.path()).expect("opened");
        let listener = control::listen(&directory).expect("listening");
        let older = child(move || {
            let mut client = rustix::net::accept(&listener);
            while client.is_err() {
                std::thread::sleep(Duration::from_millis(5));
                client = rustix::net::accept(&listener);
            }
            let welcome = br#"{"answer":"welcome","version":1}"#;
            socket::send_message(&client.expect("accepted"), welcome, &[]).expect("sent");
        });
        let error = control::connect(runtime.path()).expect_err("another version");
        let words = "it was started by another version of rpod; it ends with the last container on its network";
        assert!(error.to_string().ends_with(words), "{error}");
        older.join();
        // An older program meets a newer net process, which goes on.
        let runtime = temporary();
        let mut children = Vec::new();
        let start = || launch(runtime.path(), None, &mut children);
        let mut client = control::connect_or(runtime.path(), || {}, start).expect("connected");
        let other = control::connect(runtime.path()).expect("looked");
        let other = other.expect("served");
        let ask = format!(
            r#"{{"ask":"attach","version":1,"id":"{}","name":"old","places":[]}}"#,
            id(1).as_str()
        );
        socket::send_message(&other, ask.as_bytes(), &[]).expect("sent");
        let mut answer = [0; 1024];
        let (length, _) = socket::receive_message(&other, &mut answer).expect("answered");
        let answer = String::from_utf8_lossy(&answer[..length]).into_owned();
        assert!(
            answer.contains("speaks version 2 of its messages, not 1"),
            "{answer}"
        );
        client
            .attach(&id(2), &name("new"), &[any(bridge())])
            .expect("attached");
    });
}

#[test]
fn a_runtime_directory_of_somebody_else_is_named() {
    let dir = temporary();
    let link = dir.path().join("link");
    std::os::unix::fs::symlink(dir.path(), &link).expect("made");
    let error = control::connect(&link).expect_err("a link").to_string();
    assert!(
        error.contains("/link\"") && error.ends_with("it is a symbolic link or no directory"),
        "{error}"
    );
    if !rustix::process::geteuid().is_root() {
        let error = control::connect(Path::new("/etc"))
            .expect_err("root's")
            .to_string();
        assert_eq!(
            error,
            "cannot use the runtime directory \"/etc\": it belongs to user 0"
        );
    }
    let long = dir.path().join("d".repeat(200));
    assert!(control::connect(&long).expect("looked").is_none());
}

/// A container with published ports, on a machine with a neighbour on its own network.
struct Published {
    container: Place,
    neighbour: Place,
    _shared: Place,
    ports: Vec<u16>,
    control: std::io::PipeWriter,
    process: Child,
}

impl Published {
    fn new(publish: &str) -> Self {
        local_up();
        let lan = Plan {
            mtu: 1500,
            ..network("lan", "198.51.100.0/24")
        };
        let neighbour = plugged(&lan, Ipv4Addr::new(198, 51, 100, 77));
        // A bridge of another namespace: what `net` has.
        let shared = Place::new();
        let container = Place::new();
        let fd = container.fd();
        shared
            .spawn(|| {
                link::prepare().expect("prepared");
                let plan = bridge();
                link::create_bridge(&plan).expect("made");
                let endpoint = place_of(&plan, Ipv4Addr::new(172, 17, 0, 2));
                link::attach(fd.as_fd(), "veth0", &plan, &endpoint, "mark").expect("linked");
            })
            .join();
        let endpoint = place_of(&bridge(), Ipv4Addr::new(172, 17, 0, 2));
        container
            .spawn(|| link::configure(std::slice::from_ref(&endpoint)).expect("configured"))
            .join();
        // After the processes that stay: a fork's copy would keep the ports bound.
        let mappings: Vec<_> = publish
            .split(' ')
            .flat_map(|one| parse_publish(one).expect("parsed"))
            .collect();
        let bound = publish::bind(&mappings, &mut Vec::new()).expect("bound");
        let ports = bound.mappings.iter().filter_map(|m| m.host_port).collect();
        let (read, control) = std::io::pipe().expect("a pipe");
        let job = PortsJob {
            bound,
            network: container.fd(),
            endpoint,
            control: read.into(),
        };
        let (job, writer) = (Some(job), &control);
        let process = child(|| {
            close_inherited(writer);
            ports_process(job.expect("a job"));
        });
        Self {
            container,
            neighbour,
            _shared: shared,
            ports,
            control,
            process,
        }
    }
}

fn ports_process(job: PortsJob) {
    net::enter_network(&job.network).expect("entered");
    let (v4, udp) = (job.endpoint.v4, job.bound.udp_ports());
    link::transparent(v4.ip.into(), v4.gateway.into(), &udp).expect("transparent");
    relay::Relay::new(job.bound, &job.endpoint, true, job.control)
        .and_then(|mut relay| relay.run())
        .expect("served");
}

fn place_of(plan: &Plan, ip: Ipv4Addr) -> Endpoint {
    let wanted = Attachment {
        ip: Some(ip),
        ..Attachment::default()
    };
    plan.seat(&InUse::new(), &wanted, "eth0").expect("a place")
}

fn plugged(plan: &Plan, ip: Ipv4Addr) -> Place {
    let place = Place::new();
    link::create_bridge(plan).expect("made");
    let endpoint = place_of(plan, ip);
    link::attach(place.fd.as_fd(), "lan0", plan, &endpoint, "mark").expect("linked");
    place
        .spawn(|| link::configure(&[endpoint]).expect("configured"))
        .join();
    place
}

#[test]
fn a_server_sees_who_its_clients_are() {
    machine(|| {
        // The rules that datagrams need lead no stream astray.
        let published = Published::new("8080 5353/udp");
        let port = published.ports[0];
        for listening in ["0.0.0.0:8080", "[::]:8080"] {
            let _server = serve_streams(&published.container, listening, tell_address);
            let seen = |text: String| text.replace("[::ffff:", "").replace(']', "");
            let here = seen(what_it_says(
                connect(&format!("127.0.0.1:{port}")).expect("reached"),
            ));
            assert!(here.starts_with("172.17.0.1:"), "{here}");
            let here6 = seen(what_it_says(
                connect(&format!("[::1]:{port}")).expect("reached"),
            ));
            assert!(here6.starts_with("172.17.0.1:"), "{here6}");
            let own = connect(&format!("198.51.100.1:{port}")).expect("reached");
            let me = own.local_addr().expect("named").to_string();
            assert_eq!(seen(what_it_says(own)), me);
            published
                .neighbour
                .spawn(|| {
                    for _ in 0..3 {
                        let there = connect(&format!("198.51.100.1:{port}")).expect("reached");
                        let me = there.local_addr().expect("named").to_string();
                        assert!(me.starts_with("198.51.100.77:"), "{me}");
                        assert_eq!(seen(what_it_says(there)), me);
                    }
                })
                .join();
        }
        // Neither its own traffic nor its neighbours' is led astray by that.
        published
            .container
            .spawn(|| {
                let refused = connect("172.17.0.1:9").expect_err("nobody");
                assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
            })
            .join();
    });
}

#[test]
fn a_client_may_have_the_very_port_of_the_server() {
    machine(|| {
        let published = Published::new("8080");
        let port = published.ports[0];
        let _server = serve_streams(&published.container, "0.0.0.0:8080", tell_address);
        published
            .neighbour
            .spawn(|| {
                let flags = rustix::net::SocketFlags::CLOEXEC;
                let kind = rustix::net::SocketType::STREAM;
                let inet = rustix::net::AddressFamily::INET;
                let fd = rustix::net::socket_with(inet, kind, flags, None).expect("a socket");
                let from: SocketAddr = "198.51.100.77:8080".parse().expect("parsed");
                rustix::net::bind(&fd, &from).expect("bound");
                let to: SocketAddr = format!("198.51.100.1:{port}").parse().expect("parsed");
                rustix::net::connect(&fd, &to).expect("reached");
                let said = what_it_says(TcpStream::from(fd));
                assert!(said.starts_with("198.51.100.77:"), "{said}");
            })
            .join();
    });
}

/// Bytes that show where they are from.
fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|n| (n * 7 + n / 251) as u8).collect()
}

fn echo(mut stream: TcpStream, _: SocketAddr) {
    let mut all = Vec::new();
    stream.read_to_end(&mut all).expect("read to its end");
    stream.write_all(&all).expect("written");
}

#[test]
fn every_byte_arrives_and_each_direction_ends_by_itself() {
    machine(|| {
        let published = Published::new("8080");
        let port = published.ports[0];
        let _server = serve_streams(&published.container, "0.0.0.0:8080", echo);
        for length in [0, 1, 65_535, 65_536, 65_537, 300_000, 40_000_000] {
            let sent = pattern(length);
            let mut stream = connect(&format!("127.0.0.1:{port}")).expect("reached");
            stream.write_all(&sent).expect("written");
            // The server answers after the end of what it hears: half of the connection is closed.
            stream.shutdown(Shutdown::Write).expect("ended");
            let mut back = Vec::new();
            stream.read_to_end(&mut back).expect("read");
            assert!(back == sent, "{length}: {} came back", back.len());
        }
    });
}

/// Many small turns on both sides, each answered at once, and bulk in between:
/// nothing is left lying because a read was short or a send was taken in part.
#[test]
fn conversations_go_on_between_bulk() {
    machine(|| {
        let published = Published::new("8080");
        let port = published.ports[0];
        let _server = serve_streams(&published.container, "0.0.0.0:8080", |mut stream, _| {
            let mut length = [0; 4];
            while stream.read_exact(&mut length).is_ok() {
                let mut all = vec![0; u32::from_le_bytes(length) as usize];
                stream.read_exact(&mut all).expect("read");
                stream.write_all(&all).expect("written");
            }
        });
        let mut stream = connect(&format!("127.0.0.1:{port}")).expect("reached");
        let timeout = Some(Duration::from_secs(20));
        stream.set_read_timeout(timeout).expect("set");
        for length in [
            1, 1, 900, 1500, 65_536, 2, 65_537, 9_000_000, 3, 64, 200_000, 1,
        ] {
            for _ in 0..3 {
                let sent = pattern(length);
                stream
                    .write_all(&(length as u32).to_le_bytes())
                    .expect("written");
                stream.write_all(&sent).expect("written");
                let mut back = vec![0; length];
                stream.read_exact(&mut back).expect("read");
                assert!(back == sent, "{length}");
            }
        }
        // Urgent bytes end a read before there is no more.
        rustix::net::send(
            &stream,
            &2_u32.to_le_bytes(),
            rustix::net::SendFlags::empty(),
        )
        .expect("sent");
        rustix::net::send(&stream, b"ab!", rustix::net::SendFlags::OOB).expect("sent");
        stream.write_all(&1_u32.to_le_bytes()).expect("written");
        stream.write_all(b"c").expect("written");
        let mut back = [0; 3];
        stream.read_exact(&mut back).expect("read");
        assert_eq!(&back, b"abc");
    });
}

#[test]
fn a_client_that_does_not_read_stops_its_server_and_nobody_else() {
    machine(|| {
        let published = Published::new("8080");
        let port = published.ports[0];
        let _server = published.container.spawn(|| {
            let listener = TcpListener::bind("0.0.0.0:8080").expect("bound");
            loop {
                let (mut stream, _) = listener.accept().expect("accepted");
                std::thread::spawn(move || stream.write_all(&pattern(30_000_000)));
            }
        });
        let at = format!("127.0.0.1:{port}");
        eventually("it listens", || {
            connect(&at).is_ok_and(|mut s| s.read(&mut [0]).is_ok_and(|n| n == 1))
        });
        let mut slow = connect(&at).expect("reached");
        let mut quick = connect(&at).expect("reached");
        let mut all = Vec::new();
        quick.read_to_end(&mut all).expect("read");
        assert!(all == pattern(30_000_000));
        all.clear();
        slow.read_to_end(&mut all).expect("read");
        assert!(all == pattern(30_000_000));
    });
}

#[test]
fn a_broken_connection_is_broken_on_the_other_side_too() {
    machine(|| {
        let published = Published::new("8080");
        let port = published.ports[0];
        let at = format!("127.0.0.1:{port}");
        // Nobody listens inside.
        let mut refused = connect(&at).expect("taken");
        let error = refused.read(&mut [0]).expect_err("broken");
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        // The server breaks it off after a word.
        let _server = serve_streams(&published.container, "0.0.0.0:8080", |mut stream, _| {
            stream.write_all(b"so").expect("written");
            let mut byte = [0];
            if stream.read(&mut byte).is_ok_and(|n| n == 1) {
                rustix::net::sockopt::set_socket_linger(&stream, Some(Duration::ZERO))
                    .expect("set");
            }
        });
        let mut stream = connect(&at).expect("reached");
        stream.read_exact(&mut [0; 2]).expect("heard");
        stream.write_all(b"x").expect("written");
        let error = stream.read(&mut [0]).expect_err("broken");
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    });
}

#[test]
fn clients_beyond_the_limit_wait_and_are_served() {
    machine(|| {
        let low = rustix::process::Rlimit {
            current: Some(256),
            maximum: Some(256),
        };
        rustix::process::setrlimit(rustix::process::Resource::Nofile, low).expect("set");
        let published = Published::new("8080");
        let port = published.ports[0];
        let _server = serve_streams(&published.container, "0.0.0.0:8080", |mut stream, _| {
            let mut byte = [0];
            while stream.read(&mut byte).is_ok_and(|n| n == 1) && byte != *b"." {}
            stream.write_all(b"bye").expect("told");
        });
        let at = format!("127.0.0.1:{port}");
        let mut waiting: Vec<TcpStream> = (0..180).map(|_| connect(&at).expect("taken")).collect();
        let pid = published.process.pid();
        let used = || {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("read");
            let fields: Vec<u64> = stat
                .rsplit(')')
                .next()
                .expect("fields")
                .split_ascii_whitespace()
                .filter_map(|f| f.parse().ok())
                .collect();
            // utime and stime; the state letter is not a number and was left out.
            fields[10] + fields[11]
        };
        std::thread::sleep(Duration::from_millis(200));
        let before = used();
        std::thread::sleep(Duration::from_millis(500));
        assert!(used() - before <= 3, "it spins while it waits");
        for stream in &mut waiting {
            stream.write_all(b".").expect("said");
        }
        for stream in waiting {
            assert_eq!(what_it_says(stream), "bye");
        }
    });
}

#[test]
fn the_ports_go_when_the_container_goes() {
    machine(|| {
        let published = Published::new("8080");
        let at = format!("127.0.0.1:{}", published.ports[0]);
        let server = serve_streams(&published.container, "0.0.0.0:8080", tell_address);
        what_it_says(connect(&at).expect("reached"));
        // It was forked with a copy of the pipe.
        drop(server);
        drop(published.control);
        published.process.join();
        let error = connect(&at).expect_err("gone");
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    });
}

#[test]
fn datagrams_reach_the_server_with_their_senders_address() {
    machine(|| {
        let published = Published::new("8080 5353/udp");
        let port = published.ports[1];
        let (mut read, mut write) = std::io::pipe().expect("a pipe");
        let _server = published.container.spawn(move || {
            let socket = UdpSocket::bind("0.0.0.0:5353").expect("bound");
            write.write_all(b"x").expect("told");
            let mut buffer = [0; 65535];
            loop {
                let (_, client) = socket.recv_from(&mut buffer).expect("heard");
                let text = client.to_string();
                socket.send_to(text.as_bytes(), client).expect("answered");
            }
        });
        read.read_exact(&mut [0]).expect("heard");
        let ask = |from: &str, to: &str| {
            let socket = UdpSocket::bind(from).expect("bound");
            socket
                .set_read_timeout(Some(Duration::from_secs(5)))
                .expect("set");
            socket.connect(to).expect("connected");
            let mut answers = Vec::new();
            for length in [1, 1400, 20_000] {
                socket.send(&vec![7; length]).expect("sent");
                let mut buffer = [0; 100];
                let count = socket.recv(&mut buffer).expect("answered");
                answers.push(String::from_utf8_lossy(&buffer[..count]).into_owned());
            }
            (socket.local_addr().expect("named").to_string(), answers)
        };
        let (_, answers) = ask("127.0.0.1:0", &format!("127.0.0.1:{port}"));
        assert!(
            answers.iter().all(|a| a.starts_with("172.17.0.1:")),
            "{answers:?}"
        );
        let (_, answers) = ask("[::1]:0", &format!("[::1]:{port}"));
        assert!(
            answers.iter().all(|a| a.starts_with("172.17.0.1:")),
            "{answers:?}"
        );
        published
            .neighbour
            .spawn(|| {
                let (me, answers) = ask("198.51.100.77:0", &format!("198.51.100.1:{port}"));
                assert_eq!(answers, [me.clone(), me.clone(), me]);
            })
            .join();
    });
}
