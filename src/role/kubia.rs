//! `kubia`: the web server that tutorials begin with, as the built-in image has it.
//!
//! ```text
//! GET /path  →  200, "Hey there, this is <host name>. Your IP is <address>. \n"
//! ```
//!
//! Lives here: an HTTP/1.1 server of one answer, on port 8080 of every address.
//! Must not: know that it is in a container.
//! Called by: `role::by_name`, when the program is called `kubia`.
//! Always true: a client can hold one small thread for half a minute of silence
//! and 16 KiB of memory, and there are at most 256 of them; SIGTERM and SIGINT
//! end it at once, also as process 1, for which the kernel has no default.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddrV6, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};

use crate::sys::signal::Signals;

const PORT: u16 = 8080;
const CLIENTS: usize = 256;
const HEADERS: u64 = 16 << 10;
const STACK: usize = 128 << 10;
/// How long a client may say nothing.
const SILENCE: Duration = Duration::from_secs(30);

/// Serves until a signal ends it: 128 and the signal's number, as a shell has it.
pub fn main() -> ExitCode {
    match serve() {
        Ok(signal) => ExitCode::from(u8::try_from(128 + signal).unwrap_or(1)),
        Err(error) => {
            drop(writeln!(
                io::stderr(),
                "kubia: cannot listen on port {PORT}: {error}"
            ));
            ExitCode::FAILURE
        }
    }
}

fn serve() -> io::Result<i32> {
    say("Kubia server starting...");
    say(&format!("Local hostname is {}", hostname()));
    // Before the first thread, so that none has them open.
    let signals = Signals::block(&[SIGINT, SIGTERM])?;
    let v4 = TcpListener::bind((Ipv4Addr::UNSPECIFIED, PORT))?;
    start(v4)?;
    // A machine without version 6 is served all the same.
    if let Ok(v6) = listen_v6() {
        start(v6)?;
    }
    say(&format!("Listening on port {PORT}"));
    loop {
        match poll(&mut [PollFd::new(&signals, PollFlags::IN)], None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
        if let Some(signal) = signals.next()? {
            return Ok(signal);
        }
    }
}

const SIGINT: i32 = 2;
const SIGTERM: i32 = 15;

/// Listens on version 6 alone: version 4 has a socket of its own, whatever `bindv6only` says.
fn listen_v6() -> io::Result<TcpListener> {
    let socket: OwnedFd = rustix::net::socket_with(
        AddressFamily::INET6,
        SocketType::STREAM,
        SocketFlags::CLOEXEC,
        None,
    )?;
    sockopt::set_ipv6_v6only(&socket, true)?;
    sockopt::set_socket_reuseaddr(&socket, true)?;
    rustix::net::bind(
        &socket,
        &SocketAddrV6::new(Ipv6Addr::UNSPECIFIED, PORT, 0, 0),
    )?;
    rustix::net::listen(&socket, 128)?;
    Ok(socket.into())
}

fn start(listener: TcpListener) -> io::Result<()> {
    thread::Builder::new()
        .stack_size(STACK)
        .spawn(move || accept(&listener))?;
    Ok(())
}

static NOW: AtomicUsize = AtomicUsize::new(0);

fn accept(listener: &TcpListener) {
    loop {
        let Ok((client, _)) = listener.accept() else {
            // Out of descriptors, perhaps: others will be free in a moment.
            thread::sleep(Duration::from_millis(20));
            continue;
        };
        if NOW.fetch_add(1, Ordering::Relaxed) >= CLIENTS {
            NOW.fetch_sub(1, Ordering::Relaxed);
            continue;
        }
        let started = thread::Builder::new().stack_size(STACK).spawn(move || {
            // A client that goes away is no news.
            drop(talk(&client));
            NOW.fetch_sub(1, Ordering::Relaxed);
        });
        if started.is_err() {
            NOW.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// Answers one client until it goes, says nothing, or asks for something that ends it.
fn talk(client: &TcpStream) -> io::Result<()> {
    client.set_read_timeout(Some(SILENCE))?;
    client.set_write_timeout(Some(SILENCE))?;
    client.set_nodelay(true)?;
    let address = plain(client.peer_addr()?.ip());
    let mut input = BufReader::with_capacity(4096, client);
    loop {
        let request = match Request::read(&mut input)? {
            Heard::Request(request) => request,
            Heard::End => return Ok(()),
            Heard::Wrong(status) => {
                let answer =
                    format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
                return (&*client).write_all(answer.as_bytes());
            }
        };
        say(&format!(
            "Received request for {} from {address}",
            request.url
        ));
        let body = format!(
            "Hey there, this is {}. Your IP is {address}. \n",
            hostname()
        );
        (&*client).write_all(answer(&request, &body).as_bytes())?;
        if !request.keep {
            return Ok(());
        }
        let passed = io::copy(&mut (&mut input).take(request.length), &mut io::sink())?;
        if passed < request.length {
            return Ok(());
        }
    }
}

fn answer(request: &Request, body: &str) -> String {
    let connection = if request.keep { "keep-alive" } else { "close" };
    format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\nConnection: {connection}\r\n\r\n{}",
        body.len(),
        if request.only_head { "" } else { body },
    )
}

/// What of a request matters here.
#[derive(Debug, PartialEq, Eq)]
struct Request {
    /// Shown in the log: control characters are escaped.
    url: String,
    /// Another request may follow on the connection.
    keep: bool,
    /// The answer has no body.
    only_head: bool,
    /// Bytes that follow the headers.
    length: u64,
}

#[derive(Debug, PartialEq, Eq)]
enum Heard {
    Request(Request),
    End,
    Wrong(&'static str),
}

impl Request {
    /// Reads a request's line and headers, of 16 KiB at most.
    fn read(input: &mut impl BufRead) -> io::Result<Heard> {
        const WRONG: Heard = Heard::Wrong("400 Bad Request");
        let mut head = input.take(HEADERS);
        let mut line = Vec::new();
        // Empty lines before a request are passed over (RFC 9112, section 2.2).
        while line.is_empty() {
            if !read_line(&mut head, &mut line)? {
                return Ok(if head.limit() == 0 {
                    Heard::Wrong("431 Request Header Fields Too Large")
                } else if line.is_empty() {
                    Heard::End
                } else {
                    WRONG
                });
            }
        }
        let words: Vec<&[u8]> = line.split(|b| *b == b' ').collect();
        let [method, url, version] = words[..] else {
            return Ok(WRONG);
        };
        if !version.starts_with(b"HTTP/1.") || url.is_empty() {
            return Ok(WRONG);
        }
        let mut request = Self {
            url: shown(url),
            keep: version != b"HTTP/1.0",
            only_head: method == b"HEAD",
            length: 0,
        };
        loop {
            if !read_line(&mut head, &mut line)? {
                return Ok(match head.limit() {
                    0 => Heard::Wrong("431 Request Header Fields Too Large"),
                    _ => WRONG,
                });
            }
            if line.is_empty() {
                return Ok(Heard::Request(request));
            }
            if !request.header(&line) {
                return Ok(WRONG);
            }
        }
    }

    /// Takes one header; says whether it makes sense.
    fn header(&mut self, line: &[u8]) -> bool {
        let Some(colon) = line.iter().position(|b| *b == b':') else {
            return false;
        };
        let value = String::from_utf8_lossy(line[colon + 1..].trim_ascii()).to_ascii_lowercase();
        match line[..colon].to_ascii_lowercase().as_slice() {
            b"connection" if value.contains("close") => self.keep = false,
            b"connection" if value.contains("keep-alive") => self.keep = true,
            // A body whose end is told in another way is not waited for.
            b"transfer-encoding" | b"expect" | b"upgrade" => self.keep = false,
            b"content-length" => match value.parse() {
                Ok(length) => self.length = length,
                Err(_) => return false,
            },
            _ => {}
        }
        true
    }
}

/// Reads a line without its end; says whether it had one.
fn read_line(input: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<bool> {
    line.clear();
    input.read_until(b'\n', line)?;
    if line.pop_if(|b| *b == b'\n').is_none() {
        return Ok(false);
    }
    line.pop_if(|b| *b == b'\r');
    Ok(true)
}

/// What a client sends goes to terminals and logs: it must not steer them.
fn shown(text: &[u8]) -> String {
    let mut out = String::new();
    for letter in String::from_utf8_lossy(text).chars() {
        if letter.is_control() {
            out.extend(letter.escape_default());
        } else {
            out.push(letter);
        }
    }
    out
}

/// An IPv4 client of an IPv6 socket is shown as what it is.
fn plain(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

fn hostname() -> String {
    rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned()
}

/// Says a line; who started us may not listen any more.
fn say(line: &str) {
    let mut out = io::stdout().lock();
    drop(writeln!(out, "{line}").and_then(|()| out.flush()));
}

#[cfg(test)]
mod tests {
    use super::{Heard, Request, answer, plain};

    fn read(text: &str) -> Heard {
        Request::read(&mut text.as_bytes()).expect("memory is read")
    }

    fn request(text: &str) -> Request {
        match read(text) {
            Heard::Request(request) => request,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_connection_is_kept_as_each_version_has_it() {
        for (text, keep) in [
            ("GET / HTTP/1.1\r\nHost: x\r\n\r\n", true),
            ("GET / HTTP/1.1\r\nConnection: Close\r\n\r\n", false),
            ("GET / HTTP/1.0\r\n\r\n", false),
            ("GET / HTTP/1.0\nconnection: keep-alive\n\n", true),
            (
                "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
                false,
            ),
        ] {
            assert_eq!(request(text).keep, keep, "{text}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused_and_what_is_too_long_as_well() {
        assert_eq!(read(""), Heard::End);
        for text in [
            "GET /\r\n\r\n",
            "GET / HTTP/2\r\n\r\n",
            "GET / HTTP/1.1\r\nno header\r\n\r\n",
            "GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: x",
            "GET",
        ] {
            assert_eq!(read(text), Heard::Wrong("400 Bad Request"), "{text}");
        }
        let long = format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(20_000));
        assert!(matches!(read(&long), Heard::Wrong(status) if status.starts_with("431")));
    }

    #[test]
    fn a_log_line_cannot_be_forged() {
        let request = request("GET /\x1b[2J HTTP/1.1\r\n\r\n");
        assert_eq!(request.url, "/\\u{1b}[2J");
    }

    #[test]
    fn a_head_request_is_told_the_length_alone() {
        let head = request("HEAD / HTTP/1.1\r\n\r\n");
        assert!(
            answer(&head, "body\n")
                .ends_with("Content-Length: 5\r\nConnection: keep-alive\r\n\r\n")
        );
        let get = request("GET / HTTP/1.1\r\n\r\n");
        assert!(answer(&get, "body\n").ends_with("\r\n\r\nbody\n"));
    }

    #[test]
    fn an_ipv4_address_is_shown_as_one() {
        let mapped = "::ffff:172.17.0.1".parse().expect("an address");
        assert_eq!(plain(mapped).to_string(), "172.17.0.1");
    }
}
