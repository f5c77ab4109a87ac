//! What the operating system knows about this process, read when somebody asks.

use std::fmt;
use std::fs;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Unit;

use super::metrics::Row;

/// Reads `/proc/self`; where there is none, it says nothing.
#[derive(Debug)]
pub(super) struct Process;

/// What [`Process`] says, for the page of metrics.
pub(super) const ROWS: [Row; 5] = [
    Row {
        name: "process_cpu_seconds_total",
        kind: "counter",
        labels: &[],
        help: "Processor time used, in user and system mode",
    },
    Row {
        name: "process_max_fds",
        kind: "gauge",
        labels: &[],
        help: "How many file descriptors may be open",
    },
    Row {
        name: "process_open_fds",
        kind: "gauge",
        labels: &[],
        help: "How many file descriptors are open",
    },
    Row {
        name: "process_resident_memory_bytes",
        kind: "gauge",
        labels: &[],
        help: "Memory that is really in use",
    },
    Row { name: "process_threads", kind: "gauge", labels: &[], help: "How many threads there are" },
];

/// Linux counts processor time for programs in hundredths of a second, whatever its own clock.
const TICKS_PER_SECOND: f64 = 100.0;

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let [cpu, max_fds, open_fds, memory, threads] = &ROWS;
        if let Some(seconds) = cpu_seconds() {
            let counter = ConstCounter::new(seconds);
            let unit = Some(&Unit::Seconds);
            let kind = counter.metric_type();
            counter.encode(encoder.encode_descriptor("process_cpu", cpu.help, unit, kind)?)?;
        }
        let mut gauge = |name: &str, help: &str, unit: Option<&Unit>, value: Option<u64>| {
            let Some(value) = value else { return Ok(()) };
            let gauge = ConstGauge::new(value);
            gauge.encode(encoder.encode_descriptor(name, help, unit, gauge.metric_type())?)
        };
        gauge(max_fds.name, max_fds.help, None, most_fds())?;
        gauge(open_fds.name, open_fds.help, None, fds())?;
        let bytes = status("VmRSS:").map(|kib| kib * 1024);
        gauge("process_resident_memory", memory.help, Some(&Unit::Bytes), bytes)?;
        gauge(threads.name, threads.help, None, status("Threads:"))
    }
}

/// `proc_pid_stat(5)`: after the name, which is in parentheses and may hold anything, the 12th and
/// 13th words.
fn cpu_seconds() -> Option<f64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    let (_, rest) = stat.rsplit_once(')')?;
    let mut words = rest.split_ascii_whitespace().skip(11).map(str::parse::<u32>);
    let (user, system) = (words.next()?.ok()?, words.next()?.ok()?);
    Some((f64::from(user) + f64::from(system)) / TICKS_PER_SECOND)
}

fn status(key: &str) -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(key))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

fn fds() -> Option<u64> {
    u64::try_from(fs::read_dir("/proc/self/fd").ok()?.count()).ok()
}

fn most_fds() -> Option<u64> {
    let limits = fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}
