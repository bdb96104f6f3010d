//! Turns what differs from run to run into placeholders, so that a whole output
//! can be compared with a literal in the test.
//!
//! `<id64>` and `<id12>` stand for hexadecimal ids, `<digest>` for `sha256:…`,
//! `<time>` for an RFC 3339 time, `<ago>` for "5 seconds ago" and its like.
//!
//! Always true: pure text to text; no regular expressions, no clock.

/// Returns the text with every id, digest and time replaced.
pub fn normalise(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while !rest.is_empty() {
        let boundary = out
            .chars()
            .next_back()
            .is_none_or(|last| !last.is_ascii_alphanumeric());
        if boundary && let Some((placeholder, length)) = token(rest) {
            out.push_str(placeholder);
            rest = &rest[length..];
        } else {
            let next = rest.chars().next().map_or(rest.len(), char::len_utf8);
            out.push_str(&rest[..next]);
            rest = &rest[next..];
        }
    }
    out
}

/// What stands at the start of the text, and how long it is.
fn token(text: &str) -> Option<(&'static str, usize)> {
    if let Some(hex) = text.strip_prefix("sha256:")
        && hex_run(hex) == 64
    {
        return Some(("<digest>", 7 + 64));
    }
    match hex_run(text) {
        64 => return Some(("<id64>", 64)),
        12 if !text[..12].bytes().all(|byte| byte.is_ascii_digit()) => {
            return Some(("<id12>", 12));
        }
        _ => {}
    }
    if let Some(length) = time(text) {
        return Some(("<time>", length));
    }
    ago(text).map(|length| ("<ago>", length))
}

/// The length of the run of hexadecimal digits that nothing alphanumeric follows.
fn hex_run(text: &str) -> usize {
    let is_hex = |byte: &u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(byte);
    let run = text.bytes().take_while(is_hex).count();
    match text.as_bytes().get(run) {
        Some(next) if next.is_ascii_alphanumeric() => 0,
        _ => run,
    }
}

/// `2024-08-04T18:51:00`, with a fraction and a zone if there are any.
fn time(text: &str) -> Option<usize> {
    let pattern = b"dddd-dd-ddTdd:dd:dd";
    let bytes = text.as_bytes();
    let fits = bytes.len() >= pattern.len()
        && bytes.iter().zip(pattern).all(|(byte, kind)| match kind {
            b'd' => byte.is_ascii_digit(),
            b'T' => *byte == b'T' || *byte == b' ',
            other => byte == other,
        });
    if !fits {
        return None;
    }
    let tail = &bytes[pattern.len()..];
    let more = tail
        .iter()
        .take_while(|byte| byte.is_ascii_digit() || b".Z+:".contains(byte))
        .count();
    Some(pattern.len() + more)
}

fn ago(text: &str) -> Option<usize> {
    let units = ["second", "minute", "hour", "day", "week", "month", "year"];
    let starts = ["Less than a ", "About a ", "About an "];
    let after_number = starts
        .iter()
        .find_map(|start| text.strip_prefix(start))
        .or_else(|| {
            let digits = text.bytes().take_while(u8::is_ascii_digit).count();
            (digits > 0)
                .then(|| text[digits..].strip_prefix(' '))
                .flatten()
        })?;
    let unit = units
        .iter()
        .find_map(|unit| after_number.strip_prefix(unit))?;
    let unit = unit.strip_prefix('s').unwrap_or(unit);
    let rest = unit.strip_prefix(" ago")?;
    Some(text.len() - rest.len())
}

#[test]
fn normalise_replaces_ids_digests_and_times_and_nothing_else() {
    let id = "0123456789abcdef".repeat(4);
    let text = format!(
        "{id} sha256:{id} {} 5 seconds ago About a minute ago 2024-08-04T18:51:00.5Z 172.17.0.2 deadbeef 123456789012",
        &id[..12]
    );
    assert_eq!(
        normalise(&text),
        "<id64> <digest> <id12> <ago> <ago> <time> 172.17.0.2 deadbeef 123456789012"
    );
}
