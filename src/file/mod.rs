//! Files: which may be believed, and work on a disk that may hang.

pub(crate) mod detached;
pub(crate) mod guarded_file;
