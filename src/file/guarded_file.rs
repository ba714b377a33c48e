//! Files that decide who is accepted: settings, Access Tokens, keys.
//!
//! Whoever can write such a file, or replace it, decides who may call the API. So the
//! same rules apply to all of them:
//!
//! - It is a regular file, and opening it never blocks, as a pipe would until it has a
//!   writer.
//! - Not everybody may write it.
//! - Not everybody may write a directory that contains it, up to the root, or one that
//!   contains a link on the path or the link's target. In a directory with the sticky
//!   bit, such as `/tmp`, everybody can create files but nobody can replace another
//!   user's: so the entry must belong to this process's user or to root.
//! - No more of it is read than its reader can use.
//!
//! One exception: a directory may be writable by everybody if it is root's own, on a file
//! system that is mounted read-only. Kubernetes mounts a `ConfigMap` this way (mode 0777,
//! behind a directory of the node that only root can enter).
//!
//! A file that a *group* may write is accepted, as is common for secrets: who is in the
//! group is the operator's choice. (The snapshot, which only the service itself writes,
//! has stricter rules: `keys::snapshot`.)

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::path::Path;

/// Whether a file that everybody may write is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Writable {
    #[default]
    Refused,
    /// By the setting `danger_allow_writable_files`.
    Allowed,
}

impl Writable {
    pub(crate) const fn from_setting(danger_allow_writable_files: bool) -> Self {
        if danger_allow_writable_files {
            Self::Allowed
        } else {
            Self::Refused
        }
    }
}

/// Whether links are followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Links {
    Followed,
    Refused,
}

/// Why a file is not used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FileError {
    #[error("it can't be read: {1}")]
    Io(io::ErrorKind, String),
    #[error("it is not a regular file")]
    NotAFile,
    #[error("everybody can write it (mode o+w): whoever can write it decides who may call the API")]
    Writable,
    #[error(
        "everybody can write the directory \"{0}\" (mode o+w), and so replace the file: whoever can \
         replace it decides who may call the API"
    )]
    WritableDirectory(String),
    #[error(
        "in the directory \"{0}\" everybody can create files, and what leads to this one belongs \
         neither to this user nor to root"
    )]
    AnybodysOwn(String),
    #[error("it is longer than {} KiB", .0 / 1024)]
    TooLong(usize),
}

impl From<io::Error> for FileError {
    fn from(error: io::Error) -> Self {
        Self::Io(error.kind(), error.to_string())
    }
}

impl From<FileError> for io::Error {
    fn from(error: FileError) -> Self {
        match error {
            FileError::Io(kind, text) => Self::new(kind, text),
            other => Self::new(io::ErrorKind::InvalidData, other),
        }
    }
}

/// A file that follows the rules above, open for reading.
#[derive(Debug)]
pub(crate) struct GuardedFile {
    file: File,
    metadata: Metadata,
}

impl GuardedFile {
    /// Blocks only as long as the disk does.
    pub(crate) fn open(path: &Path, links: Links, writable: Writable) -> Result<Self, FileError> {
        let metadata = match links {
            Links::Followed => std::fs::metadata(path)?,
            Links::Refused => std::fs::symlink_metadata(path)?,
        };
        // Before opening: opening a device can have side effects.
        if !metadata.is_file() {
            return Err(FileError::NotAFile);
        }
        let file = open(path, links)?;
        // And after: it may have been replaced.
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(FileError::NotAFile);
        }
        if writable == Writable::Refused {
            #[cfg(unix)]
            if permissions::is_writable_by_everybody(&metadata) {
                return Err(FileError::Writable);
            }
            check_place(path)?;
        }
        Ok(Self { file, metadata })
    }

    /// As of when it was opened.
    pub(crate) const fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// Appends the whole file to `bytes`. Reads at most one byte past the `limit`: with
    /// that much spare capacity, `bytes` never reallocates.
    pub(crate) fn read(self, limit: usize, bytes: &mut Vec<u8>) -> Result<(), FileError> {
        self.file.take(limit as u64 + 1).read_to_end(bytes)?;
        if bytes.len() > limit {
            return Err(FileError::TooLong(limit));
        }
        Ok(())
    }
}

#[cfg(unix)]
fn open(path: &Path, links: Links) -> io::Result<File> {
    use rustix::fs::{Mode, OFlags};
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let flags = match links {
        Links::Followed => flags,
        Links::Refused => flags | OFlags::NOFOLLOW,
    };
    Ok(rustix::fs::open(path, flags, Mode::empty())?.into())
}

#[cfg(not(unix))]
fn open(path: &Path, _: Links) -> io::Result<File> {
    File::open(path)
}

/// Checks that not everybody can replace this file. The file need not exist yet, but its
/// directory must.
#[cfg(unix)]
pub(crate) fn check_place(path: &Path) -> Result<(), FileError> {
    permissions::check_place(path)
}

/// Elsewhere the directory's own protection has to suffice.
#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps)]
pub(crate) fn check_place(_: &Path) -> Result<(), FileError> {
    Ok(())
}

#[cfg(unix)]
pub(crate) mod permissions {
    use std::ffi::OsString;
    use std::fs::{Metadata, read_link, symlink_metadata};
    use std::io;
    use std::os::unix::fs::MetadataExt;
    use std::path::{Component, Path, PathBuf};

    use rustix::fs::{StatVfsMountFlags, statvfs};

    use super::FileError;

    pub(crate) const BY_EVERYBODY: u32 = 0o002;
    const STICKY: u32 = 0o1000;
    pub(crate) const ROOT: u32 = 0;

    /// The most links that Linux follows in one path.
    const MAX_LINKS: usize = 40;

    /// The permissions of a file or directory.
    #[derive(Debug, Clone, Copy)]
    pub(crate) struct Access {
        pub(crate) mode: u32,
        pub(crate) owner: u32,
        pub(crate) group: u32,
    }

    /// Who can replace a directory's entry, by its owner.
    #[derive(Debug, PartialEq, Eq)]
    pub(super) enum Place {
        Safe,
        /// Everybody can replace it, if the directory is writable at all.
        Open,
        /// Everybody could have created it.
        AnybodysOwn,
    }

    impl Access {
        pub(crate) fn of(metadata: &Metadata) -> Self {
            Self {
                mode: metadata.mode(),
                owner: metadata.uid(),
                group: metadata.gid(),
            }
        }

        /// Whether any of these bits is set.
        pub(crate) const fn has(self, bits: u32) -> bool {
            self.mode & bits != 0
        }
    }

    pub(super) fn is_writable_by_everybody(metadata: &Metadata) -> bool {
        Access::of(metadata).has(BY_EVERYBODY)
    }

    pub(super) fn judge(directory: Access, owner: u32, user: u32) -> Place {
        if !directory.has(BY_EVERYBODY) {
            Place::Safe
        } else if !directory.has(STICKY) {
            Place::Open
        } else if [user, ROOT].contains(&owner) {
            Place::Safe
        } else {
            Place::AnybodysOwn
        }
    }

    /// Walks the path to the file as the system does, link by link.
    pub(super) fn check_place(path: &Path) -> Result<(), FileError> {
        let user = rustix::process::geteuid().as_raw();
        let mut rest = steps(&std::path::absolute(path)?);
        let mut links = 0;
        let mut here = PathBuf::from("/");
        let mut directory = Access::of(&symlink_metadata(&here)?);
        while let Some(step) = rest.pop() {
            if step == ".." {
                here.pop();
                directory = Access::of(&symlink_metadata(&here)?);
                continue;
            }
            let name = here.join(step);
            let metadata = match symlink_metadata(&name) {
                Ok(metadata) => metadata,
                Err(error) if error.kind() == io::ErrorKind::NotFound && rest.is_empty() => {
                    // Whoever creates it will own it.
                    let owner = user;
                    return check(&here, directory, owner, user, is_read_only);
                }
                Err(error) => return Err(error.into()),
            };
            let entry = Access::of(&metadata);
            check(&here, directory, entry.owner, user, is_read_only)?;
            if metadata.is_symlink() {
                links += 1;
                if links > MAX_LINKS {
                    return Err(io::Error::from(rustix::io::Errno::LOOP).into());
                }
                let target = read_link(&name)?;
                if target.is_absolute() {
                    here = PathBuf::from("/");
                    directory = Access::of(&symlink_metadata(&here)?);
                }
                rest.extend(steps(&target));
            } else {
                here = name;
                directory = entry;
            }
        }
        Ok(())
    }

    /// The names on a path, the first one last.
    fn steps(path: &Path) -> Vec<OsString> {
        let steps = path.components().rev().filter_map(|step| match step {
            Component::Normal(name) => Some(name.to_owned()),
            Component::ParentDir => Some("..".into()),
            Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
        });
        steps.collect()
    }

    pub(super) fn check(
        path: &Path,
        directory: Access,
        owner: u32,
        user: u32,
        is_read_only: impl Fn(&Path) -> bool,
    ) -> Result<(), FileError> {
        let place = judge(directory, owner, user);
        let named = || path.to_string_lossy().escape_debug().to_string();
        match place {
            Place::Safe => Ok(()),
            Place::Open if directory.owner == ROOT && is_read_only(path) => Ok(()),
            Place::Open => Err(FileError::WritableDirectory(named())),
            Place::AnybodysOwn => Err(FileError::AnybodysOwn(named())),
        }
    }

    fn is_read_only(directory: &Path) -> bool {
        statvfs(directory).is_ok_and(|found| found.f_flag.contains(StatVfsMountFlags::RDONLY))
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::path::PathBuf;

    use super::permissions::{Access, Place, ROOT, check, judge};
    use super::*;

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, Permissions::from_mode(mode)).expect("our own");
    }

    fn read(path: &Path, limit: usize, writable: Writable) -> Result<Vec<u8>, FileError> {
        let mut bytes = Vec::new();
        GuardedFile::open(path, Links::Followed, writable)?.read(limit, &mut bytes)?;
        Ok(bytes)
    }

    fn refused(path: &Path) -> FileError {
        read(path, 100, Writable::Refused).expect_err("a fault")
    }

    fn writable_directory(path: &Path) -> FileError {
        let path = path.canonicalize().expect("it is there");
        FileError::WritableDirectory(path.to_str().expect("UTF-8").to_owned())
    }

    /// A file in a directory of its own, in a directory.
    fn nested() -> (tempfile::TempDir, PathBuf) {
        let root = tempfile::tempdir().expect("a directory");
        fs::create_dir(root.path().join("inner")).expect("a directory");
        let file = root.path().join("inner/file");
        fs::write(&file, "text").expect("written");
        (root, file)
    }

    #[test]
    fn permissions_decide_who_can_replace_an_entry() {
        const US: u32 = 1000;
        const OTHER: u32 = 1001;
        for (mode, owner, expected) in [
            (0o755, OTHER, Place::Safe),
            (0o775, OTHER, Place::Safe),
            (0o2770, OTHER, Place::Safe),
            (0o777, US, Place::Open),
            (0o777, 0, Place::Open),
            (0o2777, US, Place::Open),
            (0o772, US, Place::Open),
            (0o1777, US, Place::Safe),
            (0o1777, 0, Place::Safe),
            (0o1777, OTHER, Place::AnybodysOwn),
            (0o3777, OTHER, Place::AnybodysOwn),
        ] {
            let directory = Access {
                mode,
                owner: OTHER,
                group: OTHER,
            };
            assert_eq!(judge(directory, owner, US), expected, "{mode:o} of {owner}");
        }
    }

    #[test]
    fn a_world_writable_file_is_not_used() {
        let (_root, file) = nested();
        for (mode, usable) in [
            (0o400, true),
            (0o644, true),
            (0o664, true),
            (0o646, false),
            (0o602, false),
            (0o666, false),
            (0o777, false),
        ] {
            set_mode(&file, mode);
            let expected = if usable {
                Ok(b"text".to_vec())
            } else {
                Err(FileError::Writable)
            };
            assert_eq!(read(&file, 100, Writable::Refused), expected, "{mode:o}");
            assert!(read(&file, 100, Writable::Allowed).is_ok(), "{mode:o}");
        }
    }

    #[test]
    fn every_directory_above_a_file_is_checked() {
        let (root, file) = nested();
        let inner = file.parent().expect("a directory").to_owned();
        for directory in [&*inner, root.path()] {
            for (mode, usable) in [
                (0o700, true),
                (0o775, true),
                (0o1777, true),
                (0o777, false),
                (0o703, false),
            ] {
                set_mode(directory, mode);
                let expected = if usable {
                    Ok(b"text".to_vec())
                } else {
                    Err(writable_directory(directory))
                };
                assert_eq!(read(&file, 100, Writable::Refused), expected, "{mode:o}");
                assert!(read(&file, 100, Writable::Allowed).is_ok(), "{mode:o}");
            }
            set_mode(directory, 0o700);
        }
    }

    #[test]
    fn every_link_on_the_path_is_checked() {
        let (target, file) = nested();
        let between = tempfile::tempdir().expect("a directory");
        let linked = tempfile::tempdir().expect("a directory");
        symlink(&file, between.path().join("to-file")).expect("linked");
        let directory = between.path().file_name().expect("a name");
        let relative = Path::new("..").join(directory).join("to-file");
        let link = linked.path().join("link");
        symlink(relative, &link).expect("linked");
        assert!(read(&link, 100, Writable::Refused).is_ok());
        for open in [target.path(), between.path(), linked.path()] {
            set_mode(open, 0o777);
            assert_eq!(refused(&link), writable_directory(open));
            set_mode(open, 0o700);
        }
        set_mode(&file, 0o666);
        assert_eq!(refused(&link), FileError::Writable);
        set_mode(&file, 0o600);
        assert!(read(&link, 100, Writable::Refused).is_ok());
        let unfollowed = GuardedFile::open(&link, Links::Refused, Writable::Refused);
        assert_eq!(unfollowed.err(), Some(FileError::NotAFile));
    }

    #[test]
    fn pipes_devices_and_directories_are_not_opened() {
        use rustix::fs::{CWD, Mode, mkfifoat};
        let (root, file) = nested();
        let pipe = root.path().join("pipe");
        mkfifoat(CWD, &pipe, Mode::RUSR).expect("a pipe");
        let link = root.path().join("link");
        symlink(&pipe, &link).expect("linked");
        let directory = file.parent().expect("a directory");
        for no_file in [&*pipe, &*link, directory, Path::new("/dev/null")] {
            for writable in [Writable::Refused, Writable::Allowed] {
                for links in [Links::Followed, Links::Refused] {
                    let opened = GuardedFile::open(no_file, links, writable);
                    assert_eq!(opened.err(), Some(FileError::NotAFile), "{no_file:?}");
                }
            }
        }
        // As if it replaced a file between two checks.
        for links in [Links::Followed, Links::Refused] {
            assert!(open(&pipe, links).is_ok());
        }
    }

    #[test]
    fn programs_that_are_started_do_not_inherit_the_file() {
        use rustix::io::{FdFlags, fcntl_getfd};
        let (_root, file) = nested();
        let opened = GuardedFile::open(&file, Links::Followed, Writable::Refused);
        let flags = fcntl_getfd(opened.expect("usable").file).expect("open");
        assert!(flags.contains(FdFlags::CLOEXEC));
    }

    #[test]
    fn link_loops_and_missing_files_are_errors() {
        let root = tempfile::tempdir().expect("a directory");
        let link = root.path().join("link");
        symlink("link", &link).expect("linked");
        assert!(matches!(refused(&link), FileError::Io(..)));
        assert!(matches!(check_place(&link), Err(FileError::Io(..))));
        let absent = root.path().join("absent");
        assert!(matches!(
            refused(&absent),
            FileError::Io(io::ErrorKind::NotFound, _)
        ));
        assert_eq!(check_place(&absent), Ok(()));
        let nowhere = check_place(&absent.join("file"));
        assert!(matches!(
            nowhere,
            Err(FileError::Io(io::ErrorKind::NotFound, _))
        ));
        set_mode(root.path(), 0o777);
        assert_eq!(check_place(&absent), Err(writable_directory(root.path())));
    }

    #[test]
    fn a_path_may_have_as_many_links_as_the_system_follows() {
        let (root, file) = nested();
        symlink(&file, root.path().join("1")).expect("linked");
        for link in 2..=41 {
            let name = |number: i32| root.path().join(number.to_string());
            symlink(name(link - 1), name(link)).expect("linked");
        }
        assert!(read(&root.path().join("40"), 100, Writable::Refused).is_ok());
        let more = root.path().join("41");
        assert!(matches!(refused(&more), FileError::Io(..)));
        assert!(matches!(check_place(&more), Err(FileError::Io(..))));
    }

    #[test]
    fn a_directory_open_to_everybody_is_safe_where_root_has_it_read_only() {
        let path = Path::new("/mounted");
        for (owner, is_read_only, is_safe) in [
            (ROOT, true, true),
            (ROOT, false, false),
            (1000, true, false),
        ] {
            let directory = Access {
                mode: 0o777,
                owner,
                group: ROOT,
            };
            let checked = check(path, directory, ROOT, 1000, |_| is_read_only);
            let open = FileError::WritableDirectory("/mounted".to_owned());
            assert_eq!(checked, if is_safe { Ok(()) } else { Err(open) });
        }
    }

    #[test]
    fn a_file_is_read_no_further_than_its_limit() {
        let (_root, file) = nested();
        assert_eq!(read(&file, 4, Writable::Refused), Ok(b"text".to_vec()));
        let too_long = read(&file, 3, Writable::Refused).expect_err("too long");
        assert_eq!(too_long, FileError::TooLong(3));
        assert_eq!(
            FileError::TooLong(64 * 1024).to_string(),
            "it is longer than 64 KiB"
        );
    }
}
