//! The harness: what every integration test stands on.
//!
//! - `sandbox`: a user of its own for each test, commands run as that user, and
//!   the proof at the end that nothing was left behind.
//! - `registry`: a real registry, and one that misbehaves on request.
//! - `authority`, `tokens`: certificates of a private authority, and a token server.
//! - `between`: what may stand before a registry, and breaks it.
//! - `image`: images made in code, and where the images from Debian are.
//! - `flat`: what a container would see of an image's layers, for comparing.
//! - `probe`: what this machine can do, and `skip!`.
//! - `normalise`: ids and times to placeholders, for comparing whole outputs.
//!
//! What must not live here: expectations about a verb; those are in `tests/it`.
//! Always true: nothing here needs the internet, root, or the program's own
//! modules; tests see rpod as its users do.

pub mod authority;
pub mod between;
pub mod flat;
pub mod image;
pub mod normalise;
pub mod probe;
pub mod registry;
pub mod sandbox;
pub mod tokens;
pub mod web;

pub use sandbox::{Output, Running, Sandbox, eventually, free_port, http_get, kill};
