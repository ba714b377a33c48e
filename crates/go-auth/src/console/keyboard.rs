//! What somebody types or pastes at a terminal: not shown there, and whole.
//!
//! By default a terminal hands on whole lines, and Linux cuts each at 4095 bytes. A token
//! may be longer, so input is read byte by byte, and the few keys that edit are handled
//! here.

use std::io::{self, IsTerminal as _};

use zeroize::{Zeroize as _, Zeroizing};

#[cfg(unix)]
mod quiet;

/// Elsewhere what is typed is shown.
#[cfg(not(unix))]
mod quiet {
    use std::io::{self, Read as _, Stdin};

    use zeroize::Zeroizing;

    use super::Typed;

    pub(super) fn read(
        mut keyboard: &Stdin,
        typed: &mut Typed,
        mut prompt: impl FnMut(),
    ) -> io::Result<()> {
        prompt();
        let mut bytes = Zeroizing::new([0; 4096]);
        loop {
            let count = keyboard.read(&mut *bytes)?;
            if count == 0 || typed.add(&bytes[..count]) {
                return Ok(());
            }
        }
    }
}

const END: u8 = 0x04; // Ctrl-D
const CLEAR: u8 = 0x15; // Ctrl-U
const BACKSPACE: [u8; 2] = [0x08, 0x7f];

/// The terminal that standard input is.
#[derive(Debug)]
pub struct Keyboard(io::Stdin);

impl Keyboard {
    /// That of this process, if it has one.
    pub fn at_stdin() -> Option<Self> {
        Some(Self(io::stdin())).filter(|keyboard| keyboard.0.is_terminal())
    }

    /// What is typed before Ctrl-D, up to so many bytes: the rest is read and dropped.
    /// `prompt` is called when nothing typed is shown any more.
    pub(crate) fn read(self, most: usize, prompt: impl FnMut()) -> io::Result<Zeroizing<Vec<u8>>> {
        let mut typed = Typed::up_to(most);
        quiet::read(&self.0, &mut typed, prompt)?;
        Ok(typed.bytes)
    }
}

/// What was typed so far. Never grown: what is left behind by growing is not wiped.
struct Typed {
    bytes: Zeroizing<Vec<u8>>,
    most: usize,
}

impl Typed {
    fn up_to(most: usize) -> Self {
        Self {
            bytes: Zeroizing::new(Vec::with_capacity(most)),
            most,
        }
    }

    fn clear(&mut self) {
        self.bytes.zeroize();
    }

    /// Whether the end was among these.
    fn add(&mut self, bytes: &[u8]) -> bool {
        for byte in bytes {
            match *byte {
                END => return true,
                CLEAR => self.clear(),
                byte if BACKSPACE.contains(&byte) => drop(self.bytes.pop()),
                byte if self.bytes.len() < self.most => self.bytes.push(byte),
                _ => {}
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typing_is_edited_until_it_ends() {
        for (input, typed, is_end) in [
            ("token\n\u{4}rest", "token\n", true),
            ("\u{4}", "", true),
            ("tokenn\u{7f}\u{8}n\n", "token\n", false),
            ("\u{7f}a", "a", false),
            ("wrong\u{15}token\u{4}", "token", true),
            ("long and longer", "long and l", false),
        ] {
            let mut given = Typed::up_to(10);
            assert_eq!(given.add(input.as_bytes()), is_end, "{input:?}");
            assert_eq!(*given.bytes, typed.as_bytes(), "{input:?}");
            assert!(given.bytes.capacity() >= 10, "{input:?}");
        }
    }
}
