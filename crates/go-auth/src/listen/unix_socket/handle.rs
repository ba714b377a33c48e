//! A socket's file, whatever becomes of its name: whoever may write the directory may put
//! a link to another file in its place.

#[cfg(target_os = "linux")]
pub(super) use self::by_file::of;
#[cfg(not(target_os = "linux"))]
pub(super) use self::by_name::of;

#[cfg(target_os = "linux")]
mod by_file {
    use std::fs::{self, File, Permissions};
    use std::io;
    use std::os::fd::AsRawFd as _;
    use std::os::unix::fs::PermissionsExt as _;

    use rustix::fs::{AtFlags, Gid, Mode, OFlags, chownat, open};

    use super::super::{SocketFile, identity};

    pub(in super::super) struct Handle<'a> {
        file: &'a SocketFile,
        handle: File,
    }

    pub(in super::super) fn of(file: &SocketFile) -> io::Result<Handle<'_>> {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let handle = File::from(open(&file.path, flags, Mode::empty())?);
        if identity(&handle.metadata()?) != file.identity {
            return Err(io::Error::other("another file has taken its place"));
        }
        Ok(Handle { file, handle })
    }

    impl Handle<'_> {
        pub(in super::super) fn set_group(&self, group: u32) -> io::Result<()> {
            let group = Some(Gid::from_raw(group));
            Ok(chownat(&self.handle, "", None, group, AtFlags::EMPTY_PATH)?)
        }

        pub(in super::super) fn set_mode(&self, mode: u32) -> io::Result<()> {
            let permissions = Permissions::from_mode(mode);
            let name = format!("/proc/self/fd/{}", self.handle.as_raw_fd());
            // There may be no /proc, or one that is closed to a program with capabilities.
            fs::set_permissions(name, permissions.clone())
                .or_else(|_| fs::set_permissions(&self.file.path, permissions))
        }
    }
}

/// No link is followed.
#[cfg(not(target_os = "linux"))]
mod by_name {
    use std::io;
    use std::os::unix::fs::lchown;

    use rustix::fs::{AtFlags, CWD, Mode, RawMode, chmodat};

    use super::super::SocketFile;

    pub(in super::super) struct Handle<'a>(&'a SocketFile);

    pub(in super::super) fn of(file: &SocketFile) -> io::Result<Handle<'_>> {
        Ok(Handle(file))
    }

    impl Handle<'_> {
        pub(in super::super) fn set_group(&self, group: u32) -> io::Result<()> {
            lchown(&self.0.path, None, Some(group))
        }

        pub(in super::super) fn set_mode(&self, mode: u32) -> io::Result<()> {
            let mode = RawMode::try_from(mode).map_err(io::Error::other)?;
            let mode = Mode::from_raw_mode(mode);
            Ok(chmodat(CWD, &self.0.path, mode, AtFlags::SYMLINK_NOFOLLOW)?)
        }
    }
}
