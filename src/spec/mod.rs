//! Nouns and their grammars: the words of the trade, parsed once.
//!
//! Lives here: one file a noun, each with its type, its parser and its display.
//! Must not: touch the disk, the clock, the environment or the kernel.
//! Called by: every room above.
//! Always true: a value that exists is valid; parsing says what is wrong with
//! the text, in the words of the user's flag.

pub mod boolean;
pub mod container;
pub mod digest;
pub mod duration;
pub mod id;
pub mod idmap;
pub mod limits;
pub mod mount;
pub mod network;
pub mod platform;
pub mod port;
pub mod reference;
pub mod size;
pub mod subnet;
pub mod suggest;
pub mod time;
