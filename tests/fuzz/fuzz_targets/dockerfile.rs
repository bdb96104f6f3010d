//! Dockerfiles: the parser, the checks and the expansion of variables.

#![no_main]
#![allow(
    dead_code,
    missing_docs,
    reason = "the sources are rpod's own, read in part"
)]

#[path = "../../../src/build/mod.rs"]
mod build;
#[path = "../../../src/error.rs"]
mod error;
#[path = "../../../src/build/proof.rs"]
mod proof;
#[path = "../../../src/spec"]
mod spec {
    pub mod duration;
    pub mod size;
    pub mod suggest;
}

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| proof::dockerfile(text));
