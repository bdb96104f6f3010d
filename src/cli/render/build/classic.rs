//! One step after the other, as docker showed a build before BuildKit.
//!
//! Steps that went on side by side are told in the order of the file: what is not
//! its turn yet waits.
use std::collections::BTreeMap;

use super::Steps;
use crate::cli::render::terminal;
use crate::ops::build::event::Event;
use crate::ops::build::graph::Id;
use crate::ops::build::plan::{Line, Plan};
use crate::ops::build::{Built, Watch};
use crate::spec::digest::Digest;
use crate::spec::size;

/// The form `classic`.
pub struct Classic {
    steps: Steps,
    tags: Vec<String>,
    context: u64,
    lines: Vec<Line>,
    /// The line whose turn it is, and whether its beginning was told.
    at: usize,
    headed: bool,
    /// The state after the line before, by a name for it.
    state: Digest,
    waiting: BTreeMap<Id, Vec<String>>,
}

impl Classic {
    /// Begins.
    pub fn new(tags: &[String], context: u64) -> Self {
        Self {
            steps: Steps::default(),
            tags: tags.to_vec(),
            context,
            lines: Vec::new(),
            at: 0,
            headed: false,
            state: Digest::of(b""),
            waiting: BTreeMap::new(),
        }
    }

    /// Tells all whose turn it is; with an image, the last line's name is its.
    fn tell(&mut self, built: Option<&Built>) {
        while let Some(line) = self.lines.get(self.at).cloned() {
            let runs = line.text.starts_with("RUN");
            let is_last = self.at + 1 == self.lines.len();
            let step = line.step.map(|id| &self.steps.0[id]);
            let begun = step.is_none_or(|step| step.begun.is_some() || step.took.is_some());
            let ended = step.is_none_or(|step| step.took.is_some());
            let failed = step.is_some_and(|step| step.failed);
            let cached = step.is_some_and(|step| step.cached);
            if !begun {
                return;
            }
            let container = Digest::of(format!("container {}", self.state).as_bytes());
            if !self.headed {
                let (number, count) = (self.at + 1, self.lines.len());
                let mut text = format!("Step {number}/{count} : {}\n", line.text);
                if cached && !line.text.starts_with("FROM") {
                    text.push_str(" ---> Using cache\n");
                } else if runs {
                    text.push_str(&format!(" ---> Running in {}\n", container.short()));
                }
                terminal::complain(&text);
                self.headed = true;
            }
            if let Some(id) = line.step {
                for line in self.waiting.remove(&id).unwrap_or_default() {
                    terminal::complain(&format!("{line}\n"));
                }
            }
            if !ended || failed || (is_last && built.is_none()) {
                return;
            }
            if runs && !cached {
                terminal::complain(&format!(
                    "Removing intermediate container {}\n",
                    container.short()
                ));
            }
            self.state = match built.and_then(|built| built.id.clone()).filter(|_| is_last) {
                Some(id) => id,
                None => Digest::of(format!("{} {}", self.state, line.text).as_bytes()),
            };
            terminal::complain(&format!(" ---> {}\n", self.state.short()));
            self.at += 1;
            self.headed = false;
        }
    }
}

impl Watch for Classic {
    fn plan(&mut self, plan: &Plan) {
        self.steps = Steps::of(plan);
        self.lines = plan.lines.clone();
        terminal::complain(&format!(
            "Sending build context to Docker daemon  {}\n",
            size::decimal(self.context)
        ));
        self.tell(None);
    }

    fn event(&mut self, event: &Event) {
        let lines = self.steps.note(event);
        if let Event::Output(id, ..) | Event::Done(id) | Event::Failed(id, _) = event {
            self.waiting.entry(*id).or_default().extend(lines);
        }
        if let Event::Warning(_, text) = event {
            terminal::warn(text);
        }
        self.tell(None);
    }

    fn tick(&mut self) {}

    fn end(&mut self, built: Option<&Built>) {
        self.tell(built);
        if let Some(id) = built.and_then(|built| built.id.as_ref()) {
            let mut out = format!("Successfully built {}\n", id.short());
            for tag in &self.tags {
                out.push_str(&format!("Successfully tagged {tag}\n"));
            }
            terminal::complain(&out);
        }
    }
}
