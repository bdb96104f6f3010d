//! True and false, as docker's flags and options have them.
//!
//! Lives here: [`parse`].
//! Must not: know which flag it is.
//! Called by: `cli::words`, `build::mount`, `network::options`.
//! Always true: it knows all that Go's strconv.ParseBool knows, and nothing else.

/// Reads what is true or false.
pub fn parse(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}
