//! What is no fault and yet unwise, by the names BuildKit's checks have.
//!
//! Lives here: [`check`] and its rules.
//! Must not: find faults (`parse`).
//! Called by: `ops::build`.
//! Always true: a rule that `# check=skip=` names is silent.

use crate::build::dockerfile::{Command, Dockerfile, Instruction, Source, Stage, Step, Word};
use crate::build::ignore::Ignore;
use crate::build::lines;
use crate::build::problem::{Span, excerpt};
use crate::build::word;
use crate::spec::reference::Reference;

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

/// Looks for what is unwise in a file and its text, in the order of its lines.
pub fn check(file: &Dockerfile, text: &str) -> Vec<Warning> {
    let mut checker = Checker {
        file,
        found: Vec::new(),
    };
    checker.all(text);
    let skipped = |rule: &str| {
        let skip = file.check.skip.iter();
        skip.into_iter()
            .any(|name| name == "all" || name.eq_ignore_ascii_case(rule))
    };
    let mut found = checker.found;
    found.retain(|warning| !skipped(warning.rule));
    found.sort_by_key(|warning| warning.at);
    found
}

/// Looks for what is copied and is not in the context.
pub fn ignored(file: &Dockerfile, ignore: &Ignore) -> Vec<Warning> {
    let mut found = Vec::new();
    if file
        .check
        .skip
        .iter()
        .any(|name| name == "all" || name.eq_ignore_ascii_case("CopyIgnoredFile"))
    {
        return found;
    }
    for step in file.stages.iter().flat_map(|stage| &stage.steps) {
        let copy = match &step.instruction {
            Instruction::Copy(copy) | Instruction::Add(copy, _) if copy.from.is_none() => copy,
            _ => continue,
        };
        for source in &copy.sources {
            let Source::Path(word) = source else { continue };
            let path = word.text.trim_start_matches("./").trim_matches('/');
            let is_plain =
                !path.is_empty() && path != "." && !path.contains(['$', '*', '?', '[', ':']);
            if is_plain
                && ignore.excludes(path.as_bytes())
                && !ignore.may_include_below(path.as_bytes())
            {
                found.push(Warning {
                    rule: "CopyIgnoredFile",
                    at: word.at,
                    message: format!("`.dockerignore` leaves \"{path}\" out of the context"),
                });
            }
        }
    }
    found
}

struct Checker<'a> {
    file: &'a Dockerfile,
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
        self.bases();
        for stage in &self.file.stages {
            if let Some((keyword, name)) = &stage.named {
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

    /// What `FROM` builds upon, and for which platform.
    fn bases(&mut self) {
        let mut names: Vec<&str> = Vec::new();
        for stage in &self.file.stages {
            if let Some(name) = &stage.name {
                if names.contains(&name.as_str()) {
                    let message = format!("another stage is called \"{name}\" as well");
                    self.warn("DuplicateStageName", stage.at, message);
                }
                names.push(name);
            }
            if let Some(platform) = &stage.platform {
                self.platform(stage, platform);
            }
            self.base(&stage.image);
        }
    }

    fn platform(&mut self, stage: &Stage, platform: &Word) {
        let text = platform.text.as_str();
        if matches!(text, "$TARGETPLATFORM" | "${TARGETPLATFORM}") {
            let message = "a stage is built for $TARGETPLATFORM in any case";
            self.warn("RedundantTargetPlatform", platform.at, message);
        }
        let name = stage.name.as_deref().unwrap_or_default();
        // A stage that is called after its platform is meant to be for that one.
        let is_meant = text
            .split('/')
            .nth(1)
            .is_some_and(|arch| name.contains(arch));
        if !text.contains('$') && !is_meant {
            let message = format!("the stage is for {text} whatever --platform says");
            self.warn("FromPlatformFlagConstDisallowed", platform.at, message);
        }
    }

    fn base(&mut self, image: &Word) {
        let globals = self
            .file
            .globals
            .iter()
            .filter_map(|step| match &step.instruction {
                Instruction::Arg(pairs) => Some(pairs),
                _ => None,
            });
        let globals: Vec<&(Word, Option<Word>)> = globals.flatten().collect();
        let has = |name: &str| globals.iter().any(|(other, _)| other.text == name);
        let is_given = |name: &str| name.starts_with("TARGET") || name.starts_with("BUILD");
        let names = word::variables(&image.text, self.file.escape);
        if names.is_empty() {
            return;
        }
        let unknown = names
            .iter()
            .find(|(name, guarded)| !guarded && !has(name) && !is_given(name));
        if let Some((name, _)) = unknown {
            let message = format!("no ARG before the first FROM sets \"{name}\"");
            self.warn("UndefinedArgInFrom", image.at, message);
            return;
        }
        let default = |name: &str| -> Option<String> {
            let (_, value) = globals.iter().find(|(other, _)| other.text == name)?;
            Some(
                value
                    .as_ref()
                    .map_or_else(String::new, |word| word.text.clone()),
            )
        };
        let plain = |name: &str| default(name).or_else(|| Some("x".to_owned()));
        let is_name = |text: String| text == "scratch" || text.parse::<Reference>().is_ok();
        if !word::expand(&image.text, self.file.escape, &plain).is_ok_and(is_name) {
            let message = "with the defaults of its ARGs this is no image's name";
            self.warn("InvalidDefaultArgInFrom", image.at, message);
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
                            let message =
                                format!("\"{}\" is no port: EXPOSE publishes nothing", port.text);
                            self.warn("ExposeInvalidFormat", port.at, message);
                        }
                    }
                }
                Instruction::Copy(copy) => {
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

    /// `ENV name value`, from before there was a `=`.
    fn legacy(&mut self, step: &Step) {
        let mut words = step.text.split_whitespace().skip(1);
        if words.next().is_some_and(|name| !name.contains('=')) {
            let message = "write NAME=VALUE, which leaves no doubt where the value ends";
            self.warn("LegacyKeyValueFormat", step.at, message);
        }
    }

    /// A variable that nothing in the file sets may be the image's.
    fn undefined(&mut self, text: &crate::build::dockerfile::Word, known: &[String]) {
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

fn is_upper(keyword: &str) -> bool {
    keyword == keyword.to_uppercase()
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::build::parse::parse;

    fn rules(text: &str) -> Vec<&'static str> {
        let file = parse(text).expect(text);
        check(&file, text).into_iter().map(|w| w.rule).collect()
    }

    #[test]
    fn each_rule_is_found() {
        for (text, rule) in [
            ("FROM x as y\n", "FromAsCasing"),
            ("FROM x AS Y\n", "StageNameCasing"),
            ("FROM x AS scratch\n", "ReservedStageName"),
            ("FROM x\nRUN a\ncopy a b\n", "ConsistentInstructionCasing"),
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
            ("FROM x AS a\nFROM y AS a\n", "DuplicateStageName"),
            (
                "FROM --platform=$TARGETPLATFORM x\n",
                "RedundantTargetPlatform",
            ),
            (
                "FROM --platform=linux/arm64 x\n",
                "FromPlatformFlagConstDisallowed",
            ),
            ("FROM x:$TAG\n", "UndefinedArgInFrom"),
            ("ARG TAG\nFROM x:$TAG\n", "InvalidDefaultArgInFrom"),
            ("FROM x\nENV a b\n", "LegacyKeyValueFormat"),
            ("FROM x\nLABEL a b c\n", "LegacyKeyValueFormat"),
            ("FROM x\nEXPOSE 8080:80\n", "ExposeInvalidFormat"),
        ] {
            assert_eq!(rules(text), [rule], "{text}");
        }
    }

    #[test]
    fn a_good_file_is_silent_and_so_are_skipped_rules() {
        assert!(rules("FROM golang AS build\nWORKDIR /x\nRUN a\nCMD [\"a\"]\n").is_empty());
        assert!(rules("# check=skip=JSONArgsRecommended\nFROM x\nCMD a\n").is_empty());
        assert!(rules("# check=skip=all\nFROM x\nCMD a\n").is_empty());
        for good in [
            "ARG TAG=1\nFROM x:${TAG}\n",
            "FROM x:${TAG:-1}\n",
            "FROM --platform=$BUILDPLATFORM x\n",
            "FROM --platform=linux/arm64 x AS tool-arm64\n",
            "FROM x\nENV a=b\nLABEL \"a b\"=c\n",
        ] {
            assert!(rules(good).is_empty(), "{good}");
        }
    }

    #[test]
    fn what_is_copied_and_left_out_is_told() {
        let text = "FROM x AS y\nCOPY a ./b/c /\nCOPY --from=y a /\nADD *.log a$b /\n";
        let file = parse(text).expect("parsed");
        let ignore = crate::build::ignore::Ignore::parse("a\nb\n").expect("parsed");
        let found = super::ignored(&file, &ignore);
        let seen: Vec<&str> = found.iter().map(|w| w.message.as_str()).collect();
        assert_eq!(seen.len(), 2, "{seen:?}");
    }
}
