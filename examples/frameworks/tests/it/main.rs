//! Each server on loopback against a simulated GO.

mod grpc;
mod proxy;
mod servers;
mod stage;
