//! The last good key document on disk, so that a restart during an outage of the key
//! address keeps serving.
//!
//! The file decides who may call the API, like the key address itself. It is replaced as
//! a whole and readable and writable by its owner alone. It is never used if others could
//! have written it, if it is from another issuer or address, or if its age, counted from
//! the fetch, is past the maximum staleness. Several processes may share one: each
//! replaces it with its own complete document.
//!
//! # Who could have written it
//!
//! It must be a file that [everybody can neither write nor
//! replace](crate::file::guarded_file), must not be a link, and must belong to this
//! process's user or to root. A group may write it only if the whole directory was handed
//! to that group (the same group, writable, with the setgid bit) and this process is in
//! it. This is how Kubernetes hands a volume to a pod (`fsGroup`); it sets the mode of
//! existing files to 0660 when it mounts the volume again. So only this user, root and
//! this process's own group could have written it.
//!
//! # What a killed writer leaves behind
//!
//! A temporary file beside the snapshot. The next write removes it, but spares the files
//! of active writers: see [`is_left_over`].

use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use super::fetch::{Document, Validator};
use crate::clock::UnixTime;
use crate::file::guarded_file::{self, FileError, GuardedFile, Links, Writable};
use crate::jwt::json;
use crate::jwt::jwks::{KeySet, KeySetError};

/// The file format. A file of another version is ignored.
const VERSION: u8 = 1;

/// How far in the future a fetch may appear to be: clocks of machines that share a file
/// differ, and one that was set back further has lost track of the age.
const CLOCK_SKEW: Duration = Duration::from_secs(60);

/// The most that is in the file besides the document: names, two addresses.
const MARGIN: usize = 16 * 1024;

/// The age at which a temporary file's writer counts as gone: a write takes as long as
/// the disk needs for a megabyte, which is seconds on a slow one.
const ABANDONED: Duration = Duration::from_secs(10 * 60);

/// The same if no process has its writer's number: the writer may be in another container
/// that shares the directory but has its own process numbers.
const ORPHANED: Duration = Duration::from_secs(2);

/// The most directory entries that are searched for temporary files, which takes
/// milliseconds: a directory of snapshots has a few.
const MAX_ENTRIES: usize = 4096;

/// Where the snapshot of one issuer is, and what it must belong to.
#[derive(Clone)]
pub(crate) struct SnapshotFile {
    pub(crate) path: PathBuf,
    pub(crate) issuer: String,
    pub(crate) address: String,
    /// By whom the address is vouched for: see
    /// [`Clients::trust`](crate::net::client::Clients::trust).
    pub(crate) trust: String,
    /// The limit for the document, as for a fetch.
    pub(crate) max_bytes: usize,
    pub(crate) writable: Writable,
}

/// Without the address, whose query may hold a secret.
impl fmt::Debug for SnapshotFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (f.debug_struct("SnapshotFile").field("path", &self.path)).finish_non_exhaustive()
    }
}

/// A document as it is stored.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    version: u8,
    issuer: String,
    address: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    trust: String,
    /// Unix time in seconds.
    fetched_at: u64,
    /// When the document itself arrived; `fetched_at` is also updated when it is
    /// confirmed.
    #[serde(default)]
    read_at: u64,
    validator: Option<Validator>,
    document: String,
}

/// Keys from a snapshot, and their age.
#[derive(Debug)]
pub(crate) struct Restored {
    pub(crate) document: Document,
    pub(crate) age: Duration,
    /// When the document itself arrived.
    pub(crate) read_at: UnixTime,
}

/// Why a snapshot was not used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SnapshotError {
    #[error("{0}")]
    File(#[from] FileError),
    #[cfg(unix)]
    #[error(
        "others than this process's user, root and the group of its directory could have written it"
    )]
    Writable,
    #[error("it is not a snapshot, or damaged")]
    Damaged,
    #[error("it is of another issuer or key address, or came by another certificate authority")]
    Foreign,
    #[error("it is past the maximum staleness")]
    TooOld,
    #[error("it is from the future")]
    FromTheFuture,
    #[error("{0}")]
    KeySet(#[from] KeySetError),
}

impl SnapshotFile {
    /// The snapshot, if the file exists; blocks.
    pub(crate) fn read(
        &self,
        now: UnixTime,
        max_stale: Duration,
    ) -> Result<Option<Restored>, SnapshotError> {
        let Some(record) = self.read_record(now)? else {
            return Ok(None);
        };
        let age = now.saturating_since(UnixTime::from_secs(record.fetched_at));
        if age >= max_stale {
            return Err(SnapshotError::TooOld);
        }
        Ok(Some(Restored {
            document: Document {
                keys: KeySet::from_document(record.document.as_bytes())?,
                bytes: record.document.into_bytes().into(),
                validator: record.validator,
            },
            age,
            read_at: UnixTime::from_secs(record.read_at),
        }))
    }

    fn read_record(&self, now: UnixTime) -> Result<Option<Record>, SnapshotError> {
        let file = match GuardedFile::open(&self.path, Links::Refused, self.writable) {
            Ok(file) => file,
            Err(FileError::Io(io::ErrorKind::NotFound, _)) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        #[cfg(unix)]
        if self.writable == Writable::Refused {
            permissions::check(&self.path, file.metadata())?;
        }
        // JSON encodes each byte of the document as six at worst.
        let limit = self.max_bytes * 6 + MARGIN;
        let mut bytes = Vec::new();
        file.read(limit, &mut bytes)?;
        if !json::is_object(&bytes) {
            return Err(SnapshotError::Damaged);
        }
        let record: Record = serde_json::from_slice(&bytes).map_err(|_| SnapshotError::Damaged)?;
        if record.version != VERSION || record.document.len() > self.max_bytes {
            return Err(SnapshotError::Damaged);
        }
        if record.issuer != self.issuer
            || record.address != self.address
            || record.trust != self.trust
        {
            return Err(SnapshotError::Foreign);
        }
        if UnixTime::from_secs(record.fetched_at) > now.saturating_add(CLOCK_SKEW) {
            return Err(SnapshotError::FromTheFuture);
        }
        Ok(Some(record))
    }

    /// Replaces the file with `document`, unless another process has stored one that was
    /// fetched later; blocks.
    ///
    /// # Errors
    /// Besides disk errors: if everybody could replace the file, so that it would not be
    /// read, or if something other than a file or a link is in its place.
    pub(crate) fn write(
        &self,
        document: &[u8],
        validator: Option<Validator>,
        fetched_at: UnixTime,
        read_at: UnixTime,
        now: UnixTime,
    ) -> io::Result<()> {
        if self.writable == Writable::Refused {
            guarded_file::check_place(&self.path)?;
        }
        if !self.can_be_replaced() {
            return Err(FileError::NotAFile.into());
        }
        if let Ok(Some(theirs)) = self.read_record(now)
            && theirs.fetched_at > fetched_at.as_secs()
        {
            return Ok(());
        }
        let record = Record {
            version: VERSION,
            issuer: self.issuer.clone(),
            address: self.address.clone(),
            trust: self.trust.clone(),
            fetched_at: fetched_at.as_secs(),
            read_at: read_at.as_secs(),
            validator,
            document: String::from_utf8(document.into())
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?,
        };
        let temporary = self.temporary_path();
        let written = write_new(&temporary, &serde_json::to_vec(&record)?)
            .and_then(|()| fs::rename(&temporary, &self.path));
        if written.is_err() {
            // Nothing more can be done about a file that can't be removed.
            let _ = fs::remove_file(&temporary);
        }
        self.remove_leftovers(SystemTime::now());
        written
    }

    /// Whether nothing is to be seen in its place, or a file or a link.
    fn can_be_replaced(&self) -> bool {
        fs::symlink_metadata(&self.path)
            .map_or(true, |metadata| metadata.is_file() || metadata.is_symlink())
    }

    /// A unique name beside the file.
    fn temporary_path(&self) -> PathBuf {
        let mut name = self.path.file_name().unwrap_or_default().to_owned();
        name.push(format!(
            ".{}.{:016x}.tmp",
            std::process::id(),
            fastrand::u64(..)
        ));
        self.path.with_file_name(name)
    }

    /// Removes the temporary files of writers that are gone. Files that can't be removed
    /// are harmless and stay.
    fn remove_leftovers(&self, now: SystemTime) {
        let (Some(directory), Some(name)) = (self.path.parent(), self.path.file_name()) else {
            return;
        };
        let Some(name) = name.to_str() else {
            return;
        };
        let here = directory.as_os_str().is_empty();
        let Ok(entries) = fs::read_dir(if here { Path::new(".") } else { directory }) else {
            return;
        };
        for entry in entries.take(MAX_ENTRIES).flatten() {
            let file_name = entry.file_name();
            let Some(writer) = file_name.to_str().and_then(|it| writer_of(it, name)) else {
                continue;
            };
            // Of the entry itself, not of a link's target.
            if let Ok(metadata) = entry.metadata()
                && metadata.is_file()
                && let Ok(written) = metadata.modified()
                && is_left_over(writer, now.duration_since(written).unwrap_or_default())
            {
                let _ = fs::remove_file(entry.path());
            }
        }
    }
}

/// The process that writes the temporary file of this name, or wrote it: 4711 for
/// `keys.json.4711.0123456789abcdef.tmp`.
fn writer_of(name: &str, snapshot: &str) -> Option<u32> {
    let rest = name.strip_prefix(snapshot)?.strip_prefix('.')?;
    let (writer, random) = rest.strip_suffix(".tmp")?.split_once('.')?;
    let is_random = random.len() == 16
        && (random.bytes()).all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let is_number = writer.bytes().all(|byte| byte.is_ascii_digit());
    if !(is_random && is_number) {
        return None;
    }
    writer.parse().ok()
}

/// Whether a temporary file's writer is gone, at this age of the file. If a process with
/// the writer's number is running, it may be the writer, or another one that got the
/// number since; in a container it is usually this process's own, 1.
fn is_left_over(writer: u32, age: Duration) -> bool {
    age >= ABANDONED || (age >= ORPHANED && is_gone(writer))
}

/// Whether no process has this number.
#[cfg(unix)]
fn is_gone(process: u32) -> bool {
    use rustix::process::{Pid, test_kill_process};
    let process = i32::try_from(process).ok().and_then(Pid::from_raw);
    process.is_none_or(|process| test_kill_process(process) == Err(rustix::io::Errno::SRCH))
}

/// Elsewhere only the age can tell.
#[cfg(not(unix))]
fn is_gone(_: u32) -> bool {
    false
}

#[cfg(unix)]
mod permissions {
    use std::fs::{Metadata, metadata};
    use std::path::Path;

    use super::SnapshotError;
    use crate::file::guarded_file::permissions::{Access, BY_EVERYBODY, ROOT};

    const BY_GROUP: u32 = 0o020;
    const SETGID: u32 = 0o2000;

    /// This process's user and groups.
    #[derive(Debug)]
    pub(super) struct Us {
        pub(super) user: u32,
        pub(super) groups: Vec<u32>,
    }

    impl Us {
        fn now() -> Self {
            use rustix::process::{getegid, geteuid, getgroups};
            let further = getgroups().unwrap_or_default();
            let groups = std::iter::once(getegid()).chain(further);
            Self {
                user: geteuid().as_raw(),
                groups: groups.map(rustix::process::Gid::as_raw).collect(),
            }
        }

        /// Whether only we could have written the file.
        pub(super) fn wrote(&self, file: Access, directory: Access) -> bool {
            let by_our_group = self.groups.contains(&file.group)
                && directory.group == file.group
                && directory.has(BY_GROUP)
                && directory.has(SETGID);
            !file.has(BY_EVERYBODY)
                && [self.user, ROOT].contains(&file.owner)
                && (!file.has(BY_GROUP) || by_our_group)
        }
    }

    pub(super) fn check(path: &Path, file: &Metadata) -> Result<(), SnapshotError> {
        let directory = std::path::absolute(path).and_then(|path| {
            let directory = path.parent().unwrap_or_else(|| Path::new("/"));
            metadata(directory)
        });
        let directory = directory.map_err(super::FileError::from)?;
        if !Us::now().wrote(Access::of(file), Access::of(&directory)) {
            return Err(SnapshotError::Writable);
        }
        Ok(())
    }
}

fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(shuttle)]
mod models;

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    const KEYS: &str = concat!(
        r#"{"keys":[{"alg":"RS256","e":"AQAB","kid":"1","kty":"RSA","n":"rJzRIhtaVCJDg13QJearCXgiYQjXExd6xC8oD6hj"#,
        "Rlyc-rACKIEedLTEkWskYMPEyK5ev7uSdQ8VLHVvrwL4GI_9NKex0MndePewaLL06LPHIK4enMGtMNUczWJ7HHT1_kYXiy259eh0xqOjDKkypGkU",
        "3Kq--M7qdIOfjMSXFHR-aBXz80qABbP7nUPJpLLHoNonr_VLDhYszQHL8k71pWsKYQO2Io4P3jT-pGdADp5OHAboizPwsZsasiGEw4UFq1A47R1X",
        r#"NKjeWqUwBqqVzhryWSQ606iPWEAle2cGBz7coiLWG59uhT39aDlUB6gRgi0vGxJn92sWGUmfnk698w"}]}"#
    );
    const DAY: Duration = Duration::from_secs(86_400);

    fn at(seconds: u64) -> UnixTime {
        UnixTime::from_secs(1_700_000_000 + seconds)
    }

    pub(in crate::keys) fn snapshot(directory: &tempfile::TempDir) -> SnapshotFile {
        SnapshotFile {
            path: directory.path().join("keys.json"),
            issuer: "https://id/X".to_owned(),
            address: "https://id.example/keys".to_owned(),
            trust: String::new(),
            max_bytes: 4096,
            writable: Writable::Refused,
        }
    }

    fn written() -> (tempfile::TempDir, SnapshotFile) {
        let directory = tempfile::tempdir().expect("a directory");
        let file = snapshot(&directory);
        file.write(KEYS.as_bytes(), None, at(0), at(0), at(0))
            .expect("written");
        (directory, file)
    }

    #[test]
    fn a_snapshot_is_read_back_with_its_age() {
        let (_directory, file) = written();
        let restored = file.read(at(100), DAY).expect("good").expect("there");
        assert_eq!(restored.age, Duration::from_secs(100));
        assert_eq!(restored.document.keys.len(), 1);
        assert_eq!(restored.document.bytes, KEYS);
    }

    #[test]
    fn a_document_is_read_back_up_to_its_limit() {
        let (_directory, file) = written();
        let file = SnapshotFile {
            max_bytes: 64 * 1024,
            ..file
        };
        for (bytes, is_read) in [(64 * 1024, true), (64 * 1024 + 1, false)] {
            // Each of these line breaks is two bytes in the file.
            let document = KEYS.to_owned() + &"\n".repeat(bytes - KEYS.len());
            file.write(document.as_bytes(), None, at(1), at(1), at(1))
                .expect("written");
            assert_eq!(file.read(at(1), DAY).is_ok(), is_read, "{bytes}");
        }
    }

    #[test]
    fn a_file_is_read_up_to_its_limit() {
        let (_directory, file) = written();
        let record = fs::read_to_string(&file.path).expect("written");
        // Six bytes for each of the document's, and 16 KiB.
        let limit = 6 * 4096 + 16 * 1024;
        for (bytes, is_read) in [(limit, true), (limit + 1, false)] {
            let padded = record.clone() + &" ".repeat(bytes - record.len());
            fs::write(&file.path, padded).expect("our own");
            assert_eq!(file.read(at(1), DAY).is_ok(), is_read, "{bytes}");
        }
    }

    #[test]
    fn a_missing_snapshot_is_not_an_error() {
        let directory = tempfile::tempdir().expect("a directory");
        assert!(
            snapshot(&directory)
                .read(at(0), DAY)
                .expect("no fault")
                .is_none()
        );
    }

    #[test]
    fn a_stale_or_future_snapshot_is_not_used() {
        let (_directory, file) = written();
        assert!(file.read(at(86_399), DAY).is_ok());
        assert!(matches!(
            file.read(at(86_400), DAY),
            Err(SnapshotError::TooOld)
        ));
        let before = |seconds: u64| UnixTime::from_secs(1_700_000_000 - seconds);
        assert!(file.read(before(60), DAY).is_ok());
        assert!(matches!(
            file.read(before(61), DAY),
            Err(SnapshotError::FromTheFuture)
        ));
    }

    #[test]
    fn another_issuer_or_address_is_not_restored() {
        let (_directory, file) = written();
        for other in [
            SnapshotFile {
                issuer: "https://id/Y".to_owned(),
                ..file.clone()
            },
            SnapshotFile {
                address: "https://id.example/other".to_owned(),
                ..file.clone()
            },
        ] {
            assert!(matches!(
                other.read(at(0), DAY),
                Err(SnapshotError::Foreign)
            ));
        }
    }

    #[test]
    fn a_damaged_snapshot_is_not_used() {
        let (_directory, file) = written();
        let good = std::fs::read_to_string(&file.path).expect("the file");
        for damaged in [
            String::new(),
            "{}".to_owned(),
            good[..good.len() / 2].to_owned(),
            good.replace("\"version\":1", "\"version\":2"),
            good.replace("\"version\":1", "\"version\":1,\"more\":1"),
            good.replace("RSA", "EC"),
            " ".repeat(100_000),
        ] {
            std::fs::write(&file.path, &damaged).expect("written");
            assert!(file.read(at(0), DAY).is_err(), "{damaged:.60}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_snapshot_that_others_may_write_is_not_used() {
        use std::os::unix::fs::PermissionsExt;
        let (_directory, file) = written();
        let mode = |file: &SnapshotFile| {
            std::fs::metadata(&file.path)
                .expect("the file")
                .permissions()
                .mode()
        };
        assert_eq!(mode(&file) & 0o777, 0o600);
        for (mode, usable) in [
            (0o644, true),
            (0o660, false),
            (0o606, false),
            (0o666, false),
        ] {
            let permissions = std::fs::Permissions::from_mode(mode);
            std::fs::set_permissions(&file.path, permissions).expect("set");
            assert_eq!(file.read(at(0), DAY).is_ok(), usable, "{mode:o}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_group_may_write_it_in_its_own_directory() {
        use super::permissions::Us;
        use crate::file::guarded_file::permissions::Access;
        const OTHER: u32 = 7;
        let us = Us {
            user: 1000,
            groups: vec![1000, 2000],
        };
        let access = |(mode, owner, group)| Access { mode, owner, group };
        // How Kubernetes sets up a volume with `fsGroup: 2000`.
        let (file, directory) = ((0o660, 1000, 2000), (0o2770, 0, 2000));
        for (file, directory, usable) in [
            (file, directory, true),
            (file, (0o2775, 0, 2000), true),
            ((0o664, 0, 2000), directory, true),
            ((0o600, 1000, OTHER), (0o755, 0, 0), true),
            // Another owner, though in the group.
            ((0o660, OTHER, 2000), directory, false),
            ((0o600, OTHER, 2000), directory, false),
            // A group that this process is not in.
            ((0o660, 1000, OTHER), (0o2770, 0, OTHER), false),
            // A directory that was not handed to the group.
            (file, (0o770, 0, 2000), false),
            (file, (0o2750, 0, 2000), false),
            (file, (0o2770, 0, OTHER), false),
            (file, (0o755, 1000, 1000), false),
            // Everybody.
            ((0o662, 1000, 2000), directory, false),
            ((0o602, 1000, 2000), directory, false),
        ] {
            assert_eq!(
                us.wrote(access(file), access(directory)),
                usable,
                "{file:?} in {directory:?}"
            );
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_volume_of_our_own_group_is_usable() {
        use std::os::unix::fs::PermissionsExt;
        let (directory, file) = written();
        let set = |path: &Path, mode| {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("our own");
        };
        set(&file.path, 0o660);
        assert!(matches!(
            file.read(at(0), DAY),
            Err(SnapshotError::Writable)
        ));
        // This process is in the group of what it creates.
        set(directory.path(), 0o2770);
        assert!(file.read(at(0), DAY).expect("usable").is_some());
    }

    #[cfg(unix)]
    #[test]
    fn a_replaceable_file_is_not_read_or_written() {
        use std::os::unix::fs::PermissionsExt;
        let (directory, mut file) = written();
        let open = fs::Permissions::from_mode(0o777);
        fs::set_permissions(directory.path(), open).expect("our own");
        let error = file.read(at(0), DAY).expect_err("open to everybody");
        assert!(matches!(
            error,
            SnapshotError::File(FileError::WritableDirectory(_))
        ));
        let rewritten =
            |file: &SnapshotFile| file.write(KEYS.as_bytes(), None, at(5), at(5), at(5));
        let error = rewritten(&file).expect_err("open to everybody");
        assert!(error.to_string().contains("everybody can write"), "{error}");
        file.writable = Writable::Allowed;
        rewritten(&file).expect("allowed");
        let age = file.read(at(5), DAY).expect("allowed").expect("there").age;
        assert_eq!(age, Duration::ZERO);
    }

    #[cfg(unix)]
    #[test]
    fn a_pipe_in_its_place_blocks_nothing() {
        use rustix::fs::{CWD, Mode, mkfifoat};
        let directory = tempfile::tempdir().expect("a directory");
        let file = snapshot(&directory);
        mkfifoat(CWD, &file.path, Mode::RUSR | Mode::WUSR).expect("a pipe");
        let no_file = "it is not a regular file";
        let error = file.read(at(0), DAY).expect_err("a pipe");
        assert_eq!(error.to_string(), no_file);
        let error = file.write(KEYS.as_bytes(), None, at(0), at(0), at(0));
        assert_eq!(error.expect_err("a pipe").to_string(), no_file);
        let kept = fs::symlink_metadata(&file.path).expect("it is still there");
        assert!(!kept.is_file());
    }

    #[test]
    fn a_temporary_file_is_recognised_by_its_name() {
        let named = |name: &str| writer_of(name, "keys.json");
        let random = "0123456789abcdef";
        assert_eq!(named(&format!("keys.json.4711.{random}.tmp")), Some(4711));
        for other in [
            "keys.json".to_owned(),
            "keys.json.tmp".to_owned(),
            format!("keys.json.4711.{random}"),
            format!("keys.json.4711.{random}.tmp.bak"),
            format!("keys.json.4711.{}.tmp", &random[1..]),
            format!("keys.json.4711.{}.tmp", random.to_uppercase()),
            format!("keys.json.+4711.{random}.tmp"),
            format!("keys.json..{random}.tmp"),
            format!("keys.json.99999999999.{random}.tmp"),
            format!("keys.json.a.4711.{random}.tmp"),
            format!("other.json.4711.{random}.tmp"),
            format!("my-keys.json.4711.{random}.tmp"),
        ] {
            assert_eq!(named(&other), None, "{other}");
        }
    }

    #[test]
    fn only_files_of_killed_writers_are_removed() {
        let (directory, file) = written();
        let ours = std::process::id();
        // One more than the largest that Linux assigns.
        let gone = 4_194_304 + 1;
        let random = "0123456789abcdef";
        let secs = Duration::from_secs;
        let path = |name: &str| directory.path().join(name);
        let make = |name: &str, age: Duration| {
            let made = fs::File::create(path(name)).expect("a file");
            let then = SystemTime::now().checked_sub(age).expect("a time");
            made.set_modified(then).expect("dated back");
        };
        let (old, young) = (secs(601), secs(300));
        for (name, age, stays) in [
            (format!("keys.json.{ours}.{random}.tmp"), young, true),
            (
                format!("keys.json.{ours}.1{}.tmp", &random[1..]),
                old,
                false,
            ),
            (
                format!("keys.json.{gone}.2{}.tmp", &random[1..]),
                young,
                !cfg!(unix),
            ),
            (
                format!("keys.json.{gone}.3{}.tmp", &random[1..]),
                secs(0),
                true,
            ),
            (
                format!("keys.json.{gone}.4{}.tmp", &random[1..]),
                old,
                false,
            ),
            (format!("other.json.{gone}.{random}.tmp"), old, true),
            ("keys.json.bak".to_owned(), old, true),
            ("precious".to_owned(), old, true),
        ] {
            make(&name, age);
            file.write(KEYS.as_bytes(), None, at(0), at(0), at(0))
                .expect("written");
            assert_eq!(path(&name).exists(), stays, "{name}, {age:?}");
        }
        #[cfg(unix)]
        {
            let name = format!("keys.json.{gone}.5{}.tmp", &random[1..]);
            std::os::unix::fs::symlink("precious", path(&name)).expect("linked");
            file.write(KEYS.as_bytes(), None, at(0), at(0), at(0))
                .expect("written");
            assert!(path("precious").exists());
            assert!(fs::symlink_metadata(path(&name)).is_ok());
        }
    }

    #[test]
    fn replacing_leaves_no_temporary_file() {
        let (directory, file) = written();
        file.write(KEYS.as_bytes(), None, at(50), at(50), at(50))
            .expect("replaced");
        let restored = file.read(at(60), DAY).expect("good").expect("there");
        assert_eq!(restored.age, Duration::from_secs(10));
        let files = std::fs::read_dir(directory.path())
            .expect("the directory")
            .count();
        assert_eq!(files, 1);
    }

    #[test]
    fn a_failed_write_keeps_the_old_snapshot() {
        let (_directory, file) = written();
        assert!(file.write(b"\xff", None, at(50), at(50), at(50)).is_err());
        assert!(file.read(at(0), DAY).expect("good").is_some());
    }
}
