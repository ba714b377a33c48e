//! Integration tests: the public interface, over real TCP where there is any.

mod access_token_layer;
mod access_token_renewal;
mod access_token_settings;
mod access_tokens;
mod allocation_bounds;
mod allocations;
mod attacks;
mod axum_server;
mod cache_history;
mod claim_rules;
mod cli;
mod conformance;
mod control;
mod corpus;
mod differential;
#[path = "support/distributor.rs"]
mod distributor;
mod examples;
mod extractors;
mod faults;
#[path = "support/forge.rs"]
mod forge;
mod forgeries;
#[path = "support/front.rs"]
mod front;
mod gate;
mod gate_nginx;
#[path = "support/gate_process.rs"]
mod gate_process;
#[path = "support/hostile.rs"]
mod hostile;
#[allow(dead_code, reason = "some of it is for the benches alone")]
#[path = "support/hostile_documents.rs"]
mod hostile_documents;
mod hyper_server;
mod key_documents;
mod key_pending;
mod layer;
mod layer_options;
#[path = "gate_nginx/soak.rs"]
mod nginx_soak;
mod observability;
mod outbound;
mod properties;
#[path = "support/property.rs"]
mod property;
mod published_keys;
mod readiness;
mod refusals;
mod remote_documents;
mod remote_faults;
mod remote_keys;
mod remote_lifecycle;
mod remote_order;
mod remote_refresh;
mod remote_staleness;
mod sample_tokens;
mod scenario;
mod secrecy;
mod seeds;
mod signature_classes;
mod soak;
mod support;
mod token_forms;
mod toolchain;
mod undriven;
mod untidy_key_servers;
#[path = "support/wire.rs"]
mod wire;
mod withdrawn;
