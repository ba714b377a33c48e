//! Keys in a file, in place of an address: read again and again, as a document is
//! fetched.

use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::fetch::{Document, Failed, FetchError, Fetched, Watch, without_mark};
use crate::file::guarded_file::{FileError, GuardedFile, Links, Writable};
use crate::file::watched::Reads;

/// Where the file is, and within which limits it is read.
#[derive(Debug, Clone)]
pub(crate) struct KeyFile {
    path: PathBuf,
    /// As of a fetched document.
    max_bytes: usize,
    writable: Writable,
    reads: Reads,
}

impl KeyFile {
    pub(crate) fn new(path: PathBuf, max_bytes: usize, writable: Writable) -> Self {
        Self {
            path,
            max_bytes,
            writable,
            reads: Reads::default(),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether what was read by the other's rules may be used by these.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.path == other.path && self.writable == other.writable
    }

    /// Reads the file; its content alone shows whether it differs from `held`.
    pub(super) async fn fetch(
        &self,
        held: &Document,
        watch: &mut impl Watch,
    ) -> Result<Fetched, Failed> {
        let (path, max_bytes, writable) = (self.path.clone(), self.max_bytes, self.writable);
        let read = self.reads.run(move || read(&path, max_bytes, writable));
        #[cfg(test)]
        let read = simulated::watched(&self.path, read);
        let bytes = match read.await {
            Ok(Ok(bytes)) => without_mark(&bytes.into()),
            Ok(Err(error)) => return Err(self.fault(&error)),
            Err(unread) => return Err(self.fault(&unread)),
        };
        watch.came(&bytes);
        let document = if bytes == held.bytes && !held.keys.is_empty() {
            None
        } else {
            Some(self.document(held, bytes)?)
        };
        Ok(Fetched {
            document,
            max_age: None,
        })
    }

    fn document(&self, held: &Document, bytes: Bytes) -> Result<Document, Failed> {
        let keys = held.keys.successor(&bytes);
        Ok(Document {
            keys: keys.map_err(|error| self.fault(&error))?,
            bytes,
            validator: None,
        })
    }

    fn fault(&self, why: &dyn std::error::Error) -> Failed {
        let error = FetchError::File {
            path: self.path.clone(),
            why: why.to_string(),
        };
        error.into()
    }
}

fn read(path: &Path, max_bytes: usize, writable: Writable) -> Result<Vec<u8>, FileError> {
    let mut bytes = Vec::new();
    GuardedFile::open(path, Links::Followed, writable)?.read(max_bytes, &mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
pub(crate) mod simulated {
    //! Who watches all reads of key files of one thread: sees each begin and end, before
    //! anything else happens.

    use std::cell::RefCell;
    use std::path::Path;

    use crate::file::guarded_file::FileError;
    use crate::file::watched::Unread;

    pub(crate) type Read = Result<Result<Vec<u8>, FileError>, Unread>;
    /// Called when a read begins; what it returns, when it ends. Dropped, it was given up.
    pub(crate) type Witness = Box<dyn Fn(&Path) -> Ends>;
    pub(crate) type Ends = Box<dyn FnOnce(&Read) + Send>;

    thread_local! {
        static WITNESS: RefCell<Option<Witness>> = const { RefCell::new(None) };
    }

    /// From now on it watches; `None`: nobody does.
    pub(crate) fn set_witness(witness: Option<Witness>) {
        WITNESS.set(witness);
    }

    pub(super) async fn watched(path: &Path, read: impl Future<Output = Read>) -> Read {
        let ends = WITNESS.with_borrow(|witness| witness.as_ref().map(|begins| begins(path)));
        let read = read.await;
        if let Some(ends) = ends {
            ends(&read);
        }
        read
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jwt::jwks::tests::{document, key};

    #[tokio::test(start_paused = true)]
    async fn a_hanging_disk_is_reported_and_blocks_no_third_thread() {
        let file = KeyFile::new("/nowhere".into(), 1024, Writable::Refused);
        let hanging = file.reads.all_hanging();
        let failed = file.fetch(&Document::default(), &mut ()).await;
        assert_eq!(
            failed.expect_err("it hangs").error.to_string(),
            "the key file \"/nowhere\" can't be used: reading it takes longer than 5 s"
        );
        drop(hanging);
        // Paused time does not apply to the disk.
        tokio::time::resume();
        let failed = file.fetch(&Document::default(), &mut ()).await;
        let error = failed.expect_err("there is no such file").error.to_string();
        assert!(error.contains("it can't be read: No such file"), "{error}");
    }

    #[tokio::test]
    async fn only_what_has_changed_is_read_again() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let read = KeyFile::new(file.path().to_owned(), 1024, Writable::Refused);
        let mut held = Document::default();
        // An empty file is no set, though nothing is held.
        read.fetch(&held, &mut ()).await.expect_err("no set");
        for last in [1, 3] {
            std::fs::write(file.path(), document(&[key("1", last)])).expect("written");
            let fetched = read.fetch(&held, &mut ()).await.expect("a set");
            held = fetched.document.expect("a new one");
            let fetched = read.fetch(&held, &mut ()).await.expect("the same set");
            assert!(fetched.document.is_none());
        }
    }
}
