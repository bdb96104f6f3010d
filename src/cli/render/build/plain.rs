//! Every line with the number of its step, as BuildKit has it.
use std::fmt::Write;
use std::time::Instant;

use super::{Steps, seconds};
use crate::cli::render::terminal;
use crate::ops::build::event::Event;
use crate::ops::build::graph::Id;
use crate::ops::build::plan::Plan;
use crate::ops::build::{Built, Watch};

/// The form `plain`.
pub struct Plain {
    steps: Steps,
    tags: Vec<String>,
    /// The number each step was given, when it was first told.
    numbers: Vec<Option<usize>>,
    next: usize,
    /// Whose lines were told last.
    last: Option<Id>,
    begun: Instant,
}

impl Plain {
    /// Begins.
    pub fn new(tags: &[String]) -> Self {
        Self {
            steps: Steps::default(),
            tags: tags.to_vec(),
            numbers: Vec::new(),
            next: 1,
            last: None,
            begun: Instant::now(),
        }
    }

    /// Says whose lines follow, when they are another step's than before.
    fn turn_to(&mut self, id: Id, out: &mut String) -> usize {
        let number = *self.numbers[id].get_or_insert_with(|| {
            self.next += 1;
            self.next - 1
        });
        if self.last != Some(id) {
            if self.last.is_some() {
                out.push('\n');
            }
            let name = &self.steps.0[id].name;
            // Writing to a text does not fail.
            writeln!(out, "#{number} {name}").ok();
            self.last = Some(id);
        }
        number
    }
}

impl Watch for Plain {
    fn plan(&mut self, plan: &Plan) {
        self.steps = Steps::of(plan);
        self.numbers = vec![None; plan.graph.nodes.len()];
    }

    fn event(&mut self, event: &Event) {
        let lines = self.steps.note(event);
        let mut out = String::new();
        match event {
            Event::Begun(id) => drop(self.turn_to(*id, &mut out)),
            Event::Cached(id) => {
                let number = self.turn_to(*id, &mut out);
                writeln!(out, "#{number} CACHED").ok();
            }
            Event::Output(id, ..) | Event::Done(id) | Event::Failed(id, _) => {
                let since = self.steps.since(*id).as_secs_f64();
                for line in lines {
                    let number = self.turn_to(*id, &mut out);
                    writeln!(out, "#{number} {since:.3} {line}").ok();
                }
                if let Some(took) = self.steps.0[*id].took {
                    let number = self.turn_to(*id, &mut out);
                    match event {
                        Event::Failed(_, why) => {
                            let why = why.lines().next().unwrap_or_default();
                            writeln!(out, "#{number} ERROR: {why}")
                        }
                        _ => writeln!(out, "#{number} DONE {}", seconds(took)),
                    }
                    .ok();
                }
            }
            Event::Warning(_, text) => terminal::warn(text),
            Event::Doing(..) => {}
        }
        terminal::complain(&out);
    }

    fn tick(&mut self) {}

    fn end(&mut self, built: Option<&Built>) {
        let mut out = String::new();
        match built.and_then(|built| built.id.as_ref()) {
            Some(id) => {
                let number = self.next;
                out.push_str(&format!(
                    "\n#{number} exporting to image\n#{number} writing image {id} done\n"
                ));
                for tag in &self.tags {
                    writeln!(out, "#{number} naming to {tag} done").ok();
                }
                writeln!(out, "#{number} DONE {}", seconds(self.begun.elapsed())).ok();
            }
            None => out.push_str(&self.steps.last_words()),
        }
        terminal::complain(&out);
    }
}
