//! The last good key document on disk, so that a restart during an outage of
//! the key address goes on serving.
//!
//! The file decides who may call the API, like the key address itself. It is
//! replaced as a whole, readable and writable by its owner alone, and never
//! believed where others could have written it, where it is of another issuer
//! or address, or where its age, counted from the fetch, is past the maximum
//! staleness. Several processes may share one: each replaces it with a complete
//! document of its own.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::fetch::{Document, Validator};
use crate::clock::UnixTime;
use crate::json;
use crate::jwks::{KeySet, KeySetError};

/// The form of the file. One of another version is ignored.
const VERSION: u8 = 1;

/// How far in the future a fetch may seem to be: clocks of machines that share
/// a file differ, and one that is set back further has lost count of the age.
const CLOCK_SKEW: Duration = Duration::from_secs(60);

/// What is in the file beside the document, at most: names, two addresses.
const MARGIN: usize = 16 * 1024;

/// Where the snapshot of one issuer is, and what it must be of.
#[derive(Debug, Clone)]
pub(crate) struct SnapshotFile {
    pub(crate) path: PathBuf,
    pub(crate) issuer: String,
    pub(crate) address: String,
    /// Of the document, as for a fetch.
    pub(crate) max_bytes: usize,
}

/// A document as it is kept.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    version: u8,
    issuer: String,
    address: String,
    /// Unix time in seconds.
    fetched_at: u64,
    validator: Option<Validator>,
    document: String,
}

/// Keys from a snapshot, and their age.
#[derive(Debug)]
pub(crate) struct Restored {
    pub(crate) document: Document,
    pub(crate) age: Duration,
}

/// Why a snapshot was not used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SnapshotError {
    #[error("it can't be read: {0}")]
    Io(#[from] io::Error),
    #[cfg(unix)]
    #[error("others than this process's user could have written it")]
    Writable,
    #[error("it is not a snapshot, or damaged")]
    Damaged,
    #[error("it is of another issuer or key address")]
    Foreign,
    #[error("it is past the maximum staleness")]
    TooOld,
    #[error("it is from the future")]
    FromTheFuture,
    #[error("{0}")]
    KeySet(#[from] KeySetError),
}

impl SnapshotFile {
    /// The snapshot, if there is a file; blocks.
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
        }))
    }

    fn read_record(&self, now: UnixTime) -> Result<Option<Record>, SnapshotError> {
        let file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        check_permissions(&file)?;
        // JSON at worst spells each byte of the document with six.
        let limit = self.max_bytes * 6 + MARGIN;
        let mut bytes = Vec::new();
        file.take(limit as u64 + 1).read_to_end(&mut bytes)?;
        if bytes.len() > limit || !json::is_object(&bytes) {
            return Err(SnapshotError::Damaged);
        }
        let record: Record = serde_json::from_slice(&bytes).map_err(|_| SnapshotError::Damaged)?;
        if record.version != VERSION || record.document.len() > self.max_bytes {
            return Err(SnapshotError::Damaged);
        }
        if record.issuer != self.issuer || record.address != self.address {
            return Err(SnapshotError::Foreign);
        }
        if UnixTime::from_secs(record.fetched_at) > now.saturating_add(CLOCK_SKEW) {
            return Err(SnapshotError::FromTheFuture);
        }
        Ok(Some(record))
    }

    /// Replaces the file by `document`, unless another process has put there what
    /// was fetched later; blocks.
    pub(crate) fn write(
        &self,
        document: &[u8],
        validator: Option<&Validator>,
        fetched_at: UnixTime,
        now: UnixTime,
    ) -> io::Result<()> {
        if let Ok(Some(theirs)) = self.read_record(now)
            && theirs.fetched_at > fetched_at.as_secs()
        {
            return Ok(());
        }
        let record = Record {
            version: VERSION,
            issuer: self.issuer.clone(),
            address: self.address.clone(),
            fetched_at: fetched_at.as_secs(),
            validator: validator.cloned(),
            document: String::from_utf8(document.into())
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?,
        };
        let temporary = self.temporary_path();
        let written = write_new(&temporary, &serde_json::to_vec(&record)?)
            .and_then(|()| std::fs::rename(&temporary, &self.path));
        if written.is_err() {
            // Nothing more can be done about a file that can't be removed.
            let _ = std::fs::remove_file(&temporary);
        }
        written
    }

    /// A name beside the file that no other process or moment has.
    fn temporary_path(&self) -> PathBuf {
        let mut name = self.path.file_name().unwrap_or_default().to_owned();
        name.push(format!(
            ".{}.{:016x}.tmp",
            std::process::id(),
            fastrand::u64(..)
        ));
        self.path.with_file_name(name)
    }
}

/// Whether only this process's user, or root, can have written it.
#[cfg(unix)]
fn check_permissions(file: &File) -> Result<(), SnapshotError> {
    use std::os::unix::fs::MetadataExt;
    const WRITABLE_BY_OTHERS: u32 = 0o022;
    const ROOT: u32 = 0;
    let metadata = file.metadata()?;
    let ours = rustix::process::geteuid().as_raw();
    if metadata.mode() & WRITABLE_BY_OTHERS != 0 || ![ours, ROOT].contains(&metadata.uid()) {
        return Err(SnapshotError::Writable);
    }
    Ok(())
}

/// Elsewhere the directory's own protection has to do.
#[cfg(not(unix))]
fn check_permissions(_: &File) -> Result<(), SnapshotError> {
    Ok(())
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

#[cfg(test)]
mod tests {
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

    fn snapshot(directory: &tempfile::TempDir) -> SnapshotFile {
        SnapshotFile {
            path: directory.path().join("keys.json"),
            issuer: "https://id/X".to_owned(),
            address: "https://id.example/keys".to_owned(),
            max_bytes: 4096,
        }
    }

    fn written() -> (tempfile::TempDir, SnapshotFile) {
        let directory = tempfile::tempdir().expect("a directory");
        let file = snapshot(&directory);
        file.write(KEYS.as_bytes(), None, at(0), at(0))
            .expect("written");
        (directory, file)
    }

    #[test]
    fn what_was_written_is_read_with_its_age() {
        let (_directory, file) = written();
        let restored = file.read(at(100), DAY).expect("good").expect("there");
        assert_eq!(restored.age, Duration::from_secs(100));
        assert_eq!(restored.document.keys.len(), 1);
        assert_eq!(restored.document.bytes, KEYS);
    }

    #[test]
    fn no_file_is_no_fault() {
        let directory = tempfile::tempdir().expect("a directory");
        assert!(
            snapshot(&directory)
                .read(at(0), DAY)
                .expect("no fault")
                .is_none()
        );
    }

    #[test]
    fn a_snapshot_past_the_staleness_or_from_the_future_is_not_used() {
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
    fn a_snapshot_of_another_issuer_or_address_is_not_used() {
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
    fn only_the_owner_can_read_and_write_it_or_it_is_not_used() {
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

    #[test]
    fn replacing_leaves_nothing_behind() {
        let (directory, file) = written();
        file.write(KEYS.as_bytes(), None, at(50), at(50))
            .expect("replaced");
        let restored = file.read(at(60), DAY).expect("good").expect("there");
        assert_eq!(restored.age, Duration::from_secs(10));
        let files = std::fs::read_dir(directory.path())
            .expect("the directory")
            .count();
        assert_eq!(files, 1);
    }

    #[test]
    fn a_write_that_fails_leaves_the_old_one() {
        let (_directory, file) = written();
        assert!(file.write(b"\xff", None, at(50), at(50)).is_err());
        assert!(file.read(at(0), DAY).expect("good").is_some());
    }
}
