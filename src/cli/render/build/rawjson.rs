//! One JSON object a line, in the words of BuildKit's status messages.
use serde_json::{Value, json};

use super::Steps;
use crate::cli::render::terminal;
use crate::ops::build::event::Event;
use crate::ops::build::graph::Id;
use crate::ops::build::plan::Plan;
use crate::ops::build::{Built, Watch};
use crate::spec::digest::Digest;
use crate::spec::time::Time;

/// The form `rawjson`.
#[derive(Default)]
pub struct RawJson {
    steps: Steps,
    inputs: Vec<Vec<Id>>,
    began: Vec<Option<Time>>,
}

impl RawJson {
    fn digest(&self, id: Id) -> String {
        Digest::of(format!("{id} {}", self.steps.0[id].name).as_bytes()).to_string()
    }

    fn vertex(&self, id: Id, completed: bool, error: Option<&str>) -> Value {
        let step = &self.steps.0[id];
        let inputs: Vec<String> = self.inputs[id].iter().map(|id| self.digest(*id)).collect();
        let now = Time::now().to_string();
        let began = self.began[id].map_or_else(|| now.clone(), |time| time.to_string());
        let mut vertex = json!({
            "digest": self.digest(id),
            "name": step.name,
            "started": began,
        });
        if !inputs.is_empty() {
            vertex["inputs"] = json!(inputs);
        }
        if completed {
            vertex["completed"] = json!(now);
        }
        if step.cached {
            vertex["cached"] = json!(true);
        }
        if let Some(error) = error {
            vertex["error"] = json!(error);
        }
        json!({ "vertexes": [vertex] })
    }
}

impl Watch for RawJson {
    fn plan(&mut self, plan: &Plan) {
        self.steps = Steps::of(plan);
        self.inputs = plan.graph.nodes.iter().map(|node| node.needs()).collect();
        self.began = vec![None; plan.graph.nodes.len()];
    }

    fn event(&mut self, event: &Event) {
        self.steps.note(event);
        let told = match event {
            Event::Begun(id) => {
                self.began[*id] = Some(Time::now());
                self.vertex(*id, false, None)
            }
            Event::Cached(id) | Event::Done(id) => self.vertex(*id, true, None),
            Event::Failed(id, why) => self.vertex(*id, true, Some(why)),
            Event::Output(id, error, bytes) => json!({ "logs": [{
                "vertex": self.digest(*id),
                "stream": 1 + u8::from(*error),
                "data": base64(bytes),
                "timestamp": Time::now().to_string(),
            }] }),
            Event::Warning(id, text) => json!({ "warnings": [{
                "vertex": id.map(|id| self.digest(id)),
                "level": 1,
                "short": base64(text.as_bytes()),
            }] }),
            Event::Doing(..) => return,
        };
        terminal::complain(&format!("{told}\n"));
    }

    fn tick(&mut self) {}

    fn end(&mut self, _: Option<&Built>) {}
}

/// RFC 4648, section 4: as Go's JSON has bytes.
fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let [a, b, c] = [0, 1, 2].map(|at| u32::from(chunk.get(at).copied().unwrap_or(0)));
        let bits = (a << 16) | (b << 8) | c;
        for at in 0..4 {
            let letter = LETTERS[(bits >> (18 - 6 * at) & 63) as usize];
            out.push(if at <= chunk.len() {
                letter.into()
            } else {
                '='
            });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    #[test]
    fn bytes_are_written_as_letters() {
        for (bytes, text) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v")] {
            assert_eq!(super::base64(bytes.as_bytes()), text);
        }
    }
}
