//! `rpod version` and `rpod --version`.
//!
//! Lives here: the number, the build, and docker's shape around them.
//! Must not: open the store.
//! Called by: `cli`.
//! Always true: `--version` answers before anything else is built.

use clap::Parser;
use serde_json::{Value, json};

use crate::cli::door::Door;
use crate::cli::render::terminal;
use crate::cli::render::thing::Format;
use crate::cli::verbs::Act;
use crate::error::Result;

/// The version's number.
pub const NUMBER: &str = env!("CARGO_PKG_VERSION");

/// What it was built from; whoever builds may say so in `RPOD_BUILD`.
const BUILD: &str = match option_env!("RPOD_BUILD") {
    Some(build) => build,
    None => "source",
};

/// Show the version of rpod
#[derive(Debug, Parser)]
pub struct Args {
    /// Show as a Go template says, or as json
    #[arg(short, long, value_name = "TEMPLATE")]
    format: Option<String>,
}

/// Returns `rpod version X, build Y`.
pub fn line() -> String {
    format!("rpod version {NUMBER}, build {BUILD}")
}

impl Act for Args {
    fn act(self, _: &Door) -> Result<u8> {
        let value = value();
        match Format::parse(self.format.as_deref())? {
            Some(format) => terminal::answer(&format.one(&value)?)?,
            None => terminal::answer(&text(&value))?,
        }
        Ok(0)
    }
}

/// docker's object. There is no server; scripts that ask for its version get rpod's.
fn value() -> Value {
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let part = json!({
        "Version": NUMBER,
        "GitCommit": BUILD,
        "Os": "linux",
        "Arch": crate::spec::platform::Platform::host().architecture,
        "KernelVersion": kernel.trim(),
    });
    json!({ "Client": part.clone(), "Server": part })
}

fn text(value: &Value) -> String {
    let client = &value["Client"];
    let get = |key: &str| client[key].as_str().unwrap_or_default().to_owned();
    format!(
        "Client: rpod\n Version:     {}\n Git commit:  {}\n OS/Arch:     {}/{}\n Kernel:      {}\n\n\
         Server: none; rpod needs no daemon\n",
        get("Version"),
        get("GitCommit"),
        get("Os"),
        get("Arch"),
        get("KernelVersion")
    )
}
