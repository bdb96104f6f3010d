//! `pull`: images from their registries, and the image that a name means.
use crate::error::{Error, Result};
use crate::ops::Session;
use crate::spec::container::PullPolicy;
use crate::spec::digest::Digest;
use crate::spec::platform::Platform;
use crate::spec::reference::Reference;
use crate::store::images::{Entry, Image};

/// What is to be pulled.
#[derive(Clone, Debug)]
pub struct Request {
    /// The image.
    pub reference: Reference,
    /// `--platform`; none is this machine's.
    pub platform: Option<Platform>,
    /// `-q`: only the last line.
    pub quiet: bool,
    /// `--tls-verify=false` and the like.
    pub insecure: bool,
}

/// What came of a pull.
#[derive(Clone, Debug)]
pub struct Pulled {
    /// The entry now in the index.
    pub entry: Entry,
    /// Digest of what the registry has under the name (a list's, if it is one).
    pub digest: Digest,
    /// Something was fetched.
    pub newer: bool,
}

/// Pulls one image: blobs into the store, layers unpacked, the name in the index.
/// Says docker's lines through the session's progress.
pub fn pull(_session: &Session, _request: &Request) -> Result<Pulled> {
    Err(Error::internal("pull is not built yet"))
}

/// Returns the image that `text` means for `run` and `create`, by the policy: from the
/// store, out of rpod itself, or pulled. Its layers are unpacked under the user's id map when it returns.
pub fn ensure(
    _session: &Session,
    _text: &str,
    _policy: PullPolicy,
    _platform: Option<Platform>,
) -> Result<Image> {
    Err(Error::internal("pull is not built yet"))
}
