//! A template at work: the dot, the variables, and the text that comes out.
//!
//! Lives here: evaluation of nodes, pipelines and fields.
//! Must not: know a function's meaning (`functions`) or how a value looks (`print`).
//! Called by: `Template::run`.
//! Always true: a field that is not there is an error, but as a condition it
//! does not hold; `and` and `or` stop at the first value that decides.

use serde_json::Value;

use super::parse::{Arm, Base, Call, Node, Operand, Pipeline};
use super::{Methods, Mode, functions, print};
use crate::error::Result;

pub fn run(nodes: &[Node], data: &Value, methods: Methods<'_>, mode: Mode) -> Result<String> {
    let mut runner = Runner {
        root: data,
        methods,
        mode,
        variables: vec![(String::new(), data.clone())],
        out: String::new(),
    };
    runner.nodes(nodes, data)?;
    Ok(runner.out)
}

struct Runner<'a> {
    root: &'a Value,
    methods: Methods<'a>,
    mode: Mode,
    variables: Vec<(String, Value)>,
    out: String,
}

/// How a list of nodes ended.
#[derive(PartialEq, Eq)]
enum Flow {
    On,
    Break,
    Continue,
}

impl Runner<'_> {
    fn nodes(&mut self, nodes: &[Node], dot: &Value) -> Result<Flow> {
        for node in nodes {
            let flow = self.node(node, dot)?;
            if flow != Flow::On {
                return Ok(flow);
            }
        }
        Ok(Flow::On)
    }

    fn node(&mut self, node: &Node, dot: &Value) -> Result<Flow> {
        match node {
            Node::Text(text) => self.out.push_str(text),
            Node::Emit(pipeline) => {
                let value = self.pipeline(pipeline, dot, false)?;
                if pipeline.variables.is_empty() {
                    print::show(&value, &mut self.out);
                }
            }
            Node::If(arms) => return self.arms(arms, dot, false),
            Node::With(arms) => return self.arms(arms, dot, true),
            Node::Range(pipeline, body, otherwise) => {
                return self.range(pipeline, body, otherwise, dot);
            }
            Node::Break => return Ok(Flow::Break),
            Node::Continue => return Ok(Flow::Continue),
        }
        Ok(Flow::On)
    }

    fn arms(&mut self, arms: &[Arm], dot: &Value, with: bool) -> Result<Flow> {
        let known = self.variables.len();
        let mut flow = Flow::On;
        for arm in arms {
            let value = match &arm.when {
                Some(when) => self.pipeline(when, dot, true)?,
                None => {
                    flow = self.nodes(&arm.body, dot)?;
                    break;
                }
            };
            if functions::holds(&value) {
                flow = self.nodes(&arm.body, if with { &value } else { dot })?;
                break;
            }
        }
        self.variables.truncate(known);
        Ok(flow)
    }

    fn range(
        &mut self,
        pipeline: &Pipeline,
        body: &[Node],
        otherwise: &[Node],
        dot: &Value,
    ) -> Result<Flow> {
        let known = self.variables.len();
        let value = self.calls(&pipeline.calls, dot, true)?;
        let items: Vec<(Value, Value)> = match value {
            Value::Array(list) => list
                .into_iter()
                .enumerate()
                .map(|(at, item)| (at.into(), item))
                .collect(),
            // serde_json's maps are sorted by key, as Go ranges over them.
            Value::Object(map) => map
                .into_iter()
                .map(|(key, item)| (key.into(), item))
                .collect(),
            Value::Null => Vec::new(),
            other => {
                let place = pipeline.calls[0].head.place;
                return Err(place.error(format!("cannot range over {}", print::shown(&other))));
            }
        };
        if items.is_empty() {
            let flow = self.nodes(otherwise, dot)?;
            self.variables.truncate(known);
            return Ok(flow);
        }
        for (key, item) in items {
            match &pipeline.variables[..] {
                [value] => self.set(value, item.clone(), pipeline.declares),
                [index, value] => {
                    self.set(index, key, pipeline.declares);
                    self.set(value, item.clone(), pipeline.declares);
                }
                _ => {}
            }
            let flow = self.nodes(body, &item)?;
            self.variables.truncate(known);
            if flow == Flow::Break {
                break;
            }
        }
        Ok(Flow::On)
    }

    fn set(&mut self, name: &str, value: Value, declares: bool) {
        let old = self.variables.iter_mut().rev().find(|(n, _)| n == name);
        match old {
            Some(slot) if !declares => slot.1 = value,
            _ => self.variables.push((name.to_owned(), value)),
        }
    }

    fn pipeline(&mut self, pipeline: &Pipeline, dot: &Value, lenient: bool) -> Result<Value> {
        let value = self.calls(&pipeline.calls, dot, lenient)?;
        for name in &pipeline.variables {
            self.set(name, value.clone(), pipeline.declares);
        }
        Ok(value)
    }

    fn calls(&mut self, calls: &[Call], dot: &Value, lenient: bool) -> Result<Value> {
        let mut piped = None;
        for call in calls {
            piped = Some(self.call(call, piped, dot, lenient)?);
        }
        Ok(piped.unwrap_or(Value::Null))
    }

    fn call(
        &mut self,
        call: &Call,
        piped: Option<Value>,
        dot: &Value,
        lenient: bool,
    ) -> Result<Value> {
        let head = &call.head;
        if let Base::Function(name) = &head.base {
            if matches!(name.as_str(), "and" | "or") {
                return self.logic(name, call, piped, dot, lenient);
            }
            let lenient = lenient && name == "not";
            let mut arguments = Vec::with_capacity(call.arguments.len() + 1);
            for argument in &call.arguments {
                arguments.push(self.operand(argument, dot, lenient)?);
            }
            arguments.extend(piped);
            let value = functions::call(name, &arguments, self.mode)
                .map_err(|why| head.place.error(format!("{name}: {why}")))?;
            return follow(value, head, lenient);
        }
        if call.arguments.is_empty() && piped.is_none() {
            return self.operand(head, dot, lenient);
        }
        let mut arguments = Vec::new();
        for argument in &call.arguments {
            arguments.push(self.operand(argument, dot, lenient)?);
        }
        arguments.extend(piped);
        if let (Base::Dot | Base::Variable(_), [.., method]) = (&head.base, &head.fields[..])
            && let Some(value) = (self.methods)(method, &arguments)
        {
            return Ok(value);
        }
        Err(head
            .place
            .error("this is a value and takes no arguments, as functions do"))
    }

    fn logic(
        &mut self,
        name: &str,
        call: &Call,
        piped: Option<Value>,
        dot: &Value,
        lenient: bool,
    ) -> Result<Value> {
        let mut last = None;
        for argument in &call.arguments {
            let value = self.operand(argument, dot, lenient)?;
            let decided = functions::holds(&value) == (name == "or");
            last = Some(value);
            if decided {
                return Ok(last.unwrap_or(Value::Null));
            }
        }
        piped
            .or(last)
            .ok_or_else(|| call.head.place.error(format!("{name} needs a value")))
    }

    fn operand(&mut self, operand: &Operand, dot: &Value, lenient: bool) -> Result<Value> {
        let value = match &operand.base {
            Base::Dot if operand.fields.is_empty() => return Ok(dot.clone()),
            Base::Dot => {
                // A name without arguments may be a method of the outermost value too.
                if let [method] = &operand.fields[..]
                    && std::ptr::eq(dot, self.root)
                    && dot.get(method).is_none()
                    && let Some(value) = (self.methods)(method, &[])
                {
                    return Ok(value);
                }
                return walk(dot, operand, lenient);
            }
            Base::Variable(name) => {
                let found = self.variables.iter().rev().find(|(n, _)| n == name);
                found.map(|(_, v)| v.clone()).unwrap_or(Value::Null)
            }
            Base::Text(text) => text.clone().into(),
            Base::Integer(number) => (*number).into(),
            Base::Float(number) => (*number).into(),
            Base::Bool(bool) => (*bool).into(),
            Base::Nil => Value::Null,
            Base::Function(name) => functions::call(name, &[], self.mode)
                .map_err(|why| operand.place.error(format!("{name}: {why}")))?,
            Base::Group(pipeline) => self.calls(&pipeline.calls, dot, lenient)?,
        };
        follow(value, operand, lenient)
    }
}

fn follow(value: Value, operand: &Operand, lenient: bool) -> Result<Value> {
    if operand.fields.is_empty() {
        return Ok(value);
    }
    walk(&value, operand, lenient)
}

fn walk(from: &Value, operand: &Operand, lenient: bool) -> Result<Value> {
    let mut value = from;
    for field in &operand.fields {
        match value {
            Value::Object(map) => match map.get(field) {
                Some(next) => value = next,
                None if lenient => return Ok(Value::Null),
                None => {
                    let error = operand
                        .place
                        .error(format!("there is no field \"{field}\""));
                    let near = crate::spec::suggest::nearest(field, map.keys().map(String::as_str));
                    return Err(match near {
                        Some(near) => error.hint(format!("did you mean `.{near}`?")),
                        None => error.hint(format!("there are: {}", names(map))),
                    });
                }
            },
            Value::Null if lenient => return Ok(Value::Null),
            Value::Null => {
                return Err(operand.place.error(format!(
                    "there is nothing to take the field \"{field}\" from"
                )));
            }
            other => {
                return Err(operand.place.error(format!(
                    "{} has no fields, and so no \"{field}\"",
                    print::shown(other)
                )));
            }
        }
    }
    Ok(value.clone())
}

fn names(map: &serde_json::Map<String, Value>) -> String {
    let names: Vec<String> = map.keys().map(|key| format!(".{key}")).collect();
    names.join(" ")
}
