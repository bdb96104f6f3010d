//! Names of hosts to addresses, as resolv.conf(5) and hosts(5) say.
//!
//! Lives here: a stub resolver. A static program cannot use the C library's: it
//! would load the machine's name services, which need not fit.
//! Must not: cache; one command asks a name once or twice.
//! Called by: `registry::http`.
//! Always true: a name goes through these steps, and the first that knows it
//! answers:
//!
//! 1. an address as text is itself;
//! 2. `/etc/hosts`, because an administrator's word stands above all others;
//! 3. `localhost` and what ends in it are this machine (RFC 6761, 6.3), so that
//!    no server can say otherwise;
//! 4. the servers of `/etc/resolv.conf`, for each name that its `search` makes
//!    of ours: A and AAAA at once over UDP, over TCP where the answer was cut; a
//!    server that is silent or fails is followed by the next.
//!
//! An answer counts only from the server's own address, with the number we drew
//! and the question we asked.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use simple_dns::rdata::RData;
use simple_dns::{CLASS, Name, Packet, PacketFlag, QCLASS, QTYPE, Question, RCODE, TYPE};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

use crate::error::{Context, Error, Result};
use crate::store::atomic::random_bytes;

/// Addresses of one name at most; a hostile answer must not keep us dialling.
const ADDRESSES: usize = 16;

/// Knows where to ask.
#[derive(Clone, Debug)]
pub struct Resolver {
    hosts: String,
    settings: Settings,
}

impl Resolver {
    /// Reads this machine's settings. What is missing is as if it were empty.
    pub fn of_this_machine() -> Self {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        Self::new(read("/etc/hosts"), &read("/etc/resolv.conf"))
    }

    /// Takes the content of a hosts(5) and a resolv.conf(5).
    pub fn new(hosts: String, settings: &str) -> Self {
        Self {
            hosts,
            settings: Settings::parse(settings),
        }
    }

    /// Returns the addresses of a host, the best first.
    ///
    /// # Errors
    /// Names the servers that were asked.
    pub async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>> {
        if let Ok(address) = host.parse() {
            return Ok(vec![address]);
        }
        let host = host.to_ascii_lowercase();
        let known = in_hosts(&self.hosts, &host);
        if !known.is_empty() {
            return Ok(known);
        }
        if host == "localhost" || host.ends_with(".localhost") {
            return Ok(vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]);
        }
        self.ask(&host)
            .await
            .what(|| format!("cannot find the address of \"{host}\""))
    }

    async fn ask(&self, host: &str) -> Result<Vec<IpAddr>> {
        let mut silence = None;
        for name in self.settings.candidates(host) {
            match self.ask_all(&name).await {
                Ok(Answer::Addresses(addresses)) => return Ok(addresses),
                Ok(Answer::None) => {}
                Err(error) => silence = Some(error),
            }
        }
        let servers: Vec<String> = self.settings.servers.iter().map(|s| show(*s)).collect();
        let servers = servers.join(", ");
        Err(match silence {
            Some(error) => error.hint(format!(
                "look at the network, and at the servers in /etc/resolv.conf ({servers})"
            )),
            None => Error::new(format!("there is no such name (asked {servers})")),
        })
    }

    /// Asks each server in turn, all of them `attempts` times.
    async fn ask_all(&self, name: &str) -> Result<Answer> {
        let mut failures: Vec<String> = Vec::new();
        for _ in 0..self.settings.attempts {
            for server in &self.settings.servers {
                match self.ask_one(*server, name).await {
                    Ok(answer) => return Ok(answer),
                    Err(error) => {
                        let failure = format!("{}: {error}", show(*server));
                        if !failures.contains(&failure) {
                            failures.push(failure);
                        }
                    }
                }
            }
        }
        Err(Error::new(format!(
            "no server answered ({})",
            failures.join("; ")
        )))
    }

    async fn ask_one(&self, server: SocketAddr, name: &str) -> Result<Answer> {
        let (four, six) = tokio::join!(
            self.exchange(server, name, TYPE::A),
            self.exchange(server, name, TYPE::AAAA)
        );
        match (four, six) {
            (Err(error), Err(_)) => Err(error),
            // Some servers do not answer for AAAA at all.
            (four, six) => {
                let lists = [six, four].into_iter().flatten();
                Ok(in_turn(lists.collect()))
            }
        }
    }

    async fn exchange(&self, server: SocketAddr, name: &str, kind: TYPE) -> Result<Vec<IpAddr>> {
        let id = u16::from_be_bytes(random_bytes());
        let query = query(id, name, kind)?;
        let wait = self.settings.timeout;
        let late = |_| Error::new(format!("no answer within {} s", wait.as_secs()));
        let mut reply = if self.settings.tcp {
            None
        } else {
            Some(
                timeout(wait, over_udp(server, &query, id))
                    .await
                    .map_err(late)??,
            )
        };
        if reply.as_deref().is_none_or(is_cut) {
            reply = Some(
                timeout(wait, over_tcp(server, &query))
                    .await
                    .map_err(late)??,
            );
        }
        read(&reply.unwrap_or_default(), id, name, kind)
    }
}

enum Answer {
    Addresses(Vec<IpAddr>),
    None,
}

/// IPv6 and IPv4 by turns (RFC 8305, 4), so that neither keeps the other waiting.
fn in_turn(lists: Vec<Vec<IpAddr>>) -> Answer {
    let longest = lists.iter().map(Vec::len).max().unwrap_or(0);
    let mut all: Vec<IpAddr> = (0..longest)
        .flat_map(|i| lists.iter().filter_map(move |list| list.get(i).copied()))
        .collect();
    all.truncate(ADDRESSES);
    if all.is_empty() {
        Answer::None
    } else {
        Answer::Addresses(all)
    }
}

fn query(id: u16, name: &str, kind: TYPE) -> Result<Vec<u8>> {
    let bad = || Error::new(format!("\"{name}\" is no host name"));
    let mut packet = Packet::new_query(id);
    packet.set_flags(PacketFlag::RECURSION_DESIRED);
    packet.questions.push(Question::new(
        Name::new(name).map_err(|_| bad())?,
        QTYPE::TYPE(kind),
        QCLASS::CLASS(CLASS::IN),
        false,
    ));
    packet.build_bytes_vec().map_err(|_| bad())
}

async fn over_udp(server: SocketAddr, query: &[u8], id: u16) -> Result<Vec<u8>> {
    let any: SocketAddr = if server.is_ipv4() {
        (Ipv4Addr::UNSPECIFIED, 0).into()
    } else {
        (Ipv6Addr::UNSPECIFIED, 0).into()
    };
    let socket = UdpSocket::bind(any).await?;
    // A connected socket hears its peer alone, and hears that nobody listens there.
    socket.connect(server).await?;
    socket.send(query).await?;
    let mut reply = vec![0; 4096];
    loop {
        let length = socket.recv(&mut reply).await?;
        // Not ours: a late or a forged one. Ours may still come.
        if length >= 12 && reply[..2] == id.to_be_bytes() {
            reply.truncate(length);
            return Ok(reply);
        }
    }
}

/// RFC 7766: a length of two bytes goes before each message.
async fn over_tcp(server: SocketAddr, query: &[u8]) -> Result<Vec<u8>> {
    let mut stream = TcpStream::connect(server).await?;
    let mut message = u16::try_from(query.len())
        .unwrap_or(0)
        .to_be_bytes()
        .to_vec();
    message.extend_from_slice(query);
    stream.write_all(&message).await?;
    let length = stream.read_u16().await?;
    let mut reply = vec![0; length.into()];
    stream.read_exact(&mut reply).await?;
    Ok(reply)
}

/// Says whether the server cut its answer to fit a datagram. What was cut need not parse.
fn is_cut(reply: &[u8]) -> bool {
    reply.get(2).is_some_and(|flags| flags & 0b10 != 0)
}

fn read(reply: &[u8], id: u16, name: &str, kind: TYPE) -> Result<Vec<IpAddr>> {
    let packet = Packet::parse(reply).map_err(|_| Error::new("its answer cannot be understood"))?;
    let asked = packet.questions.iter().all(|question| {
        question.qtype == QTYPE::TYPE(kind)
            && question
                .qname
                .to_string()
                .eq_ignore_ascii_case(name.trim_end_matches('.'))
    });
    if packet.id() != id || !packet.has_flags(PacketFlag::RESPONSE) || !asked {
        return Err(Error::new("it answered another question"));
    }
    match packet.rcode() {
        RCODE::NoError => {}
        RCODE::NameError => return Ok(Vec::new()),
        other => return Err(Error::new(format!("it answered {other:?}"))),
    }
    // The names of aliases on the way are not looked at: the server has followed them.
    Ok(packet
        .answers
        .iter()
        .filter_map(|record| match &record.rdata {
            RData::A(a) if kind == TYPE::A => Some(Ipv4Addr::from(a.address).into()),
            RData::AAAA(a) if kind == TYPE::AAAA => Some(Ipv6Addr::from(a.address).into()),
            _ => None,
        })
        .take(ADDRESSES)
        .collect())
}

/// hosts(5): an address, then its names; `#` begins a comment.
fn in_hosts(text: &str, host: &str) -> Vec<IpAddr> {
    let host = host.trim_end_matches('.');
    text.lines()
        .filter_map(|line| {
            let mut words = line.split('#').next()?.split_whitespace();
            let address = words.next()?.parse().ok()?;
            words
                .any(|word| word.eq_ignore_ascii_case(host))
                .then_some(address)
        })
        .take(ADDRESSES)
        .collect()
}

/// What resolv.conf(5) says.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Settings {
    servers: Vec<SocketAddr>,
    search: Vec<String>,
    dots: usize,
    timeout: Duration,
    attempts: u32,
    tcp: bool,
}

impl Settings {
    fn parse(text: &str) -> Self {
        let mut settings = Self {
            servers: Vec::new(),
            search: Vec::new(),
            dots: 1,
            timeout: Duration::from_secs(5),
            attempts: 2,
            tcp: false,
        };
        for line in text.lines() {
            let mut words = line
                .split(['#', ';'])
                .next()
                .unwrap_or("")
                .split_whitespace();
            match words.next() {
                Some("nameserver") => settings.servers.extend(words.next().and_then(server)),
                // The last of these lines counts.
                Some("search" | "domain") => {
                    settings.search = words
                        .map(|w| w.trim_matches('.').to_owned())
                        .filter(|w| !w.is_empty())
                        .take(6)
                        .collect();
                }
                Some("options") => words.for_each(|word| settings.option(word)),
                _ => {}
            }
        }
        settings.servers.truncate(3);
        if settings.servers.is_empty() {
            settings.servers.push((Ipv4Addr::LOCALHOST, 53).into());
        }
        settings
    }

    fn option(&mut self, word: &str) {
        let (name, value) = word.split_once(':').unwrap_or((word, ""));
        let number = value.parse::<u32>().ok();
        match (name, number) {
            ("ndots", Some(n)) => self.dots = n.min(15) as usize,
            ("timeout", Some(n)) => self.timeout = Duration::from_secs(n.clamp(1, 30).into()),
            ("attempts", Some(n)) => self.attempts = n.clamp(1, 5),
            ("use-vc", _) => self.tcp = true,
            _ => {}
        }
    }

    /// Returns the names to ask for in turn; one with enough dots is tried as it is first.
    fn candidates(&self, host: &str) -> Vec<String> {
        if let Some(whole) = host.strip_suffix('.') {
            return vec![whole.to_owned()];
        }
        let mut names: Vec<String> = self.search.iter().map(|s| format!("{host}.{s}")).collect();
        let place = if host.matches('.').count() >= self.dots {
            0
        } else {
            names.len()
        };
        names.insert(place, host.to_owned());
        names
    }
}

/// `10.0.0.2`, `fe80::1%eth0` (the zone is left to the routes), or with a port as `[::1]:5353`, for tests.
fn server(text: &str) -> Option<SocketAddr> {
    if let Ok(address) = text.parse() {
        return Some(address);
    }
    let address = text.split('%').next()?.parse::<IpAddr>().ok()?;
    Some((address, 53).into())
}

/// Shows a server as resolv.conf(5) has it.
fn show(server: SocketAddr) -> String {
    match server.port() {
        53 => server.ip().to_string(),
        _ => server.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::{Resolver, Settings};
    use simple_dns::rdata::{A, AAAA, RData};
    use simple_dns::{CLASS, Packet, PacketFlag, QTYPE, RCODE, ResourceRecord, TYPE};
    use std::io::{Read, Write};
    use std::net::{TcpListener, UdpSocket};
    use std::time::Duration;

    fn wait_for<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime")
            .block_on(future)
    }

    #[test]
    fn settings_are_read_as_resolv_conf_has_them() {
        let settings = Settings::parse(
            "# x\nnameserver 10.0.0.2\nnameserver ::1 # y\nsearch a.example b.example.\noptions timeout:3 attempts:9 ndots:2 use-vc edns0\n",
        );
        assert_eq!(settings.servers.len(), 2);
        assert_eq!(settings.timeout, Duration::from_secs(3));
        assert_eq!(settings.attempts, 5);
        assert!(settings.tcp);
        assert_eq!(
            settings.candidates("r.x"),
            ["r.x.a.example", "r.x.b.example", "r.x"]
        );
        assert_eq!(settings.candidates("r.x.y")[0], "r.x.y");
        assert_eq!(settings.candidates("r."), ["r"]);
    }

    #[test]
    fn literals_hosts_and_localhost_need_no_server() {
        let resolver = Resolver::new(
            "10.1.2.3 Box box.lan # one\n::9 box\n".to_owned(),
            "nameserver 192.0.2.1\n",
        );
        for (name, addresses) in [
            ("127.9.9.9", vec!["127.9.9.9"]),
            ("::1", vec!["::1"]),
            ("box", vec!["10.1.2.3", "::9"]),
            ("localhost", vec!["127.0.0.1", "::1"]),
            ("a.localhost", vec!["127.0.0.1", "::1"]),
        ] {
            let found = wait_for(resolver.addresses(name)).expect(name);
            let found: Vec<String> = found.iter().map(ToString::to_string).collect();
            assert_eq!(found, addresses, "{name}");
        }
    }

    fn reply(query: &[u8], cut: bool) -> Vec<u8> {
        let query = Packet::parse(query).expect("a query");
        let question = query.questions[0].clone();
        let name = question.qname.to_string();
        let mut reply = Packet::new_reply(query.id());
        let rdata = match question.qtype {
            QTYPE::TYPE(TYPE::A) => RData::A(A {
                address: 0x0a00_0007,
            }),
            _ => RData::AAAA(AAAA { address: 7 }),
        };
        let class = CLASS::IN;
        if name.starts_with("missing") {
            *reply.rcode_mut() = RCODE::NameError;
        } else if name.starts_with("broken") {
            *reply.rcode_mut() = RCODE::ServerFailure;
        } else if cut {
            reply.set_flags(PacketFlag::TRUNCATION);
        } else {
            let record = ResourceRecord::new(question.qname.clone(), class, 60, rdata);
            reply.answers.push(record);
        }
        reply.questions.push(question);
        reply.build_bytes_vec().expect("a reply")
    }

    /// A server that cuts every answer sent as a datagram; returns its line of resolv.conf(5).
    fn serve(forge_first: bool) -> String {
        let udp = UdpSocket::bind("127.0.0.1:0").expect("bound");
        let place = udp.local_addr().expect("an address");
        let tcp = TcpListener::bind(place).expect("bound");
        std::thread::spawn(move || {
            let mut query = [0; 512];
            while let Ok((length, peer)) = udp.recv_from(&mut query) {
                if forge_first {
                    let mut forged = reply(&query[..length], false);
                    forged[0] ^= 1;
                    udp.send_to(&forged, peer).expect("sent");
                }
                udp.send_to(&reply(&query[..length], true), peer)
                    .expect("sent");
            }
        });
        std::thread::spawn(move || {
            for stream in tcp.incoming() {
                let mut stream = stream.expect("a connection");
                let mut length = [0; 2];
                stream.read_exact(&mut length).expect("read");
                let mut query = vec![0; u16::from_be_bytes(length).into()];
                stream.read_exact(&mut query).expect("read");
                let reply = reply(&query, false);
                let length = u16::try_from(reply.len()).expect("short");
                stream.write_all(&length.to_be_bytes()).expect("written");
                stream.write_all(&reply).expect("written");
            }
        });
        format!("nameserver {place}\n")
    }

    #[test]
    fn a_cut_answer_is_asked_for_again_over_tcp() {
        let resolver = Resolver::new(String::new(), &serve(true));
        let found = wait_for(resolver.addresses("r.example")).expect("found");
        let found: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert_eq!(found, ["::7", "10.0.0.7"]);
    }

    #[test]
    fn errors_name_the_servers_asked() {
        let server = serve(false);
        let place = server.trim().trim_start_matches("nameserver ").to_owned();
        let resolver = Resolver::new(String::new(), &server);
        let error = wait_for(resolver.addresses("missing.example")).expect_err("no such name");
        assert_eq!(
            error.to_string(),
            format!(
                "cannot find the address of \"missing.example\": there is no such name (asked {place})"
            )
        );
        let error = wait_for(resolver.addresses("broken.example")).expect_err("no answer");
        let text = error.to_string();
        assert!(
            text.contains(&place) && text.contains("ServerFailure"),
            "{text}"
        );
    }

    #[test]
    fn a_dead_server_is_followed_by_the_next() {
        // Below the ports that other tests get: it stays dead.
        let text = format!("nameserver 127.0.0.1:1\n{}", serve(false));
        let resolver = Resolver::new(String::new(), &text);
        assert!(wait_for(resolver.addresses("r.example")).is_ok());
    }
}
