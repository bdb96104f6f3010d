//! Questions from containers and answers from servers: what is read of them, and what
//! is made of what was read.

#![no_main]
#![allow(
    dead_code,
    missing_docs,
    reason = "the source is rpod's own, read in part"
)]

#[path = "../../../src/dataplane/dns/message.rs"]
mod message;

use libfuzzer_sys::fuzz_target;
use message::{LONGEST, Outcome, Read, Records};

fuzz_target!(|data: &[u8]| {
    // The first half asks, all of it answers.
    let (asked, _) = data.split_at(data.len() / 2);
    for bytes in [asked, data] {
        match message::read(bytes) {
            Read::Question(question) => {
                message::address_of(&question.name);
                let many = Records {
                    addresses: (0..=255).map(|n| [10, 0, 0, n].into()).collect(),
                    pointer: Some(question.name.clone()),
                };
                for whole in [false, true] {
                    let answer = question.answer(bytes, &many, whole);
                    assert!(answer.len() <= usize::from(u16::MAX));
                }
                assert!(question.outcome(bytes, Outcome::NoSuchName).len() <= LONGEST);
                assert!(question.fit(bytes, data.to_vec()).len() <= data.len().max(LONGEST));
                question.is_answered_by(bytes, question.id, data);
                question.is_answered_by(bytes, 7, data);
            }
            Read::Refused(answer) => assert!(answer.len() <= LONGEST),
            Read::Nothing => {}
        }
    }
});
