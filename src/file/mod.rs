//! Files: which can be trusted, and I/O on a disk that may hang.

pub(crate) mod detached;
pub(crate) mod guarded_file;
pub(crate) mod watched;
