//! Registries for tests: Debian's `docker-registry` on a free loopback port, and
//! a small one made here that does what a good registry never does.
//!
//!     let registry = Registry::start();
//!     let name = registry.push(&image);              // 127.0.0.1:PORT/tiny:latest
//!
//!     let rude = HostileRegistry::serve(&image, |request| match request.kind() {
//!         Kind::Blob => Reply::Truncated(10),
//!         _ => Reply::Honest,
//!     });
//!
//! What must not live here: expectations. Always true: both listen on 127.0.0.1
//! only, and both end with the value; a request has ten seconds.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Error, ErrorKind, Read, Result, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::authority::Authority;
use super::image::{Image, MANIFEST, digest};
use super::sandbox::marked;
use super::tokens::TokenServer;
use super::{eventually, free_port, probe};

/// The registry most people run.
pub struct Registry {
    child: Child,
    address: String,
    _storage: tempfile::TempDir,
}

impl Registry {
    /// Whether this machine has the program.
    pub fn available() -> bool {
        probe::program("docker-registry").is_some()
    }

    /// Starts an empty registry.
    pub fn start() -> Self {
        Self::with(Guard::Nobody)
    }

    /// Starts an empty registry that looks at who comes.
    pub fn with(guard: Guard<'_>) -> Self {
        let program = probe::program("docker-registry").expect("install docker-registry");
        let storage = tempfile::Builder::new()
            .prefix("rt-registry.")
            .tempdir_in("/var/tmp")
            .unwrap();
        let address = format!("127.0.0.1:{}", free_port());
        let config = format!(
            "version: 0.1\nlog:\n  accesslog:\n    disabled: true\n  level: error\n\
             storage:\n  delete:\n    enabled: true\n  filesystem:\n    rootdirectory: {}\n\
             http:\n  addr: {address}\n{}",
            storage.path().join("data").display(),
            guard.settings(storage.path())
        );
        let file = storage.path().join("config.yml");
        std::fs::write(&file, config).unwrap();
        let mut command = Command::new(program);
        command
            .arg("serve")
            .arg(&file)
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(storage.path().join("log")).unwrap());
        // Of no sandbox, even if one starts something at the same time.
        let child = marked(0, || command.spawn()).unwrap();
        // Any answer will do: one that wants a password or TLS is there as well.
        eventually("the registry answers", || {
            exchange(&address, "GET", "/v2/", "", b"").is_ok()
                || matches!(guard, Guard::Tls(..)) && TcpStream::connect(&address).is_ok()
        });
        Registry {
            child,
            address,
            _storage: storage,
        }
    }

    /// Where it keeps blobs.
    pub fn blob_file(&self, digest: &str) -> std::path::PathBuf {
        let hex = digest.trim_start_matches("sha256:");
        let blobs = "data/docker/registry/v2/blobs/sha256";
        let storage = self._storage.path();
        storage.join(blobs).join(&hex[..2]).join(hex).join("data")
    }

    /// `127.0.0.1:PORT`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Returns the name of an image in this registry.
    pub fn name(&self, image: &str) -> String {
        format!("{}/{image}", self.address)
    }

    /// Pushes an image made in code and returns its whole name.
    pub fn push(&self, image: &Image) -> String {
        self.push_as(image, &image.name)
    }

    /// Pushes an image made in code under another name.
    pub fn push_as(&self, image: &Image, name: &str) -> String {
        let (repository, tag) = name.rsplit_once(':').unwrap();
        for blob in image.blobs() {
            self.upload(repository, &blob);
        }
        self.put_manifest(repository, tag, MANIFEST, &image.manifest_blob());
        self.name(name)
    }

    /// Pushes an OCI image layout that `tests/images/build` made.
    pub fn push_layout(&self, layout: &Path, name: &str) -> String {
        let (repository, tag) = name.rsplit_once(':').unwrap();
        let read = |path: String| std::fs::read(layout.join(path)).unwrap();
        let blob = |value: &serde_json::Value| {
            let digest = value["digest"].as_str().unwrap();
            read(format!("blobs/{}", digest.replace(':', "/")))
        };
        let index: serde_json::Value = serde_json::from_slice(&read("index.json".into())).unwrap();
        let manifest = blob(&index["manifests"][0]);
        let parsed: serde_json::Value = serde_json::from_slice(&manifest).unwrap();
        for layer in parsed["layers"].as_array().unwrap() {
            self.upload(repository, &blob(layer));
        }
        self.upload(repository, &blob(&parsed["config"]));
        self.put_manifest(repository, tag, MANIFEST, &manifest);
        self.name(name)
    }

    /// Puts a manifest or an index under a tag or a digest.
    pub fn put_manifest(&self, repository: &str, tag: &str, media_type: &str, bytes: &[u8]) {
        let path = format!("/v2/{repository}/manifests/{tag}");
        let type_header = format!("Content-Type: {media_type}\r\n");
        let answer = exchange(&self.address, "PUT", &path, &type_header, bytes).unwrap();
        assert_eq!(answer.status, 201, "{}", answer.text());
    }

    /// Uploads a blob, unless it is there.
    pub fn upload(&self, repository: &str, blob: &[u8]) {
        let digest = digest(blob);
        let there = format!("/v2/{repository}/blobs/{digest}");
        if exchange(&self.address, "HEAD", &there, "", b"").is_ok_and(|got| got.status == 200) {
            return;
        }
        let path = format!("/v2/{repository}/blobs/uploads/");
        let begun = exchange(&self.address, "POST", &path, "", b"").unwrap();
        assert_eq!(begun.status, 202, "{}", begun.text());
        let location = &begun.headers["location"];
        let location = location
            .strip_prefix(&format!("http://{}", self.address))
            .unwrap_or(location);
        let mark = if location.contains('?') { '&' } else { '?' };
        let path = format!("{location}{mark}digest={digest}");
        let type_header = "Content-Type: application/octet-stream\r\n";
        let done = exchange(&self.address, "PUT", &path, type_header, blob).unwrap();
        assert_eq!(done.status, 201, "{}", done.text());
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _status = self.child.wait();
    }
}

/// The user that guarded registries know; there is one with another name and the same
/// password, [`USER_ABROAD`].
pub const USER: &str = "alice";
/// A user whose name is not in ASCII.
pub const USER_ABROAD: &str = "卷耳多多多";
/// Their password.
pub const PASSWORD: &str = "hunter2 pä";

/// Their lines, as `htpasswd -B` writes them.
const USERS: &str = "alice:$2y$05$lG6OjMGMAoJqgI7zIueCne9zfEUhew8CbenjH2K.vthq/NwclN0ea\n\
    卷耳多多多:$2y$05$xjDJi5obqExR/cWMgbYgJei8jBwU248FGi4nI.nBEkjlOvO0dDj/G\n";

/// How a registry looks at who comes.
#[derive(Clone, Copy)]
pub enum Guard<'a> {
    /// Not at all.
    Nobody,
    /// It wants a user's name and password.
    Password,
    /// It speaks TLS only, with a certificate of this authority; and wants to see a
    /// guest's certificate, when true.
    Tls(&'a Authority, bool),
    /// It wants a token of this server.
    Tokens(&'a TokenServer),
}

impl Guard<'_> {
    fn settings(&self, directory: &Path) -> String {
        match self {
            Guard::Nobody => String::new(),
            Guard::Password => {
                let file = directory.join("htpasswd");
                std::fs::write(&file, USERS).unwrap();
                format!(
                    "auth:\n  htpasswd:\n    realm: tests\n    path: {}\n",
                    file.display()
                )
            }
            Guard::Tls(authority, guests) => {
                let path = |name: &str| authority.path(name).display().to_string();
                let mut text = format!(
                    "  tls:\n    certificate: {}\n    key: {}\n",
                    path("server.crt"),
                    path("server.key")
                );
                if *guests {
                    text += &format!("    clientcas:\n      - {}\n", path("ca.crt"));
                }
                text
            }
            Guard::Tokens(server) => format!(
                "auth:\n  token:\n    realm: {}\n    service: tests\n    issuer: rpod-tests\n    \
                 rootcertbundle: {}\n",
                server.realm(),
                server.authority().path("ca.crt").display()
            ),
        }
    }
}

/// An HTTP answer.
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Its headers, by names in lower case.
    pub headers: HashMap<String, String>,
    /// Its body.
    pub body: Vec<u8>,
}

impl Answer {
    fn text(&self) -> String {
        format!("{} {}", self.status, String::from_utf8_lossy(&self.body))
    }
}

/// Returns the body at a path, or the failure; any status but 200 is one.
pub fn get(address: &str, path: &str) -> Result<Vec<u8>> {
    let answer = exchange(address, "GET", path, "", b"")?;
    match answer.status {
        200 => Ok(answer.body),
        _ => Err(Error::other(answer.text())),
    }
}

/// Sends one request on a connection of its own.
pub fn exchange(
    address: &str,
    method: &str,
    path: &str,
    headers: &str,
    body: &[u8],
) -> Result<Answer> {
    let mut stream = TcpStream::connect(address)?;
    let limit = Some(Duration::from_secs(10));
    stream.set_read_timeout(limit)?;
    stream.set_write_timeout(limit)?;
    let length = body.len();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\
         Content-Length: {length}\r\n{headers}\r\n"
    )?;
    stream.write_all(body)?;
    read_answer(stream, method)
}

fn read_answer(stream: TcpStream, method: &str) -> Result<Answer> {
    let mut reader = BufReader::new(stream);
    let first = read_line(&mut reader)?;
    let status = first.split(' ').nth(1).and_then(|word| word.parse().ok());
    let status = status.ok_or_else(|| Error::new(ErrorKind::InvalidData, first.clone()))?;
    let headers = read_headers(&mut reader)?;
    let mut body = Vec::new();
    let chunked = headers
        .get("transfer-encoding")
        .is_some_and(|value| value == "chunked");
    if method == "HEAD" {
    } else if chunked {
        loop {
            let line = read_line(&mut reader)?;
            let size = usize::from_str_radix(&line, 16).map_err(Error::other)?;
            let mut chunk = vec![0; size];
            reader.read_exact(&mut chunk)?;
            body.extend(chunk);
            read_line(&mut reader)?;
            if size == 0 {
                break;
            }
        }
    } else if let Some(length) = headers.get("content-length") {
        body.resize(length.parse().map_err(Error::other)?, 0);
        reader.read_exact(&mut body)?;
    } else {
        reader.read_to_end(&mut body)?;
    }
    Ok(Answer {
        status,
        headers,
        body,
    })
}

fn read_line(reader: &mut impl BufRead) -> Result<String> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Err(ErrorKind::UnexpectedEof.into());
    }
    Ok(line.trim_end().to_owned())
}

fn read_headers(reader: &mut impl BufRead) -> Result<HashMap<String, String>> {
    let mut headers = HashMap::new();
    loop {
        let line = read_line(reader)?;
        let Some((name, value)) = line.split_once(':') else {
            return Ok(headers);
        };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
}

/// What a request is for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// `/v2/`.
    Ping,
    /// A manifest, by tag or digest.
    Manifest,
    /// The image's configuration.
    Config,
    /// One of its layers.
    Blob,
    /// A token, from the token server.
    Token,
    /// Anything else.
    Other,
}

/// A request a hostile registry received.
#[derive(Clone, Debug)]
pub struct Request {
    /// `GET`, `HEAD` …
    pub method: String,
    /// With the query.
    pub path: String,
    /// By names in lower case.
    pub headers: HashMap<String, String>,
    /// How many requests of the same method and path came before.
    pub earlier: usize,
    kind: Kind,
}

impl Request {
    /// What the request is for.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The `Authorization` header.
    pub fn authorization(&self) -> Option<&str> {
        self.headers.get("authorization").map(String::as_str)
    }
}

/// What a hostile registry answers.
#[derive(Clone, Debug)]
pub enum Reply {
    /// What a good registry answers.
    Honest,
    /// Other bytes of the same length.
    Corrupted,
    /// This many bytes of the body, then the end of the connection.
    Truncated(usize),
    /// The body from where it is asked for to this byte, then the end of the connection.
    Cut(usize),
    /// The same, and then nothing more, with the connection open.
    Stall(usize),
    /// One byte after each of these pauses.
    Drip(Duration),
    /// The body, and then more without end, with no length told.
    Endless,
    /// The body, under a length of which this is added.
    WrongLength(i64),
    /// Nothing, for this long.
    Silent(Duration),
    /// A status with headers, each with its line end, and a body.
    Status(u16, String, String),
    /// The way to somewhere else.
    Redirect(String),
    /// `401`, naming this registry's token server.
    AskForToken,
    /// A token, as a token server gives it.
    Token(String),
}

/// A registry with one image, which answers as the test says.
pub struct HostileRegistry {
    address: String,
    requests: Arc<Mutex<Vec<Request>>>,
    ending: Arc<AtomicBool>,
    blob_bytes: Arc<AtomicUsize>,
}

type Decide = dyn Fn(&Request) -> Reply + Send + Sync;

impl HostileRegistry {
    /// Starts one with an image; the function is asked what to answer.
    pub fn serve(
        image: &Image,
        decide: impl Fn(&Request) -> Reply + Send + Sync + 'static,
    ) -> HostileRegistry {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let requests = Arc::default();
        let ending = Arc::new(AtomicBool::new(false));
        let content = Arc::new(Content::of(image));
        let decide: Arc<Decide> = Arc::new(decide);
        let blob_bytes = Arc::new(AtomicUsize::new(0));
        let registry = HostileRegistry {
            address: address.clone(),
            requests: Arc::clone(&requests),
            ending: Arc::clone(&ending),
            blob_bytes: Arc::clone(&blob_bytes),
        };
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if ending.load(Ordering::Relaxed) {
                    break;
                }
                let connection = Connection {
                    address: address.clone(),
                    content: Arc::clone(&content),
                    decide: Arc::clone(&decide),
                    requests: Arc::clone(&requests),
                    ending: Arc::clone(&ending),
                    blob_bytes: Arc::clone(&blob_bytes),
                };
                // A client that goes away is no fault of the test's.
                std::thread::spawn(move || connection.serve(stream).ok());
            }
        });
        registry
    }

    /// `127.0.0.1:PORT`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Returns the name of the image in this registry.
    pub fn name(&self, image: &str) -> String {
        format!("{}/{image}", self.address)
    }

    /// Bytes of layers that were sent so far, by `Honest`, `Cut` and `Stall`.
    pub fn blob_bytes(&self) -> usize {
        self.blob_bytes.load(Ordering::Relaxed)
    }

    /// What was asked so far.
    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}

impl Drop for HostileRegistry {
    fn drop(&mut self) {
        self.ending.store(true, Ordering::Relaxed);
        // Wakes the thread that accepts.
        let _woken = TcpStream::connect(&self.address);
    }
}

/// What the registry has, by digest.
struct Content {
    manifest: Vec<u8>,
    config: String,
    blobs: HashMap<String, Vec<u8>>,
}

impl Content {
    fn of(image: &Image) -> Self {
        let blobs = image.blobs().into_iter();
        Content {
            manifest: image.manifest_blob(),
            config: image.id(),
            blobs: blobs.map(|blob| (digest(&blob), blob)).collect(),
        }
    }

    fn kind(&self, path: &str) -> Kind {
        let path = path.split('?').next().unwrap_or(path);
        match path {
            "/v2/" | "/v2" => Kind::Ping,
            "/token" => Kind::Token,
            _ if path.contains("/manifests/") => Kind::Manifest,
            _ if path.ends_with(&self.config) => Kind::Config,
            _ if path.contains("/blobs/") => Kind::Blob,
            _ => Kind::Other,
        }
    }

    /// The type and the body at a path.
    fn find(&self, path: &str) -> Option<(&str, &[u8])> {
        match self.kind(path) {
            Kind::Ping => Some(("application/json", b"{}")),
            Kind::Manifest => Some((MANIFEST, &self.manifest)),
            Kind::Config | Kind::Blob => {
                let digest = path.rsplit('/').next()?;
                let blob = self.blobs.get(digest)?;
                Some(("application/octet-stream", blob))
            }
            _ => None,
        }
    }
}

struct Connection {
    address: String,
    content: Arc<Content>,
    decide: Arc<Decide>,
    requests: Arc<Mutex<Vec<Request>>>,
    ending: Arc<AtomicBool>,
    blob_bytes: Arc<AtomicUsize>,
}

impl Connection {
    fn serve(&self, stream: TcpStream) -> Result<()> {
        stream.set_read_timeout(Some(Duration::from_secs(60)))?;
        stream.set_write_timeout(Some(Duration::from_secs(10)))?;
        let mut reader = BufReader::new(stream.try_clone()?);
        let mut stream = stream;
        loop {
            let first = read_line(&mut reader)?;
            let mut words = first.split(' ').map(str::to_owned);
            let (Some(method), Some(path)) = (words.next(), words.next()) else {
                return Ok(());
            };
            let headers = read_headers(&mut reader)?;
            let length = headers.get("content-length");
            let length = length.and_then(|text| text.parse().ok()).unwrap_or(0);
            reader.by_ref().take(length).read_to_end(&mut Vec::new())?;
            let request = self.record(method, path, headers);
            let reply = (self.decide)(&request);
            if !self.answer(&mut stream, &request, reply)? {
                return stream.shutdown(std::net::Shutdown::Both);
            }
        }
    }

    fn record(&self, method: String, path: String, headers: HashMap<String, String>) -> Request {
        let mut requests = self.requests.lock().unwrap();
        let same = requests
            .iter()
            .filter(|request| request.method == method && request.path == path);
        let request = Request {
            earlier: same.count(),
            kind: self.content.kind(&path),
            method,
            path,
            headers,
        };
        requests.push(request.clone());
        request
    }

    /// Answers; returns whether the connection goes on.
    fn answer(&self, stream: &mut TcpStream, request: &Request, reply: Reply) -> Result<bool> {
        let Some((media_type, body)) = self.content.find(&request.path) else {
            return match reply {
                Reply::Token(token) => {
                    let body = format!("{{\"token\":\"{token}\",\"expires_in\":300}}");
                    send(stream, request, 200, "", body.as_bytes())
                }
                Reply::Status(status, headers, body) => {
                    send(stream, request, status, &headers, body.as_bytes())
                }
                _ => send(stream, request, 404, "", b"{\"errors\":[]}"),
            };
        };
        let type_header = format!("Content-Type: {media_type}\r\n");
        let mut partial = |status: u16, length: Option<i64>, sent: &[u8]| -> Result<bool> {
            let length = length.map_or(String::new(), |n| format!("Content-Length: {n}\r\n"));
            write!(stream, "HTTP/1.1 {status} OK\r\n{type_header}{length}\r\n")?;
            if request.method != "HEAD" {
                stream.write_all(sent)?;
            }
            Ok(false)
        };
        let length = body.len() as i64;
        let range = request.headers.get("range");
        let from = range
            .and_then(|text| text.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok())
            .filter(|from| *from < body.len());
        // The head of the whole body, or of the part that was asked for.
        let (status, header) = match from {
            None => (200, format!("Docker-Content-Digest: {}\r\n", digest(body))),
            Some(from) => {
                let last = body.len() - 1;
                (
                    206,
                    format!("Content-Range: bytes {from}-{last}/{length}\r\n"),
                )
            }
        };
        let header = type_header.clone() + &header;
        let from: usize = from.unwrap_or(0);
        let count = |bytes: usize| {
            if request.kind == Kind::Blob {
                self.blob_bytes.fetch_add(bytes, Ordering::Relaxed);
            }
        };
        match reply {
            Reply::Honest => {
                count(body.len() - from);
                send(stream, request, status, &header, &body[from..])
            }
            Reply::Cut(end) | Reply::Stall(end) => {
                let stalls = matches!(reply, Reply::Stall(_));
                let part = &body[from..end.clamp(from, body.len())];
                let length = body.len() - from;
                write!(
                    stream,
                    "HTTP/1.1 {status} Part\r\n{header}Content-Length: {length}\r\n\r\n"
                )?;
                stream.write_all(part)?;
                count(part.len());
                while stalls && !self.ending.load(Ordering::Relaxed) {
                    std::thread::sleep(Duration::from_millis(20));
                }
                Ok(false)
            }
            Reply::Drip(pause) => {
                partial(200, Some(length), b"")?;
                for byte in body {
                    std::thread::sleep(pause);
                    stream.write_all(&[*byte])?;
                }
                Ok(false)
            }
            Reply::Corrupted => {
                let mut other = body.to_vec();
                let middle = other.len() / 2;
                other[middle] ^= 1;
                send(stream, request, 200, &type_header, &other)
            }
            Reply::Truncated(count) => partial(200, Some(length), &body[..count.min(body.len())]),
            Reply::WrongLength(more) => partial(200, Some(length + more), body),
            Reply::Endless => {
                partial(200, None, body)?;
                while request.method != "HEAD" && !self.ending.load(Ordering::Relaxed) {
                    stream.write_all(&[0; 1 << 16])?;
                }
                Ok(false)
            }
            Reply::Silent(time) => {
                std::thread::sleep(time);
                Ok(false)
            }
            Reply::Status(status, headers, body) => {
                send(stream, request, status, &headers, body.as_bytes())
            }
            Reply::Redirect(location) => {
                let header = format!("Location: {location}\r\n");
                send(stream, request, 307, &header, b"")
            }
            Reply::AskForToken => {
                let header = format!(
                    "WWW-Authenticate: Bearer realm=\"http://{}/token\",service=\"test\",\
                     scope=\"repository:tiny:pull\"\r\n",
                    self.address
                );
                let body = b"{\"errors\":[{\"code\":\"UNAUTHORIZED\"}]}";
                send(stream, request, 401, &header, body)
            }
            Reply::Token(token) => {
                let body = format!("{{\"token\":\"{token}\"}}");
                send(stream, request, 200, "", body.as_bytes())
            }
        }
    }
}

fn send(
    stream: &mut TcpStream,
    request: &Request,
    status: u16,
    headers: &str,
    body: &[u8],
) -> Result<bool> {
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 {status} Answer\r\n{headers}Content-Length: {length}\r\n\r\n"
    )?;
    if request.method != "HEAD" {
        stream.write_all(body)?;
    }
    Ok(true)
}

#[test]
fn registry_keeps_what_is_pushed() {
    crate::require!(Registry::available(), "docker-registry is not installed");
    let registry = Registry::start();
    let image = Image::new("tiny").layer(super::image::Layer::new().file("a", "b").gzip());
    registry.push(&image);
    let path = format!("/v2/tiny/manifests/{}", image.digest());
    let accept = format!("Accept: {MANIFEST}\r\n");
    let answer = exchange(registry.address(), "GET", &path, &accept, b"").unwrap();
    assert_eq!(answer.body, image.manifest_blob());
    let blob = &image.blobs()[0];
    let path = format!("/v2/tiny/blobs/{}", digest(blob));
    assert_eq!(&get(registry.address(), &path).unwrap(), blob);
}

#[test]
fn hostile_registry_does_each_wrong_as_told() {
    let image = Image::new("tiny").layer(super::image::Layer::new().file("a", "b"));
    let reply = Arc::new(Mutex::new(Reply::Honest));
    let told = Arc::clone(&reply);
    let registry = HostileRegistry::serve(&image, move |_| told.lock().unwrap().clone());
    let path = format!("/v2/tiny/blobs/{}", image.id());
    let ask = |told: Reply| {
        *reply.lock().unwrap() = told;
        get(registry.address(), &path)
    };
    assert_eq!(ask(Reply::Honest).unwrap(), image.config_blob());
    assert_ne!(ask(Reply::Corrupted).unwrap(), image.config_blob());
    assert!(ask(Reply::Truncated(5)).is_err());
    assert!(ask(Reply::WrongLength(9)).is_err());
    let unavailable = Reply::Status(503, "Retry-After: 1\r\n".into(), String::new());
    assert!(ask(unavailable).is_err());
    *reply.lock().unwrap() = Reply::Redirect("http://127.0.0.1:1/x".into());
    let moved = exchange(registry.address(), "GET", &path, "", b"").unwrap();
    assert_eq!(moved.status, 307);
    *reply.lock().unwrap() = Reply::AskForToken;
    let asked = exchange(registry.address(), "GET", &path, "", b"").unwrap();
    assert!(asked.headers["www-authenticate"].contains("/token"));
    assert_eq!(registry.requests().len(), 7);
}
