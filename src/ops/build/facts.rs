//! What stat(2) says of a file, as far as a build needs it.
//!
//! Lives here: [`Facts`], and when they tell that nothing was changed.
//! Must not: touch the disk.
//! Called by: `ahead`, `gather`, `hashes`, `summary`.
//! Always true: two files of the same [`Facts::key`] have the same content, if the
//! older one of the looks was at a file that was [settled](Facts::is_settled).

use std::time::{Duration, SystemTime};

use rustix::fs::{FileType, Stat};

/// What is known of a file without opening it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Where it is.
    pub device: u64,
    /// Its number there.
    pub inode: u64,
    /// Bytes of its content.
    pub size: u64,
    /// When its content was changed, as far as anybody can be believed.
    pub modified: (i64, u32),
    /// When anything of it was changed: this time nobody can set.
    pub changed: (i64, u32),
    /// Kind and permissions.
    mode: u32,
    /// Owner and group.
    pub owner: (u32, u32),
    /// It has other names.
    pub several: bool,
}

/// See [`Facts::stamp`].
pub type Stamp = (u64, u64, i64);

/// Bytes of a [`Facts::key`].
pub const KEY: usize = 48;
/// A file system may count its times in steps of this.
const COARSE: Duration = Duration::from_secs(2);
/// The kernel counts in steps of at most this, where the file system has nanoseconds.
const FINE: Duration = Duration::from_millis(50);

impl Facts {
    /// Takes them from what the kernel says.
    pub fn of(stat: &Stat) -> Self {
        let nanoseconds = |n: u64| u32::try_from(n).unwrap_or(0);
        Self {
            device: stat.st_dev,
            inode: stat.st_ino,
            size: stat.st_size.cast_unsigned(),
            modified: (stat.st_mtime, nanoseconds(stat.st_mtime_nsec)),
            changed: (stat.st_ctime, nanoseconds(stat.st_ctime_nsec)),
            mode: stat.st_mode,
            owner: (stat.st_uid, stat.st_gid),
            several: stat.st_nlink > 1,
        }
    }

    /// What kind of thing it is.
    pub fn kind(&self) -> FileType {
        FileType::from_raw_mode(self.mode)
    }

    /// Its permissions.
    pub fn permissions(&self) -> u32 {
        self.mode & 0o7777
    }

    /// What tells whether a file's content is what it was: device, inode, size and times,
    /// little-endian.
    pub fn key(&self) -> [u8; KEY] {
        let mut bytes = [0; KEY];
        bytes[..8].copy_from_slice(&self.device.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.inode.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.size.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.modified.0.to_le_bytes());
        bytes[32..36].copy_from_slice(&self.modified.1.to_le_bytes());
        bytes[36..44].copy_from_slice(&self.changed.0.to_le_bytes());
        bytes[44..].copy_from_slice(&self.changed.1.to_le_bytes());
        bytes
    }

    /// Adds all of them that a digest of the file by its name depends on.
    pub fn put(&self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&self.key());
        bytes.extend_from_slice(&self.mode.to_le_bytes());
    }

    /// Tells whether a file that is opened is the one that was looked at: inode, size and
    /// time of change.
    pub fn stamp(&self) -> Stamp {
        let (seconds, nanoseconds) = self.changed;
        let time = seconds.wrapping_mul(1_000_000_000);
        (self.inode, self.size, time.wrapping_add(nanoseconds.into()))
    }

    /// Says whether a change from now on would show in the times.
    pub fn is_settled(&self, now: SystemTime) -> bool {
        let step = if self.changed.1 == 0 { COARSE } else { FINE };
        let (seconds, nanoseconds) = self.changed;
        let changed = Duration::new(seconds.max(0).unsigned_abs(), nanoseconds.min(999_999_999));
        SystemTime::UNIX_EPOCH
            .checked_add(changed)
            .and_then(|changed| changed.checked_add(step))
            .is_some_and(|settled| settled < now)
    }
}
