//! Limits of a container as a whole, and what they are in the kernel's words.
//!
//! Lives here: [`Limits`] as docker's flags say them, and the files of a version 2
//! cgroup that hold them (the kernel's `admin-guide/cgroup-v2`).
//! Must not: look for a cgroup or write one (`runtime::cgroup`).
//! Called by: `cli`, `ops`, `runtime`.
//! Always true: what contradicts itself never becomes a file's content.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Kind, Result};

/// What was asked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// `--memory`, in bytes.
    pub memory: Option<u64>,
    /// `--memory-swap`: memory and swap together; none is without end.
    pub memory_swap: Option<Option<u64>>,
    /// `--cpu-shares`.
    pub cpu_shares: Option<u64>,
    /// `--cpu-quota`, in microseconds of a period; none is without end.
    pub cpu_quota: Option<Option<u64>>,
    /// `--cpu-period`, in microseconds.
    pub cpu_period: Option<u64>,
    /// `--cpuset-cpus`.
    pub cpus: Option<String>,
    /// `--cpuset-mems`.
    pub mems: Option<String>,
}

/// A file of a cgroup and what is to be in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The controller whose it is.
    pub controller: &'static str,
    /// Its name.
    pub file: &'static str,
    /// Its content.
    pub value: String,
}

/// The least memory docker gives: below it nothing starts.
const LEAST_MEMORY: u64 = 6 << 20;

impl Limits {
    /// Returns the files that hold them.
    ///
    /// # Errors
    /// When they contradict each other.
    pub fn settings(&self) -> Result<Vec<Setting>> {
        let mut all = Vec::new();
        let mut set = |controller, file, value: String| {
            all.push(Setting {
                controller,
                file,
                value,
            });
        };
        if let Some(memory) = self.memory {
            if memory < LEAST_MEMORY {
                return Err(usage(format!(
                    "--memory {memory} is too little: 6m is the least"
                )));
            }
            set("memory", "memory.max", memory.to_string());
            // As docker: as much swap again, where nothing was said.
            let swap = match self.memory_swap {
                None => Some(memory),
                Some(None) => None,
                Some(Some(both)) => Some(both.checked_sub(memory).ok_or_else(|| {
                    usage(format!(
                        "--memory-swap {both} is memory and swap together: at least --memory {memory}"
                    ))
                })?),
            };
            set("memory", "memory.swap.max", or_max(swap));
        } else if self.memory_swap.is_some() {
            return Err(usage("--memory-swap needs --memory beside it".to_owned()));
        }
        if let Some(shares) = self.cpu_shares.filter(|shares| *shares != 0) {
            // From 2…262144 with 1024 as usual to 1…10000, as all runtimes do it.
            let shares = shares.clamp(2, 262_144);
            set(
                "cpu",
                "cpu.weight",
                (1 + (shares - 2) * 9999 / 262_142).to_string(),
            );
        }
        if self.cpu_quota.is_some() || self.cpu_period.is_some() {
            let quota = self.cpu_quota.unwrap_or(None).filter(|quota| *quota != 0);
            let period = self
                .cpu_period
                .filter(|period| *period != 0)
                .unwrap_or(100_000);
            set("cpu", "cpu.max", format!("{} {period}", or_max(quota)));
        }
        for (file, value) in [("cpuset.cpus", &self.cpus), ("cpuset.mems", &self.mems)] {
            if let Some(value) = value.as_deref().filter(|value| !value.is_empty()) {
                let known =
                    |letter: char| letter.is_ascii_digit() || letter == '-' || letter == ',';
                if !value.chars().all(known) {
                    return Err(usage(format!("\"{value}\" is no list such as 0-2,4")));
                }
                set("cpuset", file, value.to_owned());
            }
        }
        Ok(all)
    }
}

fn or_max(number: Option<u64>) -> String {
    number.map_or_else(|| "max".to_owned(), |number| number.to_string())
}

fn usage(why: String) -> Error {
    Error::of(Kind::Usage, why)
}

#[cfg(test)]
mod tests {
    use super::Limits;

    fn shown(limits: &Limits) -> Vec<String> {
        let all = limits.settings().expect("they fit together");
        all.iter()
            .map(|s| format!("{} {}={}", s.controller, s.file, s.value))
            .collect()
    }

    #[test]
    fn limits_are_files_as_other_runtimes_write_them() {
        let memory = |memory_swap| Limits {
            memory: Some(64 << 20),
            memory_swap,
            ..Limits::default()
        };
        let max = "memory memory.max=67108864".to_owned();
        let swap = |text: &str| format!("memory memory.swap.max={text}");
        assert_eq!(shown(&memory(None)), [max.clone(), swap("67108864")]);
        assert_eq!(shown(&memory(Some(None))), [max.clone(), swap("max")]);
        assert_eq!(
            shown(&memory(Some(Some(64 << 20)))),
            [max.clone(), swap("0")]
        );
        let cpu = Limits {
            cpu_shares: Some(1024),
            cpu_quota: Some(Some(50_000)),
            cpus: Some("0-1,3".to_owned()),
            ..Limits::default()
        };
        assert_eq!(
            shown(&cpu),
            [
                "cpu cpu.weight=39",
                "cpu cpu.max=50000 100000",
                "cpuset cpuset.cpus=0-1,3"
            ]
        );
        assert!(shown(&Limits::default()).is_empty());
    }

    #[test]
    fn limits_that_contradict_themselves_are_refused() {
        let base = Limits::default;
        for bad in [
            Limits {
                memory: Some(1000),
                ..base()
            },
            Limits {
                memory_swap: Some(None),
                ..base()
            },
            Limits {
                memory: Some(64 << 20),
                memory_swap: Some(Some(1 << 20)),
                ..base()
            },
            Limits {
                cpus: Some("0\n1".to_owned()),
                ..base()
            },
        ] {
            assert!(bad.settings().is_err(), "{bad:?}");
        }
    }
}
