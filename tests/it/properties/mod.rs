//! Properties: what must hold for every token and every key document, not only for those that
//! somebody thought of.

mod claims;
mod fetches;
mod header;
mod junk_keys;
mod tokens;
