//! What a Dockerfile says.
//!
//! Lives here: [`Dockerfile`] and its parts, as typed: variables are not expanded.
//! Must not: read text (`parse`) or know what an instruction does.
//! Called by: `parse`, `check`, `ops::build`.
//! Always true: a stage begins with `FROM`; every word knows its place.

use crate::build::problem::Span;

/// A word as typed, quotes and variables in it, and where it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Word {
    /// The text.
    pub text: String,
    /// Where it is.
    pub at: Span,
}

/// A whole file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dockerfile {
    /// `# syntax=`: kept, and not followed; the language is built in.
    pub syntax: Option<String>,
    /// `# escape=`: a backslash or a backtick.
    pub escape: char,
    /// `# check=skip=…;error=true`.
    pub check: CheckOptions,
    /// `ARG` before the first `FROM`.
    pub globals: Vec<Step>,
    /// The stages, in the file's order.
    pub stages: Vec<Stage>,
    /// Lines of a continued instruction that hold nothing, which may be a mistake.
    pub empty_continuations: Vec<Span>,
}

/// `# check=`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CheckOptions {
    /// Rules that are not looked at; `all` is every rule.
    pub skip: Vec<String>,
    /// Whatever is found ends the build.
    pub error: bool,
}

impl CheckOptions {
    /// Says whether a rule is not looked at.
    pub fn skips(&self, rule: &str) -> bool {
        let mut skip = self.skip.iter();
        skip.any(|name| name == "all" || name.eq_ignore_ascii_case(rule))
    }
}

/// One stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stage {
    /// Where its `FROM` is.
    pub at: Span,
    /// The instruction as typed on one line.
    pub text: String,
    /// `FROM` as typed, for checks of its letters.
    pub keyword: String,
    /// The image or stage it begins with.
    pub image: Word,
    /// `--platform`.
    pub platform: Option<Word>,
    /// `AS name`, in lower case.
    pub name: Option<String>,
    /// `AS name` as typed: the keyword and the name.
    pub named: Option<(Word, Word)>,
    /// Everything up to the next `FROM`.
    pub steps: Vec<Step>,
}

/// One instruction.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Step {
    /// Where its keyword is.
    pub at: Span,
    /// Its keyword as typed.
    pub keyword: String,
    /// The whole instruction on one line with its keyword in upper case, for progress.
    pub text: String,
    /// What it says.
    pub instruction: Instruction,
}

/// What an instruction says.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Instruction {
    /// `RUN`.
    Run(Run),
    /// `COPY`.
    Copy(Copy),
    /// `ADD`.
    Add(Copy, Add),
    /// `ENV`: names and values, not expanded.
    Env(Vec<(Word, Word)>),
    /// `LABEL`.
    Label(Vec<(Word, Word)>),
    /// `ARG`: names, and their defaults.
    Arg(Vec<(Word, Option<Word>)>),
    /// `CMD`.
    Cmd(Command),
    /// `ENTRYPOINT`.
    Entrypoint(Command),
    /// `EXPOSE`.
    Expose(Vec<Word>),
    /// `WORKDIR`.
    Workdir(Word),
    /// `USER`.
    User(Word),
    /// `VOLUME`.
    Volume(Vec<Word>),
    /// `SHELL`, always a list.
    Shell(Vec<String>),
    /// `STOPSIGNAL`.
    StopSignal(Word),
    /// `ONBUILD`: the instruction for whoever builds upon the image, read for its
    /// faults; what the image keeps is the text.
    OnBuild {
        /// As the image keeps it: `RUN make`.
        trigger: String,
        /// What it says.
        step: Box<Step>,
    },
    /// `HEALTHCHECK`; none is `HEALTHCHECK NONE`.
    HealthCheck(Option<HealthCheck>),
    /// `MAINTAINER`.
    Maintainer(String),
}

/// A list of words to execute, or a line for the shell.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Command {
    /// `["a","b"]`.
    Exec(Vec<String>),
    /// Everything else.
    Shell(String),
}

/// `RUN`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Run {
    /// `--mount`, to be read by [`crate::build::mount::parse`] when its variables are expanded.
    pub mounts: Vec<Word>,
    /// `--network`: `default`, `none` or `host`.
    pub network: Option<Word>,
    /// `--security`: `sandbox` or `insecure`.
    pub security: Option<Word>,
    /// The command. With heredocs, the line with `<<` in it.
    pub command: Command,
    /// The heredocs of the command, in its order. See [`Run::script`].
    pub heredocs: Vec<Heredoc>,
}

impl Run {
    /// Returns what is run when the command is nothing but one heredoc: a script for
    /// the shell, or a file of its own when it begins with `#!`.
    pub fn script(&self) -> Option<&Heredoc> {
        match (&self.command, self.heredocs.as_slice()) {
            (Command::Shell(line), [one]) if line.trim() == one.opening => Some(one),
            _ => None,
        }
    }

    /// Returns the line for the shell with its heredocs behind it, as the shell reads them.
    pub fn shell_text(&self) -> Option<String> {
        let Command::Shell(line) = &self.command else {
            return None;
        };
        if let Some(script) = self.script() {
            return Some(script.content.clone());
        }
        let mut text = line.clone();
        for heredoc in &self.heredocs {
            text.push('\n');
            text.push_str(&heredoc.raw);
            text.push_str(&heredoc.name);
        }
        Some(text)
    }
}

/// A file written within the Dockerfile.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Heredoc {
    /// The word that opens it: `<<-"EOF"`.
    pub opening: String,
    /// The word that ends it.
    pub name: String,
    /// The lines, with tabs taken away before them where `<<-` asks for it.
    pub content: String,
    /// The lines as they stand.
    pub raw: String,
    /// Variables in it are expanded (by the shell for `RUN`, by us for `COPY`): its name has no quotes.
    pub expand: bool,
    /// Where it is opened.
    pub at: Span,
}

/// `COPY`, and the part of `ADD` that is alike.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Copy {
    /// `--from`: a stage, an image or a named context.
    pub from: Option<Word>,
    /// `--chown`.
    pub chown: Option<Word>,
    /// `--chmod`.
    pub chmod: Option<Word>,
    /// `--link`.
    pub link: bool,
    /// `--parents`.
    pub parents: bool,
    /// `--exclude`.
    pub exclude: Vec<Word>,
    /// What is copied.
    pub sources: Vec<Source>,
    /// Where to.
    pub target: Word,
}

/// Something to copy.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// A path, a pattern or a URL.
    Path(Word),
    /// A heredoc: a file of its name.
    Inline(Heredoc),
}

/// What `ADD` has more than `COPY`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Add {
    /// `--checksum`.
    pub checksum: Option<Word>,
    /// `--keep-git-dir`.
    pub keep_git_dir: bool,
    /// `--unpack`; none: local archives are, fetched ones not.
    pub unpack: Option<bool>,
}

/// `HEALTHCHECK`, with docker's flags; what is not said is docker's default.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HealthCheck {
    /// What is run.
    pub command: Command,
    /// `--interval`.
    pub interval: Option<std::time::Duration>,
    /// `--timeout`.
    pub timeout: Option<std::time::Duration>,
    /// `--start-period`.
    pub start_period: Option<std::time::Duration>,
    /// `--start-interval`.
    pub start_interval: Option<std::time::Duration>,
    /// `--retries`.
    pub retries: Option<u32>,
}
