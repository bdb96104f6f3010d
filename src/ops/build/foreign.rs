//! Programs for other machines, in `RUN` steps of a build for other platforms.
//!
//! The kernel hands such a program to qemu when binfmt_misc says so. Where an
//! administrator has said it for the machine, nothing is to be done. Else the builder
//! says it in its own user namespace, which it may since Linux 6.7, if qemu is here as a
//! static program (Debian: qemu-user-static).
//!
//! Lives here: what is registered, and what is said of a program that did not run.
//! Must not: run one.
//! Called by: `ops::build` in the builder, before any step; `run`.
//! Always true: what the machine has registered is not touched; ours is seen by
//! the build's steps only, and goes with their namespace.

use std::collections::BTreeSet;
use std::ffi::CStr;
use std::fs;
use std::path::{Path, PathBuf};

use rustix::mount::{MountFlags, mount};

use crate::error::Error;
use crate::ops::build::graph::{Graph, Work};
use crate::ops::build::step;
use crate::spec::platform::Platform;

/// A machine that qemu plays.
struct Machine {
    /// Go's name of it.
    architecture: &'static str,
    /// qemu's.
    qemu: &'static str,
    /// It has 64 bits.
    wide: bool,
    /// The lowest byte of a number comes first.
    little: bool,
    /// `e_machine` (elf.h).
    number: u8,
}

const MACHINES: [Machine; 8] = [
    machine("amd64", "x86_64", true, true, 62),
    machine("386", "i386", false, true, 3),
    machine("arm64", "aarch64", true, true, 183),
    machine("arm", "arm", false, true, 40),
    machine("riscv64", "riscv64", true, true, 243),
    machine("ppc64le", "ppc64le", true, true, 21),
    machine("s390x", "s390x", true, false, 22),
    machine("mips64le", "mips64el", true, true, 8),
];

const fn machine(
    architecture: &'static str,
    qemu: &'static str,
    wide: bool,
    little: bool,
    number: u8,
) -> Machine {
    Machine {
        architecture,
        qemu,
        wide,
        little,
        number,
    }
}

/// Where the kernel is told; in the builder, its own is mounted over the machine's.
const PLACE: &str = "/proc/sys/fs/binfmt_misc";

/// Sees to it that programs of all steps can run, as far as that can be done here. What
/// cannot is told by the step that needs it: it may be taken from the cache.
pub fn prepare(graph: &Graph) {
    let host = Platform::host();
    let wanted: BTreeSet<&str> = graph
        .nodes
        .iter()
        .filter_map(|node| match &node.work {
            Work::Run(run) if !host.accepts(&run.platform) => Some(&run.platform),
            _ => None,
        })
        .map(|platform| platform.architecture.as_str())
        .collect();
    let machines: Vec<Player> = MACHINES
        .iter()
        .filter(|machine| wanted.contains(machine.architecture))
        .map(|machine| (machine, machine.is_registered(), machine.program()))
        .collect();
    if !is_worth_it(&machines) || step::own_mounts().is_err() {
        return;
    }
    // Kernels before 6.7 do not let us: there an administrator has to.
    let none: Option<&CStr> = None;
    let kind = "binfmt_misc";
    if mount(kind, PLACE, kind, MountFlags::empty(), none).is_err() {
        return;
    }
    for (machine, _, program) in machines {
        if let Some(program) = program {
            fs::write(Path::new(PLACE).join("register"), machine.line(&program)).ok();
        }
    }
}

/// A machine that is wanted, whether it is registered, and the program that plays it.
type Player<'a> = (&'a Machine, bool, Option<PathBuf>);

/// Says whether registering here makes more programs run and none less: what is mounted
/// hides all that the machine has registered.
fn is_worth_it(machines: &[Player<'_>]) -> bool {
    let gains = |(_, registered, program): &Player<'_>| !registered && program.is_some();
    let loses = |(_, registered, program): &Player<'_>| *registered && program.is_none();
    machines.iter().any(gains) && !machines.iter().any(loses)
}

/// Says of a program for another machine that nobody here runs it, and how to get one.
pub fn explain(error: Error, platform: &Platform) -> Error {
    let host = Platform::host();
    let text = error.to_string();
    if host.accepts(platform) || !(text.contains("no program") || text.contains("interpreter")) {
        return error;
    }
    let found = MACHINES
        .iter()
        .find(|m| m.architecture == platform.architecture);
    let qemu = found.map_or(platform.architecture.as_str(), |machine| machine.qemu);
    error
        .what(format!(
            "the image is for {platform}, and binfmt_misc of this machine ({host}) has nobody who runs its programs"
        ))
        .hint(format!(
            "install qemu-{qemu}-static (Debian: `apt install qemu-user-static`); before Linux 6.7 an administrator also has to register it in binfmt_misc"
        ))
        .hint("or let the stage run here, and only its result be for elsewhere: `FROM --platform=$BUILDPLATFORM …`")
}

impl Machine {
    fn is_registered(&self) -> bool {
        let entries = fs::read_dir(PLACE);
        let wanted = format!("qemu-{}", self.qemu);
        let is_ours = |line: &str| line.starts_with("interpreter ") && line.contains(&wanted);
        entries.into_iter().flatten().flatten().any(|entry| {
            fs::read_to_string(entry.path())
                .is_ok_and(|text| text.starts_with("enabled\n") && text.lines().any(is_ours))
        })
    }

    fn program(&self) -> Option<PathBuf> {
        let name = format!("qemu-{}-static", self.qemu);
        ["/usr/bin", "/usr/local/bin", "/bin"]
            .iter()
            .map(|directory| Path::new(directory).join(&name))
            .find(|path| path.is_file())
    }

    /// The line that registers it (Documentation/admin-guide/binfmt-misc.rst): by the
    /// beginning of an ELF file, of which the ABI and the kind of program do not matter.
    fn line(&self, program: &Path) -> String {
        let (class, data) = (1 + u8::from(self.wide), 2 - u8::from(self.little));
        let mut magic = [0_u8; 20];
        magic[..7].copy_from_slice(&[0x7f, b'E', b'L', b'F', class, data, 1]);
        let mut mask = [0xff_u8; 20];
        mask[7] = 0;
        let (kind, number) = match self.little {
            true => (16, 18),
            false => (17, 19),
        };
        magic[kind] = 2;
        mask[kind] = 0xfe;
        magic[number] = self.number;
        let hex =
            |bytes: &[u8]| -> String { bytes.iter().map(|b| format!("\\x{b:02x}")).collect() };
        format!(
            ":rpod-{}:M::{}:{}:{}:OCF",
            self.qemu,
            hex(&magic),
            hex(&mask),
            program.display()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::{MACHINES, is_worth_it};

    #[test]
    fn nothing_is_registered_that_would_take_something_away() {
        let player = |registered, here: bool| {
            let program = here.then(|| "/usr/bin/qemu-static".into());
            (&MACHINES[0], registered, program)
        };
        assert!(is_worth_it(&[player(false, true)]));
        assert!(is_worth_it(&[player(false, true), player(true, true)]));
        assert!(!is_worth_it(&[]));
        assert!(!is_worth_it(&[player(true, true), player(false, false)]));
        assert!(!is_worth_it(&[player(true, false), player(false, true)]));
    }

    #[test]
    fn a_machine_is_known_by_how_its_programs_begin() {
        let line = |name: &str| {
            let machine = MACHINES.iter().find(|m| m.architecture == name);
            machine.expect("known").line("/q".as_ref())
        };
        assert_eq!(
            line("arm64"),
            r":rpod-aarch64:M::\x7f\x45\x4c\x46\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00:\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff:/q:OCF"
        );
        assert!(line("s390x").contains(r"\x46\x02\x02\x01\x00"));
        assert!(line("s390x").contains(r"\x00\x02\x00\x16:"));
    }
}
