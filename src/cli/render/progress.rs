//! Long work as people see it: bars at a terminal, plain lines elsewhere.
//!
//! Lives here: the two forms of [`Progress`].
//! Must not: know what is being done.
//! Called by: `door` makes one; `ops` speaks through it.
//! Always true: everything goes to standard error; no thread is started, so that
//! a process that draws may still fork; where no terminal is, only what has
//! ended is told (`213a27df5921: Pull complete`).

use std::collections::HashMap;
use std::io::IsTerminal;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::cli::render::{style, terminal};
use crate::progress::{Progress, Step};

/// Returns who hears of long work: a terminal, a file, or nobody but for warnings.
pub fn listener(quiet: bool) -> Arc<dyn Progress> {
    let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
    if !quiet && std::io::stderr().is_terminal() && !dumb {
        Arc::new(Bars::new())
    } else {
        Arc::new(Lines::new(quiet))
    }
}

/// Plain lines.
struct Lines {
    quiet: bool,
    next: AtomicU64,
    names: Mutex<HashMap<u64, String>>,
}

impl Lines {
    fn new(quiet: bool) -> Self {
        Self {
            quiet,
            next: AtomicU64::new(0),
            names: Mutex::default(),
        }
    }
}

impl Progress for Lines {
    fn line(&self, text: &str) {
        if !self.quiet {
            terminal::complain(&format!("{text}\n"));
        }
    }

    fn begin(&self, name: &str, _: &str, _: Option<u64>) -> Step {
        let step = self.next.fetch_add(1, Ordering::Relaxed);
        held(&self.names).insert(step, name.to_owned());
        Step(step)
    }

    fn turn(&self, _: Step, _: &str, _: Option<u64>) {}

    fn advance(&self, _: Step, _: u64) {}

    fn end(&self, step: Step, last: &str) {
        let name = held(&self.names).remove(&step.0);
        if let Some(name) = name
            && !last.is_empty()
        {
            self.line(&labelled(&name, last));
        }
    }

    fn warn(&self, text: &str) {
        terminal::warn(text);
    }
}

/// Bars that are drawn over each other.
struct Bars {
    all: MultiProgress,
    next: AtomicU64,
    bars: Mutex<HashMap<u64, (String, ProgressBar)>>,
    bounded: ProgressStyle,
    unbounded: ProgressStyle,
}

impl Bars {
    fn new() -> Self {
        let template = |text: &str| {
            ProgressStyle::with_template(text).unwrap_or_else(|_| ProgressStyle::default_bar())
        };
        let bounded = if style::standard_error() {
            "{prefix}: {msg:<12} [{bar:40.green}] {bytes:>10}/{total_bytes:<10}"
        } else {
            "{prefix}: {msg:<12} [{bar:40}] {bytes:>10}/{total_bytes:<10}"
        };
        Self {
            all: MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(15)),
            next: AtomicU64::new(0),
            bars: Mutex::default(),
            bounded: template(bounded).progress_chars("=> "),
            unbounded: template("{prefix}: {msg:<12} {bytes}"),
        }
    }

    fn with(&self, step: Step, act: impl FnOnce(&ProgressBar)) {
        let bar = held(&self.bars).get(&step.0).map(|(_, bar)| bar.clone());
        if let Some(bar) = bar {
            act(&bar);
        }
    }

    fn shape(&self, bar: &ProgressBar, total: Option<u64>) {
        match total {
            Some(total) => {
                bar.set_length(total);
                bar.set_style(self.bounded.clone());
            }
            None => bar.set_style(self.unbounded.clone()),
        }
    }

    fn above(&self, text: &str) {
        // With no bar to be above, indicatif would not write at all.
        if held(&self.bars).is_empty() || self.all.println(text).is_err() {
            terminal::complain(&format!("{text}\n"));
        }
    }
}

impl Progress for Bars {
    fn line(&self, text: &str) {
        self.above(text);
    }

    fn begin(&self, name: &str, doing: &str, total: Option<u64>) -> Step {
        let step = self.next.fetch_add(1, Ordering::Relaxed);
        let bar = self.all.add(ProgressBar::no_length());
        self.shape(&bar, total);
        bar.set_prefix(name.to_owned());
        bar.set_message(doing.to_owned());
        held(&self.bars).insert(step, (name.to_owned(), bar));
        Step(step)
    }

    fn turn(&self, step: Step, doing: &str, total: Option<u64>) {
        self.with(step, |bar| {
            bar.set_position(0);
            self.shape(bar, total);
            bar.set_message(doing.to_owned());
        });
    }

    fn advance(&self, step: Step, bytes: u64) {
        self.with(step, |bar| bar.inc(bytes));
    }

    fn end(&self, step: Step, last: &str) {
        let gone = held(&self.bars).remove(&step.0);
        if let Some((name, bar)) = gone {
            bar.finish_and_clear();
            self.all.remove(&bar);
            if !last.is_empty() {
                self.above(&labelled(&name, last));
            }
        }
    }

    fn warn(&self, text: &str) {
        if terminal::warns() {
            self.above(&format!("warning: {text}"));
        }
    }
}

fn labelled(name: &str, last: &str) -> String {
    if name.is_empty() {
        last.to_owned()
    } else {
        format!("{name}: {last}")
    }
}

/// A panic elsewhere is no reason for progress to fail.
fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
