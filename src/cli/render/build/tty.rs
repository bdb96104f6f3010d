//! All steps at one place of a terminal, redrawn while they go on.
//!
//! ```text
//! [+] Building 3.2s (4/6)
//!  => CACHED [1/3] FROM docker.io/library/debian              0.0s
//!  => [2/3] RUN make                                          2.1s
//!  => => cc -o main.o main.c
//! ```
use std::fmt::Write;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

use super::{Steps, seconds};
use crate::build::problem::cells;
use crate::cli::render::terminal;
use crate::ops::build::event::Event;
use crate::ops::build::plan::Plan;
use crate::ops::build::{Built, Watch};

/// The form `tty`.
pub struct Tty {
    steps: Steps,
    tags: Vec<String>,
    begun: Instant,
    /// In the order in which they were first heard of.
    order: Vec<usize>,
    /// Lines that were drawn, to be drawn over.
    drawn: usize,
    last_drawn: Option<Instant>,
    warnings: Vec<String>,
}

/// Lines of a running step's output that are shown.
const OUTPUT: usize = 4;
const PAUSE: Duration = Duration::from_millis(90);

impl Tty {
    /// Begins.
    pub fn new(tags: &[String]) -> Self {
        Self {
            steps: Steps::default(),
            tags: tags.to_vec(),
            begun: Instant::now(),
            order: Vec::new(),
            drawn: 0,
            last_drawn: None,
            warnings: Vec::new(),
        }
    }

    fn draw(&mut self, last: bool) {
        let (width, height) = size();
        let done = self.steps.0.iter().filter(|s| s.took.is_some()).count();
        let state = if last && self.steps.0.iter().any(|s| s.failed) {
            "ERROR"
        } else if last {
            "FINISHED"
        } else {
            ""
        };
        let mut lines = vec![cut(
            format!(
                "[+] Building {} ({done}/{}) {state}",
                seconds(self.begun.elapsed()),
                self.steps.0.len()
            )
            .trim_end(),
            width,
        )];
        for id in &self.order {
            let step = &self.steps.0[*id];
            let time = step.took.unwrap_or_else(|| self.steps.since(*id));
            let mark = if step.cached {
                "CACHED "
            } else if step.failed {
                "ERROR "
            } else {
                ""
            };
            lines.push(spread(
                &format!(" => {mark}{}", step.name),
                &seconds(time),
                width,
            ));
            if step.took.is_none() {
                let skip = step.last.len().saturating_sub(OUTPUT);
                for line in step.last.iter().skip(skip) {
                    lines.push(cut(&format!(" => => {line}"), width));
                }
            }
        }
        // What is above the terminal's first line could not be drawn over.
        if !last && lines.len() > height {
            let excess = lines.len() - height;
            lines.drain(1..=excess);
        }
        let mut out = String::new();
        if self.drawn > 0 {
            // Writing to a text does not fail.
            write!(out, "\x1b[{}A", self.drawn).ok();
        }
        for line in &lines {
            writeln!(out, "\r\x1b[2K{line}").ok();
        }
        out.push_str("\x1b[J");
        self.drawn = lines.len();
        self.last_drawn = Some(Instant::now());
        terminal::complain(&out);
    }
}

impl Watch for Tty {
    fn plan(&mut self, plan: &Plan) {
        self.steps = Steps::of(plan);
    }

    fn event(&mut self, event: &Event) {
        self.steps.note(event);
        if let Event::Begun(id) | Event::Cached(id) | Event::Done(id) | Event::Failed(id, _) = event
            && !self.order.contains(id)
        {
            self.order.push(*id);
        }
        if let Event::Warning(_, text) = event {
            self.warnings.push(text.clone());
        }
    }

    fn tick(&mut self) {
        if self.last_drawn.is_none_or(|last| last.elapsed() >= PAUSE) {
            self.draw(false);
        }
    }

    fn end(&mut self, built: Option<&Built>) {
        self.draw(true);
        for warning in &self.warnings {
            terminal::warn(warning);
        }
        match built.and_then(|built| built.id.as_ref()) {
            Some(id) => {
                let mut out = format!(" => writing image {id}\n");
                for tag in &self.tags {
                    writeln!(out, " => naming to {tag}").ok();
                }
                terminal::complain(&out);
            }
            None => terminal::complain(&self.steps.last_words()),
        }
    }
}

/// Characters of a line that has room for a time.
const NARROWEST: usize = 10;

fn size() -> (usize, usize) {
    let of = std::io::stderr();
    if !of.is_terminal() {
        return (80, 1000);
    }
    match rustix::termios::tcgetwinsize(&of) {
        // One that does not know its size says 0.
        Ok(size) if size.ws_col > 0 && size.ws_row > 0 => (
            usize::from(size.ws_col).max(NARROWEST),
            usize::from(size.ws_row).max(3) - 1,
        ),
        _ => (80, 23),
    }
}

fn spread(left: &str, right: &str, width: usize) -> String {
    let left = cut(left, width.saturating_sub(right.len() + 1));
    let gap = width.saturating_sub(left.chars().map(cells).sum::<usize>() + right.len());
    format!("{left}{}{right}", " ".repeat(gap))
}

fn cut(line: &str, width: usize) -> String {
    let line = line.replace(['\t', '\n'], " ");
    if line.chars().map(cells).sum::<usize>() <= width {
        return line;
    }
    let mut room = width.saturating_sub(1);
    let fits = |c: &char| match room.checked_sub(cells(*c)) {
        Some(left) => {
            room = left;
            true
        }
        None => false,
    };
    line.chars().take_while(fits).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::{cut, spread};

    #[test]
    fn a_line_has_the_width_of_the_terminal() {
        assert_eq!(spread("left", "1.0s", 12), "left    1.0s");
        assert_eq!(spread("a long line", "1.0s", 12), "a long… 1.0s");
        assert_eq!(cut("äöü", 2), "ä…");
        assert_eq!(cut("日本語", 5), "日本…");
        assert_eq!(cut("日本語", 6), "日本語");
        assert_eq!(spread("日本語", "1s", 7), "日…  1s");
    }
}
