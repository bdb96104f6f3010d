//! `RUN --mount=…`.
//!
//! Lives here: [`Mount`] and its grammar (Dockerfile reference, "RUN --mount").
//! Must not: mount.
//! Called by: `parse` for what has no variables, `ops::build` for what had.
//! Always true: a mount that is returned has all that its kind needs.

use crate::spec::{boolean, size};

/// A mount for one `RUN`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Mount {
    /// Files of a stage, an image or the context.
    Bind {
        /// The stage, image or named context; none is the context.
        from: Option<String>,
        /// Path in it.
        source: String,
        /// Where it appears.
        target: String,
        /// What is written is thrown away when the step ends.
        writable: bool,
    },
    /// A directory that outlives the build.
    Cache {
        /// Which one; the target where nothing else was said.
        id: String,
        /// What a new one holds: a stage or image.
        from: Option<String>,
        /// Path in `from`.
        source: Option<String>,
        /// Where it appears.
        target: String,
        /// Read-only.
        readonly: bool,
        /// Who else may use it at the same time.
        sharing: Sharing,
        /// Permissions of a new one.
        mode: Option<u32>,
        /// Owner of a new one.
        uid: Option<u32>,
        /// Group of a new one.
        gid: Option<u32>,
    },
    /// Memory.
    Tmpfs {
        /// Where it appears.
        target: String,
        /// Bytes at most.
        size: Option<u64>,
    },
    /// A secret as a file, as a variable, or both.
    Secret {
        /// Which one.
        id: String,
        /// The file; none when only a variable was asked for.
        target: Option<String>,
        /// The variable.
        env: Option<String>,
        /// The step fails without it.
        required: bool,
        /// Permissions, 0400 where nothing was said.
        mode: u32,
        /// Owner.
        uid: u32,
        /// Group.
        gid: u32,
    },
    /// The way to an SSH agent.
    Ssh {
        /// Which one, `default` where nothing was said.
        id: String,
        /// The socket; none: the step's `SSH_AUTH_SOCK` names one.
        target: Option<String>,
        /// The step fails without it.
        required: bool,
        /// Permissions of the socket, 0600 where nothing was said.
        mode: u32,
        /// Owner.
        uid: u32,
        /// Group.
        gid: u32,
    },
}

/// Who else may use a cache at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Sharing {
    /// Everybody.
    Shared,
    /// Nobody: another one gets an empty one of its own.
    Private,
    /// Nobody: another one waits.
    Locked,
}

const KINDS: [&str; 5] = ["bind", "cache", "tmpfs", "secret", "ssh"];

/// Reads the value of a `--mount`.
///
/// # Errors
/// A sentence that says what is wrong with it.
pub fn parse(text: &str) -> Result<Mount, String> {
    let fields = split(text)?;
    let kind = fields
        .iter()
        .find(|(key, _)| key == "type")
        .map_or("bind", |(_, value)| value.as_str());
    let mut fields = Fields {
        kind: kind.to_owned(),
        fields: fields
            .iter()
            .filter(|(key, _)| key != "type")
            .cloned()
            .collect(),
    };
    let mount = match kind {
        "bind" => bind(&mut fields)?,
        "cache" => cache(&mut fields)?,
        "tmpfs" => Mount::Tmpfs {
            target: fields.target()?.ok_or_else(no_target)?,
            size: fields
                .take(&["size"])
                .map(|text| size::parse(&text).map_err(|e| e.to_string()))
                .transpose()?,
        },
        "secret" => secret(&mut fields)?,
        "ssh" => Mount::Ssh {
            id: fields.take(&["id"]).unwrap_or_else(|| "default".to_owned()),
            target: fields.target()?,
            required: fields.flag(&["required"])?.unwrap_or(false),
            mode: fields.octal("mode")?.unwrap_or(0o600),
            uid: fields.number("uid")?.unwrap_or(0),
            gid: fields.number("gid")?.unwrap_or(0),
        },
        other => {
            return Err(format!(
                "a mount cannot be of type \"{other}\": there are {}",
                KINDS.join(", ")
            ));
        }
    };
    fields.nothing_left()?;
    Ok(mount)
}

fn bind(fields: &mut Fields) -> Result<Mount, String> {
    let readonly = fields.flag(&["readonly", "ro"])?;
    let writable = fields.flag(&["readwrite", "rw"])?;
    Ok(Mount::Bind {
        from: fields.take(&["from"]),
        source: fields
            .take(&["source", "src"])
            .unwrap_or_else(|| ".".to_owned()),
        target: fields.target()?.ok_or_else(no_target)?,
        writable: writable.unwrap_or(readonly == Some(false)),
    })
}

fn cache(fields: &mut Fields) -> Result<Mount, String> {
    let target = fields.target()?.ok_or_else(no_target)?;
    let readonly = fields.flag(&["readonly", "ro"])?;
    let writable = fields.flag(&["readwrite", "rw"])?;
    Ok(Mount::Cache {
        id: fields.take(&["id"]).unwrap_or_else(|| target.clone()),
        from: fields.take(&["from"]),
        source: fields.take(&["source", "src"]),
        readonly: readonly.unwrap_or(writable == Some(false)),
        sharing: match fields.take(&["sharing"]).as_deref() {
            None | Some("shared") => Sharing::Shared,
            Some("private") => Sharing::Private,
            Some("locked") => Sharing::Locked,
            Some(other) => {
                return Err(format!(
                    "sharing cannot be \"{other}\": it is shared, private or locked"
                ));
            }
        },
        mode: fields.octal("mode")?,
        uid: fields.number("uid")?,
        gid: fields.number("gid")?,
        target,
    })
}

fn secret(fields: &mut Fields) -> Result<Mount, String> {
    let target = fields.target()?;
    let env = fields.take(&["env"]);
    let id = fields
        .take(&["id"])
        .or_else(|| {
            let name = target.as_deref()?.trim_end_matches('/');
            name.rsplit('/').next().map(str::to_owned)
        })
        .or_else(|| env.clone())
        .filter(|id| !id.is_empty())
        .ok_or("a secret needs id=, or the target= it is named after")?;
    let target = target.or_else(|| env.is_none().then(|| format!("/run/secrets/{id}")));
    Ok(Mount::Secret {
        required: fields.flag(&["required"])?.unwrap_or(false),
        mode: fields.octal("mode")?.unwrap_or(0o400),
        uid: fields.number("uid")?.unwrap_or(0),
        gid: fields.number("gid")?.unwrap_or(0),
        id,
        target,
        env,
    })
}

fn no_target() -> String {
    "it needs target=".to_owned()
}

struct Fields {
    kind: String,
    fields: Vec<(String, String)>,
}

impl Fields {
    fn take(&mut self, names: &[&str]) -> Option<String> {
        let mut last = None;
        self.fields.retain(|(key, value)| {
            let ours = names.contains(&key.as_str());
            if ours {
                last = Some(value.clone());
            }
            !ours
        });
        last
    }

    fn target(&mut self) -> Result<Option<String>, String> {
        match self.take(&["target", "dst", "destination"]) {
            Some(empty) if empty.is_empty() => Err("target= has no value".to_owned()),
            target => Ok(target),
        }
    }

    fn flag(&mut self, names: &[&str]) -> Result<Option<bool>, String> {
        match self.take(names).as_deref() {
            None => Ok(None),
            Some("") => Ok(Some(true)),
            Some(text) => match boolean::parse(text) {
                None => Err(format!("{} is true or false, not \"{text}\"", names[0])),
                known => Ok(known),
            },
        }
    }

    fn number(&mut self, name: &str) -> Result<Option<u32>, String> {
        self.take(&[name])
            .map(|text| {
                text.parse()
                    .map_err(|_| format!("{name} is a number, not \"{text}\""))
            })
            .transpose()
    }

    fn octal(&mut self, name: &str) -> Result<Option<u32>, String> {
        self.take(&[name])
            .map(|text| match u32::from_str_radix(&text, 8) {
                Ok(mode) if mode <= 0o7777 => Ok(mode),
                _ => Err(format!(
                    "{name} is an octal number such as 0400, not \"{text}\""
                )),
            })
            .transpose()
    }

    fn nothing_left(&self) -> Result<(), String> {
        match self.fields.first() {
            None => Ok(()),
            Some((key, _)) => Err(format!("a {} mount has no option \"{key}\"", self.kind)),
        }
    }
}

/// Splits `a=b,c,"d=e,f"` as Go's encoding/csv has it, keys in lower case.
fn split(text: &str) -> Result<Vec<(String, String)>, String> {
    let mut fields = vec![String::new()];
    let mut quoted = false;
    let mut letters = text.chars().peekable();
    while let Some(c) = letters.next() {
        let last = fields.len() - 1;
        match c {
            '"' if quoted && letters.peek() == Some(&'"') => {
                letters.next();
                fields[last].push('"');
            }
            '"' if quoted => quoted = false,
            '"' if fields[last].is_empty() => quoted = true,
            ',' if !quoted => fields.push(String::new()),
            other => fields[last].push(other),
        }
    }
    if quoted {
        return Err("a quote is not closed".to_owned());
    }
    let pairs = fields
        .iter()
        .filter(|field| !field.is_empty())
        .map(|field| match field.split_once('=') {
            Some((key, value)) => (key.trim().to_lowercase(), value.trim().to_owned()),
            None => (field.trim().to_lowercase(), String::new()),
        });
    Ok(pairs.collect())
}

#[cfg(test)]
mod tests {
    use super::{Mount, Sharing, parse};

    #[test]
    fn each_kind_with_its_defaults() {
        assert_eq!(
            parse("target=/src"),
            Ok(Mount::Bind {
                from: None,
                source: ".".to_owned(),
                target: "/src".to_owned(),
                writable: false
            })
        );
        assert_eq!(
            parse("type=cache,target=/root/.cache,sharing=locked,mode=0700,uid=5"),
            Ok(Mount::Cache {
                id: "/root/.cache".to_owned(),
                from: None,
                source: None,
                target: "/root/.cache".to_owned(),
                readonly: false,
                sharing: Sharing::Locked,
                mode: Some(0o700),
                uid: Some(5),
                gid: None
            })
        );
        assert_eq!(
            parse("type=tmpfs,dst=/x,size=64m"),
            Ok(Mount::Tmpfs {
                target: "/x".to_owned(),
                size: Some(64 << 20)
            })
        );
        let Ok(Mount::Secret {
            id, target, mode, ..
        }) = parse("type=secret,target=/etc/key.pem")
        else {
            panic!("no secret");
        };
        assert_eq!(
            (id.as_str(), target.as_deref(), mode),
            ("key.pem", Some("/etc/key.pem"), 0o400)
        );
        let Ok(Mount::Secret { target, env, .. }) = parse("type=secret,id=t,env=TOKEN") else {
            panic!("no secret");
        };
        assert_eq!((target, env.as_deref()), (None, Some("TOKEN")));
        assert!(matches!(
            parse("type=ssh"),
            Ok(Mount::Ssh { mode: 0o600, .. })
        ));
        assert!(matches!(
            parse("type=bind,from=build,\"source=/a,b\",target=/c,rw"),
            Ok(Mount::Bind { writable: true, source, .. }) if source == "/a,b"
        ));
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (text, why) in [
            ("type=bnd,target=/x", "there are bind, cache"),
            ("type=cache", "needs target="),
            ("target=", "has no value"),
            (
                "type=cache,target=/x,sharing=all",
                "shared, private or locked",
            ),
            ("type=tmpfs,target=/x,src=/y", "no option \"src\""),
            ("type=secret", "needs id="),
            ("type=secret,id=x,mode=9", "octal"),
            ("type=bind,target=/x,ro=maybe", "true or false"),
            ("\"type=bind", "not closed"),
        ] {
            let error = parse(text).expect_err(text);
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}
