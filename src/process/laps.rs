//! How long each step of a start takes, for `benches/run`.
//!
//! ```text
//! RPOD_LAPS=FILE rpod run …     FILE gets a line a step: microseconds since the
//!                               program began, and what was done by then
//! ```
//!
//! A fork goes on with the laps of its parent, so that the last process of a
//! start, the container's first, has all of them; it sends them to its monitor,
//! which can still write a file of the host's.
//!
//! Lives here: taking the time, and writing it down at the end.
//! Must not: cost anything when nobody asks: one load of a flag.
//! Called by: `ops::launch`, `role`, `runtime`'s callers.
//! Always true: laps are in order; without `RPOD_LAPS` there are none.

use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

static ASKED: AtomicBool = AtomicBool::new(false);
static LAPS: Mutex<Vec<(String, Instant)>> = Mutex::new(Vec::new());

/// Begins, if somebody asks for it.
pub fn begin() {
    if std::env::var_os("RPOD_LAPS").is_some() {
        ASKED.store(true, Ordering::Relaxed);
        lap("begun");
    }
}

/// Says that a step is done.
pub fn lap(step: &str) {
    if !ASKED.load(Ordering::Relaxed) {
        return;
    }
    if let Ok(mut laps) = LAPS.lock() {
        laps.push((step.to_owned(), Instant::now()));
    }
}

/// Returns the laps of this process and its parents, as microseconds since the beginning.
pub fn taken() -> Option<Vec<(String, u64)>> {
    if !ASKED.load(Ordering::Relaxed) {
        return None;
    }
    let laps = LAPS.lock().ok()?;
    let begun = laps.first()?.1;
    let since =
        |at: &Instant| u64::try_from(at.duration_since(begun).as_micros()).unwrap_or(u64::MAX);
    Some(
        laps.iter()
            .map(|(step, at)| (step.clone(), since(at)))
            .collect(),
    )
}

/// Appends laps to the file that was asked for; where that cannot be, nobody is told.
pub fn write(laps: &[(String, u64)]) {
    let Some(path) = std::env::var_os("RPOD_LAPS").map(PathBuf::from) else {
        return;
    };
    let text: String = laps
        .iter()
        .map(|(step, at)| format!("{at} {step}\n"))
        .collect();
    let file = std::fs::File::options()
        .create(true)
        .append(true)
        .open(path);
    drop(file.and_then(|mut file| std::io::Write::write_all(&mut file, text.as_bytes())));
}
