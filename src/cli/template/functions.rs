//! The functions of templates: Go's own, and those docker adds.
//!
//! Lives here: one arm a function; how a value counts as true.
//! Must not: know a template's tree.
//! Called by: `parse` asks which exist, `run` calls them.
//! Always true: an error says what the function wanted; nothing is allocated
//! beyond a limit, whatever numbers a template gives.

use std::cmp::Ordering;

use serde_json::Value;

use super::Mode;
use super::print;

/// Every function there is.
pub const NAMES: &[&str] = &[
    "and", "eq", "ge", "gt", "index", "join", "json", "le", "len", "lower", "lt", "ne", "not",
    "or", "pad", "print", "printf", "println", "slice", "split", "table", "title", "truncate",
    "upper",
];

/// Widths and counts above this are refused.
const MOST: i64 = 4096;

pub fn exists(name: &str) -> bool {
    NAMES.contains(&name)
}

/// Says whether a value holds as a condition: not false, zero, empty or nothing.
pub fn holds(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(bool) => *bool,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(list) => !list.is_empty(),
        Value::Object(map) => !map.is_empty(),
    }
}

pub fn call(name: &str, arguments: &[Value], mode: Mode) -> Result<Value, String> {
    if mode == Mode::Headers
        && let Some(text) = header(name, arguments)
    {
        return Ok(text);
    }
    match (name, arguments) {
        ("json", [value]) => serde_json::to_string(value)
            .map(Value::from)
            .map_err(|e| e.to_string()),
        ("lower", [text]) => Ok(string(text)?.to_lowercase().into()),
        ("upper", [text]) => Ok(string(text)?.to_uppercase().into()),
        ("title", [text]) => Ok(title(string(text)?).into()),
        ("join", [list, separator]) => join(list, string(separator)?),
        ("split", [text, separator]) => Ok(split(string(text)?, string(separator)?)),
        ("truncate", [text, length]) => {
            let length = count(length)?;
            Ok(string(text)?
                .chars()
                .take(length)
                .collect::<String>()
                .into())
        }
        ("pad", [text, before, after]) => pad(text, before, after),
        // Podman's word for the table of a list; its rows are what it is given.
        ("table", [value]) => Ok(value.clone()),
        ("print", values) => Ok(print::joined(values, false).into()),
        ("println", values) => Ok((print::joined(values, true) + "\n").into()),
        ("printf", [format, values @ ..]) => {
            print::printf(string(format)?, values).map(Value::from)
        }
        ("len", [value]) => len(value),
        ("index", [value, path @ ..]) => index(value, path),
        ("slice", [value, bounds @ ..]) => slice(value, bounds),
        ("not", [value]) => Ok((!holds(value)).into()),
        ("eq", [first, others @ ..]) if !others.is_empty() => {
            for other in others {
                if equal(first, other) {
                    return Ok(true.into());
                }
            }
            Ok(false.into())
        }
        ("ne", [a, b]) => Ok((!equal(a, b)).into()),
        ("lt", [a, b]) => Ok((order(a, b)? == Ordering::Less).into()),
        ("le", [a, b]) => Ok((order(a, b)? != Ordering::Greater).into()),
        ("gt", [a, b]) => Ok((order(a, b)? == Ordering::Greater).into()),
        ("ge", [a, b]) => Ok((order(a, b)? != Ordering::Less).into()),
        _ => Err(format!("it does not take {} values", arguments.len())),
    }
}

/// Over headers, what changes a text leaves it: `{{json .Names}}` is headed NAMES.
fn header(name: &str, arguments: &[Value]) -> Option<Value> {
    let keeps = matches!(
        name,
        "json"
            | "split"
            | "join"
            | "title"
            | "lower"
            | "upper"
            | "pad"
            | "truncate"
            | "index"
            | "slice"
            | "len"
    );
    keeps.then(|| arguments.first().cloned()).flatten()
}

fn string(value: &Value) -> Result<&str, String> {
    match value {
        Value::String(text) => Ok(text),
        Value::Null => Ok(""),
        other => Err(format!("{} is no text", print::shown(other))),
    }
}

fn integer(value: &Value) -> Result<i64, String> {
    value
        .as_i64()
        .ok_or_else(|| format!("{} is no whole number", print::shown(value)))
}

fn count(value: &Value) -> Result<usize, String> {
    let number = integer(value)?;
    usize::try_from(number.min(MOST)).map_err(|_| format!("{number} is below zero"))
}

fn title(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut inside = false;
    for letter in text.chars() {
        let is_part = letter.is_alphanumeric() || letter == '_' || letter == '\'';
        if is_part && !inside {
            out.extend(letter.to_uppercase());
        } else {
            out.push(letter);
        }
        inside = is_part;
    }
    out
}

fn join(list: &Value, separator: &str) -> Result<Value, String> {
    match list {
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(print::shown).collect();
            Ok(items.join(separator).into())
        }
        Value::Null => Ok("".into()),
        other => Err(format!("{} is no list", print::shown(other))),
    }
}

fn split(text: &str, separator: &str) -> Value {
    if separator.is_empty() {
        return text.chars().map(String::from).collect();
    }
    text.split(separator).collect()
}

fn pad(text: &Value, before: &Value, after: &Value) -> Result<Value, String> {
    let text = string(text)?;
    if text.is_empty() {
        return Ok("".into());
    }
    let (before, after) = (" ".repeat(count(before)?), " ".repeat(count(after)?));
    Ok(format!("{before}{text}{after}").into())
}

fn len(value: &Value) -> Result<Value, String> {
    match value {
        Value::String(text) => Ok(text.len().into()),
        Value::Array(list) => Ok(list.len().into()),
        Value::Object(map) => Ok(map.len().into()),
        Value::Null => Ok(0.into()),
        other => Err(format!("{} has no length", print::shown(other))),
    }
}

fn index(value: &Value, path: &[Value]) -> Result<Value, String> {
    let mut value = value;
    for key in path {
        value = match value {
            Value::Object(map) => map.get(string(key)?).unwrap_or(&Value::Null),
            Value::Array(list) => {
                let at = integer(key)?;
                usize::try_from(at)
                    .ok()
                    .and_then(|at| list.get(at))
                    .ok_or_else(|| format!("{at} is outside a list of {}", list.len()))?
            }
            Value::String(text) => {
                let at = integer(key)?;
                let byte = usize::try_from(at)
                    .ok()
                    .and_then(|at| text.as_bytes().get(at))
                    .ok_or_else(|| format!("{at} is outside a text of {}", text.len()))?;
                return Ok((*byte).into());
            }
            Value::Null => return Err("there is nothing to look into".to_owned()),
            other => return Err(format!("cannot look into {}", print::shown(other))),
        };
    }
    Ok(value.clone())
}

fn slice(value: &Value, bounds: &[Value]) -> Result<Value, String> {
    let length = match value {
        Value::String(text) => text.len(),
        Value::Array(list) => list.len(),
        other => return Err(format!("{} is no list and no text", print::shown(other))),
    };
    let bound = |at: usize, default: usize| match bounds.get(at) {
        Some(bound) => {
            let bound = integer(bound)?;
            usize::try_from(bound)
                .ok()
                .filter(|n| *n <= length)
                .ok_or_else(|| format!("{bound} is outside 0 to {length}"))
        }
        None => Ok(default),
    };
    let (from, to) = (bound(0, 0)?, bound(1, length)?);
    if from > to || bounds.len() > 2 {
        return Err("its bounds make no slice".to_owned());
    }
    Ok(match value {
        Value::Array(list) => list[from..to].to_vec().into(),
        Value::String(text) => String::from_utf8_lossy(&text.as_bytes()[from..to])
            .into_owned()
            .into(),
        _ => Value::Null,
    })
}

fn equal(a: &Value, b: &Value) -> bool {
    match (a.as_f64(), b.as_f64()) {
        (Some(a), Some(b)) => a == b,
        _ => a == b,
    }
}

fn order(a: &Value, b: &Value) -> Result<Ordering, String> {
    let order = match (a, b) {
        (Value::String(a), Value::String(b)) => Some(a.cmp(b)),
        _ => match (a.as_f64(), b.as_f64()) {
            (Some(a), Some(b)) => a.partial_cmp(&b),
            _ => None,
        },
    };
    order.ok_or_else(|| {
        format!(
            "{} and {} cannot be compared",
            print::shown(a),
            print::shown(b)
        )
    })
}
