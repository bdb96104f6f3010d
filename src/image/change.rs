//! Changes of an image's settings, in the words of a Dockerfile: `CMD ["sh"]`.
//!
//! Lives here: `commit -c` and `import -c`, one instruction a time.
//! Must not: read a Dockerfile.
//! Called by: `ops::{commit, import}`.
//! Always true: pure; what is wrong is said with the words as typed.

use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::error::{Error, Kind, Result};
use crate::spec::duration;

/// Instructions that change settings.
const INSTRUCTIONS: [&str; 11] = [
    "CMD",
    "ENTRYPOINT",
    "ENV",
    "EXPOSE",
    "HEALTHCHECK",
    "LABEL",
    "ONBUILD",
    "STOPSIGNAL",
    "USER",
    "VOLUME",
    "WORKDIR",
];

/// Applies all changes to settings, which are the `config` of an image's configuration.
///
/// # Errors
/// `Usage`, with the change that makes no sense.
pub fn apply(settings: &mut Map<String, Value>, changes: &[String]) -> Result<()> {
    let mut names = Vec::new();
    for change in changes {
        let (name, rest) = instruction(change)?;
        one(settings, &name, rest).map_err(|error| {
            error
                .kind_of(Kind::Usage)
                .what(format!("cannot use change \"{change}\""))
        })?;
        names.push(name);
    }
    // A command that was meant for another entry point means nothing to this one.
    if names.iter().any(|n| n == "ENTRYPOINT") && !names.iter().any(|n| n == "CMD") {
        settings.remove("Cmd");
    }
    Ok(())
}

/// Parts `CMD sh`, and `CMD=sh` as podman takes it, into the instruction and the rest.
fn instruction(change: &str) -> Result<(String, &str)> {
    let text = change.trim();
    let end = text
        .find(|c: char| c.is_whitespace() || c == '=')
        .unwrap_or(text.len());
    let name = text[..end].to_ascii_uppercase();
    if !INSTRUCTIONS.contains(&name.as_str()) {
        return Err(Error::of(
            Kind::Usage,
            format!(
                "\"{change}\" is no change of an image: it begins with one of {}",
                INSTRUCTIONS.join(", ")
            ),
        ));
    }
    let rest = text[end..].trim_start_matches('=').trim();
    Ok((name, rest))
}

fn one(settings: &mut Map<String, Value>, name: &str, rest: &str) -> Result<()> {
    let needs_words = rest.is_empty() && !matches!(name, "CMD" | "ENTRYPOINT");
    if needs_words {
        return Err(Error::new("nothing follows it"));
    }
    match name {
        "CMD" => set(settings, "Cmd", json!(command(rest))),
        "ENTRYPOINT" => set(settings, "Entrypoint", json!(command(rest))),
        "ENV" => {
            for (key, value) in pairs(rest)? {
                set_variable(settings, &key, &value);
            }
        }
        "LABEL" => {
            let labels = inner(settings, "Labels");
            for (key, value) in pairs(rest)? {
                labels.insert(key, value.into());
            }
        }
        "EXPOSE" => {
            for word in words(rest)? {
                expose(settings, &word)?;
            }
        }
        "VOLUME" => {
            let paths = match list(rest) {
                Some(paths) => paths,
                None => words(rest)?,
            };
            for path in paths {
                inner(settings, "Volumes").insert(path, json!({}));
            }
        }
        "ONBUILD" => {
            let entry = settings.entry("OnBuild").or_insert_with(|| json!([]));
            match entry {
                Value::Array(all) => all.push(rest.into()),
                other => *other = json!([rest]),
            }
        }
        "STOPSIGNAL" => set(settings, "StopSignal", rest.into()),
        "USER" => set(settings, "User", rest.into()),
        "WORKDIR" => {
            let directory = single(rest)?;
            let before = settings.get("WorkingDir").and_then(Value::as_str);
            let path = std::path::Path::new("/")
                .join(before.unwrap_or_default())
                .join(directory);
            set(settings, "WorkingDir", json!(path));
        }
        _ => set(settings, "Healthcheck", healthcheck(rest)?),
    }
    Ok(())
}

fn set(settings: &mut Map<String, Value>, key: &str, value: Value) {
    settings.insert(key.to_owned(), value);
}

fn inner<'a>(settings: &'a mut Map<String, Value>, key: &str) -> &'a mut Map<String, Value> {
    let value = settings.entry(key).or_insert(Value::Null);
    if !value.is_object() {
        *value = json!({});
    }
    match value {
        Value::Object(map) => map,
        _ => unreachable!("it was made one"),
    }
}

/// Sets a variable, in the place of the one of its name.
pub fn set_variable(settings: &mut Map<String, Value>, key: &str, value: &str) {
    let line = format!("{key}={value}");
    let all = settings.entry("Env").or_insert_with(|| json!([]));
    let Value::Array(all) = all else {
        *all = json!([line]);
        return;
    };
    let same = |old: &Value| {
        let text = old.as_str().unwrap_or_default();
        text.split('=').next() == Some(key)
    };
    match all.iter_mut().find(|old| same(old)) {
        Some(old) => *old = line.into(),
        None => all.push(line.into()),
    }
}

fn expose(settings: &mut Map<String, Value>, word: &str) -> Result<()> {
    let (ports, protocol) = word.split_once('/').unwrap_or((word, "tcp"));
    let protocol = protocol.to_ascii_lowercase();
    let (first, last) = ports.split_once('-').unwrap_or((ports, ports));
    let bad = || Error::new(format!("\"{word}\" is no port, such as 8080/tcp"));
    let (first, last): (u16, u16) = (
        first.parse().map_err(|_| bad())?,
        last.parse().map_err(|_| bad())?,
    );
    if first == 0 || last < first || !matches!(protocol.as_str(), "tcp" | "udp" | "sctp") {
        return Err(bad());
    }
    for port in first..=last {
        inner(settings, "ExposedPorts").insert(format!("{port}/{protocol}"), json!({}));
    }
    Ok(())
}

/// A list in JSON, or a text for the shell.
fn command(rest: &str) -> Vec<String> {
    if rest.is_empty() {
        return Vec::new();
    }
    list(rest).unwrap_or_else(|| vec!["/bin/sh".to_owned(), "-c".to_owned(), rest.to_owned()])
}

fn list(rest: &str) -> Option<Vec<String>> {
    serde_json::from_str(rest).ok()
}

/// `KEY=VALUE KEY="VALUE WITH SPACES"`, or `KEY VALUE …` as it once was.
fn pairs(rest: &str) -> Result<Vec<(String, String)>> {
    let first = rest.split_whitespace().next().unwrap_or_default();
    if !first.contains('=') {
        let (key, value) = rest
            .split_once(char::is_whitespace)
            .ok_or_else(|| Error::new(format!("\"{rest}\" has no value: write {rest}=VALUE")))?;
        return Ok(vec![(key.to_owned(), value.trim().to_owned())]);
    }
    words(rest)?
        .into_iter()
        .map(|word| match word.split_once('=') {
            Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
            _ => Err(Error::new(format!(
                "\"{word}\" is not of the form KEY=VALUE"
            ))),
        })
        .collect()
}

/// Words as a shell parts them: quotes and backslashes keep spaces.
fn words(text: &str) -> Result<Vec<String>> {
    let mut all = Vec::new();
    let mut word = None::<String>;
    let mut quote = None;
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match (letter, quote) {
            ('\\', None | Some('"')) => {
                word.get_or_insert_default().extend(letters.next());
            }
            ('"' | '\'', None) => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            (letter, Some(open)) if letter == open => quote = None,
            (letter, None) if letter.is_whitespace() => all.extend(word.take()),
            (letter, _) => word.get_or_insert_default().push(letter),
        }
    }
    if quote.is_some() {
        return Err(Error::new("a quote is not closed"));
    }
    all.extend(word);
    Ok(all)
}

fn single(rest: &str) -> Result<String> {
    Ok(words(rest)?.join(" "))
}

fn healthcheck(rest: &str) -> Result<Value> {
    let mut check = Map::new();
    let mut rest = rest;
    while let Some(after) = rest.strip_prefix("--") {
        let (flag, next) = after.split_once(char::is_whitespace).unwrap_or((after, ""));
        let (name, value) = flag
            .split_once('=')
            .ok_or_else(|| Error::new(format!("--{flag} has no value: write --{flag}=VALUE")))?;
        let time = || duration::parse(value).map(nanoseconds);
        match name {
            "interval" => set(&mut check, "Interval", time()?),
            "timeout" => set(&mut check, "Timeout", time()?),
            "start-period" => set(&mut check, "StartPeriod", time()?),
            "start-interval" => set(&mut check, "StartInterval", time()?),
            "retries" => {
                let times: u32 = value
                    .parse()
                    .map_err(|_| Error::new(format!("\"{value}\" is no number of retries")))?;
                set(&mut check, "Retries", times.into());
            }
            _ => return Err(Error::new(format!("a check has no flag --{name}"))),
        }
        rest = next.trim_start();
    }
    let (word, text) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    let test = match (word.to_ascii_uppercase().as_str(), text.trim()) {
        ("NONE", "") => json!(["NONE"]),
        ("CMD", "") | ("NONE", _) => return Err(Error::new("no program follows CMD")),
        ("CMD", text) => match list(text) {
            Some(words) => json!([vec!["CMD".to_owned()], words].concat()),
            None => json!(["CMD-SHELL", text]),
        },
        _ => return Err(Error::new("a check is NONE, or CMD and a program")),
    };
    set(&mut check, "Test", test);
    Ok(check.into())
}

fn nanoseconds(time: Duration) -> Value {
    json!(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::apply;

    fn changed(before: Value, changes: &[&str]) -> Value {
        let Value::Object(mut settings) = before else {
            panic!("settings are an object");
        };
        let changes: Vec<String> = changes.iter().map(|&c| c.to_owned()).collect();
        match apply(&mut settings, &changes) {
            Ok(()) => settings.into(),
            Err(error) => json!(error.to_string()),
        }
    }

    #[test]
    fn each_instruction_changes_its_setting() {
        let before = json!({ "Env": ["A=1", "B=2"], "Cmd": ["old"], "WorkingDir": "/srv" });
        let after = changed(
            before,
            &[
                "ENV A=3 C=\"x y\"",
                "env D word and more",
                "LABEL a=b 'c d'=e\\ f",
                "EXPOSE 80 53/udp 90-91",
                "VOLUME [\"/data\"]",
                "VOLUME /a /b",
                "ONBUILD RUN true",
                "STOPSIGNAL SIGINT",
                "USER app:staff",
                "WORKDIR app",
                "HEALTHCHECK --interval=1m --retries=3 CMD curl -f http://localhost/",
            ],
        );
        let wanted = json!({
            "Env": ["A=3", "B=2", "C=x y", "D=word and more"],
            "Cmd": ["old"],
            "Labels": { "a": "b", "c d": "e f" },
            "ExposedPorts": { "80/tcp": {}, "53/udp": {}, "90/tcp": {}, "91/tcp": {} },
            "Volumes": { "/data": {}, "/a": {}, "/b": {} },
            "OnBuild": ["RUN true"],
            "StopSignal": "SIGINT",
            "User": "app:staff",
            "WorkingDir": "/srv/app",
            "Healthcheck": {
                "Interval": 60_000_000_000_u64,
                "Retries": 3,
                "Test": ["CMD-SHELL", "curl -f http://localhost/"],
            },
        });
        assert_eq!(after, wanted);
    }

    #[test]
    fn an_entry_point_takes_the_command_that_was_meant_for_another_away() {
        let before = json!({ "Cmd": ["old"] });
        let after = changed(before.clone(), &["ENTRYPOINT [\"/bin/echo\"]"]);
        assert_eq!(after, json!({ "Entrypoint": ["/bin/echo"] }));
        let after = changed(before, &["CMD=echo hi", "ENTRYPOINT=[\"sh\", \"-c\"]"]);
        let wanted = json!({ "Entrypoint": ["sh", "-c"], "Cmd": ["/bin/sh", "-c", "echo hi"] });
        assert_eq!(after, wanted);
    }

    #[test]
    fn what_makes_no_sense_is_said_with_the_words_as_typed() {
        for (change, said) in [
            ("RUN true", "is no change of an image"),
            ("ENV", "nothing follows it"),
            ("ENV =x", "not of the form"),
            ("LABEL a='b", "a quote is not closed"),
            ("EXPOSE http", "\"http\" is no port"),
            ("EXPOSE 9-8", "no port"),
            ("HEALTHCHECK --retries=x NONE", "no number of retries"),
            ("HEALTHCHECK curl", "NONE, or CMD"),
        ] {
            let error = changed(json!({}), &[change]);
            let error = error.as_str().expect("an error");
            assert!(error.contains(said) && error.contains(change), "{error}");
        }
    }
}
