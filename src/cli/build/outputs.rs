//! `-o` and `--push`: where a build's results go.
//!
//! Lives here: their grammar, `type=…,dest=…`, and short forms.
//! Must not: write anything.
//! Called by: `cli::build`.
//! Always true: without a word of where results go, there is one: the store.

use std::path::PathBuf;

use crate::cli::flags::{name_to_give, usage};
use crate::error::Result;
use crate::ops::build::Output;
use crate::spec::reference::Reference;

/// Where results go, and names that a `-o` gave.
#[derive(Default)]
pub struct Places {
    /// Where results go.
    pub outputs: Vec<Output>,
    /// Names that the image is to have.
    pub names: Vec<Reference>,
}

/// Reads every `-o`, and `--push`.
pub fn places(texts: &[String], push: bool) -> Result<Places> {
    let mut places = Places::default();
    for text in texts {
        places.add(text)?;
    }
    if push && !places.outputs.contains(&Output::Registry) {
        places.outputs.push(Output::Registry);
    }
    if places.outputs.is_empty() {
        places.outputs.push(Output::Image);
    }
    Ok(places)
}

impl Places {
    /// `-`, a directory, or `type=…,dest=…`.
    fn add(&mut self, text: &str) -> Result<()> {
        let bad = |why: String| usage(format!("--output \"{text}\": {why}"));
        if text == "-" {
            self.outputs.push(Output::Tar(None));
            return Ok(());
        }
        if !text.contains('=') {
            self.outputs.push(Output::Directory(PathBuf::from(text)));
            return Ok(());
        }
        let mut fields = Fields::default();
        for field in pairs_of(text) {
            match field.split_once('=') {
                Some(("type", value)) => fields.kind = Some(value.to_owned()),
                Some(("dest", "-")) => {}
                Some(("dest", value)) => fields.dest = Some(PathBuf::from(value)),
                Some(("name", value)) => {
                    for name in value.split(',') {
                        self.names.push(name_to_give(name)?);
                    }
                }
                Some(("push", value)) => {
                    fields.push = truth(value)
                        .ok_or_else(|| bad(format!("push is true or false, not \"{value}\"")))?
                }
                Some(("tar", value)) => {
                    fields.directory = !truth(value)
                        .ok_or_else(|| bad(format!("tar is true or false, not \"{value}\"")))?
                }
                _ => return Err(bad(format!("\"{field}\" has no meaning"))),
            }
        }
        self.outputs.push(fields.output().map_err(bad)?);
        Ok(())
    }
}

/// What a `-o` says.
#[derive(Default)]
struct Fields {
    kind: Option<String>,
    dest: Option<PathBuf>,
    push: bool,
    directory: bool,
}

impl Fields {
    fn output(self) -> Result<Output, String> {
        Ok(match (self.kind.as_deref(), self.dest) {
            (Some("image"), None) if self.push => Output::Registry,
            (Some("registry"), None) => Output::Registry,
            // docker's without a place is the store; so docker has it.
            (Some("image" | "docker"), None) => Output::Image,
            (Some("local"), Some(path)) => Output::Directory(path),
            (Some("local"), None) => return Err("it needs dest=DIRECTORY".to_owned()),
            (Some("tar"), path) => Output::Tar(path),
            (Some("oci"), None) if self.directory => {
                return Err("with tar=false it needs dest=DIRECTORY".to_owned());
            }
            (Some(kind @ ("oci" | "docker")), path) => Output::Archive {
                docker: kind == "docker",
                directory: self.directory,
                path,
            },
            (Some("image" | "registry"), Some(_)) => {
                return Err("an image in the store or a registry has no dest=".to_owned());
            }
            (Some(other), _) => {
                return Err(format!(
                    "there is no type \"{other}\": image, registry, oci, docker, local and tar are"
                ));
            }
            (None, _) => return Err("it has no type=".to_owned()),
        })
    }
}

/// The fields of `a=b,"c=d,e"`.
pub fn pairs_of(text: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut quoted = false;
    for letter in text.chars() {
        match letter {
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(String::new()),
            letter => {
                if let Some(last) = fields.last_mut() {
                    last.push(letter);
                }
            }
        }
    }
    fields
}

/// Reads what is true or false.
pub fn truth(text: &str) -> Option<bool> {
    match text {
        "true" | "1" => Some(true),
        "false" | "0" => Some(false),
        _ => None,
    }
}
