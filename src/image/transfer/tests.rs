//! Pulls from a registry that does what a good one never does.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use super::{Fetched, Order, Source, pull};
use crate::error::{Error, Kind, Result};
use crate::image::credentials::{Credential, Secret};
use crate::image::registry::http::Limits;
use crate::image::registry::{Access, Registry};
use crate::progress::{Progress, Silent, Step};
use crate::spec::digest::Digest;
use crate::spec::idmap::IdMap;
use crate::store::Store;

/// What came over the wire.
#[derive(Clone, Debug)]
struct Heard {
    method: String,
    path: String,
    headers: HashMap<String, String>,
    body: String,
}

impl Heard {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }
}

/// What goes over the wire: an answer, or bytes of any kind and then silence.
enum Say {
    Answer(u16, Vec<(String, String)>, Vec<u8>),
    /// Bytes as they are; then the connection is closed.
    Raw(Vec<u8>),
    /// Bytes as they are, and then nothing for long.
    Hang(Vec<u8>),
    /// A head, and a body without end.
    Endless(Vec<u8>),
    /// A head, and a body of one byte at a time.
    Drip(Vec<u8>),
}

fn answer(status: u16, headers: &[(&str, &str)], body: &[u8]) -> Say {
    let headers = headers
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    Say::Answer(status, headers, body.to_vec())
}

struct Server {
    host: String,
    heard: Arc<Mutex<Vec<Heard>>>,
}

impl Server {
    fn new(reply: impl Fn(&Heard) -> Say + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
        let host = listener.local_addr().expect("an address").to_string();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let (reply, log) = (Arc::new(reply), Arc::clone(&heard));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (reply, log) = (Arc::clone(&reply), Arc::clone(&log));
                thread::spawn(move || serve(stream, reply.as_ref(), &log));
            }
        });
        Self { host, heard }
    }

    fn heard(&self, part: &str) -> Vec<Heard> {
        let all = self.heard.lock().expect("a lock");
        all.iter()
            .filter(|heard| heard.path.contains(part))
            .cloned()
            .collect()
    }
}

/// Serves one connection; ends when the client has gone.
fn serve(stream: TcpStream, reply: &dyn Fn(&Heard) -> Say, log: &Mutex<Vec<Heard>>) {
    let mut reader = BufReader::new(stream.try_clone().expect("cloned"));
    let mut stream = stream;
    while let Some(heard) = hear(&mut reader) {
        log.lock().expect("a lock").push(heard.clone());
        let sent = match reply(&heard) {
            Say::Answer(status, headers, body) => {
                let mut head = format!("HTTP/1.1 {status} X\r\n");
                for (name, value) in &headers {
                    head.push_str(&format!("{name}: {value}\r\n"));
                }
                if !headers.iter().any(|(name, _)| name == "Content-Length") {
                    head.push_str(&format!("Content-Length: {}\r\n", body.len()));
                }
                head.push_str("\r\n");
                let sent = stream.write_all(head.as_bytes());
                sent.and_then(|()| stream.write_all(&body))
            }
            Say::Raw(bytes) => {
                drop(stream.write_all(&bytes));
                return;
            }
            Say::Hang(bytes) => {
                drop(stream.write_all(&bytes));
                thread::sleep(Duration::from_secs(20));
                return;
            }
            Say::Drip(head) => {
                drop(stream.write_all(&head));
                while stream.write_all(b"x").is_ok() {
                    thread::sleep(Duration::from_millis(20));
                }
                return;
            }
            Say::Endless(head) => {
                drop(stream.write_all(&head));
                while stream.write_all(&[b'x'; 65536]).is_ok() {}
                return;
            }
        };
        if sent.is_err() {
            return;
        }
    }
}

fn hear(reader: &mut impl BufRead) -> Option<Heard> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|n| *n > 0)?;
    let mut words = line.split_whitespace();
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = HashMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|n| *n > 0)?;
        let Some((name, value)) = line.trim().split_once(':') else {
            break;
        };
        headers.insert(name.to_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").and_then(|l| l.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body).ok()?;
    Some(Heard {
        method,
        path,
        headers,
        body: String::from_utf8_lossy(&body).into_owned(),
    })
}

/// A small image: its manifest, and its blobs by digest.
struct Content {
    manifest: Vec<u8>,
    blobs: HashMap<String, Vec<u8>>,
    /// The layer's blob.
    layer: Digest,
}

const MANIFEST_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";

impl Content {
    fn new() -> Self {
        let mut tar = tar::Builder::new(Vec::new());
        // Random, so that the blob is larger than any buffer on its way.
        let bytes: Vec<u8> = (0..20_000u32)
            .flat_map(|n| {
                crate::store::atomic::random_bytes::<16>()
                    .into_iter()
                    .chain([n as u8])
            })
            .collect();
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, "file", bytes.as_slice())
            .expect("appended");
        let tar = tar.into_inner().expect("a tar");
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&tar).expect("compressed");
        let layer = gzip.finish().expect("compressed");
        let config = format!(
            r#"{{"architecture":"amd64","os":"linux","config":{{}},"rootfs":{{"type":"layers","diff_ids":["{}"]}}}}"#,
            Digest::of(&tar)
        );
        let part = |kind: &str, bytes: &[u8]| {
            let digest = Digest::of(bytes);
            let size = bytes.len();
            format!(
                r#"{{"mediaType":"application/vnd.oci.image.{kind}","digest":"{digest}","size":{size}}}"#
            )
        };
        let manifest = format!(
            r#"{{"schemaVersion":2,"mediaType":"{MANIFEST_TYPE}","config":{},"layers":[{}]}}"#,
            part("config.v1+json", config.as_bytes()),
            part("layer.v1.tar+gzip", &layer)
        );
        let blobs = [config.into_bytes(), layer.clone()];
        Self {
            manifest: manifest.into_bytes(),
            layer: Digest::of(&layer),
            blobs: blobs
                .into_iter()
                .map(|blob| (Digest::of(&blob).to_string(), blob))
                .collect(),
        }
    }

    fn layer_bytes(&self) -> &[u8] {
        &self.blobs[self.layer.as_str()]
    }

    /// Other bytes of the layer's length.
    fn wrong(&self) -> Vec<u8> {
        self.layer_bytes().iter().map(|byte| !byte).collect()
    }

    /// What a good registry says, with ranges.
    fn reply(&self, heard: &Heard) -> Say {
        if heard.path == "/v2/" {
            return answer(200, &[], b"{}");
        }
        let path = heard.path.split('?').next().unwrap_or_default();
        let last = path.rsplit('/').next().unwrap_or_default();
        if heard.path.contains("/manifests/") {
            return answer(200, &[("Content-Type", MANIFEST_TYPE)], &self.manifest);
        }
        let Some(blob) = self.blobs.get(last) else {
            return answer(404, &[], b"");
        };
        let range = heard.header("range");
        let from = range
            .strip_prefix("bytes=")
            .and_then(|r| r.strip_suffix('-'));
        match from.and_then(|from| from.parse::<usize>().ok()) {
            Some(from) if from < blob.len() => {
                let range = format!("bytes {from}-{}/{}", blob.len() - 1, blob.len());
                answer(206, &[("Content-Range", &range)], &blob[from..])
            }
            Some(_) => answer(416, &[], b""),
            None => answer(200, &[], blob),
        }
    }
}

struct Guest {
    _dir: tempfile::TempDir,
    store: Store,
    access: Access,
}

impl Guest {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let store = Store::open(&dir.path().join("rpod")).expect("a store");
        let short = Duration::from_millis(300);
        let limits = Limits {
            connect: short,
            head: short,
            stall: short,
            attempts: 3,
            pause: Duration::from_millis(5),
            patience: Duration::from_secs(2),
        };
        Self {
            _dir: dir,
            store,
            access: Access {
                limits,
                ..Access::default()
            },
        }
    }

    fn pull(&self, server: &Server) -> Result<Fetched> {
        self.pull_said(server, Arc::new(Silent))
    }

    fn pull_said(&self, server: &Server, progress: Arc<dyn Progress>) -> Result<Fetched> {
        let map = IdMap::single(
            rustix::process::getuid().as_raw(),
            rustix::process::getgid().as_raw(),
        );
        let order = Order {
            artifacts: false,
            nameless: false,
            reference: format!("{}/team/x:1", server.host).parse().expect("a name"),
            platform: Some("linux/amd64".parse().expect("a platform")),
            sources: vec![self.source(server)],
        };
        let done = pull(&self.store, &map, vec![order], &progress)?;
        done.into_iter().next().expect("one")
    }

    /// Pulls from mirrors, and last from the registry; returns what was said as well.
    fn pull_from(&self, servers: &[&Server]) -> (Result<Fetched>, Vec<String>) {
        let lines = Arc::new(Lines::default());
        let progress: Arc<dyn Progress> = Arc::clone(&lines) as _;
        let order = Order {
            artifacts: false,
            nameless: false,
            reference: "r.example/team/x:1".parse().expect("a name"),
            platform: Some("linux/amd64".parse().expect("a platform")),
            sources: servers.iter().map(|server| self.source(server)).collect(),
        };
        let id = rustix::process::getuid().as_raw();
        let map = IdMap::single(id, rustix::process::getgid().as_raw());
        let done = pull(&self.store, &map, vec![order], &progress);
        let said = lines.0.lock().expect("a lock").clone();
        (done.expect("tried").remove(0), said)
    }

    fn source(&self, server: &Server) -> Source {
        Source {
            registry: Arc::new(Registry::new(&server.host, self.access.clone())),
            repository: "team/x".to_owned(),
        }
    }

    fn with_password(mut self) -> Self {
        self.access.credential = Some(Credential::Password {
            user: "alice".to_owned(),
            password: Secret::new("hunter2"),
        });
        self
    }
}

const AUTHORIZATION: &str = "Basic YWxpY2U6aHVudGVyMg==";

/// Pulls from a registry that is good but for what `spoil` says; returns the error's text.
fn refused(spoil: impl Fn(&Content, &Heard) -> Option<Say> + Send + Sync + 'static) -> String {
    let content = Content::new();
    let server =
        Server::new(move |heard| spoil(&content, heard).unwrap_or_else(|| content.reply(heard)));
    let guest = Guest::new();
    let began = Instant::now();
    let error: Error = guest.pull(&server).expect_err("it is spoilt");
    assert!(began.elapsed() < Duration::from_secs(15), "{error}");
    assert!(guest.store.image_entries().expect("read").is_empty());
    error.to_string()
}

fn is_blob(heard: &Heard) -> bool {
    heard.path.contains("/blobs/")
}

fn is_layer(content: &Content, heard: &Heard) -> bool {
    heard.path.ends_with(content.layer.as_str())
}

#[test]
fn a_pull_brings_everything_once_and_then_nothing() {
    let content = Content::new();
    let manifest = Digest::of(&content.manifest);
    let layer = content.layer.clone();
    let server = Server::new(move |heard| content.reply(heard));
    let guest = Guest::new();
    let fetched = guest.pull(&server).expect("pulled");
    assert!(fetched.newer);
    assert_eq!(fetched.digest, manifest);
    let name = format!("{}/team/x:1", server.host).parse().expect("a name");
    let entry = guest.store.find_image(&name).expect("read").expect("there");
    let image = guest.store.load_image(&entry).expect("whole");
    assert!(guest.store.has_layer("single", &image.layers[0].diff_id));
    let again = guest.pull(&server).expect("pulled");
    assert!(!again.newer);
    assert_eq!(server.heard(layer.as_str()).len(), 1);
}

#[test]
fn many_pulls_at_once_fetch_each_blob_once() {
    let content = Content::new();
    let layer = content.layer.clone();
    let server = Server::new(move |heard| content.reply(heard));
    let guest = Guest::new();
    thread::scope(|scope| {
        let pulls: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| guest.pull(&server)))
            .collect();
        for pull in pulls {
            pull.join().expect("no panic").expect("pulled");
        }
    });
    assert_eq!(server.heard(layer.as_str()).len(), 1);
    assert_eq!(guest.store.image_entries().expect("read").len(), 1);
}

#[test]
fn a_cut_download_goes_on_where_it_was_cut() {
    let content = Content::new();
    let layer = content.layer.clone();
    let half = content.layer_bytes().len() / 2;
    let server = Server::new(move |heard| {
        if is_layer(&content, heard) && heard.header("range").is_empty() {
            let blob = content.layer_bytes();
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", blob.len());
            let mut bytes = head.into_bytes();
            bytes.extend_from_slice(&blob[..half]);
            return Say::Raw(bytes);
        }
        content.reply(heard)
    });
    Guest::new().pull(&server).expect("pulled");
    let asked = server.heard(layer.as_str());
    assert_eq!(asked.len(), 2);
    assert_eq!(asked[1].header("range"), format!("bytes={half}-"));
}

#[test]
fn what_a_killed_pull_left_is_used_and_what_is_spoilt_is_not() {
    for spoilt in [false, true] {
        let content = Content::new();
        let layer = content.layer.clone();
        let guest = Guest::new();
        let mut left = content.layer_bytes()[..1000].to_vec();
        if spoilt {
            left[0] ^= 1;
        }
        std::fs::write(guest.store.partial_path(&layer), left).expect("written");
        let server = Server::new(move |heard| content.reply(heard));
        guest.pull(&server).expect("pulled");
        let asked = server.heard(layer.as_str());
        assert_eq!(asked[0].header("range"), "bytes=1000-");
        assert_eq!(asked.len(), if spoilt { 2 } else { 1 });
        assert!(!guest.store.partial_path(&layer).exists());
    }
}

#[test]
fn a_server_without_ranges_begins_anew() {
    let content = Content::new();
    let guest = Guest::new();
    std::fs::write(
        guest.store.partial_path(&content.layer),
        &content.layer_bytes()[..1000],
    )
    .expect("written");
    let server = Server::new(move |heard| {
        let mut plain = heard.clone();
        plain.headers.remove("range");
        content.reply(&plain)
    });
    guest.pull(&server).expect("pulled");
}

#[test]
fn wrong_content_never_gets_a_name() {
    let error = refused(|content, heard| {
        is_layer(content, heard).then(|| {
            let mut blob = content.layer_bytes().to_vec();
            blob[1000] ^= 1;
            answer(200, &[], &blob)
        })
    });
    assert!(error.contains("has digest sha256:"), "{error}");
    let error = refused(|content, heard| {
        heard.path.contains("/manifests/").then(|| {
            let other = Digest::of(b"other").to_string();
            answer(200, &[("Docker-Content-Digest", &other)], &content.manifest)
        })
    });
    assert!(error.contains("not sha256:"), "{error}");
}

#[test]
fn a_blob_of_another_length_is_refused() {
    let error = refused(|content, heard| {
        is_layer(content, heard).then(|| answer(200, &[], &content.layer_bytes()[..100]))
    });
    assert!(
        error.contains("has 100 bytes where its manifest says"),
        "{error}"
    );
    let error = refused(|content, heard| {
        is_layer(content, heard)
            .then(|| Say::Endless(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n".to_vec()))
    });
    assert!(
        error.contains("more bytes than its manifest says"),
        "{error}"
    );
    let error = refused(|content, heard| {
        is_layer(content, heard)
            .then(|| Say::Raw(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n".to_vec()))
    });
    assert!(error.contains("too early"), "{error}");
}

#[test]
fn silence_has_an_end() {
    let error = refused(|_, heard| {
        heard
            .path
            .contains("/manifests/")
            .then(|| Say::Hang(b"HTTP/1.1 200 OK\r\nX-".to_vec()))
    });
    assert!(error.contains("did not answer within 300 ms"), "{error}");
    let error = refused(|content, heard| {
        is_layer(content, heard).then(|| {
            let length = content.layer_bytes().len();
            Say::Hang(format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n").into_bytes())
        })
    });
    assert!(error.contains("sent nothing for 300 ms"), "{error}");
}

#[test]
fn a_server_that_drips_is_left() {
    let head = b"HTTP/1.1 200 OK\r\nContent-Length: ".to_vec();
    let drip = move |length: usize| {
        let length = format!("{length}\r\n\r\n");
        Say::Drip([head.as_slice(), length.as_bytes()].concat())
    };
    let again = drip.clone();
    let error = refused(move |content, heard| {
        is_layer(content, heard).then(|| drip(content.layer_bytes().len()))
    });
    assert!(error.contains("sends less than 1 KiB a second"), "{error}");
    let error = refused(move |_, heard| heard.path.contains("/manifests/").then(|| again(100_000)));
    assert!(error.contains("sends less than 1 KiB a second"), "{error}");
    let error = refused(|_, heard| {
        let drip = || Say::Drip(b"HTTP/1.1 200 OK\r\nX-Long: ".to_vec());
        heard.path.contains("/manifests/").then(drip)
    });
    assert!(error.contains("did not answer within 300 ms"), "{error}");
}

#[test]
fn texts_without_end_are_cut_short() {
    let error = refused(|_, heard| {
        heard
            .path
            .contains("/manifests/")
            .then(|| Say::Endless(b"HTTP/1.1 200 OK\r\nContent-Length: 104857600\r\n\r\n".to_vec()))
    });
    assert!(error.contains("larger than 4 MiB"), "{error}");
    let error = refused(|_, heard| {
        heard
            .path
            .contains("/manifests/")
            .then(|| Say::Endless(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n".to_vec()))
    });
    assert!(error.contains("larger than 4 MiB"), "{error}");
    let error = refused(|_, heard| {
        heard
            .path
            .contains("/manifests/")
            .then(|| Say::Endless(b"HTTP/1.1 200 OK\r\nX-Long: ".to_vec()))
    });
    assert!(error.contains("headers without end"), "{error}");
}

#[test]
fn a_name_that_is_not_there_is_told() {
    let content = Content::new();
    let server = Server::new(move |heard| {
        if heard.path.contains("/manifests/") {
            return answer(404, &[], b"{}");
        }
        content.reply(heard)
    });
    let error = Guest::new().pull(&server).expect_err("not there");
    assert_eq!(
        error.to_string(),
        format!("the registry has no such image (404 from {})", server.host)
    );
    assert_eq!(error.kind(), Kind::NotFound);
}

#[test]
fn nobody_there_is_told_with_the_address() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
    let host = listener.local_addr().expect("an address").to_string();
    drop(listener);
    let server = Server {
        host: host.clone(),
        heard: Arc::default(),
    };
    let error = Guest::new().pull(&server).expect_err("nobody there");
    assert_eq!(
        error.to_string(),
        format!("cannot reach \"{host}\": connection refused ({host})")
    );
}

#[test]
fn a_server_that_always_wants_a_login_is_asked_twice_and_no_more() {
    let server = Server::new(|_| answer(401, &[("WWW-Authenticate", "Basic realm=\"x\"")], b""));
    let error = Guest::new()
        .with_password()
        .pull(&server)
        .expect_err("not let in");
    assert!(error.to_string().contains("401"), "{error}");
    assert_eq!(
        error.hints(),
        [format!("log in first: `rpod login {0}`", server.host)]
    );
    assert_eq!(server.heard("/manifests/").len(), 2);
    assert!(!format!("{error:?}").contains("hunter2"));
    let error = Guest::new().pull(&server).expect_err("not let in");
    assert!(error.hints()[0].contains("rpod login"), "{error}");
}

#[test]
fn a_token_is_got_once_and_shown_everywhere() {
    for identity in [false, true] {
        let content = Content::new();
        let server = Server::new(move |heard| {
            if heard.path.starts_with("/token") {
                return answer(200, &[], br#"{"access_token":"t0k"}"#);
            }
            if heard.path != "/v2/" && heard.header("authorization") != "Bearer t0k" {
                let host = heard.header("host");
                let challenge = format!(
                    r#"Bearer realm="http://{host}/token",service="s v",scope="repository:team/x:pull""#
                );
                return answer(401, &[("WWW-Authenticate", &challenge)], b"");
            }
            content.reply(heard)
        });
        let mut guest = Guest::new().with_password();
        if identity {
            guest.access.credential = Some(Credential::Identity(Secret::new("id+")));
        }
        guest.pull(&server).expect("pulled");
        let tokens = server.heard("/token");
        assert_eq!(tokens.len(), 1);
        if identity {
            assert_eq!(tokens[0].method, "POST");
            assert!(tokens[0].body.contains("refresh_token=id%2B"), "{tokens:?}");
        } else {
            assert_eq!(tokens[0].header("authorization"), AUTHORIZATION);
            assert_eq!(
                tokens[0].path,
                "/token?service=s%20v&scope=repository%3Ateam%2Fx%3Apull&account=alice"
            );
        }
    }
}

#[test]
fn a_password_does_not_follow_a_redirect_to_another_server() {
    let content = Arc::new(Content::new());
    let there = {
        let content = Arc::clone(&content);
        Server::new(move |heard| content.reply(heard))
    };
    let layer = content.layer.clone();
    let elsewhere = format!("http://{}/v2/team/x/blobs/{layer}?sig=s", there.host);
    let here = Server::new(move |heard| {
        if heard.path != "/v2/" && heard.header("authorization") != AUTHORIZATION {
            return answer(401, &[("WWW-Authenticate", "Basic realm=\"x\"")], b"");
        }
        if is_layer(&content, heard) {
            return answer(307, &[("Location", &elsewhere)], b"");
        }
        content.reply(heard)
    });
    let guest = Guest::new().with_password();
    guest.pull(&here).expect("pulled");
    let asked = there.heard(layer.as_str());
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].header("authorization"), "");
    assert!(asked[0].path.ends_with("?sig=s"), "{asked:?}");
}

#[test]
fn redirects_in_a_circle_and_to_no_address_end() {
    let error = refused(|_, heard| {
        heard
            .path
            .contains("/manifests/")
            .then(|| answer(302, &[("Location", &heard.path)], b""))
    });
    assert!(error.contains("more than 5 times"), "{error}");
    let error = refused(|_, heard| {
        heard
            .path
            .contains("/manifests/")
            .then(|| answer(302, &[("Location", "gopher://x/")], b""))
    });
    assert!(error.contains("no address"), "{error}");
}

#[test]
fn a_busy_server_is_waited_for() {
    let content = Content::new();
    let busy = Mutex::new(true);
    let server = Server::new(move |heard| {
        let mut busy = busy.lock().expect("a lock");
        if heard.path.contains("/manifests/") && *busy {
            *busy = false;
            return answer(429, &[("Retry-After", "1")], b"");
        }
        content.reply(heard)
    });
    let began = Instant::now();
    Guest::new().pull(&server).expect("pulled");
    assert!(began.elapsed() >= Duration::from_secs(1));
    let error = refused(|_, heard| {
        heard
            .path
            .contains("/manifests/")
            .then(|| answer(429, &[("Retry-After", "3600")], b""))
    });
    assert!(error.contains("too many requests"), "{error}");
    assert!(error.contains("; ask again in 60 minutes, at "), "{error}");
}

#[test]
fn what_speaks_no_http_is_told() {
    let error = refused(|_, _| Some(Say::Raw(b"SSH-2.0-OpenSSH_9.9\r\n".to_vec())));
    assert!(error.contains("not as HTTP does"), "{error}");
}

#[test]
fn another_platform_is_refused_by_name() {
    let content = Content::new();
    let server = Server::new(move |heard| content.reply(heard));
    let guest = Guest::new();
    let order = Order {
        artifacts: false,
        nameless: false,
        reference: format!("{}/team/x:1", server.host).parse().expect("a name"),
        platform: Some("linux/s390x".parse().expect("a platform")),
        sources: vec![guest.source(&server)],
    };
    let silent: Arc<dyn Progress> = Arc::new(Silent);
    let done = pull(&guest.store, &IdMap::single(0, 0), vec![order], &silent);
    let error = done
        .expect("tried")
        .remove(0)
        .expect_err("another")
        .to_string();
    assert_eq!(error, "it is an image for linux/amd64, not for linux/s390x");
}

/// A mirror of the content and the registry itself; the mirror is spoilt by `spoil`.
fn mirrored(
    spoil: impl Fn(&Content, &Heard) -> Option<Say> + Send + Sync + 'static,
) -> (Arc<Content>, Server, Server) {
    let content = Arc::new(Content::new());
    let (ours, theirs) = (Arc::clone(&content), Arc::clone(&content));
    let mirror =
        Server::new(move |heard| spoil(&theirs, heard).unwrap_or_else(|| theirs.reply(heard)));
    let registry = Server::new(move |heard| ours.reply(heard));
    (content, mirror, registry)
}

#[test]
fn a_mirror_is_asked_before_its_registry() {
    let (_, mirror, registry) = mirrored(|_, _| None);
    let (done, said) = Guest::new().pull_from(&[&mirror, &registry]);
    done.expect("pulled");
    assert!(registry.heard("").is_empty(), "{:?}", registry.heard(""));
    assert!(!said.iter().any(|line| line.contains("mirror")), "{said:?}");
}

#[test]
fn a_mirror_that_fails_or_lies_is_passed_over_and_told() {
    type Spoil = fn(&Content, &Heard) -> Option<Say>;
    let cases: [(Spoil, &str); 5] = [
        (|_, _| Some(answer(500, &[], b"")), "500"),
        (
            |content, heard| is_layer(content, heard).then(|| answer(200, &[], &content.wrong())),
            "has digest",
        ),
        (
            |_, heard| {
                let headers = [("Docker-Content-Digest", Digest::of(b"x").to_string())];
                let headers = [(headers[0].0, headers[0].1.as_str())];
                let is = heard.path.contains("/manifests/");
                is.then(|| answer(200, &headers, b"{}"))
            },
            "has digest",
        ),
        (|_, _| Some(Say::Raw(Vec::new())), "closed the connection"),
        (|_, heard| is_blob(heard).then(|| answer(404, &[], b"")), ""),
    ];
    for (spoil, why) in cases {
        let (_, mirror, registry) = mirrored(spoil);
        let guest = Guest::new();
        let (done, said) = guest.pull_from(&[&mirror, &registry]);
        done.expect("pulled from the registry");
        let told: Vec<&String> = said.iter().filter(|l| l.contains("passed over")).collect();
        // What a mirror has not is no failure of its.
        assert_eq!(told.len(), usize::from(!why.is_empty()), "{why}: {said:?}");
        assert!(told.iter().all(|line| line.contains(why)), "{said:?}");
        assert!(told.iter().all(|line| line.contains(&mirror.host)));
        assert_eq!(guest.store.image_entries().expect("read").len(), 1);
    }
}

#[test]
fn what_one_mirror_began_another_goes_on_with() {
    let (content, mirror, registry) = mirrored(|content, heard| {
        is_layer(content, heard).then(|| {
            let bytes = content.layer_bytes();
            let head = format!("HTTP/1.1 200 X\r\nContent-Length: {}\r\n\r\n", bytes.len());
            let nine_tenths = bytes.len() * 9 / 10;
            match heard.header("range") {
                "" => Say::Raw([head.as_bytes(), &bytes[..nine_tenths]].concat()),
                _ => answer(500, &[], b""),
            }
        })
    });
    let (done, _) = Guest::new().pull_from(&[&mirror, &registry]);
    done.expect("pulled");
    let asked = registry.heard(content.layer.as_str());
    assert_eq!(asked.len(), 1, "{asked:?}");
    let from = content.layer_bytes().len() * 9 / 10;
    assert_eq!(asked[0].header("range"), format!("bytes={from}-"));
}

#[test]
fn bytes_of_a_liar_and_of_another_are_not_mixed() {
    // The first half is wrong, and then the mirror is gone.
    let (_, mirror, registry) = mirrored(|content, heard| {
        is_layer(content, heard).then(|| {
            let bytes = content.wrong();
            let head = format!("HTTP/1.1 200 X\r\nContent-Length: {}\r\n\r\n", bytes.len());
            match heard.header("range") {
                "" => Say::Raw([head.as_bytes(), &bytes[..bytes.len() / 2]].concat()),
                _ => answer(500, &[], b""),
            }
        })
    });
    let guest = Guest::new();
    guest.pull_from(&[&mirror, &registry]).0.expect("pulled");
    assert_eq!(guest.store.image_entries().expect("read").len(), 1);
}

#[test]
fn few_pulls_left_and_long_pauses_are_told() {
    let content = Content::new();
    let busy = Mutex::new(true);
    let server = Server::new(move |heard| {
        let limits = [
            ("RateLimit-Limit", "100;w=21600"),
            ("RateLimit-Remaining", "3;w=21600"),
            ("RateLimit-Reset", "5000"),
        ];
        let mut busy = busy.lock().expect("a lock");
        if heard.path.contains("/manifests/") && std::mem::replace(&mut *busy, false) {
            return answer(503, &[("Retry-After", "4")], b"");
        }
        match content.reply(heard) {
            Say::Answer(status, _, body) => answer(status, &limits, &body),
            other => other,
        }
    });
    let mut guest = Guest::new();
    guest.access.limits.patience = Duration::from_secs(5);
    let (done, said) = guest.pull_from(&[&server]);
    done.expect("pulled");
    let said = said.join("\n");
    assert!(
        said.contains("is busy (503): it is asked again in 4 s, at "),
        "{said}"
    );
    let few = "allows 3 more pulls of 100 in 6 hours; all of them again in 84 minutes, at ";
    assert_eq!(said.matches(few).count(), 1, "{said}");
}

#[test]
fn an_image_is_found_in_lists_of_lists() {
    let content = Content::new();
    let image = content.manifest.clone();
    let entry = |bytes: &[u8], kind: &str, more: &str| {
        let (digest, size) = (Digest::of(bytes), bytes.len());
        format!(
            r#"{{"mediaType":"application/vnd.oci.image.{kind}.v1+json","digest":"{digest}","size":{size}{more}}}"#
        )
    };
    let list = |entries: &[String]| {
        let entries = entries.join(",");
        format!(r#"{{"schemaVersion":2,"manifests":[{entries}]}}"#).into_bytes()
    };
    let platform = |name: &str| format!(r#","platform":{{"os":"linux","architecture":"{name}"}}"#);
    let other = list(&[entry(b"a", "manifest", &platform("s390x"))]);
    let inner = list(&[
        entry(b"b", "manifest", &platform("mips")),
        entry(&image, "manifest", &platform("amd64")),
    ]);
    let top = list(&[entry(&other, "index", ""), entry(&inner, "index", "")]);
    let documents: HashMap<String, Vec<u8>> = [other, inner, image]
        .into_iter()
        .map(|bytes| (Digest::of(&bytes).to_string(), bytes))
        .collect();
    let server = Server::new(move |heard| {
        let last = heard.path.rsplit('/').next().unwrap_or_default();
        match documents.get(last) {
            Some(bytes) => answer(200, &[], bytes),
            None if heard.path.contains("/manifests/") => answer(200, &[], &top),
            None => content.reply(heard),
        }
    });
    Guest::new().pull(&server).expect("pulled");
    let guest = Guest::new();
    let order = Order {
        artifacts: false,
        nameless: false,
        reference: "r.example/x:1".parse().expect("a name"),
        platform: Some("linux/arm64".parse().expect("a platform")),
        sources: vec![guest.source(&server)],
    };
    let silent: Arc<dyn Progress> = Arc::new(Silent);
    let done = pull(&guest.store, &IdMap::single(0, 0), vec![order], &silent);
    let error = done
        .expect("tried")
        .remove(0)
        .expect_err("none")
        .to_string();
    let named = "no image for linux/arm64 in it, only for linux/s390x, linux/mips, linux/amd64";
    assert!(error.contains(named), "{error}");
}

#[test]
fn a_list_of_very_many_lists_is_left() {
    let inner = |n: usize| format!(r#"{{"schemaVersion":2,"manifests":[],"n":{n}}}"#);
    let digest = move |n: usize| Digest::of(inner(n).as_bytes()).to_string();
    let server = Server::new(move |heard| {
        if let Some(n) = (0..100).find(|n| heard.path.ends_with(&digest(*n))) {
            return answer(200, &[], inner(n).as_bytes());
        }
        let entry = |n: usize| {
            let (digest, size) = (digest(n), inner(n).len());
            format!(
                r#"{{"mediaType":"application/vnd.oci.image.index.v1+json","digest":"{digest}","size":{size}}}"#
            )
        };
        let entries: Vec<String> = (0..100).map(entry).collect();
        let list = format!(
            r#"{{"schemaVersion":2,"manifests":[{}]}}"#,
            entries.join(",")
        );
        answer(200, &[], list.as_bytes())
    });
    let error = Guest::new()
        .pull(&server)
        .expect_err("too many")
        .to_string();
    assert!(error.contains("list of lists without end"), "{error}");
    assert!(server.heard("/manifests/").len() < 20);
}

#[test]
fn a_foreign_layer_is_fetched_from_its_makers_without_a_login() {
    let content = Arc::new(Content::new());
    let makers = {
        let content = Arc::clone(&content);
        Server::new(move |_| answer(200, &[], content.layer_bytes()))
    };
    let manifest = String::from_utf8(content.manifest.clone()).expect("text");
    let kind = "layer.nondistributable.v1.tar+gzip";
    let with_url = format!("{kind}\",\"urls\":[\"http://{}/l\"],\"x\":\"", makers.host);
    let manifest = manifest.replace("layer.v1.tar+gzip", &with_url);
    let registry = Server::new(move |heard| {
        if heard.path != "/v2/" && heard.header("authorization") != AUTHORIZATION {
            return answer(401, &[("WWW-Authenticate", "Basic realm=\"x\"")], b"");
        }
        if heard.path.contains("/manifests/") {
            return answer(200, &[("Content-Type", MANIFEST_TYPE)], manifest.as_bytes());
        }
        if is_layer(&content, heard) {
            return answer(404, &[], b"");
        }
        content.reply(heard)
    });
    let guest = Guest::new().with_password();
    guest.pull(&registry).expect("pulled");
    let asked = makers.heard("/l");
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].header("authorization"), "");
}

#[test]
fn all_tags_are_read_page_by_page() {
    let server = Server::new(|heard| match heard.path.as_str() {
        "/v2/team/x/tags/list" => answer(
            200,
            &[("Link", "</v2/team/x/tags/list?last=b>; rel=\"next\"")],
            br#"{"name":"team/x","tags":["a","b"]}"#,
        ),
        "/v2/team/x/tags/list?last=b" => answer(200, &[], br#"{"tags":["c"]}"#),
        _ => answer(200, &[], b""),
    });
    let silent: Arc<dyn Progress> = Arc::new(Silent);
    let tags = super::tags(vec![Guest::new().source(&server)], &silent).expect("read");
    assert_eq!(tags, ["a", "b", "c"]);
}

/// Writes down what is said, as a pipe would show it.
#[derive(Default)]
struct Lines(Mutex<Vec<String>>);

impl Progress for Lines {
    fn line(&self, text: &str) {
        self.0.lock().expect("a lock").push(text.to_owned());
    }
    fn begin(&self, name: &str, _: &str, _: Option<u64>) -> Step {
        self.line(name);
        Step(1)
    }
    fn turn(&self, _: Step, doing: &str, _: Option<u64>) {
        self.line(doing);
    }
    fn advance(&self, _: Step, _: u64) {}
    fn end(&self, _: Step, last: &str) {
        self.line(last);
    }
    fn warn(&self, text: &str) {
        self.line(text);
    }
}

#[test]
fn the_lines_are_dockers() {
    let content = Content::new();
    let layer = content.layer.short().to_owned();
    let server = Server::new(move |heard| content.reply(heard));
    let lines = Arc::new(Lines::default());
    Guest::new()
        .pull_said(&server, Arc::clone(&lines) as Arc<dyn Progress>)
        .expect("pulled");
    let said = lines.0.lock().expect("a lock").clone();
    assert_eq!(
        said,
        [
            "1: Pulling from team/x",
            layer.as_str(),
            "Downloading",
            "Extracting",
            "Pull complete"
        ]
    );
}
