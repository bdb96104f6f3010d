//! Limits on resources (getrlimit(2)): `--ulimit`.
//!
//! Lives here: docker's grammar, the names, and setting them.
//! Must not: know cgroups: those limit a container, these each of its processes.
//! Called by: `cli` (parsing), `ops` (checking), `runtime::sequence`.
//! Always true: nobody without privileges on the machine can raise a hard limit,
//! also not as root of a user namespace; that is found out before anything is made.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::error::{Context, Error, Kind, Result};
use crate::spec::container::Ulimit;

const NAMES: [(&str, Resource); 16] = [
    ("as", Resource::As),
    ("core", Resource::Core),
    ("cpu", Resource::Cpu),
    ("data", Resource::Data),
    ("fsize", Resource::Fsize),
    ("locks", Resource::Locks),
    ("memlock", Resource::Memlock),
    ("msgqueue", Resource::Msgqueue),
    ("nice", Resource::Nice),
    ("nofile", Resource::Nofile),
    ("nproc", Resource::Nproc),
    ("rss", Resource::Rss),
    ("rtprio", Resource::Rtprio),
    ("rttime", Resource::Rttime),
    ("sigpending", Resource::Sigpending),
    ("stack", Resource::Stack),
];

/// Parses the text after `--ulimit`: `NAME=SOFT[:HARD]`, where -1 is no limit.
pub fn parse(text: &str) -> Result<Ulimit> {
    let bad = |why: String| Error::of(Kind::Usage, format!("--ulimit \"{text}\": {why}"));
    let (name, limits) = text
        .split_once('=')
        .ok_or_else(|| bad("write NAME=SOFT[:HARD], for example nofile=1024:2048".to_owned()))?;
    let name = name.trim().to_ascii_lowercase();
    let name = name.strip_prefix("rlimit_").unwrap_or(&name);
    if resource(name).is_none() {
        return Err(bad(format!(
            "there is no limit \"{name}\"; there are {}",
            NAMES.map(|(name, _)| name).join(", ")
        )));
    }
    let number = |text: &str| match text.trim() {
        "-1" | "unlimited" => Ok(u64::MAX),
        digits => digits
            .parse::<u64>()
            .map_err(|_| bad(format!("\"{digits}\" is no number; -1 is no limit"))),
    };
    let (soft, hard) = match limits.split_once(':') {
        Some((soft, hard)) => (number(soft)?, number(hard)?),
        None => (number(limits)?, number(limits)?),
    };
    if soft > hard {
        return Err(bad(format!(
            "the soft limit, {}, is above the hard limit, {}",
            words(soft),
            words(hard)
        )));
    }
    Ok(Ulimit {
        name: name.to_owned(),
        soft,
        hard,
    })
}

/// Says before anything is made whether this process may set the limits.
///
/// # Errors
/// When one is above this process's own hard limit.
pub fn check(limits: &[Ulimit]) -> Result<()> {
    for limit in limits {
        let resource = known(limit)?;
        let own = getrlimit(resource).maximum.unwrap_or(u64::MAX);
        if limit.hard > own {
            return Err(too_high(limit, own));
        }
    }
    Ok(())
}

/// Sets the limits for this process and what it becomes and starts.
pub fn apply(limits: &[Ulimit]) -> Result<()> {
    for limit in limits {
        let resource = known(limit)?;
        let some = |value: u64| (value != u64::MAX).then_some(value);
        let wanted = Rlimit {
            current: some(limit.soft),
            maximum: some(limit.hard),
        };
        match setrlimit(resource, wanted) {
            Ok(()) => {}
            Err(rustix::io::Errno::PERM) => {
                let own = getrlimit(resource).maximum.unwrap_or(u64::MAX);
                return Err(too_high(limit, own));
            }
            Err(errno) => return Err(errno).what(|| cannot(limit)),
        }
    }
    Ok(())
}

fn resource(name: &str) -> Option<Resource> {
    NAMES
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, resource)| *resource)
}

fn known(limit: &Ulimit) -> Result<Resource> {
    resource(&limit.name).ok_or_else(|| {
        Error::new(format!(
            "cannot set the limit \"{}\": there is none of that name",
            limit.name
        ))
    })
}

fn cannot(limit: &Ulimit) -> String {
    format!(
        "cannot set the limit {} to {}",
        limit.name,
        words(limit.hard)
    )
}

fn too_high(limit: &Ulimit, own: u64) -> Error {
    let Ulimit { name, soft, .. } = limit;
    Error::new(format!(
        "your own hard limit on this machine is {}, and nobody but the machine's root can raise it",
        words(own)
    ))
    .what(cannot(limit))
    .hint(format!(
        "ask for no more: `--ulimit {name}={}:{own}`",
        (*soft).min(own)
    ))
}

fn words(value: u64) -> String {
    if value == u64::MAX {
        return "unlimited".to_owned();
    }
    value.to_string()
}

#[cfg(test)]
mod tests {
    use super::{check, parse};
    use crate::spec::container::Ulimit;
    use rustix::process::{Resource, getrlimit};

    #[test]
    fn a_limit_is_typed_as_docker_has_it() {
        for (text, name, soft, hard) in [
            ("nofile=1024:2048", "nofile", 1024, 2048),
            ("nofile=1024", "nofile", 1024, 1024),
            ("core=0:-1", "core", 0, u64::MAX),
            ("MEMLOCK=-1:-1", "memlock", u64::MAX, u64::MAX),
            ("rlimit_nproc=5", "nproc", 5, 5),
            ("stack=unlimited", "stack", u64::MAX, u64::MAX),
        ] {
            let expected = Ulimit {
                name: name.into(),
                soft,
                hard,
            };
            assert_eq!(parse(text).ok(), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (text, why) in [
            ("nofile", "NAME=SOFT"),
            ("files=3", "there is no limit \"files\""),
            ("nofile=2:1", "above the hard limit"),
            ("nofile=-1:5", "unlimited, is above"),
            ("nofile=", "no number"),
            ("nofile=-2", "no number"),
            ("nofile=1:2:3", "no number"),
            ("nofile=99999999999999999999", "no number"),
        ] {
            let error = parse(text).expect_err(text).to_string();
            assert!(error.contains(why), "{error}");
        }
    }

    #[test]
    fn a_limit_above_our_own_is_refused_before_anything_is_made() {
        let Some(own) = getrlimit(Resource::Nofile).maximum else {
            return;
        };
        let limit = |hard| {
            [Ulimit {
                name: "nofile".into(),
                soft: 10,
                hard,
            }]
        };
        assert!(check(&limit(own)).is_ok());
        let error = check(&limit(own + 1)).expect_err("it is too high");
        assert!(error.to_string().contains(&own.to_string()), "{error}");
        assert_eq!(
            error.hints(),
            [format!("ask for no more: `--ulimit nofile=10:{own}`")]
        );
    }
}
