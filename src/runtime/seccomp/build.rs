//! Compiles the default profile when rpod is built.
//!
//! Lives here: the choice of the machine and the writing of the array that
//! `seccomp` includes.
//! Must not: know the profile; table and compiler are rpod's own files.
//! Called by: cargo.
//! Always true: the program is the one that the same code would make at run time.

use std::env;
use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::io::{Write as _, stdout};
use std::path::Path;

/// sock_filter of linux/filter.h.
pub struct Instruction {
    code: u16,
    jt: u8,
    jf: u8,
    k: u32,
}

#[path = "compile.rs"]
#[allow(dead_code, reason = "rpod uses the rest of it at run time")]
mod compile;
#[path = "table.rs"]
#[allow(dead_code, reason = "rpod uses the rest of it at run time")]
mod table;

/// The capabilities docker's containers have: bits of capabilities(7). A test of
/// `runtime::seccomp` holds them against `runtime::capabilities`.
const DEFAULT_CAPABILITIES: u64 = 0xa804_25fb;

fn main() -> Result<(), Box<dyn Error>> {
    let machine = match env::var("CARGO_CFG_TARGET_ARCH")?.as_str() {
        "x86_64" => compile::Machine::X86_64,
        "aarch64" => compile::Machine::Aarch64,
        other => {
            return Err(format!(
                "no numbers of system calls for {other}: add a column to table.rs"
            )
            .into());
        }
    };
    let mut text = String::from("[\n");
    for Instruction { code, jt, jf, k } in compile::profile(machine, DEFAULT_CAPABILITIES) {
        writeln!(text, "    op({code:#04x}, {jt}, {jf}, {k:#x}),")?;
    }
    text.push_str("]\n");
    let out = env::var("OUT_DIR")?;
    fs::write(Path::new(&out).join("default_filter.rs"), text)?;
    for file in ["build.rs", "compile.rs", "table.rs"] {
        writeln!(
            stdout(),
            "cargo:rerun-if-changed=src/runtime/seccomp/{file}"
        )?;
    }
    Ok(())
}
