//! Debian's package manager where there is one id.
//!
//! apt fetches as a user `_apt`, and looks whether it has become that user. Where there
//! is one id nobody can, so a file of ours tells it to stay what it is.
//!
//! Lives here: that file, and where it stands.
//! Must not: write or mount it.
//! Called by: `ops::launch`, `ops::tree` and `ops::build`, which give files of ours to a container.
//! Always true: an image without apt has none of it.

use std::path::Path;

/// What the file is called beside the container's other files.
pub const NAME: &str = "apt.conf";
/// What it says.
pub const TEXT: &str =
    "// Of rpod: there is one id in this container.\nAPT::Sandbox::User \"root\";\n";
/// Where it stands inside.
pub const TARGET: &str = "/etc/apt/apt.conf.d/00rpod";

/// Says whether the files of a layer have apt among them.
pub fn is_in(layer: &Path) -> bool {
    layer.join("etc/apt/apt.conf.d").is_dir()
}
