//! Names of containers and networks: a random id of 64 digits, and a name people choose.
//!
//! Lives here: [`ContainerId`], [`NetworkId`], [`ContainerName`] and the grammar of names that
//! volumes and networks share.
//! Must not: look anything up or draw random numbers; bytes are given.
//! Called by: `store`, `ops`, `cli`.
//! Always true: an id and a name are each safe as a file name.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Kind, Result};

/// A container's id: 64 lower-case hexadecimal digits.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ContainerId(String);

/// A network's id: 64 lower-case hexadecimal digits.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct NetworkId(String);

macro_rules! as_id {
    ($($id:ident, $noun:literal);*) => {$(
        impl $id {
            /// Makes an id of 32 random bytes.
            pub fn from_random(bytes: [u8; 32]) -> Self {
                Self(hex(&bytes))
            }

            /// Returns all 64 digits.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// Returns the first 12 digits: what lists show.
            pub fn short(&self) -> &str {
                &self.0[..12]
            }
        }

        impl FromStr for $id {
            type Err = Error;

            fn from_str(text: &str) -> Result<Self> {
                if text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
                    return Ok(Self(text.to_owned()));
                }
                Err(Error::of(
                    Kind::Usage,
                    format!(
                        "\"{text}\" is no {} id: 64 hexadecimal digits are",
                        $noun
                    ),
                ))
            }
        }
    )*};
}
as_id!(ContainerId, "container"; NetworkId, "network");

/// A name people choose: `[a-zA-Z0-9][a-zA-Z0-9_.-]+`, as docker has it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ContainerName(String);

impl ContainerName {
    /// Returns the name's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ContainerName {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let text = text.strip_prefix('/').unwrap_or(text);
        check_name("container", 2, text)?;
        Ok(Self(text.to_owned()))
    }
}

/// Says whether `text` can name a thing of the kind `noun`.
pub fn check_name(noun: &str, least: usize, text: &str) -> Result<()> {
    let mut bytes = text.bytes();
    let good_start = bytes.next().is_some_and(|b| b.is_ascii_alphanumeric());
    let good_rest = bytes.all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'));
    if good_start && good_rest && (least..=200).contains(&text.len()) {
        return Ok(());
    }
    Err(Error::of(
        Kind::Usage,
        format!(
            "\"{text}\" cannot name a {noun}: a name has {least} to 200 characters, begins with a \
             letter or digit and goes on with letters, digits, \"_\", \".\" and \"-\""
        ),
    ))
}

/// Returns bytes as lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    let digits = b"0123456789abcdef";
    let mut out = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        out.push(digits[usize::from(byte >> 4)].into());
        out.push(digits[usize::from(byte & 15)].into());
    }
    out
}

macro_rules! as_text {
    ($($noun:ty),*) => {$(
        impl fmt::Display for $noun {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl fmt::Debug for $noun {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl TryFrom<String> for $noun {
            type Error = Error;
            fn try_from(text: String) -> Result<Self> {
                text.parse()
            }
        }
        impl From<$noun> for String {
            fn from(noun: $noun) -> Self {
                noun.0
            }
        }
    )*};
}
as_text!(ContainerId, NetworkId, ContainerName);

#[cfg(test)]
mod tests {
    use super::{ContainerId, ContainerName};

    #[test]
    fn an_id_is_the_digits_of_its_bytes() {
        let id = ContainerId::from_random([0x2c; 32]);
        assert_eq!(id.short(), "2c2c2c2c2c2c");
        assert_eq!(id.as_str().parse::<ContainerId>().ok(), Some(id));
    }

    #[test]
    fn a_name_is_no_path() {
        assert!("kubia-container".parse::<ContainerName>().is_ok());
        assert!("/web".parse::<ContainerName>().is_ok());
        for text in ["", "a", ".x", "a/b", "..", "a b", "-x"] {
            assert!(text.parse::<ContainerName>().is_err(), "{text}");
        }
    }
}
