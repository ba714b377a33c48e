//! The tower layer and the axum extractors: what a request is answered, in process and over TCP.

mod answers;
mod axum_server;
mod bodies;
mod extractors;
mod hyper_server;
mod options;
mod order;
mod readiness;
mod scenario;
mod strict;
mod without_tower;
