//! Properties: what must hold for every token, key document, header, history and configuration, not
//! only for those that somebody thought of. Each prints in one line against how many cases it was
//! tried. (The schedule of the background refresh has its own model, beside its source.)

mod cache_history;
mod claims;
mod configuration;
mod fetches;
mod header;
mod junk_keys;
mod tokens;
