//! Registries: the client's side of the OCI distribution specification.
//!
//! ```text
//! GET /v2/                                   is anyone there, and over TLS or not
//! GET /v2/<repository>/manifests/<tag|digest>
//! GET /v2/<repository>/blobs/<digest>        with Range, to go on where we stopped
//! GET /v2/<repository>/tags/list             page by page
//! ```
//! What goes the other way is in `upload`, and what is about a manifest in `referrers`.
//!
//! Lives here: [`Registry`]: which host a name means, HTTPS or HTTP, being let
//! in, and a registry's refusals in words.
//! Must not: touch the store.
//! Called by: `transfer`, `push`, `ops::login`.
//! Always true: a manifest that is returned has the digest it was asked by.
//! Plain HTTP is spoken to this machine itself, and elsewhere only when the user
//! said so.

pub mod auth;
pub mod body;
pub mod certs;
pub mod http;
pub mod manifest;
mod patience;
pub mod proxy;
pub mod referrers;
pub mod search;
pub mod settings;
pub mod tls;
pub mod upload;
pub mod url;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use hyper::StatusCode;
use hyper::header::{ACCEPT, CONTENT_TYPE, HeaderValue, RANGE};
use serde::Deserialize;
use tokio::sync::OnceCell;

use crate::error::{Context, Error, Kind, Result};
use crate::image::credentials::{Credential, Secret};
use crate::image::registry::auth::{Pass, Wish};
use crate::image::registry::http::{Answer, Call, Client, Fault, FaultKind, Limits, Trust};
use crate::image::registry::patience::Allowance;
use crate::image::registry::proxy::Proxies;
use crate::image::registry::url::{Origin, Url};
use crate::progress::Progress;
use crate::spec::digest::Digest;
use crate::spec::reference::DOCKER_HUB;
use crate::store::artifacts::clean;
use crate::store::images::DOCUMENT_LIMIT;

/// Pages of tags that are read.
const PAGES: usize = 1000;

/// How a registry is to be spoken to.
#[derive(Clone, Debug, Default)]
pub struct Access {
    /// What it is told to let us in.
    pub credential: Option<Credential>,
    /// Its certificate need not be valid, and it may be without TLS.
    pub insecure: bool,
    /// It was written as `http://…`, and is without TLS.
    pub plain: bool,
    /// How long we wait.
    pub limits: Limits,
    /// What stands between.
    pub proxies: Proxies,
    /// Where its certificates are.
    pub certificates: certs::Places,
}

/// A manifest as it came.
#[derive(Clone, Debug)]
pub struct Document {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Their digest.
    pub digest: Digest,
    /// What the registry said it is.
    pub media_type: Option<String>,
}

/// One registry.
pub struct Registry {
    client: Client,
    /// What references call it.
    name: String,
    credential: Option<Credential>,
    insecure: bool,
    plain: bool,
    warned: AtomicBool,
    origin: OnceCell<Origin>,
    /// The `Authorization` that last let us do what a scope says.
    passes: Mutex<HashMap<String, HeaderValue>>,
}

impl Registry {
    /// Returns the registry of a name; asks nothing yet.
    pub fn new(name: &str, access: Access) -> Self {
        let trust = Trust {
            anybody: access.insecure,
            registry: name.to_owned(),
            certificates: access.certificates,
        };
        Self {
            client: Client::new(access.limits, trust, access.proxies),
            name: name.to_owned(),
            credential: access.credential,
            insecure: access.insecure,
            plain: access.plain,
            warned: AtomicBool::new(false),
            origin: OnceCell::new(),
            passes: Mutex::new(HashMap::new()),
        }
    }

    /// Returns what references call it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// From now on, `progress` hears what the user should know of it.
    pub fn tell(&self, progress: &Arc<dyn Progress>) {
        self.client.tell(progress);
    }

    /// Tells, once, that few more manifests can be had.
    fn warn_of_limit(&self, answer: &Answer) {
        let allowance = Allowance::of(&answer.headers);
        if let (Some(left), Some(limit)) = (allowance.is_short(), allowance.limit)
            && !self.warned.swap(true, Ordering::Relaxed)
        {
            let window = allowance.window.map(patience::at_most);
            let resets = patience::again_in(&answer.headers);
            self.client.say(&format!(
                "{} allows {left} more pulls of {limit}{}{}",
                self.name,
                window.map(|w| format!(" in {w}")).unwrap_or_default(),
                resets
                    .map(|r| format!("; all of them again {}", patience::at(r)))
                    .unwrap_or_default(),
            ));
        }
    }

    /// Returns how long it waits.
    pub fn limits(&self) -> &Limits {
        self.client.limits()
    }

    /// Fetches a manifest by tag or digest, and checks its digest.
    pub async fn manifest(&self, repository: &str, wanted: &str) -> Result<Document> {
        let mut call = self
            .call(&format!("/v2/{repository}/manifests/{wanted}"))
            .await?;
        let accept = HeaderValue::from_static(manifest::ACCEPT);
        call.headers.insert(ACCEPT, accept);
        let mut answer = self.ask(&to_pull(repository), &call).await?;
        if answer.status != StatusCode::OK {
            return Err(self.refusal(answer, "such image").await);
        }
        let origin = answer.url.origin.clone();
        self.warn_of_limit(&answer);
        let media_type = answer
            .header(CONTENT_TYPE.as_str())
            .and_then(|text| text.split(';').next())
            .map(|text| text.trim().to_owned());
        let said = answer.header("docker-content-digest").map(str::to_owned);
        let bytes = answer
            .bytes(DOCUMENT_LIMIT)
            .await
            .map_err(Error::from)
            .what(|| "cannot read its manifest")?;
        let digest = Digest::of(&bytes);
        // A digest of another kind (sha512) is none that we were asked to check.
        let expected = [Some(wanted.to_owned()), said]
            .into_iter()
            .flatten()
            .filter_map(|text| text.parse::<Digest>().ok());
        for expected in expected {
            if expected != digest {
                return Err(Error::new(format!(
                    "the manifest that {origin} sent has digest {digest}, not {expected}"
                )));
            }
        }
        Ok(Document {
            bytes,
            digest,
            media_type,
        })
    }

    /// Begins to fetch a blob, from byte `from` if the registry can.
    ///
    /// The answer's status is 200 (from the beginning), 206 (from `from`) or 416.
    pub async fn blob(
        &self,
        repository: &str,
        digest: &Digest,
        from: u64,
    ) -> Result<Answer, Fault> {
        let mut call = self
            .call(&format!("/v2/{repository}/blobs/{digest}"))
            .await?;
        ask_from(&mut call, from);
        let answer = self.ask(&to_pull(repository), &call).await?;
        match answer.status.as_u16() {
            200 | 206 | 416 => Ok(answer),
            _ => Err(self.refusal(answer, "such blob").await.into()),
        }
    }

    /// Begins to fetch what a layer's makers keep at an address of their own. Nothing that
    /// lets us into the registry is shown there.
    pub async fn elsewhere(&self, url: &str, from: u64) -> Result<Answer, Fault> {
        let mut call = Call::get(Url::parse(url)?);
        ask_from(&mut call, from);
        let answer = self.client.exchange(&call, None).await?;
        match answer.status.as_u16() {
            200 | 206 | 416 => Ok(answer),
            status => Err(Error::new(format!("{status} from {}", answer.url.origin)).into()),
        }
    }

    /// Returns the tags of a repository.
    pub async fn tags(&self, repository: &str) -> Result<Vec<String>> {
        #[derive(Deserialize)]
        struct Page {
            tags: Option<Vec<String>>,
        }
        let mut call = self.call(&format!("/v2/{repository}/tags/list")).await?;
        let mut all = Vec::new();
        for _ in 0..PAGES {
            let mut answer = self.ask(&to_pull(repository), &call).await?;
            if answer.status != StatusCode::OK {
                return Err(self.refusal(answer, "such repository").await);
            }
            let next = answer.header("link").and_then(next_page);
            let next = next.map(|next| call.url.join(&next)).transpose()?;
            let bytes = answer.bytes(DOCUMENT_LIMIT).await?;
            let page: Page = serde_json::from_slice(&bytes).what(|| "cannot read its tags")?;
            all.extend(page.tags.unwrap_or_default());
            match next {
                Some(url) if url.origin == call.url.origin => call.url = url,
                _ => {
                    all.sort();
                    return Ok(all);
                }
            }
        }
        Err(Error::new("it has more tags than anybody could want"))
    }

    async fn call(&self, path: &str) -> Result<Call, Fault> {
        Ok(Call::get(Url {
            origin: self.origin().await?.clone(),
            path: path.to_owned(),
        }))
    }

    /// Makes a request that needs a scope, and once more after a challenge was answered.
    async fn ask(&self, scope: &str, call: &Call) -> Result<Answer, Fault> {
        let pass = self.passes().get(scope).cloned();
        let answer = self.client.exchange(call, pass.as_ref()).await?;
        if answer.status != StatusCode::UNAUTHORIZED || answer.url.origin != call.url.origin {
            return Ok(answer);
        }
        // A token has its time, so an old one may have to be replaced: once.
        match self.admit(&answer, scope, false).await? {
            Some(pass) => {
                self.passes().insert(scope.to_owned(), pass.header.clone());
                self.client.exchange(call, Some(&pass.header)).await
            }
            None => Ok(answer),
        }
    }

    /// Says that we may come in with what we have been given, if the registry wants to know
    /// who asks; returns the identity token that it gives for a password.
    pub async fn log_in(&self) -> Result<Option<Secret>> {
        let call = self.call("/v2/").await?;
        let answer = self.client.exchange(&call, None).await?;
        let mut identity = None;
        let answer = match answer.status {
            StatusCode::UNAUTHORIZED if answer.url.origin == call.url.origin => {
                match self.admit(&answer, "", true).await? {
                    Some(pass) => {
                        identity = pass.identity;
                        self.client.exchange(&call, Some(&pass.header)).await?
                    }
                    None => answer,
                }
            }
            _ => answer,
        };
        let origin = answer.url.origin.clone();
        match answer.status.as_u16() {
            200 => Ok(identity),
            401 | 403 => Err(Error::new(format!(
                "the user name or the password is not right ({} from {origin})",
                answer.status.as_u16()
            ))),
            404 => Err(Error::new(format!(
                "there is no registry at {origin} (404 for /v2/)"
            ))),
            _ => Err(self.refusal(answer, "such registry").await),
        }
    }

    /// Answers the challenges of a 401, if one can be answered.
    async fn admit(&self, answer: &Answer, scope: &str, identity: bool) -> Result<Option<Pass>> {
        let origin = &answer.url.origin;
        for challenge in auth::challenges(&answer.headers) {
            let credential = self.credential.as_ref();
            let wish = Wish { scope, identity };
            let pass = auth::answer(&self.client, origin, &challenge, credential, wish)
                .await
                .map_err(|error| {
                    if identity {
                        error
                    } else {
                        self.ask_to_log_in(error)
                    }
                })?;
            if pass.is_some() {
                return Ok(pass);
            }
        }
        Ok(None)
    }

    fn passes(&self) -> std::sync::MutexGuard<'_, HashMap<String, HeaderValue>> {
        self.passes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns where it is, having found out whether it speaks TLS.
    async fn origin(&self) -> Result<&Origin, Fault> {
        self.origin.get_or_try_init(|| self.find_out()).await
    }

    async fn find_out(&self) -> Result<Origin, Fault> {
        let host = match self.name.as_str() {
            DOCKER_HUB => "registry-1.docker.io",
            other => other,
        };
        if self.plain {
            return Ok(Origin::parse(host, false)?);
        }
        let secure = Origin::parse(host, true)?;
        if secure.is_loopback() {
            let plain = Origin::parse(host, false)?;
            return self.first_of(plain, secure).await;
        }
        if self.insecure {
            let plain = Origin::parse(host, false)?;
            return self.first_of(secure, plain).await;
        }
        Ok(secure)
    }

    /// Returns whichever answers. Where neither does, the one that was there at least says why.
    async fn first_of(&self, first: Origin, second: Origin) -> Result<Origin, Fault> {
        let fault = match self.greet(&first).await {
            Ok(()) => return Ok(first),
            Err(fault) => fault,
        };
        match (self.greet(&second).await, fault.kind) {
            (Ok(()), _) => Ok(second),
            (Err(other), FaultKind::WantsTls) => Err(other),
            (Err(_), _) => Err(fault),
        }
    }

    async fn greet(&self, origin: &Origin) -> Result<(), Fault> {
        let call = Call::get(Url {
            origin: origin.clone(),
            path: "/v2/".to_owned(),
        });
        let mut answer = self.client.send(&call, None).await?;
        let body = answer.bytes(DOCUMENT_LIMIT).await.unwrap_or_default();
        // Servers of TLS tell a guest who speaks HTTP so, in their own words.
        let text = String::from_utf8_lossy(&body);
        if answer.status == StatusCode::BAD_REQUEST && !origin.tls && text.contains("HTTPS") {
            let text = format!("{origin} answers over TLS only");
            return Err(Fault::new(FaultKind::WantsTls, Error::new(text)));
        }
        Ok(())
    }

    /// Turns a status that is no success into words. `noun` is what was asked for.
    async fn refusal(&self, mut answer: Answer, noun: &str) -> Error {
        let status = answer.status.as_u16();
        let host = answer.url.origin.to_string();
        let words = said(&answer.bytes(64 << 10).await.unwrap_or_default());
        let from = format!("{status} from {host}");
        match status {
            404 => Error::of(
                Kind::NotFound,
                format!("the registry has no {noun} ({from})"),
            ),
            401 | 403 if self.credential.is_none() => self.ask_to_log_in(Error::new(format!(
                "the registry shows it to nobody it does not know, or has no {noun} ({from})"
            ))),
            401 | 403 => self.ask_to_log_in(Error::new(format!(
                "the registry does not let you have it with the login it was given, or has no {noun} ({from})"
            ))),
            429 => {
                let allowance = Allowance::of(&answer.headers);
                let allowed = allowance.limit.zip(allowance.window).map(|(limit, window)| {
                    format!("; it allows {limit} in {}", patience::at_most(window))
                });
                let again = patience::again_in(&answer.headers)
                    .map(|wait| format!("; ask again {}", patience::at(wait)));
                let error = Error::new(format!(
                    "the registry has had too many requests from here ({from}{}{})",
                    allowed.unwrap_or_default(),
                    again.unwrap_or_default()
                ));
                match self.credential {
                    None => error.hint(format!(
                        "who is logged in may ask more often: `rpod login{}`",
                        self.operand()
                    )),
                    Some(_) => error,
                }
            }
            _ if words.is_empty() => Error::new(format!("the registry refuses ({from})")),
            _ => Error::new(format!("the registry refuses: {words} ({from})")),
        }
    }

    fn ask_to_log_in(&self, error: Error) -> Error {
        error.hint(format!("log in first: `rpod login{}`", self.operand()))
    }

    /// Returns what stands after `rpod login` for this registry.
    fn operand(&self) -> String {
        match self.name.as_str() {
            DOCKER_HUB => String::new(),
            name => format!(" {name}"),
        }
    }
}

/// Returns the scope of what only reads.
fn to_pull(repository: &str) -> String {
    format!("repository:{repository}:pull")
}

/// Asks a registry whether a credential is right; returns the identity token that it
/// gives for a password. This starts no thread.
pub fn log_in(name: &str, access: Access) -> Result<Option<Secret>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build()
        .what(|| "cannot set up for the network")?;
    runtime.block_on(Registry::new(name, access).log_in())
}

/// Asks for the rest of something only.
fn ask_from(call: &mut Call, from: u64) {
    if from > 0
        && let Ok(range) = HeaderValue::from_str(&format!("bytes={from}-"))
    {
        call.headers.insert(RANGE, range);
    }
}

/// Returns the address of the next page out of a `Link` (RFC 8288): `</v2/…?last=x>; rel="next"`.
fn next_page(link: &str) -> Option<String> {
    let (url, rest) = link.trim().strip_prefix('<')?.split_once('>')?;
    rest.contains("next").then(|| url.to_owned())
}

/// Returns the first message of an error document (distribution spec, "Error Codes").
fn said(bytes: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Errors {
        errors: Vec<One>,
    }
    #[derive(Deserialize)]
    struct One {
        #[serde(default)]
        message: String,
    }
    serde_json::from_slice::<Errors>(bytes)
        .ok()
        .and_then(|errors| errors.errors.into_iter().next())
        .map(|one| clean(&one.message))
        .unwrap_or_default()
}
