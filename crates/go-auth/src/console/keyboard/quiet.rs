//! A terminal that shows nothing and hands on each byte, and is set back whatever ends the
//! process, short of SIGKILL.

use std::ffi::c_int;
use std::io::{self, Read as _, Stdin};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::termios::{
    LocalModes, OptionalActions, QueueSelector, SpecialCodeIndex, Termios, tcdrain, tcflush,
    tcgetattr, tcsetattr,
};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP};
use signal_hook::{flag, low_level};
use zeroize::Zeroizing;

use super::Typed;

/// How much is read at once: what Linux stores for a terminal.
const AT_ONCE: usize = 4096;

/// Reads what is typed, to its end.
pub(super) fn read(
    keyboard: &Stdin,
    typed: &mut Typed,
    mut prompt: impl FnMut(),
) -> io::Result<()> {
    let keyboard = keyboard.as_fd();
    let mut signals = Signals::catch()?;
    let mut bytes = Zeroizing::new([0; AT_ONCE]);
    'quiet: loop {
        let quiet = Quiet::start(keyboard)?;
        prompt();
        loop {
            if let Some(signal) = signals.or_input(keyboard)? {
                drop(quiet);
                signals.take_effect(signal)?;
                // It was stopped, and asks anew: nobody sees what was typed before.
                typed.clear();
                tcflush(keyboard, QueueSelector::IFlush)?;
                continue 'quiet;
            }
            let count = match rustix::io::read(keyboard, &mut *bytes) {
                Ok(count) => count,
                Err(Errno::INTR | Errno::AGAIN) => continue,
                Err(error) => return Err(error.into()),
            };
            if count == 0 || typed.add(&bytes[..count]) {
                return Ok(());
            }
        }
    }
}

/// As long as it is there, nothing typed is shown.
struct Quiet<'a> {
    keyboard: BorrowedFd<'a>,
    before: Termios,
}

impl<'a> Quiet<'a> {
    fn start(keyboard: BorrowedFd<'a>) -> io::Result<Self> {
        // In the background, this stops the process until it is in the foreground: before
        // that the terminal is as the shell has it for itself.
        tcdrain(keyboard)?;
        let before = tcgetattr(keyboard)?;
        let mut quiet = before.clone();
        // Ctrl-C and its like still are signals.
        quiet.local_modes -= LocalModes::ECHO | LocalModes::ECHONL | LocalModes::ICANON;
        quiet.special_codes[SpecialCodeIndex::VMIN] = 1;
        quiet.special_codes[SpecialCodeIndex::VTIME] = 0;
        tcsetattr(keyboard, OptionalActions::Now, &quiet)?;
        Ok(Self { keyboard, before })
    }
}

impl Drop for Quiet<'_> {
    fn drop(&mut self) {
        // A terminal that is gone needs no setting back.
        let _ = tcsetattr(self.keyboard, OptionalActions::Now, &self.before);
    }
}

/// The signals that end or stop the process, caught until this is dropped.
struct Signals {
    arrived: UnixStream,
    last: Arc<AtomicUsize>,
    /// Whether they have their default effect.
    is_default: Arc<AtomicBool>,
}

impl Signals {
    fn catch() -> io::Result<Self> {
        let (arrived, wake) = UnixStream::pair()?;
        let signals = Self {
            arrived,
            last: Arc::default(),
            is_default: Arc::default(),
        };
        for signal in [SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP] {
            flag::register_conditional_default(signal, Arc::clone(&signals.is_default))?;
            let number = usize::try_from(signal).unwrap_or_default();
            flag::register_usize(signal, Arc::clone(&signals.last), number)?;
            low_level::pipe::register(signal, wake.try_clone()?)?;
        }
        Ok(signals)
    }

    /// Waits for a signal, or for input: then for none.
    fn or_input(&mut self, keyboard: BorrowedFd<'_>) -> io::Result<Option<c_int>> {
        loop {
            let mut sources = [
                PollFd::new(&self.arrived, PollFlags::IN),
                PollFd::new(&keyboard, PollFlags::IN),
            ];
            match poll(&mut sources, None) {
                Ok(_) => {}
                Err(Errno::INTR) => continue,
                Err(error) => return Err(error.into()),
            }
            let [has_arrived, has_input] = sources.map(|it| !it.revents().is_empty());
            if has_arrived {
                let _ = self.arrived.read(&mut [0; 64])?;
                return Ok(c_int::try_from(self.last.load(Ordering::SeqCst)).ok());
            }
            if has_input {
                return Ok(None);
            }
        }
    }

    /// Ends or stops the process. Returns if it was stopped, and goes on.
    fn take_effect(&self, signal: c_int) -> io::Result<()> {
        self.is_default.store(true, Ordering::SeqCst);
        low_level::emulate_default_handler(signal)?;
        self.is_default.store(false, Ordering::SeqCst);
        Ok(())
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        self.is_default.store(true, Ordering::SeqCst);
    }
}
