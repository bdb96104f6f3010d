//! `rpod completion`: what a shell needs to complete rpod's words.
use clap::{Parser, ValueEnum};
use clap_complete::{Shell, generate};

use crate::cli::door::Door;
use crate::cli::help;
use crate::cli::render::terminal;
use crate::cli::verbs::Act;
use crate::error::Result;

/// Print a completion script for a shell
#[derive(Debug, Parser)]
pub struct Args {
    /// Shell
    #[arg(value_name = "SHELL")]
    shell: Kind,
}

/// A shell that is known.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Kind {
    /// Source it from ~/.bashrc, or put it into bash-completion's directory
    Bash,
    /// Put it as _rpod into a directory of fpath
    Zsh,
    /// Put it into ~/.config/fish/completions
    Fish,
}

impl Act for Args {
    fn act(self, _: &Door) -> Result<u8> {
        terminal::answer_bytes(&script(self.shell))?;
        Ok(0)
    }
}

/// Returns the script of a shell.
pub fn script(shell: Kind) -> Vec<u8> {
    let shell = match shell {
        Kind::Bash => Shell::Bash,
        Kind::Zsh => Shell::Zsh,
        Kind::Fish => Shell::Fish,
    };
    let mut out = Vec::new();
    generate(shell, &mut help::tree(), "rpod", &mut out);
    out
}
