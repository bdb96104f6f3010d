//! Limits on resources (getrlimit(2)): `--ulimit`.
//!
//! Lives here: the names, and setting them; their grammar is the flag's (`cli`).
//! Must not: know cgroups: those limit a container, these each of its processes.
//! Called by: `ops` (checking), `runtime::program`.
//! Always true: nobody without privileges on the machine can raise a hard limit,
//! also not as root of a user namespace; that is found out before anything is made.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::error::{Context, Error, Result};
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
            "cannot set the limit \"{}\": there are {}",
            limit.name,
            NAMES.map(|(name, _)| name).join(", ")
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
    use super::check;
    use crate::spec::container::Ulimit;
    use rustix::process::{Resource, getrlimit};

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

    #[test]
    fn a_limit_nobody_knows_is_met_with_those_there_are() {
        let limit = Ulimit {
            name: "files".into(),
            soft: 1,
            hard: 1,
        };
        let error = check(&[limit]).expect_err("there is none").to_string();
        assert!(error.contains("there are as, core, cpu"), "{error}");
    }
}
