//! `volume`: create, ls, inspect, rm, prune.
use std::collections::BTreeMap;

use crate::error::{Error, Result};
use crate::ops::Session;
use crate::store::volumes::Volume;

/// Makes a volume, or finds the one of that name; none makes a name up. Returns its name.
pub fn create(
    _session: &Session,
    _name: Option<&str>,
    _labels: BTreeMap<String, String>,
    _options: BTreeMap<String, String>,
) -> Result<String> {
    Err(Error::internal("volume is not built yet"))
}

/// Returns the volumes that fit the filters (name, label, dangling).
pub fn list(_session: &Session, _filters: &[(String, String)]) -> Result<Vec<Volume>> {
    Err(Error::internal("volume is not built yet"))
}

/// Removes a volume that no container uses.
pub fn remove(_session: &Session, _name: &str, _force: bool) -> Result<()> {
    Err(Error::internal("volume is not built yet"))
}
