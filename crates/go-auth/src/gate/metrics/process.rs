//! What Linux knows of the process, by the names that Prometheus's own libraries use. What
//! it does not say, where there is no `/proc`, is left out.

use metrics::{counter, describe_counter, describe_gauge, gauge};
use procfs::WithCurrentSystemInfo as _;
use procfs::process::{LimitValue, Process};

const CPU_SECONDS: &str = "process_cpu_seconds_total";
const RESIDENT: &str = "process_resident_memory_bytes";
const OPEN_FDS: &str = "process_open_fds";
const MAX_FDS: &str = "process_max_fds";
const THREADS: &str = "process_threads";
const START: &str = "process_start_time_seconds";

pub(super) fn describe() {
    describe_counter!(CPU_SECONDS, "CPU time of user and system, in whole seconds");
    describe_gauge!(RESIDENT, "Resident memory");
    describe_gauge!(OPEN_FDS, "Open file descriptors");
    describe_gauge!(MAX_FDS, "How many file descriptors may be open");
    describe_gauge!(THREADS, "Threads");
    describe_gauge!(START, "When the process started");
}

/// As of now; blocks for as long as `/proc` takes, which is in memory.
pub(super) fn record() {
    let Ok(process) = Process::myself() else {
        return;
    };
    if let Ok(stat) = process.stat() {
        let ticks = stat.utime.saturating_add(stat.stime);
        counter!(CPU_SECONDS).absolute(ticks / procfs::ticks_per_second());
        set(RESIDENT, stat.rss_bytes().get());
        set(THREADS, stat.num_threads.unsigned_abs());
        if let Ok(boot) = procfs::boot_time_secs() {
            set(START, boot + stat.starttime / procfs::ticks_per_second());
        }
    }
    if let Ok(open) = process.fd_count() {
        set(OPEN_FDS, open as u64);
    }
    if let Ok(limits) = process.limits()
        && let LimitValue::Value(max) = limits.max_open_files.soft_limit
    {
        set(MAX_FDS, max);
    }
}

#[expect(clippy::cast_precision_loss, reason = "exact below 2^53")]
fn set(name: &'static str, value: u64) {
    gauge!(name).set(value as f64);
}
