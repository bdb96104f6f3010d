//! What is no fault and yet unwise, by the names BuildKit's checks have.
//!
//! Lives here: [`check`] and its rules.
//! Must not: find faults (`parse`).
//! Called by: `ops::build`.
//! Always true: a rule that `# check=skip=` names is silent.

use crate::build::dockerfile::{Command, Copy, Dockerfile, Instruction, Source, Stage, Step, Word};
use crate::build::ignore::Ignore;
use crate::build::lines;
use crate::build::problem::{Span, excerpt};
use crate::build::word;

/// The rule of an image that is for another platform than its stage, which nobody knows
/// before the image is there: `ops::build::plan` looks.
pub const BASE_PLATFORM: &str = "InvalidBaseImagePlatform";

/// Something unwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// BuildKit's name of the rule.
    pub rule: &'static str,
    /// Where.
    pub at: Span,
    /// What.
    pub message: String,
}

impl Warning {
    /// Draws it with its line.
    pub fn shown(&self, name: &str, text: &str) -> String {
        format!(
            "{name}:{}:{}: {} ({})\n{}",
            self.at.line,
            self.at.column,
            self.message,
            self.rule,
            excerpt(text, self.at, "")
        )
    }
}

/// Looks for what is unwise in a file and its text, in the order of its lines. `ignore`
/// is what the context leaves out.
pub fn check(file: &Dockerfile, text: &str, ignore: Option<&Ignore>) -> Vec<Warning> {
    let mut checker = Checker {
        file,
        ignore,
        found: Vec::new(),
    };
    checker.all(text);
    let mut found = checker.found;
    found.retain(|warning| !file.check.skips(warning.rule));
    found.sort_by_key(|warning| warning.at);
    found
}

struct Checker<'a> {
    file: &'a Dockerfile,
    ignore: Option<&'a Ignore>,
    found: Vec<Warning>,
}

impl Checker<'_> {
    fn warn(&mut self, rule: &'static str, at: Span, message: impl Into<String>) {
        self.found.push(Warning {
            rule,
            at,
            message: message.into(),
        });
    }

    fn all(&mut self, text: &str) {
        if let Some((at, message)) = lines::mistyped_directive(text) {
            self.warn("InvalidDirective", at, message);
        }
        for at in &self.file.empty_continuations {
            let message = "an empty line in a continued instruction";
            self.warn("NoEmptyContinuation", *at, message);
        }
        self.casing();
        for (number, stage) in self.file.stages.iter().enumerate() {
            self.from(stage);
            if let Some((keyword, name)) = &stage.named {
                if self.file.stages[..number]
                    .iter()
                    .any(|s| s.name == stage.name)
                {
                    let message = format!("an earlier stage is called \"{}\" as well", name.text);
                    self.warn("DuplicateStageName", name.at, message);
                }
                if is_upper(&stage.keyword) != is_upper(&keyword.text) {
                    let message = format!(
                        "\"{}\" and \"{}\" have letters of different cases",
                        keyword.text, stage.keyword
                    );
                    self.warn("FromAsCasing", keyword.at, message);
                }
                if name.text != name.text.to_lowercase() {
                    let message =
                        format!("the stage's name \"{}\" is better in lower case", name.text);
                    self.warn("StageNameCasing", name.at, message);
                }
                if matches!(name.text.as_str(), "scratch" | "context") {
                    let message = format!(
                        "the stage's name \"{}\" has a meaning of its own",
                        name.text
                    );
                    self.warn("ReservedStageName", name.at, message);
                }
            }
            self.stage(&stage.steps);
        }
    }

    /// Variables of `FROM`, which only an `ARG` before the first one sets.
    fn from(&mut self, stage: &Stage) {
        if let Some(platform) = &stage.platform {
            self.declared(platform);
            let name = stage.name.clone().unwrap_or_default();
            let mut parts = platform.text.split('/');
            if matches!(
                platform.text.as_str(),
                "$TARGETPLATFORM" | "${TARGETPLATFORM}"
            ) {
                let message =
                    "without --platform it is the same: it is the platform that is built for";
                self.warn("RedundantTargetPlatform", platform.at, message);
            } else if !platform.text.contains('$') && !parts.any(|part| name.contains(part)) {
                let message = format!(
                    "the stage is always built for \"{}\", whatever the image is for",
                    platform.text
                );
                self.warn("FromPlatformFlagConstDisallowed", platform.at, message);
            }
        }
        if self.declared(&stage.image) {
            let defaults = |name: &str| self.default_of(name);
            let image = word::expand(&stage.image.text, self.file.escape, &defaults);
            if image.is_ok_and(|image| image.is_empty() || image.ends_with([':', '@'])) {
                let message = format!(
                    "\"{}\" is no image unless its ARG is given: give it a default",
                    stage.image.text
                );
                self.warn("InvalidDefaultArgInFrom", stage.image.at, message);
            }
        }
    }

    /// The default of an `ARG` before the first `FROM`.
    fn default_of(&self, name: &str) -> Option<String> {
        let globals = self.file.globals.iter().rev();
        let mut pairs = globals.filter_map(|step| match &step.instruction {
            Instruction::Arg(pairs) => pairs.iter().rev().find(|(n, _)| n.text == name),
            _ => None,
        });
        match pairs.next() {
            Some((_, default)) => default.as_ref().map(|word| word.text.clone()),
            None => is_platform(name).then(|| "x".to_owned()),
        }
    }

    /// Warns of variables that nothing before the first `FROM` declares; says whether all are.
    fn declared(&mut self, text: &Word) -> bool {
        let file = self.file;
        let known: Vec<&str> = file
            .globals
            .iter()
            .flat_map(|step| match &step.instruction {
                Instruction::Arg(pairs) => pairs.as_slice(),
                _ => &[],
            })
            .map(|(name, _)| name.text.as_str())
            .collect();
        let mut all = true;
        for (name, _) in word::variables(&text.text, file.escape) {
            if known.contains(&name.as_str()) || is_platform(&name) {
                continue;
            }
            all = false;
            let message = match crate::spec::suggest::nearest(&name, known.iter().copied()) {
                Some(near) => {
                    format!("no ARG before FROM declares \"{name}\"; did you mean \"{near}\"?")
                }
                None => format!("no ARG before FROM declares \"{name}\""),
            };
            self.warn("UndefinedArgInFrom", text.at, message);
        }
        all
    }

    /// `NAME VALUE`, the form without "=".
    fn legacy(&mut self, step: &Step) {
        let Some((_, operands)) = step.text.split_once(char::is_whitespace) else {
            return;
        };
        let words = lines::shell_words(operands.trim_start(), self.file.escape);
        if words.first().is_some_and(|(first, _)| !first.contains('=')) {
            let keyword = step.keyword.to_uppercase();
            let message =
                format!("write {keyword} NAME=VALUE: the form with a blank holds one pair only");
            self.warn("LegacyKeyValueFormat", step.at, message);
        }
    }

    /// What is copied and not in the context.
    fn ignored(&mut self, copy: &Copy) {
        let Some(ignore) = self.ignore.filter(|_| copy.from.is_none()) else {
            return;
        };
        for source in &copy.sources {
            let Source::Path(word) = source else { continue };
            let path = word.text.trim_start_matches("./").trim_matches('/');
            let plain = !path.is_empty() && !path.contains(['$', '*', '?', '[', '"', '\'', ':']);
            if plain
                && ignore.excludes(path.as_bytes())
                && !ignore.may_include_below(path.as_bytes())
            {
                let message = format!("\"{path}\" is left out of the context by .dockerignore");
                self.warn("CopyIgnoredFile", word.at, message);
            }
        }
    }

    /// All keywords in upper case, or all in lower case, as most are.
    fn casing(&mut self) {
        let keywords: Vec<(&str, Span)> = self
            .file
            .stages
            .iter()
            .flat_map(|stage| {
                let steps = stage.steps.iter().map(|s| (s.keyword.as_str(), s.at));
                std::iter::once((stage.keyword.as_str(), stage.at)).chain(steps)
            })
            .chain(self.file.globals.iter().map(|s| (s.keyword.as_str(), s.at)))
            .collect();
        let uppers = keywords.iter().filter(|(k, _)| is_upper(k)).count();
        let upper = uppers * 2 >= keywords.len();
        for (keyword, at) in keywords {
            let wanted = match upper {
                true => keyword.to_uppercase(),
                false => keyword.to_lowercase(),
            };
            if keyword != wanted {
                let message = format!("\"{keyword}\" has letters of another case than the others");
                self.warn("ConsistentInstructionCasing", at, message);
            }
        }
    }

    fn stage(&mut self, steps: &[Step]) {
        let mut known: Vec<String> = Vec::new();
        let mut once: [Option<Span>; 3] = [None; 3];
        let mut shell = false;
        let mut workdir = false;
        for step in steps {
            match &step.instruction {
                Instruction::Maintainer(_) => {
                    let message =
                        "MAINTAINER is deprecated: use LABEL org.opencontainers.image.authors";
                    self.warn("MaintainerDeprecated", step.at, message);
                }
                Instruction::Env(pairs) => {
                    self.legacy(step);
                    self.secrets(step, pairs.iter().map(|(name, _)| name.text.as_str()));
                    known.extend(pairs.iter().map(|(name, _)| name.text.clone()));
                }
                Instruction::Arg(pairs) => {
                    self.secrets(step, pairs.iter().map(|(name, _)| name.text.as_str()));
                    known.extend(pairs.iter().map(|(name, _)| name.text.clone()));
                }
                Instruction::Label(_) => self.legacy(step),
                Instruction::Add(copy, _) => self.ignored(copy),
                Instruction::Shell(_) => shell = true,
                Instruction::Workdir(path) => {
                    if !workdir && !path.text.starts_with(['/', '$']) {
                        let message = format!(
                            "WORKDIR \"{}\" depends on the base image's working directory",
                            path.text
                        );
                        self.warn("WorkdirRelativePath", path.at, message);
                    }
                    workdir = true;
                }
                Instruction::Cmd(command) => {
                    self.once(0, "CMD", step, &mut once, Some((command, shell)))
                }
                Instruction::Entrypoint(command) => {
                    self.once(1, "ENTRYPOINT", step, &mut once, Some((command, shell)));
                }
                Instruction::HealthCheck(_) => self.once(2, "HEALTHCHECK", step, &mut once, None),
                Instruction::Expose(ports) => {
                    for port in ports {
                        if port.text.ends_with("/TCP") || port.text.ends_with("/UDP") {
                            let message = format!(
                                "the protocol of \"{}\" is better in lower case",
                                port.text
                            );
                            self.warn("ExposeProtoCasing", port.at, message);
                        } else if port.text.contains(':') && !port.text.contains('$') {
                            let message = format!(
                                "EXPOSE publishes nothing: of \"{}\" only the port inside counts",
                                port.text
                            );
                            self.warn("ExposeInvalidFormat", port.at, message);
                        }
                    }
                }
                Instruction::Copy(copy) => {
                    self.ignored(copy);
                    for source in &copy.sources {
                        if let Source::Path(word) = source {
                            self.undefined(word, &known);
                        }
                    }
                }
                _ => {}
            }
        }
    }

    /// A variable that nothing in the file sets may be the image's.
    fn undefined(&mut self, text: &Word, known: &[String]) {
        const PATHS: [&str; 4] = ["PATH", "HOME", "PWD", "HOSTNAME"];
        for (name, guarded) in word::variables(&text.text, self.file.escape) {
            let near = crate::spec::suggest::nearest(&name, known.iter().map(String::as_str));
            if let Some(near) = near
                && !guarded
                && near != name
                && !known.contains(&name)
                && !PATHS.contains(&name.as_str())
            {
                let message =
                    format!("the variable \"{name}\" is not set here; did you mean \"{near}\"?");
                self.warn("UndefinedVar", text.at, message);
            }
        }
    }

    fn once(
        &mut self,
        which: usize,
        name: &str,
        step: &Step,
        once: &mut [Option<Span>; 3],
        command: Option<(&Command, bool)>,
    ) {
        if let Some(before) = once[which].replace(step.at) {
            let message = format!("only the last {name} of a stage counts, not this one");
            self.warn("MultipleInstructionsDisallowed", before, message);
        }
        if let Some((Command::Shell(_), false)) = command {
            let message = format!(
                "{name} is run by a shell, which signals do not reach beyond: write it as a list, [\"program\", \"word\"]"
            );
            self.warn("JSONArgsRecommended", step.at, message);
        }
    }

    fn secrets<'n>(&mut self, step: &Step, names: impl Iterator<Item = &'n str>) {
        for name in names {
            let lower = name.to_lowercase();
            let parts: Vec<&str> = lower.split(['_', '-']).collect();
            let secret = [
                "apikey",
                "auth",
                "credential",
                "credentials",
                "key",
                "password",
                "pword",
                "passwd",
                "secret",
                "token",
            ];
            if secret.iter().any(|word| parts.contains(word)) && !parts.contains(&"public") {
                let message = format!(
                    "what ARG and ENV hold can be read in the image: give \"{name}\" with RUN --mount=type=secret"
                );
                self.warn("SecretsUsedInArgOrEnv", step.at, message);
            }
        }
    }
}

/// Says whether a variable is one of those that say what is built for, and where.
fn is_platform(name: &str) -> bool {
    let part = name
        .strip_prefix("TARGET")
        .or_else(|| name.strip_prefix("BUILD"));
    matches!(
        part,
        Some("PLATFORM" | "OS" | "ARCH" | "VARIANT" | "OSVERSION")
    ) || name == "TARGETSTAGE"
}

fn is_upper(keyword: &str) -> bool {
    keyword == keyword.to_uppercase()
}

#[cfg(test)]
mod tests {
    use super::{Ignore, check};
    use crate::build::parse::parse;

    fn rules(text: &str) -> Vec<&'static str> {
        let file = parse(text).expect(text);
        let ignore = Ignore::parse("*.log\nbuild\n!build/keep\n").expect("patterns");
        let warnings = check(&file, text, Some(&ignore));
        warnings.into_iter().map(|w| w.rule).collect()
    }

    #[test]
    fn each_rule_is_found() {
        for (text, rule) in [
            ("FROM x as y\n", "FromAsCasing"),
            ("FROM x AS Y\n", "StageNameCasing"),
            ("FROM x AS scratch\n", "ReservedStageName"),
            ("FROM x\nRUN a\ncopy a b\n", "ConsistentInstructionCasing"),
            ("FROM x AS a\nFROM y AS a\n", "DuplicateStageName"),
            ("FROM $X\n", "UndefinedArgInFrom"),
            ("ARG X\nFROM x:$X\n", "InvalidDefaultArgInFrom"),
            (
                "FROM --platform=linux/arm64 x\n",
                "FromPlatformFlagConstDisallowed",
            ),
            (
                "FROM --platform=$TARGETPLATFORM x\n",
                "RedundantTargetPlatform",
            ),
            ("FROM x\nENV a b\n", "LegacyKeyValueFormat"),
            ("FROM x\nCOPY a ./x.log /\n", "CopyIgnoredFile"),
            ("FROM x\nMAINTAINER me\n", "MaintainerDeprecated"),
            ("FROM x\nCMD a b\n", "JSONArgsRecommended"),
            (
                "FROM x\nCMD [\"a\"]\nCMD [\"b\"]\n",
                "MultipleInstructionsDisallowed",
            ),
            ("FROM x\nWORKDIR a\n", "WorkdirRelativePath"),
            ("FROM x\nENV DB_PASSWORD=1\n", "SecretsUsedInArgOrEnv"),
            ("FROM x\nEXPOSE 80/TCP\n", "ExposeProtoCasing"),
            ("FROM x\nARG NAME=1\nCOPY $NAMF /\n", "UndefinedVar"),
            ("FROM x\nRUN a \\\n\n  b\n", "NoEmptyContinuation"),
        ] {
            assert_eq!(rules(text), [rule], "{text}");
        }
    }

    #[test]
    fn a_good_file_is_silent_and_so_are_skipped_rules() {
        assert!(rules("FROM golang AS build\nWORKDIR /x\nRUN a\nCMD [\"a\"]\n").is_empty());
        assert!(rules("# check=skip=JSONArgsRecommended\nFROM x\nCMD a\n").is_empty());
        assert!(rules("# check=skip=all\nFROM x\nCMD a\n").is_empty());
        for text in [
            "ARG X=1 Y\nFROM x:$X$Y\nFROM --platform=$BUILDPLATFORM x\n",
            "FROM --platform=linux/arm64 x AS x-arm64\nENV a=b c='d e'\nLABEL \"a b\"=c\n",
            "FROM x\nCOPY build /\nCOPY *.log /\nCOPY --from=y x.log /\n",
        ] {
            assert_eq!(rules(text), [""; 0], "{text}");
        }
    }
}
