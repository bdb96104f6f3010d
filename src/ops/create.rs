//! `create`: an image and a request become a container that waits to be started.
use crate::error::{Error, Result};
use crate::ops::Session;
use crate::spec::container::Request;
use crate::spec::id::ContainerId;

/// Makes a container and returns its id. Pulls the image first when the policy says so.
pub fn create(_session: &Session, _request: Request) -> Result<ContainerId> {
    Err(Error::internal("create is not built yet"))
}
