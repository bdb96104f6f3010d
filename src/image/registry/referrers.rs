//! Referrers: what a registry has that says of itself that it is about another manifest:
//! signatures, lists of materials, attestations (OCI distribution spec 1.1).
//!
//! ```text
//! GET /v2/<repository>/referrers/<digest>        an index of them, page by page
//! GET /v2/<repository>/manifests/sha256-<hex>    the same under a tag, which clients keep
//!                                                where the registry has no such address
//! ```
//!
//! Lives here: asking for them, and the descriptor that an index has of one.
//! Must not: touch the store.
//! Called by: `transfer`, `push`.
//! Always true: what is returned is what the registry says; nobody proved that a referrer
//! is by whom it claims to be.

use hyper::StatusCode;
use hyper::header::{ACCEPT, HeaderValue};
use serde_json::{Value, json};

use crate::error::{Context, Error, Kind, Result};
use crate::image::registry::manifest::OCI_INDEX;
use crate::image::registry::{Registry, next_page, to_pull};
use crate::spec::digest::Digest;
use crate::store::images::DOCUMENT_LIMIT;

/// Pages of referrers that are read.
const PAGES: usize = 100;
/// Referrers that are kept in memory.
const MOST: usize = 100_000;

/// Returns the tag under which clients keep the referrers of a manifest.
pub fn tag(subject: &Digest) -> String {
    format!("sha256-{}", subject.hex())
}

/// Returns an index of referrers.
pub fn index(referrers: &[Value]) -> Value {
    json!({ "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": referrers })
}

/// Returns what an index says of a manifest that is about another; nothing if it is about none.
pub fn describe(manifest: &[u8], media_type: &str) -> Option<(Digest, Value)> {
    let value: Value = serde_json::from_slice(manifest).ok()?;
    let subject = value["subject"]["digest"].as_str()?.parse().ok()?;
    let own = value["artifactType"]
        .as_str()
        .filter(|kind| !kind.is_empty());
    let kind = own.or_else(|| value["config"]["mediaType"].as_str());
    let mut out = json!({
        "mediaType": media_type,
        "digest": Digest::of(manifest),
        "size": manifest.len(),
    });
    if let Some(kind) = kind {
        out["artifactType"] = kind.into();
    }
    if let Some(annotations) = value.get("annotations").filter(|v| v.is_object()) {
        out["annotations"] = annotations.clone();
    }
    Some((subject, out))
}

impl Registry {
    /// Returns the descriptors of what is about a manifest.
    pub async fn referrers(&self, repository: &str, subject: &Digest) -> Result<Vec<Value>> {
        let path = format!("/v2/{repository}/referrers/{subject}");
        let mut call = self.call(&path).await?;
        call.headers
            .insert(ACCEPT, HeaderValue::from_static(OCI_INDEX));
        let mut all = Vec::new();
        for page in 0..PAGES {
            let mut answer = self.ask(&to_pull(repository), &call).await?;
            match answer.status {
                StatusCode::OK => {}
                // A registry of the time before, or something that does not know the word.
                StatusCode::NOT_FOUND
                | StatusCode::BAD_REQUEST
                | StatusCode::METHOD_NOT_ALLOWED
                    if page == 0 =>
                {
                    return self.kept_under_tag(repository, subject).await;
                }
                _ => return Err(self.refusal(answer, "such referrers").await),
            }
            let next = answer.header("link").and_then(next_page);
            let next = next.map(|next| call.url.join(&next)).transpose()?;
            let bytes = answer.bytes(DOCUMENT_LIMIT).await?;
            all.extend(descriptors(&bytes)?);
            if all.len() > MOST {
                return Err(too_many());
            }
            match next {
                Some(url) if url.origin == call.url.origin => call.url = url,
                _ => return Ok(all),
            }
        }
        Err(too_many())
    }

    /// Returns what clients have put down under the tag.
    pub async fn kept_under_tag(&self, repository: &str, subject: &Digest) -> Result<Vec<Value>> {
        match self.manifest(repository, &tag(subject)).await {
            Ok(document) => descriptors(&document.bytes),
            Err(error) if error.kind() == Kind::NotFound => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }
}

fn too_many() -> Error {
    Error::new(format!(
        "it has more than {MOST} referrers, or more pages of them than {PAGES}"
    ))
    .hint("ask another registry that has the image, or have its owner take old ones away")
}

fn descriptors(index: &[u8]) -> Result<Vec<Value>> {
    let mut index: Value = serde_json::from_slice(index).what(|| "cannot read its referrers")?;
    match index.get_mut("manifests").map(Value::take) {
        Some(Value::Array(all)) => Ok(all),
        None | Some(Value::Null) if index.is_object() || index.is_null() => Ok(Vec::new()),
        _ => Err(Error::new("cannot read its referrers: they are no list")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{describe, descriptors};
    use crate::spec::digest::Digest;

    #[test]
    fn a_list_of_referrers_that_is_none_is_refused() {
        assert_eq!(descriptors(br#"{"manifests":[{}]}"#).expect("one").len(), 1);
        assert!(descriptors(b"{}").expect("none").is_empty());
        for other in ["[]", "1", "\"x\"", "", r#"{"manifests":{}}"#] {
            assert!(descriptors(other.as_bytes()).is_err(), "{other}");
        }
    }

    #[test]
    fn a_referrer_is_described_by_its_type_and_its_annotations() {
        let subject = Digest::of(b"image");
        let signature = json!({ "artifactType": "text/signature", "annotations": { "by": "me" },
            "config": { "mediaType": "application/vnd.oci.empty.v1+json" },
            "subject": { "digest": subject } });
        let bytes = serde_json::to_vec(&signature).expect("written");
        let (of, said) = describe(&bytes, "m").expect("it is about something");
        assert_eq!(of, subject);
        let digest = Digest::of(&bytes);
        assert_eq!(
            said,
            json!({ "mediaType": "m", "digest": digest, "size": bytes.len(),
                "artifactType": "text/signature", "annotations": { "by": "me" } })
        );
        assert_eq!(describe(br#"{"config":{"mediaType":"x"}}"#, "m"), None);
        // A subject that is no digest is none.
        assert_eq!(describe(br#"{"subject":{"digest":"../x"}}"#, "m"), None);
    }
}
