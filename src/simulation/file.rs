//! A file with an issuer's keys, which an operator keeps up to date, or breaks.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::time::Duration;

use super::go;
use super::seen::TICK;
use super::server::{Asked, Place, State, half};
use super::world::{Shared, World, lock};
use crate::keys::simulated::{Ends, Read};

impl World {
    /// The file of this issuer, if it has one, becomes as its state says.
    pub(super) fn rewrites(&mut self, issuer: usize) {
        let it = &self.issuers[issuer];
        let Place::File(path) = &it.source.place else {
            return;
        };
        let document = it.go.document();
        let text = match it.source.state {
            State::Down => None,
            State::NotJson => Some("<html>".to_owned()),
            State::EmptySet => Some(r#"{"keys":[]}"#.to_owned()),
            State::Half => Some(half(&it.go)),
            State::Elsewhere => Some(r#"{"jwks_uri":"https://id/keys"}"#.to_owned()),
            _ => {
                let text = go::text(&document);
                self.documents.insert(text.clone(), document);
                Some(text)
            }
        };
        let mode = match it.source.state {
            State::Writable => 0o666,
            _ => 0o600,
        };
        write(path, text.as_deref(), mode, self.rng.bool()).expect("a file");
    }

    fn was_read(&mut self, issuer: usize, read: &Read) {
        let now = self.time.now();
        self.reseed();
        self.count("reads");
        let it = &mut self.issuers[issuer];
        it.seen.attended(now);
        let text = match read {
            Ok(Ok(bytes)) => str::from_utf8(bytes).ok(),
            _ => None,
        };
        if it.source.became + TICK < now.elapsed {
            let fault = match (it.source.state, text) {
                (State::Well, None) => Some("a good file can't be read"),
                (State::Writable, Some(_)) => Some("a file that everybody may write is read"),
                _ => None,
            };
            let kept = fault.map_or(Ok(()), |fault| Err(fault.to_owned()));
            self.must_of(issuer, kept);
        }
        let it = &mut self.issuers[issuer];
        let Some(document) = text.and_then(|text| self.documents.get(text)) else {
            it.seen.bad(Duration::ZERO, now);
            self.count("reads of no keys");
            return;
        };
        it.gives(Some(document.clone()), None, now);
    }
}

/// Replaces the file as a whole: by another, or by a link to another, as Kubernetes does.
fn write(path: &Path, text: Option<&str>, mode: u32, links: bool) -> std::io::Result<()> {
    let Some(text) = text else {
        return fs::remove_file(path).or(Ok(()));
    };
    let new = path.with_extension("new");
    if links {
        // Never two of the same name in a row.
        let old = fs::read_link(path).unwrap_or_default();
        let names = ["one", "other"].map(|name| path.with_extension(name));
        let [one, other] = &names;
        let target = if old == *one { other } else { one };
        fs::write(target, text)?;
        fs::set_permissions(target, fs::Permissions::from_mode(mode))?;
        symlink(target, &new)?;
    } else {
        fs::write(&new, text)?;
        fs::set_permissions(&new, fs::Permissions::from_mode(mode))?;
    }
    fs::rename(new, path)
}

/// A process reads a key file.
pub(super) fn witness(world: &Shared, path: &Path) -> Ends {
    let mut guard = lock(world);
    let is_it = |place: &Place| matches!(place, Place::File(file) if file == path);
    let issuer = (guard.issuers.iter()).position(|issuer| is_it(&issuer.source.place));
    let issuer = issuer.expect("an issuer's file");
    guard.begins(issuer, true);
    let mut asked = Asked {
        world: std::sync::Arc::clone(world),
        issuer,
        process: guard.process,
        is_answered: false,
    };
    Box::new(move |read| {
        asked.is_answered = true;
        let mut world = lock(&asked.world);
        if world.process == asked.process {
            world.was_read(asked.issuer, read);
        }
    })
}
