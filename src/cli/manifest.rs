//! `rpod manifest …`: lists of images for several platforms.
use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Parser;

use crate::cli::door::Door;
use crate::cli::flags::compression::{Compression, manifest_format};
use crate::cli::flags::registry::Registry;
use crate::cli::flags::{pairs, usage};
use crate::cli::render::{terminal, thing};
use crate::cli::verbs::Act;
use crate::error::{Kind, Result};
use crate::image::push::Wanted;
use crate::ops;
use crate::ops::access::Asked;
use crate::ops::manifest::{Details, OfList};
use crate::ops::push;
use crate::ops::rmi::Removed;

/// How a registry is to be reached, with docker's word for one that is not trusted.
#[derive(Debug, clap::Args)]
struct ListReach {
    /// Accept a registry without a certificate that is trusted
    #[arg(long)]
    insecure: bool,
    #[command(flatten)]
    registry: Registry,
}

impl ListReach {
    fn asked(self) -> Result<Asked> {
        let mut asked = self.registry.asked()?;
        asked.insecure |= self.insecure;
        Ok(asked)
    }
}

/// What a list says of an image.
#[derive(Debug, clap::Args)]
struct Said {
    /// Say that it is for this operating system
    #[arg(long, value_name = "OS")]
    os: Option<String>,
    /// Say that it is for this architecture
    #[arg(long, value_name = "ARCH")]
    arch: Option<String>,
    /// Say that it is for this variant of the architecture
    #[arg(long, value_name = "VARIANT")]
    variant: Option<String>,
    /// Say that it is for this version of the operating system
    #[arg(long, value_name = "VERSION")]
    os_version: Option<String>,
    /// Say that it needs these of the operating system (can be repeated)
    #[arg(long, value_name = "FEATURE", value_delimiter = ',')]
    os_features: Vec<String>,
    /// Say that it needs these of the processor (can be repeated)
    #[arg(long, value_name = "FEATURE", value_delimiter = ',')]
    features: Vec<String>,
    /// Annotate it (can be repeated)
    #[arg(long, value_name = "KEY=VALUE")]
    annotation: Vec<String>,
}

impl Said {
    fn details(self) -> Result<Details> {
        Ok(Details {
            os: self.os,
            architecture: self.arch,
            variant: self.variant,
            os_version: self.os_version,
            os_features: self.os_features,
            features: self.features,
            annotations: pairs::options("--annotation", &self.annotation)?,
        })
    }
}

/// Create a list of images
#[derive(Debug, Parser)]
pub struct Create {
    /// Add to a list that is there already
    #[arg(short, long)]
    amend: bool,
    /// Add all images of those that are lists
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    reach: ListReach,
    /// Its name
    #[arg(value_name = "LIST")]
    list: String,
    /// Image
    #[arg(value_name = "IMAGE")]
    images: Vec<String>,
}

impl Act for Create {
    fn act(self, door: &Door) -> Result<u8> {
        let wanted = ops::manifest::Wanted {
            images: self.images,
            all: self.all,
            details: Details::default(),
            asked: self.reach.asked()?,
        };
        let session = door.session()?;
        let name = ops::manifest::create(&session, &self.list, &wanted, self.amend)?;
        terminal::line(&format!("Created manifest list {name}"))?;
        Ok(0)
    }
}

/// What an artifact is, in podman's words.
#[derive(Debug, clap::Args)]
struct OfArtifact {
    /// Add files as an artifact, and no images
    #[arg(long)]
    artifact: bool,
    /// Say that the artifact is of this type
    #[arg(long, value_name = "TYPE", requires = "artifact")]
    artifact_type: Option<String>,
    /// Take this file as the artifact's configuration
    #[arg(long, value_name = "FILE", requires = "artifact", value_hint = clap::ValueHint::FilePath)]
    artifact_config: Option<PathBuf>,
    /// Say that the artifact's configuration is of this type
    #[arg(long, value_name = "TYPE", requires = "artifact")]
    artifact_config_type: Option<String>,
    /// Say that the artifact's files are of this type
    #[arg(long, value_name = "TYPE", requires = "artifact")]
    artifact_layer_type: Option<String>,
    /// Keep the names of the artifact's files out of it
    #[arg(long, requires = "artifact")]
    artifact_exclude_titles: bool,
    /// Say that the artifact is about this image
    #[arg(long, value_name = "IMAGE", requires = "artifact")]
    artifact_subject: Option<String>,
}

/// Add images to a list, or files as an artifact
#[derive(Debug, Parser)]
pub struct Add {
    /// Add all images of those that are lists
    #[arg(long, conflicts_with = "artifact")]
    all: bool,
    #[command(flatten)]
    of_artifact: OfArtifact,
    #[command(flatten)]
    said: Said,
    #[command(flatten)]
    reach: ListReach,
    /// List
    #[arg(value_name = "LIST")]
    list: String,
    /// Image, or file of the artifact
    #[arg(value_name = "IMAGE", required = true)]
    images: Vec<String>,
}

impl Act for Add {
    fn act(self, door: &Door) -> Result<u8> {
        let said = self.of_artifact;
        if said.artifact {
            let artifact = ops::manifest::Artifact {
                files: self.images.into_iter().map(PathBuf::from).collect(),
                kind: said.artifact_type,
                config: said.artifact_config,
                config_kind: said.artifact_config_type,
                layer_kind: said.artifact_layer_type,
                nameless: said.artifact_exclude_titles,
            };
            let (details, subject) = (self.said.details()?, said.artifact_subject);
            let session = door.session()?;
            let digest = ops::manifest::add_artifact(
                &session,
                &self.list,
                &artifact,
                &details,
                subject.as_deref(),
            )?;
            terminal::line(digest.hex())?;
            return Ok(0);
        }
        let wanted = ops::manifest::Wanted {
            images: self.images,
            all: self.all,
            details: self.said.details()?,
            asked: self.reach.asked()?,
        };
        let digest = ops::manifest::add(&door.session()?, &self.list, &wanted)?;
        terminal::line(digest.hex())?;
        Ok(0)
    }
}

/// Change what a list says of an image, or of itself
#[derive(Debug, Parser)]
pub struct Annotate {
    /// Annotate the list itself
    #[arg(long)]
    index: bool,
    /// Say that the list is about this image
    #[arg(long, value_name = "IMAGE")]
    subject: Option<String>,
    #[command(flatten)]
    said: Said,
    /// List
    #[arg(value_name = "LIST")]
    list: String,
    /// Image, or its digest
    #[arg(value_name = "IMAGE")]
    image: Option<String>,
}

impl Act for Annotate {
    fn act(self, door: &Door) -> Result<u8> {
        let details = self.said.details()?;
        let session = door.session()?;
        let digest = match (&self.image, self.index || self.subject.is_some()) {
            (Some(image), false) => ops::manifest::annotate(&session, &self.list, image, &details)?,
            (None, true) => {
                let says_more = Details {
                    annotations: BTreeMap::new(),
                    ..details.clone()
                } != Details::default();
                if says_more {
                    return Err(usage(
                        "a list itself is for no platform: with --index only --annotation is said of it".to_owned(),
                    ));
                }
                let said = OfList {
                    annotations: details.annotations,
                    subject: self.subject,
                };
                ops::manifest::annotate_list(&session, &self.list, &said)?
            }
            (Some(_), true) => {
                return Err(usage(
                    "--index and --subject are of the list, and an image is named".to_owned(),
                ));
            }
            (None, false) => {
                return Err(usage("which image is to be annotated?".to_owned())
                    .hint("name it, or annotate the list itself with --index"));
            }
        };
        terminal::line(digest.hex())?;
        Ok(0)
    }
}

/// Show a list, or what a registry has under a name
#[derive(Debug, Parser)]
pub struct Inspect {
    /// Show of each image its platform and its manifest
    #[arg(short, long, conflicts_with = "referrers")]
    verbose: bool,
    /// Show what the registry has about it: signatures, attestations
    #[arg(long)]
    referrers: bool,
    #[command(flatten)]
    reach: ListReach,
    /// List, or image at a registry
    #[arg(value_name = "NAME")]
    name: String,
}

impl Act for Inspect {
    fn act(self, door: &Door) -> Result<u8> {
        let asked = self.reach.asked()?;
        let session = door.session()?;
        let found = match self.referrers {
            true => ops::manifest::referrers(&session, &self.name, &asked)?,
            false if self.verbose => ops::manifest::verbose(&session, &self.name, &asked)?,
            false => ops::manifest::inspect(&session, &self.name, &asked)?,
        };
        terminal::answer(&thing::indented(&found)?)?;
        Ok(0)
    }
}

/// Push a list and all its images
#[derive(Debug, Parser)]
pub struct Push {
    /// Push the images in it too; with false they are at the registry already
    #[arg(long, value_name = "BOOL", action = clap::ArgAction::Set, num_args = 0..=1, require_equals = true,
          default_value = "true", default_missing_value = "true", hide_possible_values = true)]
    all: bool,
    /// Remove the list from this machine when it is there
    #[arg(short, long, alias = "rm")]
    purge: bool,
    /// Write the digest of the list to this file
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    digestfile: Option<PathBuf>,
    /// Print only the list's digest when it is there
    #[arg(short, long)]
    quiet: bool,
    /// Write the list and its images as oci or v2s2 (docker's)
    #[arg(short, long, value_name = "FORMAT")]
    format: Option<String>,
    /// Podman's; signatures are things of their own here, and none goes along
    #[arg(long, hide = true)]
    remove_signatures: bool,
    #[command(flatten)]
    compression: Compression,
    #[command(flatten)]
    reach: ListReach,
    /// List
    #[arg(value_name = "LIST")]
    list: String,
    /// What it is to be called at the registry
    #[arg(value_name = "DESTINATION")]
    destination: Option<String>,
}

impl Act for Push {
    fn act(self, door: &Door) -> Result<u8> {
        let wanted = Wanted {
            manifest: manifest_format(self.format.as_deref())?,
            members: self.all,
            ..self.compression.wanted()?
        };
        let request = push::Request {
            image: self.list,
            destination: self.destination,
            all_tags: false,
            quiet: self.quiet,
            wanted,
            platform: None,
            retries: None,
            delay: None,
            asked: self.reach.asked()?,
        };
        let done = ops::manifest::push(&door.open(self.quiet)?, &request, self.purge)?;
        if let Some(path) = &self.digestfile {
            push::write_digest(path, &done.pushed)?;
        }
        terminal::line(done.pushed.digest.as_str())?;
        Ok(0)
    }
}

/// Say by the exit status whether there is such a list
#[derive(Debug, Parser)]
pub struct Exists {
    /// List
    #[arg(value_name = "LIST")]
    list: String,
}

impl Act for Exists {
    fn act(self, door: &Door) -> Result<u8> {
        let exists = ops::manifest::exists(&door.session()?, &self.list)?;
        Ok(u8::from(!exists))
    }
}

/// Take an image out of a list
#[derive(Debug, Parser)]
pub struct Remove {
    /// List
    #[arg(value_name = "LIST")]
    list: String,
    /// Digest of the image
    #[arg(value_name = "DIGEST")]
    digest: String,
}

impl Act for Remove {
    fn act(self, door: &Door) -> Result<u8> {
        let digest = ops::manifest::remove(&door.session()?, &self.list, &self.digest)?;
        terminal::line(digest.hex())?;
        Ok(0)
    }
}

/// Remove lists; their images stay
#[derive(Debug, Parser)]
pub struct Rm {
    /// Take it for no error that one is not there
    #[arg(short, long)]
    ignore: bool,
    /// List
    #[arg(value_name = "LIST", required = true)]
    lists: Vec<String>,
}

impl Act for Rm {
    fn act(self, door: &Door) -> Result<u8> {
        let session = door.session()?;
        door.each(&self.lists, |list| {
            let done = match ops::manifest::rm(&session, list) {
                Err(error) if self.ignore && error.kind() == Kind::NotFound => return Ok(()),
                done => done?,
            };
            done.iter().try_for_each(|one| match one {
                Removed::Untagged(name) => terminal::line(&format!("Untagged: {name}")),
                Removed::Deleted(id) => terminal::line(&format!("Deleted: {id}")),
            })
        })
    }
}
