//! DerbySoft GO's requests in servers that are not built on tower, in gRPC and in a proxy.
//! `docs/guide/frameworks.md` introduces them.

pub mod actix;
pub mod grpc;
pub mod poem;
pub mod proxy;
