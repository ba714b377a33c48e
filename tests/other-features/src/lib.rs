//! Nothing: see `tests/it.rs`.
