//! A Unix socket of this process.
//!
//! Whoever may connect can try tokens, and whoever may replace the socket answers in the
//! gate's place. So it never has wider permissions than wanted, not even for a moment,
//! and its directory must not be open to all.

use std::fs::{self, File, Metadata};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use rustix::fs::{FlockOperation, Mode, OFlags, flock, open};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};
use rustix::process::{getegid, umask};

use super::Access;

mod handle;

/// How often, and how long apart, the lock on the directory is tried for: a gate that
/// starts holds it for less than a millisecond.
const TRIES: usize = 50;
const PAUSE: Duration = Duration::from_millis(20);

/// What others may do to the files of a directory: change them, but for that of another
/// user where the sticky bit is set.
const WRITABLE_BY_ALL: u32 = 0o002;
const STICKY: u32 = 0o1000;

/// The socket's file. Dropping it removes the file, if it is still this socket's: drop it
/// before the listener, while nobody else's can have the same number.
#[derive(Debug)]
pub(crate) struct SocketFile {
    path: PathBuf,
    identity: (u64, u64),
}

impl SocketFile {
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let found = fs::symlink_metadata(&self.path);
        if found.is_ok_and(|found| identity(&found) == self.identity) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Binds a socket in place of one that nobody listens at. Blocks for a second at most.
///
/// Changes the umask of the process for a moment: nothing else may make files meanwhile.
///
/// # Errors
/// In words, if something else is there or the system does not permit it.
pub(super) fn bind(path: &Path, access: Access) -> io::Result<(SocketFile, UnixListener)> {
    let directory = match path.parent() {
        Some(parent) if parent != "" => parent,
        _ => Path::new("."),
    };
    let of_directory = |error: io::Error| with("its directory", &error);
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let directory = open(directory, flags, Mode::empty());
    let directory = directory.map_err(|error| of_directory(error.into()))?;
    let directory = File::from(directory);
    let mode = directory.metadata().map_err(of_directory)?.mode();
    if mode & (WRITABLE_BY_ALL | STICKY) == WRITABLE_BY_ALL {
        return Err(io::Error::other(
            "everybody can write its directory, and so put another socket in its place",
        ));
    }
    // Of two that start at once, one finds the other's socket.
    lock(&directory).map_err(of_directory)?;
    remove_stale(path)?;

    let (file, listener) = bound(path, access.mode)?;
    grant(&file, access)?;
    listener.set_nonblocking(true)?;
    Ok((file, listener))
}

/// A socket to which only its user may connect: its group may not be the right one yet.
fn bound(path: &Path, mode: u32) -> io::Result<(SocketFile, UnixListener)> {
    let nobody_else = Mode::from_bits_truncate(0o777 & !(mode & 0o700));
    let before = umask(nobody_else);
    let listener = UnixListener::bind(path);
    umask(before);
    let listener = listener?;
    let file = SocketFile {
        path: path.to_owned(),
        identity: identity(&fs::symlink_metadata(path)?),
    };
    Ok((file, listener))
}

/// Lets others connect.
fn grant(file: &SocketFile, access: Access) -> io::Result<()> {
    let handle = handle::of(file)?;
    // In some directories, files have the directory's group at first.
    let group = access.group.unwrap_or_else(|| getegid().as_raw());
    if fs::symlink_metadata(&file.path)?.gid() != group {
        (handle.set_group(group)).map_err(|error| with("its group", &error))?;
    }
    (handle.set_mode(access.mode)).map_err(|error| with("its mode", &error))
}

/// Until the file is closed. Whoever may read the directory can lock it, too, and for as
/// long as they like: that delays a start, and does not prevent it.
fn lock(directory: &File) -> io::Result<()> {
    for _ in 0..TRIES {
        match flock(directory, FlockOperation::NonBlockingLockExclusive) {
            Err(Errno::WOULDBLOCK) => sleep(PAUSE),
            // Some file systems have no locks.
            Ok(()) | Err(Errno::NOTSUP | Errno::NOLCK | Errno::NOSYS) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Removes a socket that nobody listens at.
fn remove_stale(path: &Path) -> io::Result<()> {
    let found = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        found => found?,
    };
    if !found.file_type().is_socket() {
        return Err(io::Error::other("a file that is not a socket is there"));
    }
    match connected(path) {
        Err(Errno::CONNREFUSED) => {
            fs::remove_file(path).map_err(|error| with("a stale socket", &error))
        }
        Err(Errno::NOENT) => Ok(()),
        // Its queue is full.
        Ok(()) | Err(Errno::AGAIN) => Err(io::Error::other("another process listens there")),
        Err(Errno::PROTOTYPE) => Err(io::Error::other("a socket of another kind is there")),
        Err(error) => Err(with("whether a process listens there", &error.into())),
    }
}

fn connected(path: &Path) -> Result<(), Errno> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    connect(&socket, &SocketAddrUnix::new(path)?)
}

fn with(what: &str, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{what}: {error}"))
}

fn identity(of: &Metadata) -> (u64, u64) {
    (of.dev(), of.ino())
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::{PermissionsExt as _, lchown};
    use std::sync::{Mutex, PoisonError};

    use rustix::process::{Gid, getgroups, getuid};

    use super::*;

    /// Of the umask, which is the process's.
    static TURN: Mutex<()> = Mutex::new(());

    #[test]
    fn whoever_locks_the_directory_does_not_keep_others_out() {
        let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let directory = tempfile::tempdir().expect("a directory");
        let open = File::open(directory.path()).expect("it is there");
        flock(&open, FlockOperation::LockExclusive).expect("nobody else has it");
        let path = directory.path().join("gate");
        let _socket = bind(&path, Access::default()).expect("a free path");
        connected(&path).expect("it listens");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_file_in_the_sockets_place_keeps_its_mode() {
        let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let directory = tempfile::tempdir().expect("a directory");
        let precious = directory.path().join("precious");
        fs::write(&precious, "").expect("written");
        fs::set_permissions(&precious, Permissions::from_mode(0o600)).expect("our own");
        let path = directory.path().join("gate");
        let access = Access {
            mode: 0o666,
            group: None,
        };
        let by_link = |target: &Path, link: &Path| std::os::unix::fs::symlink(target, link);
        let by_name = |target: &Path, name: &Path| fs::hard_link(target, name);
        let ways: [fn(&Path, &Path) -> io::Result<()>; 2] = [by_link, by_name];
        for replace in ways {
            let (file, _listener) = bound(&path, access.mode).expect("a free path");
            fs::remove_file(&path).expect("removed");
            replace(&precious, &path).expect("replaced");
            grant(&file, access).expect_err("it is not the socket");
            let mode = fs::symlink_metadata(&precious).expect("there").mode();
            assert_eq!(mode & 0o7777, 0o600);
            fs::remove_file(&path).expect("not ours");
        }
    }

    #[test]
    fn the_group_is_that_of_the_process_wherever_the_socket_is() {
        let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let own = getegid().as_raw();
        let others = getgroups().expect("a list").into_iter();
        let other = others.map(Gid::as_raw).find(|it| *it != own);
        // Nobody but root may name a group that they are not in.
        let Some(other) = other.or_else(|| getuid().is_root().then_some(own + 1)) else {
            return;
        };
        let directory = tempfile::tempdir().expect("a directory");
        lchown(directory.path(), None, Some(other)).expect("a group");
        let passed_on = Permissions::from_mode(0o2755);
        fs::set_permissions(directory.path(), passed_on).expect("our own");
        for (asked, has) in [(None, own), (Some(own), own), (Some(other), other)] {
            let access = Access {
                group: asked,
                ..Access::default()
            };
            let path = directory.path().join("gate");
            let socket = bind(&path, access).expect("a free path");
            let found = fs::symlink_metadata(&path).expect("a socket");
            assert_eq!(found.gid(), has, "{asked:?}");
            drop(socket);
        }
    }

    #[test]
    fn until_its_group_is_set_only_its_user_may_connect() {
        let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let directory = tempfile::tempdir().expect("a directory");
        let before = umask(Mode::from_bits_truncate(0o022));
        umask(before);
        for (wanted, at_first) in [(0o660, 0o600), (0o777, 0o700), (0o200, 0o200)] {
            let path = directory.path().join("gate");
            let mode = || fs::symlink_metadata(&path).expect("a socket").mode() & 0o7777;
            let socket = bound(&path, wanted).expect("a free path");
            assert_eq!(mode(), at_first);
            drop(socket);
            let access = Access {
                mode: wanted,
                group: None,
            };
            let socket = bind(&path, access).expect("a free path");
            assert_eq!(mode(), wanted);
            drop(socket);
            assert!(!path.exists());
        }
        assert_eq!(umask(before), before);
    }
}
