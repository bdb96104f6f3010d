//! Tars made byte by byte, and what is read from them.

use std::io::{BufReader, Read};

use super::{Entries, Entry, Kind};

/// Returns a header with a right sum; ustar, mode 0644, owner 0:0, time 0.
pub fn header(kind: u8, name: &[u8], link: &[u8], size: u64) -> [u8; 512] {
    let mut block = [0; 512];
    block[..name.len()].copy_from_slice(name);
    // Nobody but root gets into a directory without its x.
    let mode = if kind == b'5' { b"0000755" } else { b"0000644" };
    block[100..107].copy_from_slice(mode);
    block[108..115].copy_from_slice(b"0000000");
    block[116..123].copy_from_slice(b"0000000");
    block[124..135].copy_from_slice(format!("{size:011o}").as_bytes());
    block[136..147].copy_from_slice(b"00000000000");
    block[156] = kind;
    block[157..157 + link.len()].copy_from_slice(link);
    block[257..265].copy_from_slice(b"ustar\x0000");
    seal(&mut block);
    block
}

/// Writes the sum of a header that was changed.
pub fn seal(block: &mut [u8; 512]) {
    block[148..156].fill(b' ');
    let sum: u32 = block.iter().map(|b| u32::from(*b)).sum();
    block[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
}

/// Returns data filled up to whole blocks.
pub fn padded(data: &[u8]) -> Vec<u8> {
    let mut out = data.to_vec();
    out.resize(data.len().next_multiple_of(512), 0);
    out
}

/// Returns an entry with its data.
pub fn entry(kind: u8, name: &str, link: &str, data: &[u8]) -> Vec<u8> {
    let header = header(kind, name.as_bytes(), link.as_bytes(), data.len() as u64);
    [&header[..], &padded(data)].concat()
}

/// Returns a pax header of these records.
pub fn pax(records: &[(&str, &[u8])]) -> Vec<u8> {
    let mut data = Vec::new();
    for (key, value) in records {
        let rest = key.len() + value.len() + 3;
        let mut length = rest + 1;
        while length != rest + length.to_string().len() {
            length = rest + length.to_string().len();
        }
        data.extend(format!("{length} {key}=").as_bytes());
        data.extend(*value);
        data.push(b'\n');
    }
    entry(b'x', "PaxHeaders/x", "", &data)
}

/// Returns a whole tar.
pub fn tar(parts: &[Vec<u8>]) -> Vec<u8> {
    [parts.concat(), vec![0; 1024]].concat()
}

fn read(tar: &[u8]) -> crate::error::Result<Vec<(Entry, Vec<u8>)>> {
    // A small buffer, so that headers and data are split everywhere.
    let mut entries = Entries::new(BufReader::with_capacity(100, tar));
    let mut out = Vec::new();
    while let Some(entry) = entries.next_entry()? {
        let mut data = Vec::new();
        entries.data().read_to_end(&mut data)?;
        out.push((entry, data));
    }
    Ok(out)
}

fn first(parts: &[Vec<u8>]) -> Entry {
    read(&tar(parts)).expect("a tar").remove(0).0
}

fn refused(parts: &[Vec<u8>]) -> String {
    read(&tar(parts)).expect_err("refused").to_string()
}

#[test]
fn entries_follow_each_other_and_unread_data_are_skipped() {
    let bytes = tar(&[
        entry(b'5', "etc/", "", b""),
        entry(b'0', "etc/x", "", &[7; 1000]),
        entry(b'2', "l", "etc/x", b""),
    ]);
    let mut entries = Entries::new(&bytes[..]);
    let mut names = Vec::new();
    while let Some(entry) = entries.next_entry().expect("read") {
        names.push((
            String::from_utf8_lossy(&entry.name).into_owned(),
            entry.kind,
        ));
    }
    assert_eq!(
        names,
        [
            ("etc/".to_owned(), Kind::Directory),
            ("etc/x".to_owned(), Kind::File),
            ("l".to_owned(), Kind::Symlink)
        ]
    );
    assert_eq!(read(&bytes).expect("read")[1].1, [7; 1000]);
}

#[test]
fn names_come_from_pax_gnu_and_the_prefix_of_ustar() {
    let long = "d/".repeat(120) + "f";
    let gnu = [
        entry(b'L', "././@LongLink", "", format!("{long}\0").as_bytes()),
        entry(b'0', "short", "", b""),
    ];
    assert_eq!(first(&gnu).name, long.as_bytes());
    let said = [pax(&[("path", long.as_bytes())]), entry(b'0', "s", "", b"")];
    assert_eq!(first(&said).name, long.as_bytes());
    let mut prefixed = header(b'0', b"name", b"", 0);
    prefixed[345..350].copy_from_slice(b"a/b/c");
    seal(&mut prefixed);
    assert_eq!(first(&[prefixed.to_vec()]).name, b"a/b/c/name");
    // GNU has other things where ustar has the prefix.
    prefixed[257..265].copy_from_slice(b"ustar  \0");
    seal(&mut prefixed);
    assert_eq!(first(&[prefixed.to_vec()]).name, b"name");
    let link = [
        entry(b'K', "././@LongLink", "", b"far/away\0"),
        entry(b'2', "l", "near", b""),
    ];
    assert_eq!(first(&link).link, b"far/away");
}

#[test]
fn numbers_are_octal_or_binary() {
    let mut block = header(b'0', b"x", b"", 0);
    block[108..116].copy_from_slice(&[0x80, 0, 0, 0, 0, 0x30, 0, 1]);
    block[116..124].copy_from_slice(b"  1750 \0");
    block[136..148].copy_from_slice(&[255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 254]);
    seal(&mut block);
    let entry = first(&[block.to_vec()]);
    assert_eq!(
        (entry.uid, entry.gid, entry.mtime),
        (0x30_0001, 1000, (-2, 0))
    );
    block[124..136].copy_from_slice(&[255; 12]);
    seal(&mut block);
    assert!(refused(&[block.to_vec()]).contains("negative"));
    block[124..136].copy_from_slice(b"0000000009\0\0");
    seal(&mut block);
    assert!(refused(&[block.to_vec()]).contains("no number"));
}

#[test]
fn a_size_that_pax_gives_is_the_size() {
    let mut body = entry(b'0', "x", "", b"");
    body.extend(padded(b"hello"));
    let bytes = tar(&[
        pax(&[("size", b"5"), ("uid", b"99999999"), ("mtime", b"7.25")]),
        body,
        entry(b'0', "next", "", b""),
    ]);
    let read = read(&bytes).expect("read");
    assert_eq!(read[0].1, b"hello");
    assert_eq!(read[0].0.uid, 99_999_999);
    assert_eq!(read[0].0.mtime, (7, 250_000_000));
    assert_eq!(read[1].0.name, b"next");
    assert_eq!(read[1].0.uid, 0);
}

#[test]
fn a_directory_before_ustar_is_told_by_its_slash() {
    assert_eq!(first(&[entry(0, "d/", "", b"")]).kind, Kind::Directory);
    assert_eq!(first(&[entry(0, "f", "", b"")]).kind, Kind::File);
}

#[test]
fn links_and_devices_have_no_data_whatever_they_say() {
    let mut device = header(b'3', b"null", b"", 4096);
    device[329..336].copy_from_slice(b"0000001");
    device[337..344].copy_from_slice(b"0000003");
    seal(&mut device);
    let bytes = tar(&[device.to_vec(), entry(b'0', "next", "", b"")]);
    let read = read(&bytes).expect("read");
    assert_eq!(read[0].0.kind, Kind::Character(1, 3));
    assert_eq!(read[1].0.name, b"next");
}

#[test]
fn all_four_ways_to_write_holes_give_the_same_map() {
    let pieces = Some(vec![(512, 3), (1000, 2)]);
    let old = {
        let mut block = header(b'S', b"f", b"", 5);
        block[257..265].copy_from_slice(b"ustar  \0");
        for (at, number) in [(386, 512), (398, 3), (410, 1000), (422, 2), (483, 2000)] {
            block[at..at + 11].copy_from_slice(format!("{number:011o}").as_bytes());
        }
        seal(&mut block);
        vec![[&block[..], &padded(b"abcde")].concat()]
    };
    let file = entry(b'0', "GNUSparseFile.0/f", "", b"abcde");
    let said_0 = vec![
        pax(&[
            ("GNU.sparse.size", b"2000"),
            ("GNU.sparse.numblocks", b"2"),
            ("GNU.sparse.offset", b"512"),
            ("GNU.sparse.numbytes", b"3"),
            ("GNU.sparse.offset", b"1000"),
            ("GNU.sparse.numbytes", b"2"),
            ("GNU.sparse.name", b"f"),
        ]),
        file.clone(),
    ];
    let said_1 = vec![
        pax(&[
            ("GNU.sparse.size", b"2000"),
            ("GNU.sparse.map", b"512,3,1000,2"),
            ("GNU.sparse.name", b"f"),
        ]),
        file,
    ];
    let map = [&padded(b"2\n512\n3\n1000\n2\n")[..], b"abcde"].concat();
    let in_data = vec![
        pax(&[
            ("GNU.sparse.major", b"1"),
            ("GNU.sparse.minor", b"0"),
            ("GNU.sparse.realsize", b"2000"),
            ("GNU.sparse.name", b"f"),
        ]),
        entry(b'0', "GNUSparseFile.0/f", "", &map),
    ];
    for parts in [old, said_0, said_1, in_data] {
        let (entry, data) = read(&tar(&parts)).expect("read").remove(0);
        assert_eq!(entry.name, b"f");
        assert_eq!(entry.size, 2000);
        assert_eq!(entry.pieces, pieces);
        assert_eq!(data, b"abcde");
    }
}

#[test]
fn maps_that_lie_are_refused() {
    for (map, why) in [
        (&b"0,3,2,2"[..], "overlap"),
        (b"1999,5", "outside"),
        (b"18446744073709551615,5", "outside"),
        (b"0,4", "bytes"),
        (b"0", "damaged"),
    ] {
        let parts = [
            pax(&[("GNU.sparse.size", b"2000"), ("GNU.sparse.map", map)]),
            entry(b'0', "f", "", b"abcde"),
        ];
        let error = refused(&parts);
        assert!(error.contains(why), "{error}");
    }
    let endless = [
        pax(&[("GNU.sparse.major", b"1"), ("GNU.sparse.realsize", b"9")]),
        entry(b'0', "f", "", &[b'1'; 512]),
    ];
    assert!(refused(&endless).contains("damaged"));
}

#[test]
fn what_is_damaged_is_refused_with_its_place() {
    let mut wrong = header(b'0', b"x", b"", 0);
    wrong[0] = b'y';
    assert_eq!(
        refused(&[entry(b'5', "d", "", b""), wrong.to_vec()]),
        "the tar is damaged at byte 512: a header has a wrong checksum"
    );
    assert!(read(&header(b'0', b"x", b"", 9)[..]).is_err());
    assert!(read(&header(b'0', b"x", b"", 0)[..300]).is_err());
    let huge = header(b'0', b"x", b"", 0o77_777_777_777);
    assert!(read(&huge).is_err());
    assert!(refused(&[entry(b'M', "x", "", b"")]).contains("unknown type"));
    assert!(refused(&[pax(&[("path", b"a\0b")]), entry(b'0', "x", "", b"")]).contains("zero byte"));
    let hole = [vec![0; 512], entry(b'0', "x", "", b"")];
    assert!(refused(&hole).contains("zeros"));
}

#[test]
fn extended_headers_cannot_fill_the_memory() {
    let bomb = header(b'x', b"x", b"", 4 << 30);
    assert!(refused(&[bomb.to_vec()]).contains("1048576"));
    let one = pax(&[("comment", &[b'a'; 100_000])]);
    let many = vec![one; 20];
    assert!(refused(&many).contains("1048576"));
    // Each entry has its own.
    let pair = [
        pax(&[("comment", &[b'a'; 600_000])]),
        entry(b'0', "x", "", b""),
    ]
    .concat();
    assert_eq!(read(&tar(&vec![pair; 3])).expect("read").len(), 3);
}

#[test]
fn a_tar_may_end_without_its_zeros() {
    let bytes = entry(b'0', "x", "", b"abc");
    assert_eq!(read(&bytes).expect("read").len(), 1);
    assert_eq!(read(&[]).expect("read").len(), 0);
    assert_eq!(
        read(&[bytes, vec![0; 512]].concat()).expect("read").len(),
        1
    );
}
