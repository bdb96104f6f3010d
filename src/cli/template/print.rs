//! How values look as text: Go's `%v`, `print` and `printf`.
//!
//! Lives here: the look of a value, and the verbs of printf.
//! Must not: know templates.
//! Called by: `run`, `functions`.
//! Always true: widths have a limit, so that no format exhausts memory.

use serde_json::Value;

const WIDEST: usize = 4096;

/// Returns a value as `{{.}}` shows it.
pub fn shown(value: &Value) -> String {
    let mut out = String::new();
    show(value, &mut out);
    out
}

/// Appends a value as `{{.}}` shows it.
pub fn show(value: &Value, out: &mut String) {
    match value {
        Value::Null => out.push_str("<no value>"),
        Value::Bool(bool) => out.push_str(if *bool { "true" } else { "false" }),
        Value::Number(number) => out.push_str(&number.to_string()),
        Value::String(text) => out.push_str(text),
        Value::Array(list) => {
            out.push('[');
            for (at, item) in list.iter().enumerate() {
                if at > 0 {
                    out.push(' ');
                }
                show(item, out);
            }
            out.push(']');
        }
        Value::Object(map) => {
            out.push_str("map[");
            for (at, (key, item)) in map.iter().enumerate() {
                if at > 0 {
                    out.push(' ');
                }
                out.push_str(key);
                out.push(':');
                show(item, out);
            }
            out.push(']');
        }
    }
}

/// `print` puts a space between two values when neither is a text; `println` always.
pub fn joined(values: &[Value], always: bool) -> String {
    let mut out = String::new();
    for (at, value) in values.iter().enumerate() {
        if at > 0 && (always || !(value.is_string() || values[at - 1].is_string())) {
            out.push(' ');
        }
        show(value, &mut out);
    }
    out
}

#[derive(Default)]
struct Shape {
    left: bool,
    plus: bool,
    zero: bool,
    sharp: bool,
    width: usize,
    precision: Option<usize>,
}

/// Go's `Sprintf`, for the verbs v s q d x X o b c e f g t T and %%.
pub fn printf(format: &str, values: &[Value]) -> Result<String, String> {
    let mut out = String::new();
    let mut letters = format.chars().peekable();
    let mut values = values.iter();
    while let Some(letter) = letters.next() {
        if letter != '%' {
            out.push(letter);
            continue;
        }
        let shape = shape(&mut letters)?;
        let verb = letters.next().ok_or("the format ends within a verb")?;
        if verb == '%' {
            out.push('%');
            continue;
        }
        match values.next() {
            Some(value) => {
                let text = one(verb, value, &shape)?;
                pad(&text, &shape, value.is_number(), &mut out);
            }
            // As Go has it, so that a mistake is seen where it is.
            None => out.push_str(&format!("%!{verb}(MISSING)")),
        }
    }
    let more: Vec<String> = values.map(shown).collect();
    if !more.is_empty() {
        out.push_str(&format!("%!(EXTRA {})", more.join(", ")));
    }
    Ok(out)
}

fn shape(letters: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Result<Shape, String> {
    let mut shape = Shape::default();
    while let Some(flag) = letters.next_if(|c| matches!(c, '-' | '+' | '0' | '#' | ' ')) {
        match flag {
            '-' => shape.left = true,
            '+' => shape.plus = true,
            '0' => shape.zero = true,
            '#' => shape.sharp = true,
            _ => {}
        }
    }
    shape.width = number(letters)?;
    if letters.next_if_eq(&'.').is_some() {
        shape.precision = Some(number(letters)?);
    }
    Ok(shape)
}

fn number(letters: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Result<usize, String> {
    let mut number = 0;
    while let Some(digit) = letters.next_if(char::is_ascii_digit) {
        number = number * 10 + usize::try_from(digit.to_digit(10).unwrap_or(0)).unwrap_or(0);
        if number > WIDEST {
            return Err(format!("a width is at most {WIDEST}"));
        }
    }
    Ok(number)
}

fn one(verb: char, value: &Value, shape: &Shape) -> Result<String, String> {
    let wrong = || format!("%!{verb}({})", shown(value));
    let signed = |text: String| {
        if shape.plus && !text.starts_with('-') {
            format!("+{text}")
        } else {
            text
        }
    };
    Ok(match verb {
        'v' if shape.sharp => value.to_string(),
        'v' => shown(value),
        's' => cut(&shown(value), shape.precision),
        'q' => Value::from(shown(value)).to_string(),
        't' => value.as_bool().map_or_else(wrong, |b| b.to_string()),
        'd' => value.as_i64().map_or_else(wrong, |n| signed(n.to_string())),
        'o' => value.as_i64().map_or_else(wrong, |n| format!("{n:o}")),
        'b' => value.as_i64().map_or_else(wrong, |n| format!("{n:b}")),
        'c' => value
            .as_u64()
            .and_then(|n| char::from_u32(u32::try_from(n).ok()?))
            .map_or_else(wrong, String::from),
        'x' | 'X' => {
            let text = match value {
                Value::String(text) => crate::spec::id::hex(text.as_bytes()),
                _ => value.as_i64().map_or_else(wrong, |n| format!("{n:x}")),
            };
            if verb == 'X' {
                text.to_uppercase()
            } else {
                text
            }
        }
        'f' | 'F' => value.as_f64().map_or_else(wrong, |n| {
            signed(format!("{n:.*}", shape.precision.unwrap_or(6)))
        }),
        'e' => value
            .as_f64()
            .map_or_else(wrong, |n| format!("{n:.*e}", shape.precision.unwrap_or(6))),
        'g' => value.as_f64().map_or_else(wrong, |n| n.to_string()),
        'T' => kind(value).to_owned(),
        other => return Err(format!("%{other} is no verb of printf")),
    })
}

fn cut(text: &str, precision: Option<usize>) -> String {
    match precision {
        Some(most) => text.chars().take(most).collect(),
        None => text.to_owned(),
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "<nil>",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "float64",
        Value::Number(_) => "int",
        Value::String(_) => "string",
        Value::Array(_) => "[]interface {}",
        Value::Object(_) => "map[string]interface {}",
    }
}

fn pad(text: &str, shape: &Shape, is_number: bool, out: &mut String) {
    let missing = shape.width.saturating_sub(text.chars().count());
    if shape.left {
        out.push_str(text);
        out.extend(std::iter::repeat_n(' ', missing));
    } else if shape.zero && is_number {
        let (sign, digits) = text.split_at(usize::from(text.starts_with(['-', '+'])));
        out.push_str(sign);
        out.extend(std::iter::repeat_n('0', missing));
        out.push_str(digits);
    } else {
        out.extend(std::iter::repeat_n(' ', missing));
        out.push_str(text);
    }
}
