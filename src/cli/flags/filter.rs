//! `--filter key=value`.
use crate::cli::flags::usage;
use crate::error::Result;

/// Parts each filter into its key and its value. Which keys there are, the verb's meaning knows.
pub fn pairs(typed: &[String]) -> Result<Vec<(String, String)>> {
    typed
        .iter()
        .map(|text| match text.split_once('=') {
            Some((key, value)) if !key.trim().is_empty() => {
                Ok((key.trim().to_lowercase(), value.trim().to_owned()))
            }
            _ => Err(usage(format!(
                "--filter \"{text}\" is not of the form KEY=VALUE"
            ))),
        })
        .collect()
}
