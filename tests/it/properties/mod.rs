//! Properties: what must hold for every token, key document, header, history and configuration,
//! not only for those that somebody thought of. Each says in one line against how many cases it
//! was held. (That a verdict from the token cache is the verdict without one is in
//! `cache_history`; the schedule of the keeper has its own model beside it.)

mod cache_history;
mod claims;
mod configuration;
mod fetches;
mod header;
mod junk_keys;
mod tokens;
