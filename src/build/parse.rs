//! A text read into what it says.
//!
//! Lives here: [`parse`] and the grammar of each instruction.
//! Must not: expand variables, or judge what is only unwise (`check`).
//! Called by: `ops::build`.
//! Always true: the first fault ends it, and is told with its place and with what
//! was probably meant.

use std::time::Duration;

use crate::build::dockerfile::{
    Add, Command, Copy, Dockerfile, HealthCheck, Instruction, Run, Source, Stage, Step, Word,
};
use crate::build::lines::{self, Line, Lines, shell_words};
use crate::build::mount;
use crate::build::problem::{Problem, Span};
use crate::spec::{duration, suggest};

type Parsed<T> = Result<T, Problem>;

const INSTRUCTIONS: [&str; 18] = [
    "ADD",
    "ARG",
    "CMD",
    "COPY",
    "ENTRYPOINT",
    "ENV",
    "EXPOSE",
    "FROM",
    "HEALTHCHECK",
    "LABEL",
    "MAINTAINER",
    "ONBUILD",
    "RUN",
    "SHELL",
    "STOPSIGNAL",
    "USER",
    "VOLUME",
    "WORKDIR",
];

/// Reads a Dockerfile.
///
/// # Errors
/// The first fault.
pub fn parse(text: &str) -> Parsed<Dockerfile> {
    if text.len() > lines::LIMIT {
        return Err(Problem::new(
            Span::default(),
            format!("the file is larger than {} MiB", lines::LIMIT >> 20),
        ));
    }
    let (directives, mut lines) = Lines::new(text)?;
    let mut file = Dockerfile {
        syntax: directives.syntax,
        escape: directives.escape,
        check: directives.check,
        globals: Vec::new(),
        stages: Vec::new(),
        empty_continuations: Vec::new(),
    };
    while let Some(line) = lines.next_line()? {
        let parser = Parser::new(&line, file.escape);
        if parser.keyword == "FROM" {
            let stage = parser.from()?;
            file.stages.push(stage);
            continue;
        }
        let step = parser.step()?;
        match (file.stages.last_mut(), &step.instruction) {
            (Some(stage), _) => stage.steps.push(step),
            (None, Instruction::Arg(_)) => file.globals.push(step),
            (None, _) => {
                return Err(Problem::new(
                    step.at,
                    format!(
                        "{} stands before the first FROM",
                        step.keyword.to_uppercase()
                    ),
                )
                .label("expected FROM")
                .hint("a Dockerfile begins with the image it builds upon: `FROM debian:12`"));
            }
        }
    }
    if file.stages.is_empty() {
        let at = Span {
            line: 1,
            column: 1,
            length: 1,
        };
        return Err(Problem::new(at, "there is no FROM in it")
            .label("expected FROM")
            .hint("a Dockerfile begins with the image it builds upon: `FROM debian:12`"));
    }
    file.empty_continuations = lines.empty_continuations;
    Ok(file)
}

/// Reads one instruction that an image keeps for whoever builds upon it.
///
/// # Errors
/// Its fault.
pub fn trigger(text: &str, escape: char) -> Parsed<Step> {
    let (_, mut lines) = Lines::new(text)?;
    let Some(line) = lines.next_line()? else {
        return Err(Problem::new(Span::default(), "the instruction is empty"));
    };
    Parser::new(&line, escape).step()
}

struct Parser<'a> {
    line: &'a Line,
    escape: char,
    /// In upper case.
    keyword: String,
    /// As typed.
    typed: &'a str,
    at: Span,
    /// Where what follows the keyword begins.
    rest: usize,
}

/// A flag: its name, its value, and the whole word.
struct Flag {
    name: String,
    value: Option<Word>,
    at: Span,
}

impl<'a> Parser<'a> {
    fn new(line: &'a Line, escape: char) -> Self {
        let end = line
            .text
            .find(char::is_whitespace)
            .unwrap_or(line.text.len());
        let rest = line.text.len() - line.text[end..].trim_start().len();
        Self {
            keyword: line.text[..end].to_uppercase(),
            typed: &line.text[..end],
            at: line.span(0, end),
            rest,
            escape,
            line,
        }
    }

    fn word(&self, text: &str, start: usize, end: usize) -> Word {
        Word {
            text: text.to_owned(),
            at: self.line.span(start, end),
        }
    }

    /// The whole instruction on one line.
    fn text(&self) -> String {
        match &self.line.text[self.rest..] {
            "" => self.keyword.clone(),
            rest => format!("{} {rest}", self.keyword),
        }
    }

    /// Takes the flags; returns them and where the operands begin.
    fn flags(&self, known: &[&str]) -> Parsed<(Vec<Flag>, usize)> {
        let mut flags = Vec::new();
        for (text, start) in shell_words(&self.line.text[self.rest..], self.escape) {
            let (start, end) = (self.rest + start, self.rest + start + text.len());
            let Some(body) = text.strip_prefix("--") else {
                return Ok((flags, start));
            };
            if body.is_empty() {
                return Ok((flags, end));
            }
            let at = self.line.span(start, end);
            let (name, value) = match body.split_once('=') {
                Some((name, value)) => (name, Some(self.word(value, end - value.len(), end))),
                None => (body, None),
            };
            if !known.contains(&name) {
                return Err(self.unknown_flag(name, known, at));
            }
            flags.push(Flag {
                name: name.to_owned(),
                value,
                at,
            });
        }
        Ok((flags, self.line.text.len()))
    }

    fn unknown_flag(&self, name: &str, known: &[&str], at: Span) -> Problem {
        let problem = Problem::new(at, format!("{} has no flag --{name}", self.keyword));
        match (suggest::nearest(name, known.iter().copied()), known) {
            (Some(near), _) => problem.label(format!("did you mean --{near}?")),
            (None, []) => problem.label("it has no flags"),
            (None, known) => problem.label(format!("its flags are --{}", known.join(", --"))),
        }
    }

    fn operands(&self, from: usize) -> Vec<Word> {
        shell_words(&self.line.text[from..], self.escape)
            .into_iter()
            .map(|(text, start)| self.word(text, from + start, from + start + text.len()))
            .collect()
    }

    /// Operands of an instruction in which `#` has no meaning: a comment behind it is
    /// a mistake that docker takes for operands.
    fn plain_operands(&self, from: usize) -> Parsed<Vec<Word>> {
        let words = self.operands(from);
        match words.iter().position(|word| word.text.starts_with('#')) {
            Some(at) if at > 0 || words[at].text == "#" => Err(comment(words[at].at)),
            _ => Ok(words),
        }
    }

    fn missing(&self, what: &str) -> Problem {
        let end = self.line.text.len();
        let at = if self.rest >= end {
            self.at
        } else {
            self.line.span(self.rest, end)
        };
        Problem::new(at, format!("{} needs {what}", self.keyword))
    }

    /// The one operand of an instruction, which may hold blanks.
    fn only(&self, what: &str) -> Parsed<Word> {
        self.flags(&[])?;
        let words = self.plain_operands(self.rest)?;
        if words.is_empty() {
            return Err(self.missing(what));
        }
        let text = &self.line.text[self.rest..];
        Ok(self.word(text, self.rest, self.line.text.len()))
    }

    fn from(&self) -> Parsed<Stage> {
        let (flags, from) = self.flags(&["platform"])?;
        let words = self.plain_operands(from)?;
        let platform = flags.into_iter().next().map(value).transpose()?;
        let (image, named) = match words.as_slice() {
            [] => {
                return Err(self
                    .missing("the image that is built upon")
                    .hint("write for example `FROM debian:12`; `FROM scratch` is nothing"));
            }
            [image] => (image, None),
            [image, keyword, name] if keyword.text.eq_ignore_ascii_case("as") => {
                (image, Some((keyword.clone(), name.clone())))
            }
            [_, keyword] if keyword.text.eq_ignore_ascii_case("as") => {
                return Err(Problem::new(keyword.at, "the stage has no name")
                    .label("expected a name behind AS"));
            }
            [_, second, ..] => {
                return Err(
                    Problem::new(second.at, format!("unexpected \"{}\"", second.text))
                        .label("expected AS and a name, or nothing"),
                );
            }
        };
        let name = named
            .as_ref()
            .map(|(_, name)| stage_name(name))
            .transpose()?;
        Ok(Stage {
            at: self.at,
            text: self.text(),
            keyword: self.typed.to_owned(),
            image: image.clone(),
            platform,
            name,
            named,
            steps: Vec::new(),
        })
    }

    fn step(&self) -> Parsed<Step> {
        let instruction = self.instruction()?;
        Ok(Step {
            at: self.at,
            keyword: self.typed.to_owned(),
            text: self.text(),
            instruction,
        })
    }

    fn instruction(&self) -> Parsed<Instruction> {
        match self.keyword.as_str() {
            "RUN" => self.run(),
            "COPY" => Ok(Instruction::Copy(self.copy()?.0)),
            "ADD" => {
                let (copy, add) = self.copy()?;
                Ok(Instruction::Add(copy, add))
            }
            "ENV" => self.pairs("a name and a value").map(Instruction::Env),
            "LABEL" => self.pairs("a name and a value").map(Instruction::Label),
            "ARG" => self.arg(),
            "CMD" => self.command().map(Instruction::Cmd),
            "ENTRYPOINT" => self.command().map(Instruction::Entrypoint),
            "EXPOSE" => self.list("a port").map(Instruction::Expose),
            "VOLUME" => self.list("a path").map(Instruction::Volume),
            "WORKDIR" => self.only("a path").map(Instruction::Workdir),
            "USER" => self.only("a user").map(Instruction::User),
            "STOPSIGNAL" => self.only("a signal").map(Instruction::StopSignal),
            "SHELL" => match self.command()? {
                Command::Exec(words) if !words.is_empty() => Ok(Instruction::Shell(words)),
                _ => Err(self
                    .missing("a list of words")
                    .label("expected for example [\"/bin/bash\", \"-c\"]")),
            },
            "ONBUILD" => self.on_build(),
            "HEALTHCHECK" => self.health(),
            "MAINTAINER" => Ok(Instruction::Maintainer(
                self.line.text[self.rest..].to_owned(),
            )),
            other => {
                let problem =
                    Problem::new(self.at, format!("unknown instruction \"{}\"", self.typed));
                Err(match suggest::nearest(other, INSTRUCTIONS.into_iter()) {
                    Some(near) => problem.label(format!("did you mean {near}?")),
                    None => problem
                        .label("expected an instruction")
                        .hint("a line that goes on ends with a backslash; a comment begins with #"),
                })
            }
        }
    }

    /// A list in JSON, or the line as it is.
    fn command_from(&self, from: usize) -> Command {
        let text = self.line.text[from..].trim();
        match serde_json::from_str::<Vec<String>>(text) {
            Ok(words) if text.starts_with('[') => Command::Exec(words),
            _ => Command::Shell(text.to_owned()),
        }
    }

    fn command(&self) -> Parsed<Command> {
        // A flag of another instruction's, not the program's.
        let (_, from) = (0, self.rest);
        if self.line.text[from..].trim().is_empty() {
            return Err(self.missing("a program"));
        }
        let command = self.command_from(from);
        if let Command::Shell(line) = &command
            && let Some(at) = after_list(line)
        {
            return Err(comment(self.line.span(from + at, self.line.text.len())));
        }
        Ok(command)
    }

    fn run(&self) -> Parsed<Instruction> {
        let (flags, from) = self.flags(&["mount", "network", "security"])?;
        let mut run = Run {
            mounts: Vec::new(),
            network: None,
            security: None,
            command: self.command_from(from),
            heredocs: self.line.heredocs.clone(),
        };
        for flag in flags {
            match flag.name.as_str() {
                "mount" => {
                    let word = value(flag)?;
                    if !word.text.contains('$')
                        && let Err(why) = mount::parse(&word.text)
                    {
                        return Err(Problem::new(word.at, why));
                    }
                    run.mounts.push(word);
                }
                "network" => run.network = Some(value(flag)?),
                _ => run.security = Some(value(flag)?),
            }
        }
        if self.line.text[from..].trim().is_empty() {
            return Err(self.missing("a command"));
        }
        Ok(Instruction::Run(run))
    }

    fn copy(&self) -> Parsed<(Copy, Add)> {
        let both = ["chown", "chmod", "link", "exclude"];
        let known: Vec<&str> = match self.keyword.as_str() {
            "COPY" => both.into_iter().chain(["from", "parents"]).collect(),
            _ => both
                .into_iter()
                .chain(["checksum", "keep-git-dir", "unpack"])
                .collect(),
        };
        let (flags, from) = self.flags(&known)?;
        let text = self.line.text[from..].trim();
        let mut words = match serde_json::from_str::<Vec<String>>(text) {
            Ok(list) if text.starts_with('[') => {
                let end = self.line.text.len();
                list.iter().map(|text| self.word(text, from, end)).collect()
            }
            _ => self.plain_operands(from)?,
        };
        let Some(target) = words.pop() else {
            return Err(self.missing("a source and a target"));
        };
        if words.is_empty() {
            return Err(Problem::new(
                target.at,
                format!("{} needs a source and a target", self.keyword),
            )
            .label("expected the target behind it"));
        }
        let mut heredocs = self.line.heredocs.iter();
        let sources = words
            .into_iter()
            .map(|word| match heredocs.as_slice().first() {
                Some(heredoc) if word.text == heredoc.opening => {
                    heredocs.next();
                    Source::Inline(heredoc.clone())
                }
                _ => Source::Path(word),
            })
            .collect();
        let mut copy = Copy {
            from: None,
            chown: None,
            chmod: None,
            link: false,
            parents: false,
            exclude: Vec::new(),
            sources,
            target,
        };
        let mut add = Add::default();
        for flag in flags {
            match flag.name.as_str() {
                "from" => copy.from = Some(value(flag)?),
                "chown" => copy.chown = Some(value(flag)?),
                "chmod" => copy.chmod = Some(value(flag)?),
                "exclude" => copy.exclude.push(value(flag)?),
                "checksum" => add.checksum = Some(value(flag)?),
                "link" => copy.link = truth(&flag)?,
                "parents" => copy.parents = truth(&flag)?,
                "keep-git-dir" => add.keep_git_dir = truth(&flag)?,
                _ => add.unpack = Some(truth(&flag)?),
            }
        }
        Ok((copy, add))
    }

    /// `NAME=VALUE …`, or the older `NAME VALUE`, where the value is the rest of the line.
    fn pairs(&self, what: &str) -> Parsed<Vec<(Word, Word)>> {
        self.flags(&[])?;
        let words = self.operands(self.rest);
        let Some(first) = words.first() else {
            return Err(self.missing(what));
        };
        if !first.text.contains('=') {
            let Some(second) = words.get(1) else {
                return Err(
                    Problem::new(first.at, format!("\"{}\" has no value", first.text))
                        .label(format!("expected {}=VALUE", first.text)),
                );
            };
            let start = self.rest + first.text.len();
            let start = self.line.text.len() - self.line.text[start..].trim_start().len();
            let rest = &self.line.text[start..];
            let mut value = self.word(rest, start, self.line.text.len());
            value.at = second.at;
            return Ok(vec![(first.clone(), value)]);
        }
        let mut pairs = Vec::new();
        for word in words {
            if word.text.starts_with('#') {
                return Err(comment(word.at));
            }
            let Some((name, text)) = word.text.split_once('=') else {
                return Err(
                    Problem::new(word.at, format!("\"{}\" has no value", word.text))
                        .label("expected NAME=VALUE")
                        .hint("a value with blanks in it stands in quotes: `NAME=\"a value\"`"),
                );
            };
            if name.is_empty() {
                return Err(Problem::new(word.at, "there is no name before the \"=\""));
            }
            let part = |text: &str| Word {
                text: text.to_owned(),
                at: word.at,
            };
            pairs.push((part(name), part(text)));
        }
        Ok(pairs)
    }

    fn arg(&self) -> Parsed<Instruction> {
        self.flags(&[])?;
        let words = self.plain_operands(self.rest)?;
        if words.is_empty() {
            return Err(self.missing("a name"));
        }
        let mut pairs = Vec::new();
        for word in words {
            let part = |text: &str| Word {
                text: text.to_owned(),
                at: word.at,
            };
            let (name, default) = match word.text.split_once('=') {
                Some((name, default)) => (part(name), Some(part(default))),
                None => (word.clone(), None),
            };
            if name.text.is_empty() {
                return Err(Problem::new(word.at, "there is no name before the \"=\""));
            }
            pairs.push((name, default));
        }
        Ok(Instruction::Arg(pairs))
    }

    /// A list in JSON, or words.
    fn list(&self, what: &str) -> Parsed<Vec<Word>> {
        self.flags(&[])?;
        let text = self.line.text[self.rest..].trim();
        if text.starts_with('[')
            && let Ok(list) = serde_json::from_str::<Vec<String>>(text)
        {
            let end = self.line.text.len();
            return Ok(list
                .iter()
                .map(|text| self.word(text, self.rest, end))
                .collect());
        }
        let words = self.plain_operands(self.rest)?;
        match words.is_empty() {
            true => Err(self.missing(what)),
            false => Ok(words),
        }
    }

    fn on_build(&self) -> Parsed<Instruction> {
        let trigger = self.line.text[self.rest..].trim().to_owned();
        if trigger.is_empty() {
            return Err(self.missing("an instruction"));
        }
        let first = trigger
            .split_whitespace()
            .next()
            .unwrap_or_default()
            .to_uppercase();
        if matches!(first.as_str(), "ONBUILD" | "FROM" | "MAINTAINER") {
            let end = self.rest + first.len();
            return Err(Problem::new(
                self.line.span(self.rest, end),
                format!("ONBUILD cannot keep {first}"),
            ));
        }
        let step = self::trigger(&trigger, self.escape).map_err(|mut problem| {
            problem.at = self.line.span(self.rest, self.line.text.len());
            problem
        })?;
        Ok(Instruction::OnBuild {
            trigger,
            step: Box::new(step),
        })
    }

    fn health(&self) -> Parsed<Instruction> {
        let known = [
            "interval",
            "timeout",
            "start-period",
            "start-interval",
            "retries",
        ];
        let (flags, from) = self.flags(&known)?;
        let text = self.line.text[from..].trim_start();
        let start = self.line.text.len() - text.len();
        let keyword = text.split_whitespace().next().unwrap_or_default();
        let end = start + keyword.len();
        match keyword.to_uppercase().as_str() {
            "NONE" => return Ok(Instruction::HealthCheck(None)),
            "CMD" => {}
            _ => {
                return Err(self
                    .missing("NONE, or CMD and a command")
                    .label("expected CMD or NONE"));
            }
        }
        let mut check = HealthCheck {
            command: self.command_from(end),
            interval: None,
            timeout: None,
            start_period: None,
            start_interval: None,
            retries: None,
        };
        if matches!(&check.command, Command::Shell(line) if line.is_empty()) {
            return Err(self.missing("a command behind CMD"));
        }
        for flag in flags {
            if flag.name == "retries" {
                let word = value(flag)?;
                let retries = word.text.parse().map_err(|_| {
                    Problem::new(word.at, format!("\"{}\" is no number", word.text))
                })?;
                check.retries = Some(retries);
                continue;
            }
            let name = flag.name.clone();
            let time = time(flag)?;
            match name.as_str() {
                "interval" => check.interval = Some(time),
                "timeout" => check.timeout = Some(time),
                "start-period" => check.start_period = Some(time),
                _ => check.start_interval = Some(time),
            }
        }
        Ok(Instruction::HealthCheck(Some(check)))
    }
}

fn comment(at: Span) -> Problem {
    Problem::new(at, "inline comments are not allowed")
        .label("move it to its own line")
        .hint("a `#` begins a comment only at the beginning of a line")
}

/// Where a comment begins behind a list of words.
fn after_list(line: &str) -> Option<usize> {
    if !line.starts_with('[') {
        return None;
    }
    let end = line.rfind("] ").or_else(|| line.rfind("]\t"))?;
    let list = &line[..=end];
    let rest = line[end + 1..].trim_start();
    let is_list = serde_json::from_str::<Vec<String>>(list).is_ok();
    (is_list && rest.starts_with('#')).then(|| line.len() - rest.len())
}

fn value(flag: Flag) -> Parsed<Word> {
    match flag.value {
        Some(value) if !value.text.is_empty() => Ok(value),
        _ => Err(
            Problem::new(flag.at, format!("--{} has no value", flag.name))
                .label(format!("expected --{}=VALUE", flag.name)),
        ),
    }
}

fn truth(flag: &Flag) -> Parsed<bool> {
    match flag.value.as_ref().map(|word| word.text.as_str()) {
        None | Some("true" | "1") => Ok(true),
        Some("false" | "0") => Ok(false),
        Some(other) => Err(Problem::new(
            flag.at,
            format!("--{} is true or false, not \"{other}\"", flag.name),
        )),
    }
}

fn time(flag: Flag) -> Parsed<Duration> {
    let word = value(flag)?;
    duration::parse(&word.text).map_err(|error| Problem::new(word.at, error.to_string()))
}

fn stage_name(word: &Word) -> Parsed<String> {
    let name = word.text.to_lowercase();
    let good = name.starts_with(|c: char| c.is_ascii_lowercase())
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_.".contains(c));
    if !good {
        return Err(
            Problem::new(word.at, format!("\"{}\" is no name for a stage", word.text))
                .label("expected a letter, then letters, digits and -_."),
        );
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::parse;
    use crate::build::dockerfile::{Command, Instruction, Source};

    fn fault(text: &str) -> String {
        parse(text)
            .expect_err(text)
            .into_error("Dockerfile", text)
            .to_string()
    }

    fn only(text: &str) -> Instruction {
        let file = parse(&format!("FROM x\n{text}")).expect(text);
        file.stages[0].steps[0].instruction.clone()
    }

    #[test]
    fn stages_have_images_names_and_steps() {
        let file = parse("ARG V=1\nfrom --platform=linux/arm64 a:$V as Build\nRUN make\nFROM b\n")
            .expect("a file");
        assert_eq!(file.globals.len(), 1);
        let stage = &file.stages[0];
        assert_eq!(
            (stage.image.text.as_str(), stage.name.as_deref()),
            ("a:$V", Some("build"))
        );
        assert_eq!(
            stage.platform.as_ref().map(|p| p.text.as_str()),
            Some("linux/arm64")
        );
        assert_eq!(stage.steps[0].text, "RUN make");
        assert_eq!(file.stages[1].name, None);
    }

    #[test]
    fn commands_are_lists_or_lines() {
        assert_eq!(
            only("CMD [\"a\", \"b\"]"),
            Instruction::Cmd(Command::Exec(vec!["a".to_owned(), "b".to_owned()]))
        );
        assert_eq!(
            only("cmd [a, b]"),
            Instruction::Cmd(Command::Shell("[a, b]".to_owned()))
        );
        let Instruction::Run(run) =
            only("RUN --mount=type=cache,target=/c --network=none \\\n  make # all\n")
        else {
            panic!("no RUN");
        };
        assert_eq!(run.command, Command::Shell("make # all".to_owned()));
        assert_eq!((run.mounts.len(), run.network.is_some()), (1, true));
    }

    #[test]
    fn copies_have_sources_of_every_kind() {
        let Instruction::Copy(copy) =
            only("COPY --from=b --chown=1:2 --link a <<E \"c d\" /to/\nin\nE\n")
        else {
            panic!("no COPY");
        };
        assert!(copy.link && copy.from.is_some() && copy.chown.is_some());
        assert!(matches!(&copy.sources[1], Source::Inline(h) if h.content == "in\n"));
        assert_eq!(copy.target.text, "/to/");
        let Instruction::Copy(copy) = only("COPY [\"a b\", \"c\"]") else {
            panic!("no COPY");
        };
        assert!(matches!(&copy.sources[0], Source::Path(w) if w.text == "a b"));
    }

    #[test]
    fn variables_are_set_one_way_or_the_other() {
        let pairs = |text: &str| match only(text) {
            Instruction::Env(pairs) => pairs
                .into_iter()
                .map(|(n, v)| (n.text, v.text))
                .collect::<Vec<_>>(),
            _ => panic!("no ENV"),
        };
        let pair = |n: &str, v: &str| (n.to_owned(), v.to_owned());
        assert_eq!(
            pairs("ENV A=1 B=\"x y\""),
            [pair("A", "1"), pair("B", "\"x y\"")]
        );
        assert_eq!(pairs("ENV A  hello = world "), [pair("A", "hello = world")]);
    }

    #[test]
    fn a_fault_is_told_with_its_place_and_what_was_meant() {
        for (text, told) in [
            (
                "FROM x\nRUNN a",
                "Dockerfile:2:1: unknown instruction \"RUNN\"\n     2 | RUNN a\n       | ^^^^ did you mean RUN?",
            ),
            (
                "FROM golang as builder   # the base",
                "Dockerfile:1:26: inline comments are not allowed\n     1 | FROM golang as builder   # the base\n       |                          ^ move it to its own line",
            ),
            (
                "FROM x\nCOPY . /home   # all",
                "Dockerfile:2:16: inline comments",
            ),
            (
                "FROM x\nWORKDIR /home  # there",
                "Dockerfile:2:16: inline comments",
            ),
            ("FROM x\nENV A=1 # one", "Dockerfile:2:9: inline comments"),
            (
                "FROM x\nCMD [\"a\"] # run",
                "Dockerfile:2:11: inline comments",
            ),
            ("RUN x", "Dockerfile:1:1: RUN stands before the first FROM"),
            ("", "Dockerfile:1:1: there is no FROM"),
            ("FROM", "FROM needs the image"),
            ("FROM a b", "unexpected \"b\""),
            ("FROM a AS 1x", "is no name for a stage"),
            ("FROM x\nCOPY a", "needs a source and a target"),
            ("FROM x\nCOPY --chwon=1 a b", "did you mean --chown?"),
            (
                "FROM x\nRUN --mount=type=bnd,target=/x a",
                "cannot be of type",
            ),
            ("FROM x\nENV A", "\"A\" has no value"),
            ("FROM x\nENV A=1 B", "\"B\" has no value"),
            ("FROM x\nSHELL bash -c", "a list of words"),
            ("FROM x\nONBUILD FROM y", "ONBUILD cannot keep FROM"),
            ("FROM x\nHEALTHCHECK --interval=5q CMD x", "duration"),
            ("FROM x\nHEALTHCHECK curl", "expected CMD or NONE"),
            ("FROM x\nCOPY <<E /x\n", "has no end"),
        ] {
            let fault = fault(text);
            assert!(fault.contains(told), "{text}:\n{fault}");
        }
    }

    #[test]
    fn no_text_makes_it_panic() {
        let words = [
            "FROM", "x", "\\\n", "#", "[\"", "--", "--mount=", "<<E", "\n", "ENV", "=", "\"", "ä",
            "ONBUILD", "COPY", "\t", "]", "AS",
        ];
        let mut seed = 1_u32;
        for _ in 0..3000 {
            let mut text = String::new();
            for _ in 0..12 {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                text.push_str(words[(seed >> 16) as usize % words.len()]);
                if seed & 1024 == 0 {
                    text.push(' ');
                }
            }
            drop(parse(&text));
        }
    }
}
