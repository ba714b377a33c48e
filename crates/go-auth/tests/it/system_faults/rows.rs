//! The table: what fails, and what may stop working meanwhile.

use rustix::process::Resource;

use super::fault::{Fault, Place};
use super::scenes;
use super::stage::{LogTo, Set, Source};
use test_support::passive_runtime;

/// What may stop working while a fault lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// Lines of the log are lost, and counted.
    Log,
    /// The same for good: the log is never written again.
    LogForGood,
    /// The snapshot is not written.
    Snapshot,
    /// What writers leave beside the snapshot can't be removed.
    Leftovers,
    /// Changed Access Tokens do not count; the old ones stay.
    Tokens,
    /// New keys are not known: 503. The old ones stay.
    Keys,
    /// A reload is refused; the old settings stay.
    Reload,
    /// A new connection waits.
    Connections,
}

/// A fault that a gate lives through, while so much may be lost.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row {
    pub(super) name: &'static str,
    pub(super) fault: Fault,
    pub(super) lost: &'static [Part],
    pub(super) set: Set,
}

const fn row(name: &'static str, fault: Fault, lost: &'static [Part]) -> Row {
    Row {
        name,
        fault,
        lost,
        set: Set {
            source: Source::Address,
            log: LogTo::File,
            format: "text",
        },
    }
}

impl Row {
    const fn json(mut self) -> Self {
        self.set.format = "json";
        self
    }

    const fn keys_in_a_file(mut self) -> Self {
        self.set.source = Source::File;
        self
    }

    const fn keys_by_name(mut self) -> Self {
        self.set.source = Source::Name;
        self
    }

    const fn log(mut self, log: LogTo) -> Self {
        self.set.log = log;
        self
    }
}

use Part::{Connections, Keys, Leftovers, Log, LogForGood, Reload, Snapshot, Tokens};

const fn call(calls: &'static str, what: &'static str) -> Fault {
    Fault::Calls(calls, what, None)
}

const fn of(place: Place, calls: &'static str, what: &'static str) -> Fault {
    Fault::Calls(calls, what, Some(place))
}

pub(super) const OPEN: &str = "?open,openat";
const STAT: &str = "%%stat";
const RENAME: &str = "?rename,?renameat,?renameat2";
const RENAME_AND_REMOVE: &str = "?rename,?renameat,?renameat2,?unlink,?unlinkat";
pub(super) const CLONE: &str = "?clone,?clone3";
pub(super) const HANG: &str = "delay_enter=100000000";
const EVERY_OTHER: &str = "error=EINTR:when=2+2";

/// What needs files, in order of what is lost first.
const ALL_FILES: &[Part] = &[Connections, Keys, Tokens, Reload, Snapshot];

#[rustfmt::skip]
pub(super) const ROWS: &[Row] = &[
    // Each stands alone here. What is opened by its path is Tokens, Keys, Settings or the
    // snapshot that is there; what is opened beside it is the snapshot that is written.
    row("log: no space", of(Place::Log, "write", "error=ENOSPC"), &[Log]),
    row("log: an I/O error", of(Place::Log, "write", "error=EIO"), &[Log]).json(),
    row("log: a broken pipe", of(Place::Log, "write", "error=EPIPE"), &[Log]),
    row("log: would block", of(Place::Log, "write", "error=EAGAIN"), &[Log]).json(),
    // Rust's standard library takes it for written.
    row("log: not open", of(Place::Log, "write", "error=EBADF"), &[]),
    row("log: interrupted", of(Place::Log, "write", EVERY_OTHER), &[]).json(),
    row("log: hangs", of(Place::Log, "write", HANG), &[]),
    row("log: half a line fits", Fault::LogLimit(40), &[Log, Snapshot]).json(),
    row("log: on a full disk", Fault::Log, &[LogForGood]).log(LogTo::FullDisk),
    row("log: nobody reads", Fault::Log, &[]).log(LogTo::NobodyReads).json(),
    row("log: nobody reads, without blocking", Fault::Log, &[Log]).log(LogTo::NobodyReadsNonBlocking),
    row("log: its reader is gone", Fault::Log, &[LogForGood]).log(LogTo::ReaderGone).json(),
    row("log: closed", Fault::Log, &[]).log(LogTo::Closed),

    row("snapshot: no space for a file", call("openat", "error=ENOSPC"), &[Snapshot]),
    row("snapshot: a read-only disk", call("openat", "error=EROFS"), &[Snapshot]),
    row("snapshot: not permitted", call("openat", "error=EACCES"), &[Snapshot]),
    row("snapshot: opening hangs", call("openat", HANG), &[Snapshot]),
    row("snapshot: half of it fits", Fault::Limit(Resource::Fsize, 300), &[Log, Snapshot]),
    row("snapshot: an I/O error at its end", call("fsync", "error=EIO"), &[Snapshot]),
    row("snapshot: its end hangs", call("fsync", HANG), &[Snapshot]),
    row("snapshot: can't be renamed", call(RENAME, "error=EIO"), &[Snapshot]),
    row("snapshot: on another disk", call(RENAME, "error=EXDEV"), &[Snapshot]),
    row("snapshot: renaming hangs", call(RENAME, HANG), &[Snapshot]),
    row("snapshot: neither renamed nor removed", call(RENAME_AND_REMOVE, "error=EIO"), &[Snapshot, Leftovers]),
    row("snapshot: not found out about", of(Place::Snapshot, STAT, "error=EIO"), &[Snapshot]),
    row("snapshot: can't be read", of(Place::Snapshot, "read", "error=EIO"), &[]),
    row("snapshot: reading hangs", of(Place::Snapshot, "read", HANG), &[Snapshot]),
    row("snapshot: its directory is gone", Fault::Gone(Place::State), &[Snapshot]),
    row("snapshot: its directory is open to all", Fault::Mode(Place::State, 0o777), &[Snapshot]),
    row("snapshot: a pipe in its place", Fault::Pipe(Place::Snapshot), &[Snapshot]),

    row("tokens: an I/O error", of(Place::Tokens, OPEN, "error=EIO"), &[Tokens, Reload]),
    row("tokens: no file left to the process", of(Place::Tokens, OPEN, "error=EMFILE"), &[Tokens, Reload]),
    row("tokens: no file left to the system", of(Place::Tokens, OPEN, "error=ENFILE"), &[Tokens, Reload]),
    row("tokens: not permitted", of(Place::Tokens, OPEN, "error=EACCES"), &[Tokens, Reload]),
    row("tokens: opening hangs", of(Place::Tokens, OPEN, HANG), &[Tokens, Reload]),
    row("tokens: an error half way", of(Place::Tokens, "read", "error=EIO:when=2+"), &[Tokens, Reload]),
    row("tokens: interrupted", of(Place::Tokens, "read", EVERY_OTHER), &[]),
    row("tokens: reading hangs", of(Place::Tokens, "read", HANG), &[Tokens, Reload]),
    row("tokens: not found out about", of(Place::Tokens, STAT, "error=EIO"), &[Tokens, Reload]),
    row("tokens: nor about its directory", of(Place::Directory, STAT, "error=EIO"), &[Tokens, Reload, Snapshot]),
    row("tokens: its directory is open to all", Fault::Mode(Place::Directory, 0o777), &[Tokens, Reload, Snapshot]),
    row("tokens: gone", Fault::Gone(Place::Tokens), &[Tokens, Reload]),
    row("tokens: a pipe in their place", Fault::Pipe(Place::Tokens), &[Tokens, Reload]),

    row("keys: an I/O error", of(Place::Keys, OPEN, "error=EIO"), &[Keys]).keys_in_a_file(),
    row("keys: no file left to the process", of(Place::Keys, OPEN, "error=EMFILE"), &[Keys]).keys_in_a_file(),
    row("keys: an error half way", of(Place::Keys, "read", "error=EIO:when=2+"), &[Keys]).keys_in_a_file(),
    row("keys: reading hangs", of(Place::Keys, "read", HANG), &[Keys]).keys_in_a_file(),
    row("keys: not found out about", of(Place::Keys, STAT, "error=EIO"), &[Keys]).keys_in_a_file(),
    row("keys: gone", Fault::Gone(Place::Keys), &[Keys]).keys_in_a_file(),
    row("keys: a pipe in their place", Fault::Pipe(Place::Keys), &[Keys]).keys_in_a_file(),

    row("settings: not permitted", of(Place::Settings, OPEN, "error=EACCES"), &[Reload]),
    row("settings: an error half way", of(Place::Settings, "read", "error=EIO:when=2+"), &[Reload]),
    row("settings: opening hangs", of(Place::Settings, OPEN, HANG), &[Reload]),
    row("settings: not found out about", of(Place::Settings, STAT, "error=EIO"), &[Reload]),
    row("settings: gone", Fault::Gone(Place::Settings), &[Reload]),
    row("settings: a pipe in their place", Fault::Pipe(Place::Settings), &[Reload]),

    row("accept: no file left to the process", call("accept4", "error=EMFILE"), &[Connections]),
    row("accept: no file left to the system", call("accept4", "error=ENFILE"), &[Connections]),
    row("accept: aborted", call("accept4", "error=ECONNABORTED:when=1+2"), &[]),
    row("accept: no buffers", call("accept4", "error=ENOBUFS"), &[Connections]),
    row("accept: an I/O error", call("accept4", "error=EIO"), &[Connections]),
    row("fetch: refused", call("connect", "error=ECONNREFUSED"), &[Keys]),
    row("fetch: no way there", call("connect", "error=ENETUNREACH"), &[Keys]),
    row("fetch: no answer", call("connect", "error=ETIMEDOUT"), &[Keys]),
    row("fetch: no address of its own", call("connect", "error=EADDRNOTAVAIL"), &[Keys]),
    row("fetch: no file left to the process", call("socket", "error=EMFILE"), &[Keys]),
    row("fetch: no buffers", call("socket", "error=ENOBUFS"), &[Keys]),
    row("fetch: looking up its name hangs", of(Place::Hosts, OPEN, HANG), &[Keys]).keys_by_name(),
    row("fetch: no file left to look up its name", Fault::Limit(Resource::Nofile, 0), ALL_FILES).keys_by_name(),
    // Of those alone that there are: signals come by a socket, too.
    row("sockets: reading is reset", of(Place::Connections, "recvfrom", "error=ECONNRESET"), &[]),
    row("sockets: reading fails", of(Place::Connections, "recvfrom", "error=EIO"), &[]),
    row("sockets: reading while not connected", of(Place::Connections, "recvfrom", "error=ENOTCONN"), &[]),
    row("sockets: no buffers to read", of(Place::Connections, "recvfrom", "error=ENOBUFS"), &[]),
    row("sockets: writing is reset at times", call("?sendto,writev", "error=ECONNRESET:when=3+3"), &[]),
    row("sockets: nobody reads at times", call("?sendto,writev", "error=EPIPE:when=3+3"), &[]),
    row("sockets: writing fails at times", call("?sendto,writev", "error=EIO:when=3+3"), &[]),
    row("sockets: no buffers to write at times", call("?sendto,writev", "error=ENOBUFS:when=3+3"), &[]),

    row("process: no threads", call(CLONE, "error=EAGAIN"), &[Snapshot, Tokens, Reload]),
    row("process: a thread fails now and then", call(CLONE, "error=EAGAIN:when=1+2"), &[Snapshot, Tokens, Reload]),
    row("process: no files", Fault::Limit(Resource::Nofile, 0), ALL_FILES),
    row("process: strangers take all files", Fault::Strangers(40), ALL_FILES),
    row("process: stopped and continued", Fault::Stopped, &[]),
];

/// What is no such row, and whether it needs strace.
pub(super) struct Scene {
    pub(super) name: &'static str,
    pub(super) needs_strace: bool,
    pub(super) play: fn(),
}

macro_rules! scene {
    ($name:literal, $play:ident, $needs_strace:literal) => {
        Scene {
            name: $name,
            needs_strace: $needs_strace,
            play: || passive_runtime().block_on(scenes::$play()),
        }
    };
}

#[rustfmt::skip]
pub(super) const SCENES: &[Scene] = &[
    scene!("start: a thread can't be started", no_thread_at_the_start, true),
    scene!("start: the snapshot can't be read", no_snapshot_at_the_start, true),
    scene!("start: the settings hang, and signals come", settings_hang_at_the_start, true),
    scene!("start: settings and tokens can't be read", files_fail_at_the_start, true),
    scene!("start: no service manager", no_service_manager, false),
    scene!("process: killed while it writes", killed_while_it_writes, true),
    scene!("strangers: never read", strangers_never_read, false),
    scene!("strangers: wait for unknown keys", strangers_wait_for_keys, false),
];
