//! Where a verb's bytes go: a file, or standard output when that is no terminal.
//!
//! Lives here: the file that is whole or not there, and the refusal of a terminal.
//! Must not: know what is written.
//! Called by: `export`, `save`.
//! Always true: a file that was there before stays as it was until the new one is whole.

use std::fs::{self, File};
use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use crate::cli::flags::usage;
use crate::cli::render::terminal;
use crate::error::{Context, Result};

/// Refuses to write a tar to a terminal; `example` is the command that does better.
pub fn refuse_terminal(path: Option<&str>, example: &str) -> Result<()> {
    if is_stream(path) && terminal::stdout_is_terminal() {
        return Err(
            usage("a tar is nothing for a terminal: use -o or a pipe".to_owned())
                .hint(format!("write it to a file: `{example}`")),
        );
    }
    Ok(())
}

/// Opens what is written to, and lets `work` do it.
pub fn write(path: Option<&str>, work: impl FnOnce(&mut File) -> Result<()>) -> Result<u8> {
    let Some(path) = path.filter(|_| !is_stream(path)) else {
        let mut file = File::from(io::stdout().as_fd().try_clone_to_owned()?);
        work(&mut file)?;
        return Ok(0);
    };
    let what = || format!("cannot write \"{path}\"");
    let place = Path::new(path);
    if fs::metadata(place).is_ok_and(|meta| !meta.is_file()) {
        // A pipe or a device is written as it is.
        let mut file = File::options().write(true).open(place).what(what)?;
        work(&mut file)?;
        return Ok(0);
    }
    let beside = beside(place);
    let mut file = File::create(&beside).what(what)?;
    let written = work(&mut file).and_then(|()| fs::rename(&beside, place).what(what));
    if written.is_err() {
        drop(fs::remove_file(&beside));
    }
    written.map(|()| 0)
}

fn is_stream(path: Option<&str>) -> bool {
    path.is_none_or(|path| path == "-")
}

/// A name in the same directory that nobody else has.
fn beside(place: &Path) -> PathBuf {
    let name = place.file_name().unwrap_or_default().to_string_lossy();
    place.with_file_name(format!(".{name}.{}", std::process::id()))
}
