//! `--cache-from` and `--cache-to`: where steps are taken from and sent to.
//!
//! Lives here: docker's grammar, `type=…,ref=…`, and podman's, a name.
//! Must not: ask anybody.
//! Called by: `cli::build`.
//! Always true: a place that rpod cannot use is refused by its name.

use std::path::PathBuf;

use super::outputs::{pairs_of, truth};
use crate::cli::flags::{name_to_give, usage};
use crate::error::{Error, Result};
use crate::ops::build::cache::{Export, Place};

/// Reads every `--cache-from`.
pub fn from(texts: &[String]) -> Result<Vec<Place>> {
    let mut places = Vec::new();
    for text in texts {
        let fields = Fields::read("--cache-from", text)?;
        match fields.kind.as_str() {
            "registry" => places.push(fields.registry()?),
            "local" => places.push(fields.directory("src")?),
            _ => return Err(fields.bad(KINDS)),
        }
    }
    Ok(places)
}

/// Reads every `--cache-to`; says whether one is in the image itself.
pub fn to(texts: &[String]) -> Result<(Vec<Export>, bool)> {
    let (mut exports, mut inline) = (Vec::new(), false);
    for text in texts {
        let fields = Fields::read("--cache-to", text)?;
        let place = match fields.kind.as_str() {
            "inline" => {
                inline = true;
                continue;
            }
            "registry" => fields.registry()?,
            "local" => fields.directory("dest")?,
            _ => return Err(fields.bad(KINDS)),
        };
        exports.push(Export {
            place,
            all: fields.all,
            ignore_error: fields.ignore_error,
        });
    }
    Ok((exports, inline))
}

const KINDS: &str = "a cache is of type registry or local, or goes with the image as inline";

/// What one of them says.
struct Fields<'a> {
    flag: &'a str,
    text: &'a str,
    kind: String,
    name: Option<String>,
    src: Option<String>,
    dest: Option<String>,
    all: bool,
    ignore_error: bool,
}

impl<'a> Fields<'a> {
    fn read(flag: &'a str, text: &'a str) -> Result<Self> {
        let mut fields = Self {
            flag,
            text,
            kind: "registry".to_owned(),
            name: None,
            src: None,
            dest: None,
            // podman's word for a cache is all of it.
            all: !text.contains('='),
            ignore_error: false,
        };
        if !text.contains('=') {
            fields.name = Some(text.to_owned());
            return Ok(fields);
        }
        for field in pairs_of(text) {
            let (key, value) = field.split_once('=').unwrap_or((&field, ""));
            match (key, value) {
                ("type", value) => value.clone_into(&mut fields.kind),
                ("ref", value) => fields.name = Some(value.to_owned()),
                ("src", value) => fields.src = Some(value.to_owned()),
                ("dest", value) => fields.dest = Some(value.to_owned()),
                ("mode", "min" | "max") => fields.all = value == "max",
                ("ignore-error", value) => {
                    fields.ignore_error =
                        truth(value).ok_or_else(|| fields.bad("ignore-error is true or false"))?;
                }
                // So it is in any case.
                ("image-manifest" | "oci-mediatypes", "true") => {}
                ("compression", "gzip") => {}
                _ => return Err(fields.bad(&format!("\"{field}\" has no meaning"))),
            }
        }
        Ok(fields)
    }

    fn bad(&self, why: &str) -> Error {
        usage(format!("{} \"{}\": {why}", self.flag, self.text))
    }

    fn registry(&self) -> Result<Place> {
        let name = self.name.as_deref();
        let name = name.ok_or_else(|| self.bad("it needs ref=HOST/NAME"))?;
        Ok(Place::Registry(name_to_give(name)?))
    }

    fn directory(&self, key: &str) -> Result<Place> {
        let path = match key {
            "src" => &self.src,
            _ => &self.dest,
        };
        let path = path.as_deref();
        let path = path.ok_or_else(|| self.bad(&format!("it needs {key}=DIRECTORY")))?;
        Ok(Place::Directory(PathBuf::from(path)))
    }
}

#[cfg(test)]
mod tests {
    use super::{from, to};

    #[test]
    fn caches_are_where_docker_and_podman_say() {
        let words = |text: &str| vec![text.to_owned()];
        let shown = format!("{:?}", from(&words("reg.example/c:1")).expect("read"));
        assert!(shown.starts_with("[Registry("), "{shown}");
        assert_eq!(
            format!("{:?}", from(&words("type=local,src=d")).expect("read")),
            "[Directory(\"d\")]"
        );
        let (exports, inline) = to(&words("type=registry,ref=r/c,mode=max")).expect("read");
        assert!(exports[0].all && !inline);
        assert!(!to(&words("type=local,dest=d,mode=min")).expect("read").0[0].all);
        assert!(to(&words("type=inline")).expect("read").1);
        for bad in [
            "type=gha",
            "type=registry",
            "type=local",
            "type=local,dest=d,mode=x",
            "a=b",
        ] {
            assert!(to(&words(bad)).is_err(), "{bad}");
        }
        assert!(from(&words("type=inline")).is_err());
    }
}
