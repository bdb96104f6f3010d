//! A container that means harm, before the whole stack: streams, datagrams and
//! fragments, with servers of this machine's loopback that do as the input says.

#![no_main]
#![allow(
    dead_code,
    unused_imports,
    missing_docs,
    reason = "the sources are rpod's own, read in part"
)]

#[path = "../../../src/dataplane"]
mod dataplane {
    pub mod link;
    pub mod register;
    pub mod uplink;
}
#[path = "../../../src/error.rs"]
mod error;
#[path = "../../../src/network/mod.rs"]
mod network;
#[path = "../../../src/spec/mod.rs"]
mod spec;
#[path = "../../../src/sys/mod.rs"]
mod sys;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| dataplane::uplink::hostile::run(data));
