//! How answers look: tables, lists, JSON, progress, and the two streams.
//!
//! Lives here: everything that knows a column, a bar or a stream.
//! Must not: know what a verb means.
//! Called by: the verbs.
//! Always true: the answer goes to standard output, all else to standard error;
//! a reader that has gone ends rpod quietly.

pub mod build;
pub mod list;
pub mod output;
pub mod ports;
pub mod progress;
pub mod prompt;
pub mod style;
pub mod table;
pub mod terminal;
pub mod thing;
