//! Keys: how they are read, fetched, refreshed and withdrawn, and what becomes of requests while GO,
//! the network, the disk or the clock fails. The rules are those of `docs/guide/operations.md`.

mod authorities;
mod cancellation;
mod clients;
mod clocks;
mod discovery;
mod documents;
mod failed_fetches;
mod fetching;
mod key_file;
mod lifecycle;
mod order;
mod outage;
mod pending;
mod published_keys;
mod refresh;
mod revocation;
mod rotation;
mod served_documents;
mod several_issuers;
mod snapshot;
mod snapshot_file;
mod staleness;
mod storms;
mod transport;
mod undriven;
mod untidy_servers;
mod withdrawn;
