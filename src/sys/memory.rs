//! Memory of this process: madvise(2), malloc_trim(3).
//!
//! Lives here: giving back what a process that stays will hardly use again.
//! Must not: decide when.
//! Called by: `role` and `dataplane::switch`, once they only wait.
//! Always true: only pages that can be read again from their file are given back.

use std::fs;

/// Gives back the memory that start-up has touched: the program's own pages,
/// which the kernel reads again from the file when they are needed, and free heap.
pub fn slim_down() {
    // SAFETY: it only returns free memory to the kernel.
    unsafe { libc::malloc_trim(0) };
    for (start, length) in
        clean_file_pages(&fs::read_to_string("/proc/self/smaps").unwrap_or_default())
    {
        // SAFETY: the kernel says that no page of this mapping differs from its
        // file (no anonymous page, nothing dirty, not writable), so dropping them
        // (MADV_DONTNEED, private file mapping) loses nothing.
        unsafe { libc::madvise(start as *mut libc::c_void, length, libc::MADV_DONTNEED) };
    }
}

/// Reads proc_pid_smaps(5): mappings of files that are not writable and have no page of their own.
fn clean_file_pages(text: &str) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut present: Option<(usize, usize)> = None;
    for line in text.lines() {
        let mut words = line.split_whitespace();
        let Some(first) = words.next() else { continue };
        if let Some(name) = first.strip_suffix(':') {
            if name == "Anonymous" {
                let clean = words.next() == Some("0");
                found.extend(present.take().filter(|_| clean));
            }
            continue;
        }
        present = (|| {
            let (start, end) = first.split_once('-')?;
            let start = usize::from_str_radix(start, 16).ok()?;
            let end = usize::from_str_radix(end, 16).ok()?;
            let rights = words.next()?;
            let path = words.nth(3)?;
            (path.starts_with('/') && !rights.contains('w')).then_some((start, end - start))
        })();
    }
    found
}

#[cfg(test)]
mod tests {
    #[test]
    fn only_what_is_in_its_file_is_given_back() {
        let text = "\
1000-3000 r-xp 00000000 fe:00 1 /bin/rpod
Rss: 8 kB
Anonymous: 0 kB
3000-4000 r--p 00002000 fe:00 1 /bin/rpod
Anonymous: 4 kB
4000-5000 rw-p 00003000 fe:00 1 /bin/rpod
Anonymous: 0 kB
5000-6000 rw-p 00000000 00:00 0 [heap]
Anonymous: 0 kB
";
        assert_eq!(super::clean_file_pages(text), [(0x1000, 0x2000)]);
        super::slim_down();
    }
}
