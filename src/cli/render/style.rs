//! Whether colours may be used.
//!
//! Lives here: NO_COLOR (no-color.org), TERM and what the stream is.
//! Must not: draw.
//! Called by: `failure`, `render::progress`.
//! Always true: a file or a pipe never gets an escape sequence.

use std::io::IsTerminal;

/// Says whether standard error may have colours.
pub fn standard_error() -> bool {
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
    std::io::stderr().is_terminal() && !set("NO_COLOR") && !dumb
}
