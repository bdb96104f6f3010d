//! A build as it goes on, in one of four forms.
//!
//! ```text
//! plain     #6 [2/3] RUN make        every line with its step, as BuildKit has it
//! tty       the same, redrawn at one place, with times
//! classic   Step 2/3 : RUN make      one step after the other, as docker had it
//! rawjson   one JSON object a line, for programs
//! ```
//!
//! Lives here: the choice, and what all forms keep of a step.
//! Must not: know what a step does.
//! Called by: `cli::build`.
//! Always true: everything goes to standard error; control characters of programs
//! never reach a terminal that we draw on.

mod classic;
mod plain;
mod rawjson;
mod tty;

use std::collections::VecDeque;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

use crate::cli::flags::usage;
use crate::cli::render::terminal;
use crate::error::Result;
use crate::ops::build::event::Event;
use crate::ops::build::graph::Id;
use crate::ops::build::plan::Plan;
use crate::ops::build::{Built, Watch};

/// Returns who watches a build.
pub fn watcher(
    form: Option<&str>,
    quiet: bool,
    tags: &[String],
    size: u64,
) -> Result<Box<dyn Watch>> {
    let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
    let can_draw = std::io::stderr().is_terminal() && !dumb;
    Ok(match form.unwrap_or("auto") {
        _ if quiet => Box::new(Quiet(Steps::default())),
        "quiet" | "none" => Box::new(Quiet(Steps::default())),
        "auto" if can_draw => Box::new(tty::Tty::new(tags)),
        "tty" => Box::new(tty::Tty::new(tags)),
        "auto" | "plain" => Box::new(plain::Plain::new(tags)),
        "classic" => Box::new(classic::Classic::new(tags, size)),
        "rawjson" => Box::new(rawjson::RawJson::default()),
        other => {
            return Err(usage(format!(
                "--progress cannot be \"{other}\": auto, plain, tty, classic, rawjson or quiet"
            )));
        }
    })
}

/// Lines of a failed step's output that are shown again.
const LAST: usize = 20;

/// What is kept of each step.
#[derive(Debug, Default)]
struct Steps(Vec<Shown>);

#[derive(Debug)]
struct Shown {
    name: String,
    begun: Option<Instant>,
    took: Option<Duration>,
    cached: bool,
    failed: bool,
    /// What has been written since the last end of a line, of each stream.
    open: [Vec<u8>; 2],
    last: VecDeque<String>,
}

impl Steps {
    fn of(plan: &Plan) -> Self {
        let shown = |name: &String| Shown {
            name: name.clone(),
            begun: None,
            took: None,
            cached: false,
            failed: false,
            open: [Vec::new(), Vec::new()],
            last: VecDeque::new(),
        };
        Self(
            plan.graph
                .nodes
                .iter()
                .map(|node| shown(&node.name))
                .collect(),
        )
    }

    /// Notes what happened; returns the lines that became whole.
    fn note(&mut self, event: &Event) -> Vec<String> {
        let now = Instant::now();
        let mut lines = Vec::new();
        let (Event::Begun(id)
        | Event::Cached(id)
        | Event::Done(id)
        | Event::Failed(id, _)
        | Event::Doing(id, ..)
        | Event::Output(id, ..)) = event
        else {
            return lines;
        };
        let Some(step) = self.0.get_mut(*id) else {
            return lines;
        };
        match event {
            Event::Begun(_) => drop(step.begun.get_or_insert(now)),
            Event::Cached(_) => {
                step.cached = true;
                step.took = Some(Duration::ZERO);
            }
            Event::Output(_, error, bytes) => {
                lines = whole_lines(&mut step.open[usize::from(*error)], bytes);
            }
            Event::Done(_) | Event::Failed(..) => {
                for open in &mut step.open {
                    if !open.is_empty() {
                        lines.push(cleaned(&std::mem::take(open)));
                    }
                }
                step.failed = matches!(event, Event::Failed(..));
                step.took = Some(step.begun.map_or(Duration::ZERO, |begun| now - begun));
            }
            _ => {}
        }
        for line in &lines {
            if step.last.len() == LAST {
                step.last.pop_front();
            }
            step.last.push_back(line.clone());
        }
        lines
    }

    fn since(&self, id: Id) -> Duration {
        self.0[id]
            .begun
            .map_or(Duration::ZERO, |begun| begun.elapsed())
    }

    /// The last lines of a step that failed.
    fn last_words(&self) -> String {
        let failed = self.0.iter().filter(|step| step.failed);
        failed
            .filter(|step| !step.last.is_empty())
            .map(|step| {
                let lines: Vec<String> = step.last.iter().map(|l| format!("{l}\n")).collect();
                format!("------\n > {}:\n{}------\n", step.name, lines.concat())
            })
            .collect()
    }
}

/// Takes whole lines out of what was written; a carriage return begins a line anew.
fn whole_lines(open: &mut Vec<u8>, bytes: &[u8]) -> Vec<String> {
    open.extend_from_slice(bytes);
    let mut lines = Vec::new();
    while let Some(end) = open.iter().position(|b| *b == b'\n') {
        let line: Vec<u8> = open.drain(..=end).collect();
        lines.push(cleaned(&line[..end]));
    }
    // A program without ends of lines does not fill our memory.
    if open.len() > 64 << 10 {
        lines.push(cleaned(&std::mem::take(open)));
    }
    lines
}

/// A line without control characters, as it was last drawn.
fn cleaned(line: &[u8]) -> String {
    let text = String::from_utf8_lossy(line);
    let text = text.trim_end_matches('\r');
    let text = text.rsplit('\r').next().unwrap_or_default();
    let mut out = String::with_capacity(text.len());
    let mut letters = text.chars().peekable();
    while let Some(c) = letters.next() {
        match c {
            '\u{1b}' if letters.peek() == Some(&'[') => {
                // A sequence ends with a letter (ECMA-48).
                letters.next();
                for c in letters.by_ref() {
                    if ('\u{40}'..='\u{7e}').contains(&c) {
                        break;
                    }
                }
            }
            '\t' => out.push('\t'),
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out
}

fn seconds(time: Duration) -> String {
    format!("{:.1}s", time.as_secs_f64())
}

/// Says nothing, but how a step failed.
struct Quiet(Steps);

impl Watch for Quiet {
    fn plan(&mut self, plan: &Plan) {
        self.0 = Steps::of(plan);
    }

    fn event(&mut self, event: &Event) {
        self.0.note(event);
    }

    fn tick(&mut self) {}

    fn end(&mut self, _: Option<&Built>) {
        terminal::complain(&self.0.last_words());
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_programs_write_is_made_plain() {
        let mut open = Vec::new();
        assert!(super::whole_lines(&mut open, b"10%\r20").is_empty());
        let lines = super::whole_lines(&mut open, b"%\r100%\n\x1b[1;31mred\x1b[0m\x07\r\nopen");
        assert_eq!(lines, ["100%", "red"]);
        assert_eq!(open, b"open");
        assert_eq!(super::cleaned(b"\xff\tx"), "\u{fffd}\tx");
    }
}
