//! What is bounded: allocations for each request and each input, and the process over a minute.

mod allocation_bounds;
mod allocations;
mod soak;
