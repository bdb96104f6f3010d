//! HTTP/1.1 as a guest: every wait has an end, every text a limit.
//!
//! Lives here: [`Client`]: connections (dialled, through proxies, over TLS, kept
//! and used again), single exchanges, redirects, and patience with a server that
//! is busy.
//! Must not: know what a registry is or how one lets us in.
//! Called by: `registry`, `auth`.
//! Always true: an `Authorization` never follows a redirect to another origin;
//! nothing that began over TLS goes on without it; a server can make us wait for
//! [`Limits`] and no longer, and hold [`HEAD`] bytes of headers and no more.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use http_body_util::BodyExt;
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::header::{AUTHORIZATION, HOST, HeaderMap, HeaderValue, LOCATION, USER_AGENT};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{sleep, sleep_until, timeout};
use tokio_rustls::TlsConnector;

use crate::error::{Error, Result};
use crate::image::registry::body::Body;
use crate::image::registry::proxy::{Proxies, Proxy};
use crate::image::registry::url::{Origin, Url};
use crate::image::registry::{certs, patience, tls};
use crate::image::resolver::Resolver;
use crate::progress::Progress;

/// Bytes of headers at most.
pub const HEAD: usize = 64 << 10;

/// Bytes of a body read at once.
const BUFFER: usize = 256 << 10;

/// Redirects followed for one request.
const REDIRECTS: usize = 5;

/// The next address is tried beside the first when that has not answered so long (RFC 8305, 5).
const STAGGER: Duration = Duration::from_millis(300);

/// Bytes a second that a body must have on average.
const SLOWEST: f64 = 1024.0;
const SLOWEST_SHOWN: &str = "1 KiB";

/// A document may take so many times the longest silence.
const DOCUMENT_STALLS: u32 = 5;

/// A pause so long is told of.
const WORTH_TELLING: Duration = Duration::from_secs(3);

/// How long we wait, and how often we come back.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// For a connection, and again for its TLS.
    pub connect: Duration,
    /// For the whole head of an answer.
    pub head: Duration,
    /// For the next bytes of a body.
    pub stall: Duration,
    /// Times one thing is tried.
    pub attempts: u32,
    /// Before the second try; it doubles.
    pub pause: Duration,
    /// The longest `Retry-After` that is waited for.
    pub patience: Duration,
}

impl Limits {
    /// Returns the same with what the user says of tries.
    #[must_use]
    pub fn tried(mut self, retries: Option<u32>, delay: Option<Duration>) -> Self {
        if let Some(retries) = retries {
            self.attempts = retries.saturating_add(1);
        }
        if let Some(delay) = delay {
            self.pause = delay;
        }
        self
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            head: Duration::from_secs(60),
            stall: Duration::from_secs(60),
            attempts: 5,
            pause: Duration::from_millis(500),
            patience: Duration::from_secs(60),
        }
    }
}

/// What an exchange failed of, and whether another could do better.
#[derive(Debug)]
pub struct Fault {
    /// The sentence for people.
    pub error: Error,
    /// What can be done.
    pub kind: FaultKind,
}

/// What can be done about a [`Fault`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// Nobody could be reached there.
    Unreachable,
    /// The connection broke or fell silent: come back.
    Cut,
    /// It answers over TLS only.
    WantsTls,
    /// Nothing.
    Final,
}

impl Fault {
    /// Returns a fault of the kind given.
    pub fn new(kind: FaultKind, error: Error) -> Self {
        Self { error, kind }
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::new(FaultKind::Final, error)
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        fault.error
    }
}

/// A request.
#[derive(Clone, Debug)]
pub struct Call {
    /// Its method.
    pub method: Method,
    /// What is asked for.
    pub url: Url,
    /// Headers, but for `Host`, `User-Agent` and `Authorization`.
    pub headers: HeaderMap,
    /// Body.
    pub body: Bytes,
}

impl Call {
    /// Returns a `GET`.
    pub fn get(url: Url) -> Self {
        Self {
            method: Method::GET,
            url,
            headers: HeaderMap::new(),
            body: Bytes::new(),
        }
    }
}

/// The head of an answer, and its body still to come.
#[derive(Debug)]
pub struct Answer {
    /// Status.
    pub status: StatusCode,
    /// Headers.
    pub headers: HeaderMap,
    /// Where it came from, after redirects.
    pub url: Url,
    body: Incoming,
    stall: Duration,
    pace: Pace,
}

/// How fast a body comes.
#[derive(Debug, Default)]
struct Pace {
    bytes: u64,
    waited: Duration,
}

impl Pace {
    /// Counts what came after so long; says whether it is too little, each time when
    /// `window` was waited. What we ourselves need for the bytes is not the server's fault.
    fn is_slow(&mut self, bytes: u64, waited: Duration, window: Duration) -> bool {
        self.bytes += bytes;
        self.waited += waited;
        if self.waited < window {
            return false;
        }
        let least = self.waited.as_secs_f64() * SLOWEST;
        let slow = (self.bytes as f64) < least;
        *self = Self::default();
        slow
    }
}

impl Answer {
    /// Returns a header's text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Returns the length the body is said to have.
    pub fn length(&self) -> Option<u64> {
        self.header("content-length")?.parse().ok()
    }

    /// Returns the next bytes of the body; none at its end.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Fault> {
        loop {
            let began = Instant::now();
            let frame = timeout(self.stall, self.body.frame()).await.map_err(|_| {
                let text = format!(
                    "{} sent nothing for {}",
                    self.url.origin,
                    seconds(self.stall)
                );
                Fault::new(FaultKind::Cut, Error::new(text))
            })?;
            match frame {
                None => return Ok(None),
                Some(Err(error)) => return Err(in_words(&error, &self.url.origin)),
                // Trailers say nothing that we need.
                Some(Ok(frame)) => {
                    let bytes = frame.into_data().unwrap_or_default();
                    let length = bytes.len() as u64;
                    if self.pace.is_slow(length, began.elapsed(), self.stall) {
                        let text = format!(
                            "{} sends less than {} a second",
                            self.url.origin, SLOWEST_SHOWN
                        );
                        return Err(Fault::new(FaultKind::Cut, Error::new(text)));
                    }
                    if length > 0 {
                        return Ok(Some(bytes));
                    }
                }
            }
        }
    }

    /// Reads the whole body, of at most `limit` bytes.
    pub async fn bytes(&mut self, limit: u64) -> Result<Vec<u8>, Fault> {
        let too_long = || Error::new(format!("it is larger than {} MiB", limit >> 20));
        if self.length().is_some_and(|length| length > limit) {
            return Err(too_long().into());
        }
        let mut all = Vec::new();
        let began = Instant::now();
        while let Some(bytes) = self.chunk().await? {
            if began.elapsed() > self.stall * DOCUMENT_STALLS {
                let text = format!("{} takes too long to send it", self.url.origin);
                return Err(Error::new(text).into());
            }
            if (all.len() + bytes.len()) as u64 > limit {
                return Err(too_long().into());
            }
            all.extend_from_slice(&bytes);
        }
        Ok(all)
    }
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// A connection that is open, and whether requests on it name the whole address (as a proxy wants it).
struct Connection {
    sender: http1::SendRequest<Body>,
    whole: bool,
}

/// Whom a client takes for whom they say they are.
#[derive(Clone, Debug, Default)]
pub struct Trust {
    /// Any certificate will do.
    pub anybody: bool,
    /// The registry, as references call it.
    pub registry: String,
    /// Where its certificates are.
    pub certificates: certs::Places,
}

/// Makes requests.
pub struct Client {
    limits: Limits,
    trust: Trust,
    proxies: Proxies,
    resolver: OnceLock<Resolver>,
    /// For the registry itself, and for everybody else.
    tls: [OnceLock<Arc<rustls::ClientConfig>>; 2],
    idle: Mutex<HashMap<Origin, Vec<Connection>>>,
    progress: OnceLock<Arc<dyn Progress>>,
    /// When it was last told that something takes long.
    told: Mutex<Option<Instant>>,
}

impl Client {
    /// Returns a client that has done nothing yet.
    pub fn new(limits: Limits, trust: Trust, proxies: Proxies) -> Self {
        Self {
            limits,
            trust,
            proxies,
            resolver: OnceLock::new(),
            tls: [OnceLock::new(), OnceLock::new()],
            idle: Mutex::new(HashMap::new()),
            progress: OnceLock::new(),
            told: Mutex::new(None),
        }
    }

    /// Returns how long it waits.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Does a request to its end: through redirects, and again when the server is busy
    /// or the connection breaks before it has answered.
    pub async fn exchange(
        &self,
        call: &Call,
        authorization: Option<&HeaderValue>,
    ) -> Result<Answer, Fault> {
        let mut attempt = 1;
        loop {
            let last = attempt >= self.limits.attempts;
            let pause = self.limits.pause * 2u32.saturating_pow(attempt - 1);
            match self.follow(call, authorization).await {
                Ok(answer) if is_busy(answer.status) && !last => {
                    let wait = patience::again_in(&answer.headers).unwrap_or(pause);
                    if wait > self.limits.patience {
                        return Ok(answer);
                    }
                    self.tell_wait(&answer, wait);
                    sleep(wait).await;
                }
                Err(fault) if fault.kind == FaultKind::Cut && !last => sleep(pause).await,
                done => return done,
            }
            attempt += 1;
        }
    }

    /// Who waits long is told why.
    fn tell_wait(&self, answer: &Answer, wait: Duration) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let recently = told.is_some_and(|when| when.elapsed() < WORTH_TELLING);
        if wait >= WORTH_TELLING && !recently {
            *told = Some(Instant::now());
            self.say(&format!(
                "{} is busy ({}): it is asked again {}",
                answer.url.origin,
                answer.status.as_u16(),
                patience::at(wait)
            ));
        }
    }

    /// From now on, `progress` hears why something takes long.
    pub fn tell(&self, progress: &Arc<dyn Progress>) {
        // The first that wants to hear it is the one.
        drop(self.progress.set(Arc::clone(progress)));
    }

    /// Says something that the user should know, if anybody listens.
    pub fn say(&self, text: &str) {
        if let Some(progress) = self.progress.get() {
            progress.warn(text);
        }
    }

    async fn follow(
        &self,
        call: &Call,
        authorization: Option<&HeaderValue>,
    ) -> Result<Answer, Fault> {
        let mut call = call.clone();
        let mut authorization = authorization;
        for _ in 0..=REDIRECTS {
            let answer = self.send(&call, authorization).await?;
            if !is_redirect(answer.status) {
                return Ok(answer);
            }
            let Some(location) = answer.headers.get(LOCATION).and_then(|l| l.to_str().ok()) else {
                return Ok(answer);
            };
            let from = &call.url.origin;
            let next = call
                .url
                .join(location)
                .map_err(|error| error.what(format!("{from} sends us on to what is no address")))?;
            if from.tls && !next.origin.tls {
                let text = format!(
                    "{from} sends us on to {}, which is not over TLS",
                    next.origin
                );
                return Err(Error::new(text).into());
            }
            if next.origin != *from {
                authorization = None;
            }
            call.url = next;
        }
        let text = format!(
            "{} redirects from one address to another, more than {REDIRECTS} times",
            call.url.origin
        );
        Err(Error::new(text).into())
    }

    /// Makes one exchange, whatever comes of it.
    pub async fn send(
        &self,
        call: &Call,
        authorization: Option<&HeaderValue>,
    ) -> Result<Answer, Fault> {
        let origin = &call.url.origin;
        // A server may close a connection just when we use it again; that is no failure.
        while let Some(connection) = self.take_idle(origin) {
            let body = Body::whole(call.body.clone());
            match self.send_on(connection, call, body, authorization).await {
                Err(fault) if fault.kind == FaultKind::Cut => {}
                done => return done,
            }
        }
        let body = Body::whole(call.body.clone());
        let connection = self.connect(origin).await?;
        self.send_on(connection, call, body, authorization).await
    }

    /// Makes one exchange whose body is sent in the place of the call's, whatever comes of
    /// it. It has a connection of its own: one that was idle may be found closed when a
    /// part of the body has gone.
    pub async fn upload(
        &self,
        call: &Call,
        body: Body,
        authorization: Option<&HeaderValue>,
    ) -> Result<Answer, Fault> {
        let connection = self.connect(&call.url.origin).await?;
        self.send_on(connection, call, body, authorization).await
    }

    async fn send_on(
        &self,
        mut connection: Connection,
        call: &Call,
        body: Body,
        authorization: Option<&HeaderValue>,
    ) -> Result<Answer, Fault> {
        let origin = &call.url.origin;
        let pace = body.pace();
        let request = request(call, body, authorization, connection.whole)?;
        let mut sending = std::pin::pin!(connection.sender.send_request(request));
        // The time for an answer begins when the server has taken the last of the body.
        let answer = loop {
            let end = pace.last() + self.limits.head;
            tokio::select! {
                done = &mut sending => break done.map_err(|error| in_words(&error, origin))?,
                () = sleep_until(end.into()) => {}
            }
            if pace.last() + self.limits.head <= std::time::Instant::now() {
                let text = format!(
                    "{origin} did not answer within {}",
                    seconds(self.limits.head)
                );
                return Err(Fault::new(FaultKind::Final, Error::new(text)));
            }
        };
        // It is ready for the next request once the body of this one was read.
        self.idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .entry(origin.clone())
            .or_default()
            .push(connection);
        let (head, body) = answer.into_parts();
        Ok(Answer {
            status: head.status,
            headers: head.headers,
            url: call.url.clone(),
            body,
            stall: self.limits.stall,
            pace: Pace::default(),
        })
    }

    fn take_idle(&self, origin: &Origin) -> Option<Connection> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let list = idle.get_mut(origin)?;
        list.retain(|connection| !connection.sender.is_closed());
        let ready = list.iter().position(|c| c.sender.is_ready())?;
        Some(list.swap_remove(ready))
    }

    async fn connect(&self, origin: &Origin) -> Result<Connection, Fault> {
        let proxy = self.proxies.to(origin)?;
        let stream = self
            .open(origin, proxy.as_ref())
            .await
            .map_err(|error| Fault::new(FaultKind::Unreachable, error))?;
        let (sender, driver) = http1::Builder::new()
            .max_header_size(HEAD)
            .max_buf_size(BUFFER)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|error| in_words(&error, origin))?;
        // Its failures reach whoever waits for an answer.
        tokio::spawn(async move { drop(driver.await) });
        Ok(Connection {
            sender,
            whole: proxy.is_some() && !origin.tls,
        })
    }

    async fn open(&self, origin: &Origin, proxy: Option<&Proxy>) -> Result<Box<dyn Stream>> {
        let first = proxy.map_or(origin, |proxy| &proxy.origin);
        let noun = if proxy.is_some() { "proxy " } else { "" };
        let what = |error: Error| error.what(format!("cannot reach {noun}\"{first}\""));
        let mut stream: Box<dyn Stream> = Box::new(self.dial(first).await.map_err(what)?);
        let Some(proxy) = proxy else {
            return if origin.tls {
                self.secure(origin, stream).await.map_err(what)
            } else {
                Ok(stream)
            };
        };
        if proxy.origin.tls {
            stream = self.secure(&proxy.origin, stream).await.map_err(what)?;
        }
        if origin.tls {
            let what =
                |error: Error| error.what(format!("cannot reach \"{origin}\" through \"{first}\""));
            stream = timeout(self.limits.connect, tunnel(origin, proxy, stream))
                .await
                .unwrap_or_else(|_| Err(late(self.limits.connect)))
                .map_err(what)?;
            stream = self.secure(origin, stream).await.map_err(what)?;
        }
        Ok(stream)
    }

    /// Connects to the first address that answers; each has a head start before the next.
    async fn dial(&self, origin: &Origin) -> Result<TcpStream> {
        let resolver = self.resolver.get_or_init(Resolver::of_this_machine);
        let addresses = resolver.addresses(&origin.host).await?;
        let mut waiting = addresses
            .iter()
            .map(|address| SocketAddr::new(*address, origin.port));
        let mut trying = JoinSet::new();
        let mut failures: Vec<String> = Vec::new();
        let wait = self.limits.connect;
        let begin = |trying: &mut JoinSet<_>, address: Option<SocketAddr>| {
            let Some(address) = address else {
                return false;
            };
            trying.spawn(async move {
                let done = timeout(wait, TcpStream::connect(address)).await;
                let done = done.map_or_else(|_| Err(late(wait)), |done| done.map_err(Error::from));
                (address, done)
            });
            true
        };
        let mut more = begin(&mut trying, waiting.next());
        loop {
            tokio::select! {
                Some(Ok((address, done))) = trying.join_next() => match done {
                    Ok(stream) => {
                        // Small requests must not wait for an acknowledgement.
                        drop(stream.set_nodelay(true));
                        return Ok(stream);
                    }
                    Err(error) => {
                        failures.push(format!("{error} ({address})"));
                        more = begin(&mut trying, waiting.next());
                    }
                },
                () = sleep(STAGGER), if more => more = begin(&mut trying, waiting.next()),
                else => return Err(Error::new(failures.join(", "))),
            }
        }
    }

    /// Returns the settings for a host. A registry's authorities are trusted wherever it
    /// sends us, as its token server often is of the same; our certificate is for itself.
    fn settings(&self, origin: &Origin) -> Result<Arc<rustls::ClientConfig>> {
        let registry = &self.trust.registry;
        let itself = Origin::parse(registry, true).is_ok_and(|own| own == *origin);
        let place = &self.tls[usize::from(itself)];
        if let Some(config) = place.get() {
            return Ok(Arc::clone(config));
        }
        let known = self.trust.certificates.read(registry)?;
        let config = tls::client(!self.trust.anybody, &known, itself)?;
        Ok(Arc::clone(place.get_or_init(|| config)))
    }

    async fn secure(&self, origin: &Origin, stream: Box<dyn Stream>) -> Result<Box<dyn Stream>> {
        let config = self.settings(origin)?;
        let name = ServerName::try_from(origin.host.clone())
            .map_err(|_| Error::new(format!("\"{}\" is no name for TLS", origin.host)))?;
        let connecting = TlsConnector::from(config).connect(name, stream);
        match timeout(self.limits.connect, connecting).await {
            Ok(Ok(stream)) => Ok(Box::new(stream)),
            Ok(Err(error)) => Err(tls_in_words(error)),
            Err(_) => Err(late(self.limits.connect)),
        }
    }
}

fn request(
    call: &Call,
    body: Body,
    authorization: Option<&HeaderValue>,
    whole: bool,
) -> Result<Request<Body>> {
    let url = &call.url;
    let uri = if whole {
        format!("{}://{}{}", url.origin.scheme(), url.origin, url.path)
    } else {
        url.path.clone()
    };
    let mut request = Request::builder()
        .method(call.method.clone())
        .uri(uri)
        .body(body)
        .map_err(|_| Error::new(format!("\"{url}\" is no address")))?;
    let headers = request.headers_mut();
    headers.extend(call.headers.clone());
    let host = HeaderValue::from_str(&url.origin.to_string())
        .map_err(|_| Error::new(format!("\"{}\" is no host", url.origin)))?;
    headers.insert(HOST, host);
    let agent = concat!("rpod/", env!("CARGO_PKG_VERSION"));
    headers.insert(USER_AGENT, HeaderValue::from_static(agent));
    if let Some(authorization) = authorization {
        headers.insert(AUTHORIZATION, authorization.clone());
    }
    Ok(request)
}

/// Asks a proxy for a way through (RFC 9110, 9.3.6).
async fn tunnel(
    origin: &Origin,
    proxy: &Proxy,
    mut stream: Box<dyn Stream>,
) -> Result<Box<dyn Stream>> {
    let host = if origin.host.contains(':') {
        format!("[{}]", origin.host)
    } else {
        origin.host.clone()
    };
    let port = origin.port;
    let mut text = format!("CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n");
    if let Some(secret) = &proxy.authorization {
        text.push_str(&format!("Proxy-Authorization: {}\r\n", secret.reveal()));
    }
    text.push_str("\r\n");
    stream.write_all(text.as_bytes()).await?;
    // One byte at a time: what follows the head belongs to TLS.
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() > HEAD {
            return Err(Error::new("its answer is too long"));
        }
        head.push(stream.read_u8().await?);
    }
    let head = String::from_utf8_lossy(&head);
    let status = head.split_whitespace().nth(1).unwrap_or_default();
    if !status.starts_with('2') {
        let status: String = status
            .chars()
            .filter(char::is_ascii_digit)
            .take(3)
            .collect();
        return Err(Error::new(format!("the proxy refused (status {status})")));
    }
    Ok(stream)
}

fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

fn is_busy(status: StatusCode) -> bool {
    matches!(status.as_u16(), 429 | 500 | 502 | 503 | 504)
}

fn late(wait: Duration) -> Error {
    Error::new(format!("no answer within {}", seconds(wait)))
}

fn seconds(wait: Duration) -> String {
    if wait.subsec_millis() == 0 {
        format!("{} s", wait.as_secs())
    } else {
        format!("{} ms", wait.as_millis())
    }
}

fn in_words(error: &hyper::Error, origin: &Origin) -> Fault {
    let (kind, text) = if error.is_parse() && error.to_string().contains("too large") {
        (
            FaultKind::Final,
            format!("{origin} sends headers without end"),
        )
    } else if error.is_parse() {
        (
            FaultKind::Final,
            format!("{origin} answers, but not as HTTP does"),
        )
    } else if let Some(cause) = io_cause(error) {
        let cause = Error::from(std::io::Error::new(cause.kind(), cause.to_string()));
        (
            FaultKind::Cut,
            format!("the connection to {origin} broke: {cause}"),
        )
    } else {
        (
            FaultKind::Cut,
            format!("{origin} closed the connection too early"),
        )
    };
    Fault::new(kind, Error::new(text))
}

fn io_cause(error: &hyper::Error) -> Option<&std::io::Error> {
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        if let Some(io) = inner.downcast_ref() {
            return Some(io);
        }
        cause = inner.source();
    }
    None
}

fn tls_in_words(error: std::io::Error) -> Error {
    use rustls::{CertificateError, Error as Tls};
    let inner = error.get_ref().and_then(|e| e.downcast_ref::<Tls>());
    let hint = "trust its authority: put it into ~/.config/containers/certs.d/HOST[:PORT]/ca.crt, or do without trust: `--tls-verify=false`";
    match inner {
        // The second: it says to be issued by somebody trusted, and was not.
        Some(Tls::InvalidCertificate(
            CertificateError::UnknownIssuer | CertificateError::BadSignature,
        )) => Error::new("its certificate was issued by nobody this machine trusts").hint(hint),
        Some(Tls::InvalidCertificate(why)) => {
            Error::new(format!("its certificate is not valid: {why}"))
        }
        Some(Tls::InvalidMessage(_)) => Error::new("it does not speak TLS")
            .hint("if it is to be used over plain HTTP, say so: `--tls-verify=false`"),
        Some(other) => Error::new(format!("no TLS with it: {other}")),
        None => Error::from(error).what("no TLS with it"),
    }
}
