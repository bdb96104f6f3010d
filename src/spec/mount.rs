//! What is mounted into a container: `-v`, `--mount`, `--tmpfs`.
//!
//! Lives here: [`Mount`] and docker's three grammars for it.
//! Must not: look whether a path exists.
//! Called by: `cli`, `ops`, `runtime`, `store`.
//! Always true: the target is an absolute path without `..`.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Kind, Result};
use crate::spec::id::check_name;
use crate::spec::size;

/// One thing mounted into a container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mount {
    /// Where it comes from.
    pub source: Source,
    /// Where it stands inside.
    pub target: String,
    /// Nothing can be written through it.
    pub read_only: bool,
    /// A volume that is empty is not filled from the image.
    #[serde(default)]
    pub no_copy: bool,
    /// `-v` makes a host directory that is missing; `--mount` refuses.
    #[serde(default)]
    pub create_source: bool,
    /// Propagation, as mount(8) names it; none means `rprivate`.
    #[serde(default)]
    pub propagation: Option<String>,
}

/// Where a mount comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// A path of the machine.
    Bind(String),
    /// A volume by its name.
    Volume(String),
    /// A volume that has no name yet; it goes with its container.
    Anonymous,
    /// Memory, with at most so many bytes, and its mode.
    Tmpfs {
        /// Bytes at most.
        size: Option<u64>,
        /// Permission bits.
        mode: Option<u32>,
    },
}

impl Mount {
    /// Returns the volume that an image asks for: its text is a path inside and nothing
    /// else. Read as the text after `-v`, it could name a directory of the machine.
    pub fn of_image(target: &str) -> Result<Self> {
        Ok(Self {
            source: Source::Anonymous,
            target: target_path(target).map_err(|why| usage("VOLUME", target, &why))?,
            read_only: false,
            no_copy: false,
            create_source: false,
            propagation: None,
        })
    }

    /// Parses the text after `-v`: `[SOURCE:]TARGET[:OPTIONS]`.
    pub fn parse_volume(text: &str) -> Result<Self> {
        let bad = |why: &str| usage("-v", text, why);
        let parts: Vec<&str> = text.split(':').collect();
        let (source, target, options) = match parts[..] {
            [target] => ("", target, ""),
            [source, target] => (source, target, ""),
            [source, target, options] => (source, target, options),
            _ => return Err(bad("it has too many colons")),
        };
        let mut mount = Self {
            source: if source.is_empty() && parts.len() == 1 {
                Source::Anonymous
            } else if source.starts_with(['/', '.', '~']) {
                Source::Bind(source.to_owned())
            } else {
                check_name("volume", source).map_err(|e| {
                    e.hint("a directory of the machine begins with \"/\" or \"./\"")
                })?;
                Source::Volume(source.to_owned())
            },
            target: target_path(target).map_err(|why| bad(&why))?,
            read_only: false,
            no_copy: false,
            create_source: true,
            propagation: None,
        };
        for option in options.split(',').filter(|o| !o.is_empty()) {
            match option {
                "ro" | "readonly" => mount.read_only = true,
                "nocopy" => mount.no_copy = true,
                "rprivate" | "private" | "rshared" | "shared" | "rslave" | "slave" => {
                    mount.propagation = Some(option.to_owned());
                }
                // Labels of SELinux, which rpod does not set, and consistency
                // hints of other systems: harmless where they mean nothing.
                "rw" | "copy" | "z" | "Z" | "cached" | "delegated" | "consistent" => {}
                other => return Err(bad(&format!("\"{other}\" is no option of it"))),
            }
        }
        Ok(mount)
    }

    /// Parses the text after `--mount`: `type=bind,source=…,target=…`.
    pub fn parse_mount(text: &str) -> Result<Self> {
        let bad = |why: &str| usage("--mount", text, why);
        let mut kind = "volume";
        let (mut source, mut target) = (None, None);
        let (mut read_only, mut no_copy) = (false, false);
        let (mut bytes, mut mode, mut propagation) = (None, None, None);
        for part in text.split(',') {
            let (key, value) = part.split_once('=').unwrap_or((part, ""));
            match key {
                "type" => kind = value,
                "source" | "src" => source = Some(value.to_owned()),
                "target" | "dst" | "destination" => target = Some(value),
                "readonly" | "ro" => read_only = matches!(value, "" | "true" | "1"),
                "volume-nocopy" => no_copy = matches!(value, "" | "true" | "1"),
                "bind-propagation" => propagation = Some(value.to_owned()),
                "tmpfs-size" => bytes = Some(size::parse(value)?),
                "tmpfs-mode" => {
                    mode = Some(
                        u32::from_str_radix(value, 8).map_err(|_| bad("tmpfs-mode is octal"))?,
                    );
                }
                other => return Err(bad(&format!("\"{other}\" is no key of it"))),
            }
        }
        let target = target.ok_or_else(|| bad("it has no target"))?;
        let source = match (kind, source) {
            ("bind", Some(path)) => Source::Bind(path),
            ("bind", None) => return Err(bad("a bind mount needs a source")),
            ("volume", Some(name)) => {
                check_name("volume", &name)?;
                Source::Volume(name)
            }
            ("volume", None) => Source::Anonymous,
            ("tmpfs", None) => Source::Tmpfs { size: bytes, mode },
            ("tmpfs", Some(_)) => return Err(bad("a tmpfs has no source")),
            (other, _) => {
                return Err(bad(&format!(
                    "type \"{other}\" is none of bind, volume, tmpfs"
                )));
            }
        };
        Ok(Self {
            source,
            target: target_path(target).map_err(|why| bad(&why))?,
            read_only,
            no_copy,
            create_source: false,
            propagation,
        })
    }

    /// Parses the text after `--tmpfs`: `TARGET[:OPTIONS]`.
    pub fn parse_tmpfs(text: &str) -> Result<Self> {
        let bad = |why: &str| usage("--tmpfs", text, why);
        let (target, options) = text.split_once(':').unwrap_or((text, ""));
        let (mut bytes, mut mode, mut read_only) = (None, None, false);
        for option in options.split(',').filter(|o| !o.is_empty()) {
            match option.split_once('=').unwrap_or((option, "")) {
                ("size", value) => bytes = Some(size::parse(value)?),
                ("mode", value) => {
                    mode = Some(u32::from_str_radix(value, 8).map_err(|_| bad("mode is octal"))?);
                }
                ("ro", _) => read_only = true,
                // What a tmpfs of ours is anyway.
                ("rw" | "noexec" | "nosuid" | "nodev", _) => {}
                (other, _) => return Err(bad(&format!("\"{other}\" is no option of it"))),
            }
        }
        Ok(Self {
            source: Source::Tmpfs { size: bytes, mode },
            target: target_path(target).map_err(|why| bad(&why))?,
            read_only,
            no_copy: false,
            create_source: false,
            propagation: None,
        })
    }
}

fn usage(flag: &str, text: &str, why: &str) -> Error {
    Error::of(
        Kind::Usage,
        format!("{flag} \"{text}\" makes no mount: {why}"),
    )
}

fn target_path(text: &str) -> Result<String, String> {
    if !text.starts_with('/') {
        return Err(format!(
            "the path inside, \"{text}\", does not begin with \"/\""
        ));
    }
    if text.split('/').any(|part| part == "..") {
        return Err(format!("the path inside, \"{text}\", has \"..\""));
    }
    let parts: Vec<&str> = text
        .split('/')
        .filter(|p| !p.is_empty() && *p != ".")
        .collect();
    if parts.is_empty() {
        return Err("the path inside cannot be \"/\"".to_owned());
    }
    Ok(format!("/{}", parts.join("/")))
}

#[cfg(test)]
mod tests {
    use super::{Mount, Source};

    #[test]
    fn a_volume_a_directory_and_nothing() {
        let mount = Mount::parse_volume("mydb:/var/lib/mysql/").expect("it parses");
        assert_eq!(mount.source, Source::Volume("mydb".into()));
        assert_eq!(mount.target, "/var/lib/mysql");
        let mount = Mount::parse_volume("/srv:/data:ro").expect("it parses");
        assert_eq!(mount.source, Source::Bind("/srv".into()));
        assert!(mount.read_only);
        let mount = Mount::parse_volume("/data").expect("it parses");
        assert_eq!(mount.source, Source::Anonymous);
    }

    #[test]
    fn mount_and_tmpfs_have_their_own_words() {
        let mount =
            Mount::parse_mount("type=bind,source=/a,target=/b,readonly").expect("it parses");
        assert_eq!(mount.source, Source::Bind("/a".into()));
        assert!(mount.read_only && !mount.create_source);
        let mount = Mount::parse_tmpfs("/run:size=64m,mode=1777").expect("it parses");
        assert_eq!(
            mount.source,
            Source::Tmpfs {
                size: Some(64 << 20),
                mode: Some(0o1777)
            }
        );
    }

    #[test]
    fn what_is_wrong_is_said() {
        for text in ["a:b", "x:/a/../b", "a:/b:zz", "/", "a:/b:ro:x", "-:/x"] {
            assert!(Mount::parse_volume(text).is_err(), "{text}");
        }
    }
}
