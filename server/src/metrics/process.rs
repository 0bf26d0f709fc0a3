//! Statistics of this process from the operating system, under the standard names of Prometheus client libraries. Read at each scrape;
//! absent on systems other than Linux.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;

#[derive(Debug)]
pub(super) struct Process;

#[cfg(not(target_os = "linux"))]
impl Collector for Process {
    fn encode(&self, _: DescriptorEncoder) -> Result<(), fmt::Error> {
        Ok(())
    }
}

#[cfg(target_os = "linux")]
impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        use prometheus_client::encoding::EncodeMetric;
        use prometheus_client::metrics::counter::ConstCounter;
        use prometheus_client::metrics::gauge::ConstGauge;

        // A value that cannot be read is left out: a wrong 0 would be worse.
        let Some(stats) = linux::read() else { return Ok(()) };
        let cpu = ConstCounter::new(stats.cpu_seconds);
        let help = "CPU time of the process, user and system";
        cpu.encode(encoder.encode_descriptor("process_cpu_seconds", help, None, cpu.metric_type())?)?;
        for (name, help, value) in [
            ("process_resident_memory_bytes", "Memory of the process in RAM", stats.resident_bytes),
            ("process_open_fds", "Open file descriptors", stats.open_fds),
            ("process_max_fds", "File descriptors that the process may open", stats.max_fds),
            ("process_threads", "Threads of the process", stats.threads),
        ] {
            let Some(value) = value else { continue };
            let gauge = ConstGauge::new(value);
            gauge.encode(encoder.encode_descriptor(name, help, None, gauge.metric_type())?)?;
        }
        Ok(())
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use procfs::WithCurrentSystemInfo;
    use procfs::process::{LimitValue, Process};

    pub(super) struct ProcessStats {
        pub(super) cpu_seconds: f64,
        pub(super) resident_bytes: Option<u64>,
        pub(super) open_fds: Option<u64>,
        pub(super) max_fds: Option<u64>,
        pub(super) threads: Option<u64>,
    }

    pub(super) fn read() -> Option<ProcessStats> {
        let process = Process::myself().ok()?;
        let stat = process.stat().ok()?;
        let limits = process.limits().ok().map(|limits| limits.max_open_files.soft_limit);
        Some(ProcessStats {
            cpu_seconds: (stat.utime + stat.stime) as f64 / procfs::ticks_per_second() as f64,
            resident_bytes: Some(stat.rss_bytes().get()),
            open_fds: process.fd_count().ok().map(|count| count as u64),
            max_fds: limits.and_then(|limit| match limit {
                LimitValue::Value(value) => Some(value),
                LimitValue::Unlimited => None,
            }),
            threads: u64::try_from(stat.num_threads).ok(),
        })
    }
}
