//! How images leave: `--compression-format`, `--compression-level`, `--force-compression`,
//! `--format`.
//!
//! Lives here: these flags and their limits.
//! Must not: compress.
//! Called by: the verbs that push.
//! Always true: a level is one that its format has.

use clap::Args;

use crate::cli::flags::usage;
use crate::error::Result;
use crate::image::assemble;
use crate::image::compress::Format;
use crate::image::push::Wanted;

/// How layers are compressed on their way out.
#[derive(Debug, Args)]
pub struct Compression {
    /// Compress layers with gzip or zstd
    #[arg(long, value_name = "FORMAT")]
    compression_format: Option<String>,
    /// Compress this hard: 0 to 9 with gzip, 1 to 22 with zstd
    #[arg(long, value_name = "LEVEL", allow_negative_numbers = true)]
    compression_level: Option<i32>,
    /// Compress also what is compressed in another way; so with a format
    #[arg(long, value_name = "BOOL", action = clap::ArgAction::Set, num_args = 0..=1, require_equals = true,
          default_missing_value = "true", hide_possible_values = true)]
    force_compression: Option<bool>,
}

/// Reads `--format` of the verbs that push.
pub fn manifest_format(text: Option<&str>) -> Result<Option<assemble::Format>> {
    match text {
        None => Ok(None),
        Some("oci") => Ok(Some(assemble::Format::Oci)),
        Some("v2s2" | "docker") => Ok(Some(assemble::Format::Docker)),
        Some("v2s1") => Err(usage(
            "--format v2s1 is a form that nothing proves to be unchanged; rpod does not write it"
                .to_owned(),
        )),
        Some(other) => Err(usage(format!("--format is oci or v2s2, not \"{other}\""))),
    }
}

impl Compression {
    /// Returns what is wanted.
    pub fn wanted(&self) -> Result<Wanted> {
        let format = match self.compression_format.as_deref() {
            None => None,
            Some("gzip") => Some(Format::Gzip),
            Some("zstd") => Some(Format::Zstd),
            Some("zstd:chunked") => {
                return Err(
                    usage("rpod reads zstd:chunked and does not write it".to_owned())
                        .hint("`--compression-format zstd` is as small"),
                );
            }
            Some(other) => {
                return Err(usage(format!(
                    "--compression-format is gzip or zstd, not \"{other}\""
                )));
            }
        };
        let levels = format.unwrap_or(Format::Gzip).levels();
        if let Some(level) = self.compression_level
            && !levels.contains(&level)
        {
            return Err(usage(format!(
                "--compression-level is {} to {} with {}, not {level}",
                levels.start(),
                levels.end(),
                format.unwrap_or(Format::Gzip).name()
            )));
        }
        Ok(Wanted {
            format,
            level: self.compression_level,
            force: self.force_compression.unwrap_or(format.is_some()),
            ..Wanted::default()
        })
    }
}
