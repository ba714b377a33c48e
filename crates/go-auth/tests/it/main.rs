//! The command and the gate, as their users have them: over real TCP, as real processes.

mod cli;
#[cfg(target_os = "linux")]
mod events;
mod gate;
mod gate_process;
mod monitoring;
#[path = "proxies/nginx/soak.rs"]
mod nginx_soak;
mod process;
mod proxies;
#[cfg(target_os = "linux")]
mod system_faults;
