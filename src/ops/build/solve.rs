//! The graph, done: what can be done is begun, as much at once as there are cores.
//!
//! ```text
//! rpod build ──user namespace──▶ middle ──process namespace──▶ builder (PID 1)
//!     ▲                                                          │ fork, a step each
//!     └────────────────── events, then the result ───────────────┘
//! ```
//!
//! The builder is the first process of a process namespace: when it goes, for
//! whatever reason, the kernel takes along all steps and whatever they run.
//!
//! Lives here: the builder's loop, and the way into it.
//! Must not: do a step's work (`step`).
//! Called by: `ops::build`.
//! Always true: the builder has one thread, for it forks; after a failure nothing
//! new is begun and nothing goes on.

use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use crate::error::{Context, Error, Result};
use crate::ops::build::event::Event;
use crate::ops::build::graph::{Graph, Id, Work};
use crate::ops::build::step::{self, Made, Site, Start};
use crate::spec::digest::Digest;
use crate::sys::process;

/// What the steps made: of each that was needed, its own layer.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Solved {
    /// The layers of each step and of all below it, from the lowest.
    pub layers: Vec<Option<Vec<Digest>>>,
    /// What each step made by itself.
    pub made: Vec<Option<Made>>,
    /// The step that failed, and why.
    pub failed: Option<(Id, Error)>,
}

struct Running {
    id: Id,
    pid: i32,
    result: OwnedFd,
    bytes: Vec<u8>,
}

/// Does the steps that are wanted, and what they need.
pub fn solve(site: &Site<'_>, graph: &Graph, wanted: &[Id]) -> Result<Solved> {
    let mut solver = Solver {
        site,
        graph,
        solved: Solved {
            layers: vec![None; graph.nodes.len()],
            made: vec![None; graph.nodes.len()],
            failed: None,
        },
        begun: vec![true; graph.nodes.len()],
        running: Vec::new(),
    };
    solver.need(wanted);
    solver.all()?;
    Ok(solver.solved)
}

struct Solver<'a> {
    site: &'a Site<'a>,
    graph: &'a Graph,
    solved: Solved,
    /// Begun, or not needed.
    begun: Vec<bool>,
    running: Vec<Running>,
}

impl Solver<'_> {
    fn need(&mut self, wanted: &[Id]) {
        let mut pending = wanted.to_vec();
        while let Some(id) = pending.pop() {
            if std::mem::replace(&mut self.begun[id], false) {
                pending.extend(self.graph.nodes[id].needs());
            }
        }
    }

    fn all(&mut self) -> Result<()> {
        let cores = || std::thread::available_parallelism().map_or(2, |n| n.get().max(2));
        let most = self.site.jobs.unwrap_or_else(cores);
        loop {
            let mut moved = true;
            while moved && self.solved.failed.is_none() {
                moved = false;
                for id in 0..self.graph.nodes.len() {
                    if !self.begun[id] && self.is_ready(id) && self.running.len() < most {
                        self.begin(id)?;
                        moved = true;
                    }
                }
            }
            if self.running.is_empty() {
                return Ok(());
            }
            if self.solved.failed.is_some() {
                self.stop();
                return Ok(());
            }
            self.wait()?;
        }
    }

    fn is_ready(&self, id: Id) -> bool {
        let needs = self.graph.nodes[id].needs();
        needs.iter().all(|need| self.solved.layers[*need].is_some())
    }

    fn parent(&self, id: Id) -> Vec<Digest> {
        let parent = self.graph.nodes[id].parent;
        parent
            .and_then(|parent| self.solved.layers[parent].clone())
            .unwrap_or_default()
    }

    fn begin(&mut self, id: Id) -> Result<()> {
        self.begun[id] = true;
        let node = &self.graph.nodes[id];
        if let Work::Base(layers) = &node.work {
            self.solved.layers[id] = Some(layers.clone());
            self.site.speaker.say(&Event::Cached(id));
            return Ok(());
        }
        let parent = self.parent(id);
        let layers = &self.solved.layers;
        let start = Start {
            id,
            node,
            parent: &parent,
            layers_of: &|id| layers[id].clone().unwrap_or_default(),
        };
        // Most of the time all is known: that takes a look at one file a step.
        if let Some(key) = step::plain_key(self.site, &start)
            && let Some(made) = step::known(self.site, node, &key)
        {
            self.end(id, parent, made);
            return Ok(());
        }
        let (result, writer) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
        let site = self.site;
        let pid = process::fork(|| {
            process::set_title("rpod-step");
            let made = process::die_with_parent(9)
                .map_err(Error::from)
                .and_then(|()| step::make(site, &start));
            let bytes = serde_json::to_vec(&made).unwrap_or_default();
            match std::io::Write::write_all(&mut std::fs::File::from(writer), &bytes) {
                Ok(()) => 0,
                Err(_) => 1,
            }
        })
        .what(|| "cannot start a step")?;
        self.running.push(Running {
            id,
            pid,
            result,
            bytes: Vec::new(),
        });
        Ok(())
    }

    fn end(&mut self, id: Id, mut layers: Vec<Digest>, made: Made) {
        let event = match made.cached {
            true => Event::Cached(id),
            false => Event::Done(id),
        };
        self.site.speaker.say(&event);
        layers.extend(made.layer.clone());
        self.solved.layers[id] = Some(layers);
        self.solved.made[id] = Some(made);
    }

    /// Waits until one of the steps that go on has ended.
    fn wait(&mut self) -> Result<()> {
        let mut fds: Vec<PollFd<'_>> = self
            .running
            .iter()
            .map(|r| PollFd::from_borrowed_fd(r.result.as_fd(), PollFlags::IN))
            .collect();
        match poll(&mut fds, None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error).what(|| "cannot wait for steps"),
        }
        let ready: Vec<bool> = fds.iter().map(|fd| !fd.revents().is_empty()).collect();
        for at in (0..ready.len()).rev().filter(|at| ready[*at]) {
            let running = &mut self.running[at];
            let mut buffer = [0; 16 << 10];
            let file = std::fs::File::from(running.result.try_clone()?);
            match (&file).read(&mut buffer) {
                Ok(0) => {
                    let running = self.running.remove(at);
                    self.ended(running)?;
                }
                Ok(count) => running.bytes.extend_from_slice(&buffer[..count]),
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error).what(|| "cannot hear a step"),
            }
        }
        Ok(())
    }

    fn ended(&mut self, running: Running) -> Result<()> {
        let exit = process::wait(running.pid, true).ok().flatten();
        let made = match serde_json::from_slice::<Result<Made>>(&running.bytes) {
            Ok(made) => made,
            Err(_) => Err(Error::new(match exit {
                Some(process::Exit::Signal(9)) => {
                    "its process was killed; perhaps the machine is out of memory".to_owned()
                }
                other => format!("its process ended without a result ({other:?})"),
            })),
        };
        match made {
            Ok(made) => {
                let parent = self.parent(running.id);
                self.end(running.id, parent, made);
            }
            Err(error) => {
                let event = Event::Failed(running.id, error.to_string());
                self.site.speaker.say(&event);
                self.solved.failed.get_or_insert((running.id, error));
            }
        }
        Ok(())
    }

    /// Ends what goes on: its result is wanted no more.
    fn stop(&mut self) {
        for running in self.running.drain(..) {
            drop(process::kill(running.pid, 9));
            drop(process::wait(running.pid, true));
        }
    }
}
