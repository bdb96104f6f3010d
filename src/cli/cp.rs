//! `rpod cp`: files in and out of a container.
use std::io;

use clap::Parser;

use crate::cli::door::Door;
use crate::cli::flags::usage;
use crate::cli::render::terminal;
use crate::cli::verbs::Act;
use crate::error::Result;
use crate::ops;
use crate::ops::cp::End;
use crate::spec::size;

/// Copy files into a container or out of one
#[derive(Debug, Parser)]
#[command(after_help = "A path of - is a tar on standard input or output")]
pub struct Args {
    /// Keep owners as they are
    #[arg(short, long)]
    archive: bool,
    /// Copy what a symbolic link given as the source points to
    #[arg(short = 'L', long)]
    follow_link: bool,
    /// Say nothing when it is done
    #[arg(short, long)]
    quiet: bool,
    /// What to copy
    #[arg(value_name = "SOURCE", allow_hyphen_values = true)]
    from: String,
    /// Where to
    #[arg(value_name = "TARGET", allow_hyphen_values = true)]
    to: String,
}

impl Act for Args {
    fn act(self, door: &Door) -> Result<u8> {
        let (from, to) = (end(&self.from)?, end(&self.to)?);
        match (&from, &to) {
            (End::Container(..), End::Container(..)) => {
                return Err(
                    usage("cannot copy between two containers at once".to_owned())
                        .hint("copy by way of this machine: `rpod cp A:/x - | rpod cp - B:/`"),
                );
            }
            (End::Container(..), _) | (_, End::Container(..)) => {}
            _ => {
                return Err(usage("neither side names a container".to_owned())
                    .hint("write CONTAINER:PATH on one side"));
            }
        }
        let options = ops::cp::Options {
            archive: self.archive,
            follow_link: self.follow_link,
        };
        let bytes = ops::cp::copy(
            &door.session()?,
            &from,
            &to,
            options,
            &mut io::stdin().lock(),
            &mut io::stdout().lock(),
        )?;
        if !self.quiet && to != End::Stream {
            terminal::complain(&format!(
                "Successfully copied {} to {}\n",
                size::decimal(bytes),
                self.to
            ));
        }
        Ok(0)
    }
}

/// A name before the first colon is a container's, unless the path begins with `/` or `.`.
fn end(text: &str) -> Result<End> {
    if text == "-" {
        return Ok(End::Stream);
    }
    if text.starts_with(['/', '.']) {
        return Ok(End::Host(text.to_owned()));
    }
    match text.split_once(':') {
        Some((_, "")) => Err(usage(format!("\"{text}\" has no path after its colon"))),
        Some((name, path)) if !name.is_empty() => {
            Ok(End::Container(name.to_owned(), path.to_owned()))
        }
        _ => Ok(End::Host(text.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::{End, end};

    #[test]
    fn an_end_is_a_path_a_container_or_a_stream() {
        let container = End::Container("web".to_owned(), "/a:b".to_owned());
        assert_eq!(end("web:/a:b").ok(), Some(container));
        for path in ["/a:b", "./web:x", "file"] {
            assert_eq!(end(path).ok(), Some(End::Host(path.to_owned())));
        }
        assert_eq!(end("-").ok(), Some(End::Stream));
        assert!(end("web:").is_err());
    }
}
