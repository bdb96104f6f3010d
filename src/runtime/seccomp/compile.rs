//! From the table to a program: classic BPF as a balanced tree.
//!
//! ```text
//! load arch ─ native?  ─ load number ─ tree of ranges ─ leaf: allow, errno, or argument rule
//!           ─ 32-bit?  ─ load number ─ tree of ranges ─ …
//!           ─ other: kill
//! ```
//!
//! Lives here: ranges of numbers, the tree over them, and the assembler.
//! Must not: know anything of rpod but its table: the build script includes
//! both files and runs them when rpod is compiled.
//! Called by: `seccomp`, and the build script.
//! Always true: every number of every architecture meets exactly one action;
//! the depth of the tree is the logarithm of the number of ranges, because the
//! kernel runs the program once for each number when it is loaded.
//!
//! The program is written from its end to its beginning: a jump goes only
//! forward, so its goal is known when the jump is written.

use super::Instruction;
use super::table::{CALLS, Call, ENOSYS, EPERM, NO, NODES, OWNERSHIP, Rule};

/// The architecture that rpod is compiled for; programs of its 32-bit sibling run on it too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Machine {
    /// x86_64, with x86.
    X86_64,
    /// aarch64, with arm.
    Aarch64,
}

impl Machine {
    /// Returns its architectures: AUDIT_ARCH_* of linux/audit.h, and the column of their numbers.
    pub fn architectures(self) -> [(u32, usize); 2] {
        match self {
            Self::X86_64 => [(0xc000_003e, 0), (0x4000_0003, 1)],
            Self::Aarch64 => [(0xc000_00b7, 2), (0x4000_0028, 3)],
        }
    }
}

/// What becomes of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Action {
    /// One answer for all arguments: a SECCOMP_RET_* value.
    Return(u32),
    /// The masked argument decides.
    Argument {
        index: usize,
        mask: u32,
        ranges: Vec<(u32, Action)>,
    },
}

/// Values and what becomes of them: each pair begins a range that ends before the next.
type Ranges = Vec<(u32, Action)>;

const ALLOW: u32 = 0x7fff_0000;
const KILL_PROCESS: u32 = 0x8000_0000;

const fn errno(number: u16) -> u32 {
    0x0005_0000 | number as u32
}

/// Returns the default profile's program for processes with these capabilities (bit n: capability n).
pub fn profile(machine: Machine, capabilities: u64) -> Vec<Instruction> {
    program(machine, errno(EPERM), |column| {
        let mut calls = actions(column, capabilities);
        // A program asks for a call newer than the profile and goes another way
        // when the kernel has none; EPERM would end it. x32 lies up there too.
        let last = CALLS
            .iter()
            .map(|call| call.1[column])
            .filter(|number| *number < PRIVATE)
            .max();
        calls.extend(last.map(|last| (last + 1, None, Action::Return(errno(ENOSYS)))));
        calls
    })
}

/// Returns the program that answers calls about ownership with success.
pub fn ownership(machine: Machine) -> Vec<Instruction> {
    program(machine, ALLOW, |column| {
        let fixed = OWNERSHIP
            .iter()
            .map(|call| (call.1[column], Action::Return(errno(0))));
        let nodes = NODES.iter().map(|call| {
            (
                call.1[column],
                Action::Argument {
                    index: call.2,
                    mask: FILE_TYPE,
                    ranges: ranges(
                        ALLOW,
                        [CHARACTER_DEVICE, BLOCK_DEVICE]
                            .map(|kind| (kind, Some(kind), Action::Return(errno(0)))),
                    ),
                },
            )
        });
        fixed
            .chain(nodes)
            .filter(|(number, _)| *number != NO)
            .map(|(number, action)| (number, Some(number), action))
            .collect()
    })
}

/// Returns the program that lets only these calls through. Threads can be made,
/// processes cannot; sockets are of families that name an address, a device or a file.
pub fn only(machine: Machine, names: &[&str]) -> Vec<Instruction> {
    program(machine, errno(EPERM), |column| {
        let among = |argument, mask, values: &[u32]| Action::Argument {
            index: argument,
            mask,
            ranges: ranges(
                errno(EPERM),
                values
                    .iter()
                    .map(|value| (*value, Some(*value), Action::Return(ALLOW))),
            ),
        };
        CALLS
            .iter()
            .filter(|call| call.1[column] != NO)
            .filter_map(|call| {
                let action = match call.0 {
                    // AF_INET, AF_INET6, AF_NETLINK: one of AF_UNIX leads to other processes.
                    "socket" if names.contains(&"socket") => among(0, u32::MAX, &[2, 10, 16]),
                    // Its flags are in memory; the C library uses clone(2) where there is none.
                    "clone3" => Action::Return(errno(ENOSYS)),
                    "clone" => among(0, CLONE_THREAD, &[CLONE_THREAD]),
                    name if names.contains(&name) => Action::Return(ALLOW),
                    _ => return None,
                };
                Some((call.1[column], Some(call.1[column]), action))
            })
            .collect()
    })
}

/// CLONE_THREAD of clone(2).
const CLONE_THREAD: u32 = 0x0001_0000;

/// Numbers from here are the machine's own (arm), and no sign of what is new.
const PRIVATE: u32 = 0x0f_0000;

// inode(7)
const FILE_TYPE: u32 = 0xf000;
const CHARACTER_DEVICE: u32 = 0x2000;
const BLOCK_DEVICE: u32 = 0x6000;

/// First value, last value (none: this is what lies between all later spans), action.
type Span = (u32, Option<u32>, Action);

fn actions(column: usize, capabilities: u64) -> Vec<Span> {
    CALLS
        .iter()
        .filter(|call| call.1[column] != NO)
        .filter_map(|call| {
            let number = call.1[column];
            Some((number, Some(number), action(call, capabilities)?))
        })
        .collect()
}

/// None: the default, EPERM.
fn action(call: &Call, capabilities: u64) -> Option<Action> {
    let has = |capability: u8| capabilities >> capability & 1 == 1;
    let allow = Action::Return(ALLOW);
    match call.2 {
        Rule::Always => Some(allow),
        Rule::With(any) => any.iter().any(|c| has(*c)).then_some(allow),
        Rule::WithOr(capability, _) | Rule::WithOrUnset(capability, ..) if has(capability) => {
            Some(allow)
        }
        Rule::WithOr(_, number) => Some(Action::Return(errno(number))),
        Rule::WithOrUnset(_, index, mask) => Some(Action::Argument {
            index,
            mask,
            ranges: ranges(errno(EPERM), [(0, Some(0), allow)]),
        }),
        Rule::Only(index, allowed) => Some(Action::Argument {
            index,
            mask: u32::MAX,
            ranges: ranges(
                errno(EPERM),
                allowed
                    .iter()
                    .map(|(first, last)| (*first, Some(*last), allow.clone())),
            ),
        }),
    }
}

/// Lays spans over the whole of u32, where `rest` becomes of all else; neighbours of one action merge.
fn ranges(rest: u32, spans: impl IntoIterator<Item = Span>) -> Ranges {
    let mut spans: Vec<Span> = spans.into_iter().collect();
    spans.sort_by_key(|span| span.0);
    let mut out: Ranges = vec![(0, Action::Return(rest))];
    let mut gap = Action::Return(rest);
    for (first, last, action) in spans {
        begin(&mut out, first, action.clone());
        match last {
            Some(last) => {
                if let Some(after) = last.checked_add(1) {
                    begin(&mut out, after, gap.clone());
                }
            }
            None => gap = action,
        }
    }
    out
}

fn begin(out: &mut Ranges, first: u32, action: Action) {
    if out.last().is_some_and(|last| last.0 == first) {
        out.pop();
    }
    if out.last().is_none_or(|last| last.1 != action) {
        out.push((first, action));
    }
}

fn program(machine: Machine, rest: u32, spans: impl Fn(usize) -> Vec<Span>) -> Vec<Instruction> {
    let mut code = Assembler::default();
    let mut next = code.answer(KILL_PROCESS);
    for (arch, column) in machine.architectures().into_iter().rev() {
        let tree = code.tree(&ranges(rest, spans(column)));
        let number = code.load(OFFSET_NUMBER, tree);
        next = code.jump(JUMP_IF_EQUAL, arch, number, next);
    }
    code.load(OFFSET_ARCH, next);
    code.finish()
}

// struct seccomp_data of linux/seccomp.h; both families of machines have the
// lower half of an argument first.
const OFFSET_NUMBER: u32 = 0;
const OFFSET_ARCH: u32 = 4;
const OFFSET_ARGUMENTS: u32 = 16;

// linux/bpf_common.h
const LOAD: u16 = 0x20; // BPF_LD | BPF_W | BPF_ABS
const AND: u16 = 0x54; // BPF_ALU | BPF_AND | BPF_K
const RETURN: u16 = 0x06; // BPF_RET | BPF_K
const JUMP: u16 = 0x05; // BPF_JMP | BPF_JA
const JUMP_IF_EQUAL: u16 = 0x15; // BPF_JMP | BPF_JEQ | BPF_K
const JUMP_IF_AT_LEAST: u16 = 0x35; // BPF_JMP | BPF_JGE | BPF_K

/// A place in the program, counted from its end.
type Place = usize;

/// Writes a program from its end.
#[derive(Default)]
struct Assembler {
    reversed: Vec<Instruction>,
    answers: Vec<(u32, Place)>,
}

impl Assembler {
    /// Instruction that chooses among ranges of the accumulator.
    fn tree(&mut self, ranges: &[(u32, Action)]) -> Place {
        match ranges {
            [] => self.answer(KILL_PROCESS),
            [(_, action)] => self.leaf(action),
            _ => {
                let (below, above) = ranges.split_at(ranges.len() / 2);
                let at_least = self.tree(above);
                let otherwise = self.tree(below);
                self.jump(JUMP_IF_AT_LEAST, above[0].0, at_least, otherwise)
            }
        }
    }

    fn leaf(&mut self, action: &Action) -> Place {
        match action {
            Action::Return(value) => self.answer(*value),
            Action::Argument {
                index,
                mask,
                ranges,
            } => {
                let mut next = self.tree(ranges);
                if *mask != u32::MAX {
                    next = self.write(AND, *mask, next);
                }
                self.load(OFFSET_ARGUMENTS + 8 * *index as u32, next)
            }
        }
    }

    /// An answer near enough to be jumped to is shared.
    fn answer(&mut self, value: u32) -> Place {
        let here = self.reversed.len();
        if let Some((_, place)) = self.answers.iter().rfind(|answer| answer.0 == value)
            && here - place < NEAR
        {
            return *place;
        }
        self.answers.push((value, here));
        self.push(RETURN, 0, 0, value)
    }

    fn load(&mut self, offset: u32, next: Place) -> Place {
        self.write(LOAD, offset, next)
    }

    /// An instruction after which `next` runs.
    fn write(&mut self, code: u16, k: u32, next: Place) -> Place {
        if next + 1 != self.reversed.len() {
            self.far(next);
        }
        self.push(code, 0, 0, k)
    }

    fn jump(&mut self, code: u16, k: u32, then: Place, otherwise: Place) -> Place {
        let mut then = then;
        let mut otherwise = otherwise;
        // Going far is a jump of its own: an offset has eight bits here. The
        // first such jump moves the second goal away by one more.
        if self.distance(then) >= FAR {
            then = self.far(then);
        }
        if self.distance(otherwise) > FAR {
            otherwise = self.far(otherwise);
        }
        let (jt, jf) = (self.distance(then) as u8, self.distance(otherwise) as u8);
        self.push(code, jt, jf, k)
    }

    fn far(&mut self, goal: Place) -> Place {
        let k = self.distance(goal) as u32;
        self.push(JUMP, 0, 0, k)
    }

    /// Instructions between the next one that is written and `goal`.
    fn distance(&self, goal: Place) -> usize {
        self.reversed.len() - goal - 1
    }

    fn push(&mut self, code: u16, jt: u8, jf: u8, k: u32) -> Place {
        self.reversed.push(Instruction { code, jt, jf, k });
        self.reversed.len() - 1
    }

    fn finish(mut self) -> Vec<Instruction> {
        self.reversed.reverse();
        self.reversed
    }
}

/// The longest conditional jump.
const FAR: usize = 255;

/// Up to here an answer is used again; jumps are written some way further on.
const NEAR: usize = 200;
