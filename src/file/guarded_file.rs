//! Files that decide who gets in: settings, Access Tokens, keys.
//!
//! Whoever can write such a file, or put another one in its place, decides who may
//! call the API. So one rule holds for all of them:
//!
//! - It is a regular file, and opening it never waits: a pipe would wait for a writer.
//! - Not everybody may write it.
//! - Not everybody may write a directory that holds it, up to the root, or that holds a
//!   link on the way to it and to what the link points to. In a directory with the
//!   sticky bit, as `/tmp`, everybody can put a file, and nobody can replace another's:
//!   what is in it must belong to this process's user or to root.
//! - No more of it is read than its reader can use.
//!
//! One directory may be writable by everybody: root's own, on a file system that is
//! mounted read-only. It is how Kubernetes mounts a `ConfigMap` (mode 0777, behind a
//! directory of the node that only root can enter).
//!
//! A file that a *group* may write is accepted, as secrets often are: who is in the
//! group is the operator's choice. (The snapshot, which only the service itself
//! writes, is held to more: `keys::snapshot`.)

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::path::Path;

/// Whether a file is used that everybody may write.
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

/// Whether a link stands for the file that it points to.
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

/// A file by the rule above, open for reading.
#[derive(Debug)]
pub(crate) struct GuardedFile {
    file: File,
    metadata: Metadata,
}

impl GuardedFile {
    /// Blocks as long as the disk does, and for nothing else.
    pub(crate) fn open(path: &Path, links: Links, writable: Writable) -> Result<Self, FileError> {
        let metadata = match links {
            Links::Followed => std::fs::metadata(path)?,
            Links::Refused => std::fs::symlink_metadata(path)?,
        };
        // Before it is opened: opening a device can do something to it.
        if !metadata.is_file() {
            return Err(FileError::NotAFile);
        }
        let file = open(path, links)?;
        // And after: it may be another by now.
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

    /// Appends all of it to `bytes`, which no more than one byte past the `limit` is
    /// read for: with that much room, `bytes` is never moved.
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

/// Holds that not everybody can put another file in the place of this one. It need not
/// be there yet, but its directory must.
#[cfg(unix)]
pub(crate) fn check_place(path: &Path) -> Result<(), FileError> {
    permissions::check_place(path)
}

/// Elsewhere the directory's own protection has to do.
#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps)]
pub(crate) fn check_place(_: &Path) -> Result<(), FileError> {
    Ok(())
}

#[cfg(unix)]
mod permissions {
    use std::ffi::OsString;
    use std::fs::{Metadata, read_link, symlink_metadata};
    use std::io;
    use std::os::unix::fs::MetadataExt;
    use std::path::{Component, Path, PathBuf};

    use rustix::fs::{StatVfsMountFlags, statvfs};

    use super::FileError;

    const BY_EVERYBODY: u32 = 0o002;
    const STICKY: u32 = 0o1000;
    const ROOT: u32 = 0;

    /// What Linux follows in one path.
    const MAX_LINKS: usize = 40;

    /// Who may do what with a file or directory.
    #[derive(Debug, Clone, Copy)]
    pub(super) struct Access {
        pub(super) mode: u32,
        pub(super) owner: u32,
    }

    /// Who can put something else in the place of an entry of a directory.
    #[derive(Debug, PartialEq, Eq)]
    pub(super) enum Place {
        Safe,
        /// Everybody can replace it, if the directory can be written at all.
        Open,
        /// Everybody could have put it there.
        AnybodysOwn,
    }

    impl Access {
        fn of(metadata: &Metadata) -> Self {
            Self {
                mode: metadata.mode(),
                owner: metadata.uid(),
            }
        }

        const fn is_for_everybody(self) -> bool {
            self.mode & BY_EVERYBODY != 0
        }
    }

    pub(super) fn is_writable_by_everybody(metadata: &Metadata) -> bool {
        Access::of(metadata).is_for_everybody()
    }

    pub(super) fn judge(directory: Access, entry: Access, user: u32) -> Place {
        if !directory.is_for_everybody() {
            Place::Safe
        } else if directory.mode & STICKY == 0 {
            Place::Open
        } else if [user, ROOT].contains(&entry.owner) {
            Place::Safe
        } else {
            Place::AnybodysOwn
        }
    }

    /// Goes the way to the file as the system does, link by link.
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
                    // Whoever makes it will be its owner.
                    let entry = Access {
                        mode: 0,
                        owner: user,
                    };
                    return check(&here, directory, entry, user);
                }
                Err(error) => return Err(error.into()),
            };
            let entry = Access::of(&metadata);
            check(&here, directory, entry, user)?;
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

    fn check(path: &Path, directory: Access, entry: Access, user: u32) -> Result<(), FileError> {
        let place = judge(directory, entry, user);
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

    use super::permissions::{Access, Place, judge};
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
    fn what_decides_who_may_replace_an_entry() {
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
            let directory = Access { mode, owner: OTHER };
            let entry = Access { mode: 0o600, owner };
            assert_eq!(judge(directory, entry, US), expected, "{mode:o} of {owner}");
        }
    }

    #[test]
    fn a_file_is_used_unless_everybody_may_write_it() {
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
    fn each_directory_above_a_file_counts() {
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
    fn both_ends_of_a_link_count_and_all_between() {
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
    fn a_pipe_a_device_and_a_directory_are_not_opened() {
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
        // As where it has taken a file's place between two looks.
        for links in [Links::Followed, Links::Refused] {
            assert!(open(&pipe, links).is_ok());
        }
    }

    #[test]
    fn links_in_a_circle_and_missing_files_are_faults() {
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
        set_mode(root.path(), 0o777);
        assert_eq!(check_place(&absent), Err(writable_directory(root.path())));
    }

    #[test]
    fn no_more_is_read_than_the_limit() {
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
