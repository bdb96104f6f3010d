//! Uploads: the half of the distribution specification that writes.
//!
//! ```text
//! HEAD  /v2/<repository>/blobs/<digest>                     is it there
//! POST  /v2/<repository>/blobs/uploads/?mount=…&from=…      201: taken from another repository
//! POST  /v2/<repository>/blobs/uploads/                     202, Location: <session>
//! PATCH <session>      bytes, or a range of them            202, Location, Range: 0-<last>
//! GET   <session>                                           204, Range: 0-<last>
//! PUT   <session>?digest=<digest>                           201
//! PUT   /v2/<repository>/manifests/<tag|digest>             201
//! ```
//!
//! Lives here: these requests, one at a time.
//! Must not: decide what is sent, or when to try again.
//! Called by: `push`.
//! Always true: a session at another host is never shown what lets us into the
//! registry, and one that is not over TLS is refused where the registry is.

use hyper::body::Bytes;
use hyper::header::{CONTENT_RANGE, CONTENT_TYPE, HeaderValue, LOCATION, RANGE};
use hyper::{Method, StatusCode};

use crate::error::{Error, Kind, Result};
use crate::image::registry::body::Body;
use crate::image::registry::http::{Answer, Call, Fault, FaultKind};
use crate::image::registry::url::{Url, escape};
use crate::image::registry::{Registry, said};
use crate::spec::digest::Digest;

/// An upload that the registry waits for.
#[derive(Clone, Debug)]
pub struct Session {
    url: Url,
    /// The least bytes a chunk may have, but for the last.
    pub least: u64,
}

/// What came of the wish to upload.
#[derive(Debug)]
pub enum Begun {
    /// It was taken from another repository.
    Mounted,
    /// It waits for the bytes.
    Session(Session),
}

/// What came of some bytes.
#[derive(Debug)]
pub enum Taken {
    /// The registry has so many bytes now, or does not say how many.
    Bytes(Option<u64>),
    /// They were too many at once.
    TooLarge,
    /// We have to say again who we are, which was done: the bytes were not taken.
    AskedAgain,
}

impl Registry {
    /// Says whether a repository has a blob.
    pub async fn has_blob(&self, repository: &str, digest: &Digest) -> Result<bool, Fault> {
        let mut call = self
            .call(&format!("/v2/{repository}/blobs/{digest}"))
            .await?;
        call.method = Method::HEAD;
        let answer = self.ask(&to_push(repository), &call).await?;
        match answer.status.as_u16() {
            200 => Ok(true),
            // Some say of what is not there that we may not see it; the upload will tell.
            400..=499 if answer.status != StatusCode::TOO_MANY_REQUESTS => Ok(false),
            _ => Err(self.refusal_to_push(answer).await.into()),
        }
    }

    /// Begins an upload; with `mount`, the registry may take the blob from another repository of its own.
    pub async fn begin(
        &self,
        repository: &str,
        mount: Option<(&Digest, &str)>,
    ) -> Result<Begun, Fault> {
        let mut path = format!("/v2/{repository}/blobs/uploads/");
        let mut scope = to_push(repository);
        if let Some((digest, from)) = mount {
            let (digest, other) = (escape(digest.as_str()), escape(from));
            path.push_str(&format!("?mount={digest}&from={other}"));
            scope.push_str(&format!(" repository:{from}:pull"));
        }
        let mut call = self.call(&path).await?;
        call.method = Method::POST;
        let answer = self.ask(&scope, &call).await?;
        match answer.status.as_u16() {
            201 if mount.is_some() => Ok(Begun::Mounted),
            202 => {
                if !answer.headers.contains_key(LOCATION) {
                    let from = &answer.url.origin;
                    let text = format!("{from} does not say where the upload is to go");
                    return Err(Error::new(text).into());
                }
                let mut session = Session {
                    url: call.url,
                    least: 0,
                };
                self.follow(&mut session, &answer)?;
                Ok(Begun::Session(session))
            }
            _ => Err(self.refusal_to_push(answer).await.into()),
        }
    }

    /// Sends bytes; `range` is the first and the last of them, where the last is known.
    pub async fn patch(
        &self,
        repository: &str,
        session: &mut Session,
        body: Body,
        range: Option<(u64, u64)>,
    ) -> Result<Taken, Fault> {
        let mut call = self.at(session, Method::PATCH);
        let kind = HeaderValue::from_static("application/octet-stream");
        call.headers.insert(CONTENT_TYPE, kind);
        if let Some((first, last)) = range
            && let Ok(range) = HeaderValue::from_str(&format!("{first}-{last}"))
        {
            call.headers.insert(CONTENT_RANGE, range);
        }
        let answer = self.send(repository, &call, body).await?;
        match answer.status.as_u16() {
            // Some answer as if it were whole already.
            202 | 201 | 204 => {
                self.follow(session, &answer)?;
                Ok(Taken::Bytes(held(&answer)))
            }
            307 | 308 => {
                self.follow(session, &answer)?;
                Ok(Taken::AskedAgain)
            }
            413 => Ok(Taken::TooLarge),
            401 if self.is_ours(&session.url) && self.renew(repository, &answer).await? => {
                Ok(Taken::AskedAgain)
            }
            // The bytes are not those it waits for.
            416 => Err(cut(&answer)),
            500..=599 | 429 | 408 => Err(cut(&answer)),
            _ => Err(self.refusal_to_push(answer).await.into()),
        }
    }

    /// Returns how many bytes an upload has; none when the registry knows it no more.
    pub async fn offset(
        &self,
        repository: &str,
        session: &mut Session,
    ) -> Result<Option<u64>, Fault> {
        let call = self.at(session, Method::GET);
        let answer = self.ask_at(repository, &call).await?;
        match answer.status.as_u16() {
            200 | 202 | 204 => {
                self.follow(session, &answer)?;
                Ok(Some(held(&answer).unwrap_or(0)))
            }
            _ => Ok(None),
        }
    }

    /// Ends an upload, with its last bytes or all; the registry checks the digest.
    pub async fn finish(
        &self,
        repository: &str,
        session: &Session,
        bytes: Bytes,
        digest: &Digest,
    ) -> Result<(), Fault> {
        let mut call = self.at(session, Method::PUT);
        let joint = if call.url.path.contains('?') {
            '&'
        } else {
            '?'
        };
        let digest_word = escape(digest.as_str());
        call.url
            .path
            .push_str(&format!("{joint}digest={digest_word}"));
        let kind = HeaderValue::from_static("application/octet-stream");
        call.headers.insert(CONTENT_TYPE, kind);
        call.body = bytes;
        let answer = self.ask_at(repository, &call).await?;
        if answer.status.is_success() {
            return same(&answer, digest);
        }
        // The answer to an earlier try may have been lost.
        let status = answer.status.as_u16();
        if status == 404 && self.has_blob(repository, digest).await? {
            return Ok(());
        }
        match status {
            413 => Err(Fault::new(FaultKind::Final, too_large(&answer))),
            404 => Err(cut(&answer)),
            _ => Err(self.refusal_to_push(answer).await.into()),
        }
    }

    /// Puts a manifest under a tag or its digest.
    pub async fn put_manifest(
        &self,
        repository: &str,
        name: &str,
        media_type: &str,
        bytes: &[u8],
    ) -> Result<Put> {
        let path = format!("/v2/{repository}/manifests/{name}");
        let mut call = self.call(&path).await?;
        call.method = Method::PUT;
        call.body = Bytes::copy_from_slice(bytes);
        let kind = HeaderValue::from_str(media_type)
            .map_err(|_| Error::new("its manifest's type is none that a header can carry"))?;
        call.headers.insert(CONTENT_TYPE, kind);
        let answer = self.ask(&to_push(repository), &call).await?;
        let digest = Digest::of(bytes);
        match answer.status.as_u16() {
            200..=202 => {
                same(&answer, &digest)?;
                Ok(Put {
                    digest,
                    lists_referrers: answer.header("oci-subject").is_some(),
                })
            }
            413 => Err(too_large(&answer)),
            _ => Err(self.refusal_to_push(answer).await),
        }
    }

    fn at(&self, session: &Session, method: Method) -> Call {
        let mut call = Call::get(session.url.clone());
        call.method = method;
        call
    }

    fn is_ours(&self, url: &Url) -> bool {
        self.origin.get() == Some(&url.origin)
    }

    /// Asks something of a session: the registry's own are asked as the registry is.
    async fn ask_at(&self, repository: &str, call: &Call) -> Result<Answer, Fault> {
        if self.is_ours(&call.url) {
            return self.ask(&to_push(repository), call).await;
        }
        self.client.exchange(call, None).await
    }

    async fn send(&self, repository: &str, call: &Call, body: Body) -> Result<Answer, Fault> {
        let pass = match self.is_ours(&call.url) {
            true => self.passes().get(&to_push(repository)).cloned(),
            false => None,
        };
        self.client.upload(call, body, pass.as_ref()).await
    }

    async fn renew(&self, repository: &str, answer: &Answer) -> Result<bool, Fault> {
        let scope = to_push(repository);
        match self.admit(answer, &scope, false).await? {
            Some(pass) => {
                self.passes().insert(scope, pass.header);
                Ok(true)
            }
            None => Ok(false),
        }
    }

    /// Goes on where an answer says.
    fn follow(&self, session: &mut Session, answer: &Answer) -> Result<(), Fault> {
        let from = &answer.url.origin;
        if let Some(least) = answer.header("oci-chunk-min-length") {
            session.least = least.parse().unwrap_or(0);
        }
        let Some(location) = answer.headers.get(LOCATION).and_then(|l| l.to_str().ok()) else {
            return Ok(());
        };
        let next = answer.url.join(location).map_err(|error| {
            error.what(format!("{from} sends the upload to what is no address"))
        })?;
        if from.tls && !next.origin.tls {
            let text = format!(
                "{from} sends the upload to {}, which is not over TLS",
                next.origin
            );
            return Err(Error::new(text)
                .hint("a registry behind a proxy has to be told so: the proxy sets `X-Forwarded-Proto: https`, or the registry's `http.host` is set")
                .into());
        }
        session.url = next;
        Ok(())
    }

    /// Turns a status that is no success into words.
    async fn refusal_to_push(&self, mut answer: Answer) -> Error {
        let status = answer.status.as_u16();
        let from = format!("{status} from {}", answer.url.origin);
        if matches!(status, 401 | 403) {
            let words = said(&answer.bytes(64 << 10).await.unwrap_or_default());
            let words = match words.as_str() {
                "" => from,
                words => format!("{from}: {words}"),
            };
            return self.ask_to_log_in(Error::new(if self.credential.is_none() {
                format!("the registry lets nobody push there whom it does not know ({words})")
            } else {
                format!("the registry does not let this login push there ({words})")
            }));
        }
        if status == 405 {
            return Error::new(format!("nothing can be pushed there ({from})")).hint(
                "a mirror passes on what another registry has; push to that registry itself",
            );
        }
        let error = self.refusal(answer, "such repository").await;
        match error.kind() {
            Kind::NotFound => error.hint(
                "some registries want a repository to be made before something is pushed to it",
            ),
            _ => error,
        }
    }
}

/// The scope of what writes.
fn to_push(repository: &str) -> String {
    format!("repository:{repository}:pull,push")
}

/// Returns how many bytes an answer says are held: `0-<last>`, where `0-0` may be none.
fn held(answer: &Answer) -> Option<u64> {
    let range = answer.header(RANGE.as_str())?;
    let range = range.strip_prefix("bytes=").unwrap_or(range);
    let last: u64 = range.rsplit_once('-')?.1.trim().parse().ok()?;
    Some(if last == 0 { 0 } else { last + 1 })
}

/// A manifest that a registry took.
#[derive(Clone, Debug)]
pub struct Put {
    /// Its digest.
    pub digest: Digest,
    /// It understood what the manifest is about, and lists it by itself.
    pub lists_referrers: bool,
}

fn same(answer: &Answer, digest: &Digest) -> Result<(), Fault> {
    let said = answer.header("docker-content-digest");
    match said.and_then(|text| text.parse::<Digest>().ok()) {
        Some(other) if other != *digest => Err(Error::new(format!(
            "{} says that it has {other} now, not {digest}",
            answer.url.origin
        ))
        .into()),
        _ => Ok(()),
    }
}

fn cut(answer: &Answer) -> Fault {
    let text = format!(
        "{} broke the upload off (status {})",
        answer.url.origin,
        answer.status.as_u16()
    );
    Fault::new(FaultKind::Cut, Error::new(text))
}

fn too_large(answer: &Answer) -> Error {
    Error::new(format!(
        "what stands before the registry takes no request of that size (413 from {})",
        answer.url.origin
    ))
    .hint("its owner can allow more: in nginx, `client_max_body_size 0;`")
}
