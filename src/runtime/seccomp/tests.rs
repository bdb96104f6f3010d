//! The programs held against the table by a small interpreter, and the kernel
//! held against the programs by a child.

use super::compile::{Machine, ownership, profile};
use super::table::{CALLS, NO, Rule};
use super::{Instruction, default_filter, mask};
use crate::runtime::capabilities;

const ALLOW: u32 = 0x7fff_0000;
const EPERM: u32 = 0x0005_0001;
const ENOSYS: u32 = 0x0005_0000 | 38;
const SUCCESS: u32 = 0x0005_0000;
const KILL: u32 = 0x8000_0000;

/// Runs a program as the kernel would; a jump out of it or an unknown instruction is a panic.
fn interpret(program: &[Instruction], arch: u32, number: u32, arguments: [u64; 6]) -> u32 {
    let mut data = [0u32; 16];
    data[0] = number;
    data[1] = arch;
    for (index, argument) in arguments.iter().enumerate() {
        data[4 + 2 * index] = *argument as u32;
        data[5 + 2 * index] = (*argument >> 32) as u32;
    }
    let (mut at, mut accumulator, mut steps) = (0, 0u32, 0);
    loop {
        let op = program[at];
        at += 1;
        steps += 1;
        assert!(steps < 40, "the tree is not balanced");
        let jump = |yes: bool| usize::from(if yes { op.jt } else { op.jf });
        match op.code {
            0x20 => accumulator = data[op.k as usize / 4],
            0x54 => accumulator &= op.k,
            0x05 => at += op.k as usize,
            0x15 => at += jump(accumulator == op.k),
            0x35 => at += jump(accumulator >= op.k),
            0x06 => return op.k,
            other => panic!("instruction {other:#x}"),
        }
    }
}

/// What the table says, read in the plainest way.
fn expected(column: usize, capabilities: u64, number: u32, arguments: [u64; 6]) -> u32 {
    let has = |capability: u8| capabilities & 1 << capability != 0;
    let yes = |good: bool| if good { ALLOW } else { EPERM };
    let known = |n: &&u32| **n < 0xf_0000;
    let columns: Vec<u32> = CALLS.iter().map(|call| call.1[column]).collect();
    let Some(call) = CALLS.iter().find(|c| c.1[column] == number && number != NO) else {
        let last = columns.iter().filter(known).max().expect("some");
        return if number > *last { ENOSYS } else { EPERM };
    };
    match call.2 {
        Rule::Always => ALLOW,
        Rule::With(any) => yes(any.iter().any(|c| has(*c))),
        Rule::WithOr(c, errno) if !has(c) => 0x0005_0000 | u32::from(errno),
        Rule::WithOr(..) => ALLOW,
        Rule::WithOrUnset(c, index, bits) => yes(has(c) || arguments[index] & u64::from(bits) == 0),
        Rule::Only(index, allowed) => {
            let value = arguments[index] as u32;
            yes(allowed.iter().any(|(a, b)| (*a..=*b).contains(&value)))
        }
    }
}

const SETS: [u64; 4] = [0xa804_25fb, 0, (1 << 41) - 1, 1 << 21 | 1 << 39 | 1 << 19];

#[test]
fn every_number_gets_what_the_table_says() {
    let values = [
        0,
        1,
        2,
        7,
        8,
        9,
        37,
        38,
        39,
        40,
        41,
        0x2_0000,
        0x2_0008,
        0x1000_0000,
        0x0001_1200,
        0x4000_0000,
        0x3d0f00,
        0xffff_ffff,
        0x1_0000_0028,
        0xffff_ffff_0000_0000,
    ];
    for machine in [Machine::X86_64, Machine::Aarch64] {
        for capabilities in SETS {
            let program = profile(machine, capabilities);
            for (arch, column) in machine.architectures() {
                let edges = [983_040, 983_041, 983_042, 983_043, 983_045, 983_046];
                let x32 = [0x4000_0000, 0x4000_0001, 0x4000_0200, NO - 1, NO];
                for number in (0..=500).chain(edges).chain(x32) {
                    for value in values {
                        let arguments = [value; 6];
                        assert_eq!(
                            interpret(&program, arch, number, arguments),
                            expected(column, capabilities, number, arguments),
                            "{machine:?} {capabilities:#x} column {column} number {number} value {value:#x}"
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn an_argument_is_read_where_its_rule_says() {
    let program = profile(Machine::X86_64, SETS[0]);
    let x86_64 = 0xc000_003e;
    let run = |number, arguments| interpret(&program, x86_64, number, arguments);
    assert_eq!(run(56, [0x1000_0000, 0, 0, 0, 0, 0]), EPERM);
    assert_eq!(run(56, [0, 0x1000_0000, 0, 0, 0, 0]), ALLOW);
    assert_eq!(run(41, [40, 1, 0, 0, 0, 0]), EPERM);
    assert_eq!(run(41, [1, 40, 38, 0, 0, 0]), ALLOW);
    assert_eq!(run(135, [0x4_0000, 0, 0, 0, 0, 0]), EPERM);
    assert_eq!(run(435, [0; 6]), ENOSYS);
    assert_eq!(run(272, [0; 6]), EPERM);
}

#[test]
fn no_other_architecture_leads_around_the_table() {
    for machine in [Machine::X86_64, Machine::Aarch64] {
        for program in [profile(machine, u64::MAX), ownership(machine)] {
            for arch in [0, 0x28, 0xc000_0015, 0x8000_0008, u32::MAX] {
                assert_eq!(interpret(&program, arch, 0, [0; 6]), KILL);
            }
        }
    }
}

#[test]
fn ownership_is_answered_and_devices_are_made_on_paper_only() {
    let program = ownership(Machine::X86_64);
    let run = |arch, number, mode: u64| interpret(&program, arch, number, [1, mode, mode, 0, 0, 0]);
    let (x86_64, x86) = (0xc000_003e, 0x4000_0003);
    // chown, fchown, lchown, fchownat, setuid, setgroups, setresgid, capset
    for number in [92, 93, 94, 260, 105, 116, 119, 126] {
        assert_eq!(run(x86_64, number, 0), SUCCESS, "{number}");
    }
    // chown, chown32, setuid32, setgroups32
    for number in [182, 212, 213, 206] {
        assert_eq!(run(x86, number, 0), SUCCESS, "{number}");
    }
    for (mode, answer) in [
        (0o020_666, SUCCESS),
        (0o060_660, SUCCESS),
        (0o010_644, ALLOW),
        (0o100_644, ALLOW),
        (0o140_755, ALLOW),
        (0o000_644, ALLOW),
    ] {
        assert_eq!(run(x86_64, 133, mode), answer, "mknod {mode:o}");
        assert_eq!(run(x86_64, 259, mode), answer, "mknodat {mode:o}");
        assert_eq!(run(x86, 297, mode), answer, "mknodat of x86 {mode:o}");
    }
    assert_eq!(run(x86_64, 39, 0), ALLOW);
    assert_eq!(run(x86_64, 1000, 0), ALLOW);
}

#[test]
fn the_ready_program_is_that_of_the_default_capabilities() {
    assert_eq!(mask(&capabilities::DEFAULT), SETS[0]);
    let compiled = super::compile(&capabilities::DEFAULT);
    let key = |i: &Instruction| (i.code, i.jt, i.jf, i.k);
    assert!(
        compiled
            .iter()
            .map(key)
            .eq(default_filter().iter().map(key))
    );
    assert!(compiled.len() < 500, "{} instructions", compiled.len());
}

#[test]
fn the_table_has_each_call_once_and_each_number_once() {
    for pair in CALLS.windows(2) {
        assert!(pair[0].0.trim_start_matches('_') < pair[1].0.trim_start_matches('_'));
    }
    for column in 0..4 {
        let mut numbers: Vec<u32> = CALLS
            .iter()
            // arm has the same call under two names.
            .filter(|call| call.0 != "arm_sync_file_range")
            .map(|call| call.1[column])
            .filter(|number| *number != NO)
            .collect();
        let all = numbers.len();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), all, "column {column}");
    }
}

/// A test has threads, so what it forks may only make system calls; the tries are in `sys`.
#[test]
fn the_kernel_does_what_the_program_says() {
    let tries = crate::sys::seccomp::tries(default_filter()).expect("a child that answers");
    let [loaded, unshare, clone3, own_id] = tries;
    assert_eq!(loaded, 0, "the filter loads under no_new_privs");
    assert_eq!(unshare, 1, "unshare(CLONE_NEWUSER) is EPERM");
    assert_eq!(clone3, 38, "clone3 is ENOSYS");
    assert_eq!(own_id, 0, "getpid goes on");
}
