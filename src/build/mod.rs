//! Build: the files people write for it, read into values.
//!
//! ```text
//! text ─ lines ─▶ logical lines ─ parse ─▶ Dockerfile ─ word (expansion) ─▶ ops::build
//!        directives, continuations,          │
//!        comments, heredocs                  └─ check ─▶ warnings
//! .dockerignore ─ ignore ─▶ Ignore
//! ```
//!
//! Lives here: the Dockerfile language as of `docker/dockerfile:1`
//! ([`dockerfile`] is what a file says, [`parse`](parse::parse) reads it),
//! expansion of variables ([`word`]), what a context leaves out ([`ignore`]), the
//! checks ([`check`]), and how a fault is shown with its line ([`problem`]).
//! Must not: touch the disk, the store or a process; a text comes in, a value or a
//! [`problem::Problem`] comes out.
//! Called by: `ops::build`.
//! Always true: no text makes it panic, or work longer than in proportion to its
//! length; every fault names its line and column.
//!
//! Why a parser of our own: nobody has to search for what is wrong with a file
//! only if every word keeps its place and each instruction knows what was
//! probably meant; the parsers there are give raw strings and one sentence.

pub mod check;
pub mod dockerfile;
pub mod ignore;
mod lines;
pub mod mount;
pub mod parse;
pub mod pattern;
pub mod problem;
#[cfg(test)]
mod proof;
pub mod word;
