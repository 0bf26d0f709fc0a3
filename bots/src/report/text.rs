//! The report for a terminal.

use std::fmt::{Display, Formatter, Result};

use super::model::{Report, Times};

impl Display for Times {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let [p50, p95, p99, max] = [self.p50, self.p95, self.p99, self.max].map(|value| or_dash(value, 1));
        write!(f, "p50 {p50}  p95 {p95}  p99 {p99}  max {max} ms")
    }
}

/// A value, or a dash if it was not measured.
fn or_dash(value: Option<f64>, digits: usize) -> String {
    value.map_or("-".to_owned(), |value| format!("{value:.digits$}"))
}

/// A share in percent, or a dash.
fn percent(share: Option<f64>) -> String {
    or_dash(share.map(|share| share * 100.0), 1)
}

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        self.players(f)?;
        if let Some(why) = self.cut_short() {
            let what = if self.interrupted { "INTERRUPTED" } else { "CUT SHORT" };
            writeln!(f, "{what:<17}{why}: no assertion holds for the rest")?;
        }
        self.experience(f)?;
        self.bytes(f)?;
        self.server(f)?;
        self.load_tester(f)?;
        for judgement in &self.assertions {
            write!(
                f,
                "\nassert           {}  {} (was {})",
                if judgement.held { "held  " } else { "BROKEN" },
                judgement.assertion,
                judgement.value
            )?;
        }
        if let Some(knee) = &self.knee {
            write!(f, "\n\n{knee}")?;
        }
        Ok(())
    }
}

impl Report {
    fn players(&self, f: &mut Formatter<'_>) -> Result {
        let r = self;
        write!(f, "players          {} of {} joined, {} dropped", r.joined, r.players, r.dropped)?;
        if r.refused + r.queued > 0 {
            write!(f, ", {} refused, {} still queued", r.refused, r.queued)?;
        }
        if r.rejoined > 0 {
            write!(f, ", {} left and reconnected", r.rejoined)?;
        }
        writeln!(f)?;
        writeln!(
            f,
            "                 {} full clients with the AI (every {}th), {} with the cheap AI",
            r.ais,
            r.full_every,
            r.joined.saturating_sub(r.ais)
        )?;
        match r.decode_every {
            1 => writeln!(f, "                 all decode every snapshot")?,
            every => writeln!(
                f,
                "                 full clients and every {every}th decode snapshots, the others read heads"
            )?,
        }
        let rooms = if r.rooms == 1 { "the room the server chose".to_owned() } else { format!("{} rooms", r.rooms) };
        writeln!(f, "                 {rooms}, link {}, {:.1} s measured", r.link, r.seconds)
    }

    fn experience(&self, f: &mut Formatter<'_>) -> Result {
        let r = self;
        writeln!(f, "snapshot age     {}", r.snapshot_age_ms)?;
        writeln!(f, "snapshot gap     {}", r.snapshot_gap_ms)?;
        writeln!(
            f,
            "snapshot rate    median {} Hz, worst player {} Hz; share received {} %, worst player {} %",
            or_dash(r.snapshot_rate_hz.p50, 1),
            or_dash(r.snapshot_rate_hz.min, 1),
            percent(r.share_received.all),
            percent(r.share_received.min)
        )?;
        writeln!(f, "input to effect  {}", r.input_to_effect_ms)?;
        writeln!(f, "time to join     {}", r.join_ms)?;
        let error = r.prediction_error;
        let [p50, p99, max] = [or_dash(error.p50, 2), or_dash(error.p99, 2), or_dash(error.max, 1)];
        writeln!(f, "prediction error p50 {p50}  p99 {p99}  max {max} units")?;
        let causes = r.corrections_by_cause.iter().map(|(cause, count)| format!("{cause} {}", or_dash(*count, 1)));
        let (all, causes) = (or_dash(r.corrections_per_min, 1), causes.collect::<Vec<_>>().join(", "));
        writeln!(f, "corrections      {all} per full client and minute: {causes}")?;
        let Some(w) = &r.worst else { return writeln!(f, "worst player     -") };
        writeln!(
            f,
            "worst player     {:?} on {}: age p99 {} ms, longest gap {} ms, {} % of its snapshots",
            w.player,
            w.link,
            or_dash(w.age_ms_p99, 0),
            or_dash(w.gap_ms_max, 0),
            percent(w.share)
        )
    }

    fn bytes(&self, f: &mut Formatter<'_>) -> Result {
        let (kbit, by) = (self.kbit_per_s, self.bytes_by_class);
        writeln!(
            f,
            "down per player  {} kbit/s payload, {} with headers, {} most; up {} kbit/s",
            or_dash(kbit.payload_down, 1),
            or_dash(kbit.down, 1),
            or_dash(kbit.down_max, 1),
            or_dash(kbit.up, 1)
        )?;
        writeln!(
            f,
            "                 B/s: local player {}, cells near {}, far {}, events {}, updates {}, control {}, undecoded {}, headers {}",
            or_dash(by.local_player, 0),
            or_dash(by.cells_near, 0),
            or_dash(by.cells_far, 0),
            or_dash(by.events, 0),
            or_dash(by.updates, 0),
            or_dash(by.control, 0),
            or_dash(by.undecoded, 0),
            or_dash(by.headers, 0)
        )?;
        writeln!(
            f,
            "replication      {} bits per record and snapshot; {} records in view, {} subscribed",
            or_dash(self.bits_per_record.mean, 1),
            or_dash(self.in_view.mean, 1),
            or_dash(self.subscribed.mean, 1)
        )
    }

    fn server(&self, f: &mut Formatter<'_>) -> Result {
        let s = &self.server;
        if let Some(why) = &s.unavailable {
            return writeln!(f, "server           no metrics: {why}");
        }
        writeln!(
            f,
            "server           {} cores, {} us per client and snapshot, {} MiB ({} KiB per player)",
            or_dash(s.cpu_cores, 2),
            or_dash(s.cpu_us_per_client_snapshot, 2),
            or_dash(s.rss_mb, 0),
            or_dash(s.kb_per_player, 1)
        )?;
        writeln!(
            f,
            "                 tick p50 {} ms, p99 {} ms, late p99 {} ms; {} missed, {} overruns",
            or_dash(s.tick_ms.p50, 2),
            or_dash(s.tick_ms.p99, 2),
            or_dash(s.lateness_ms.p99, 2),
            or_dash(s.missed_ticks, 0),
            or_dash(s.overruns, 0)
        )?;
        writeln!(
            f,
            "                 {} skips, {} budget steps, governor at {} after {} steps",
            or_dash(s.skips, 0),
            or_dash(s.budget_steps, 0),
            or_dash(s.governor_level, 0),
            or_dash(s.governor_steps, 0)
        )
    }

    fn load_tester(&self, f: &mut Formatter<'_>) -> Result {
        let load = &self.load;
        write!(
            f,
            "load tester      {} cores on {} threads, {} us per client and snapshot, late p99 {} ms, {} socket errors",
            or_dash(load.cpu_cores, 2),
            load.threads,
            or_dash(load.cpu_us_per_client_snapshot, 2),
            or_dash(load.lateness_ms.p99, 1),
            load.socket_errors
        )?;
        if load.overloaded {
            write!(
                f,
                "\nWARNING          the load tester itself was overloaded: the results show its limits, not the server's"
            )?;
        }
        Ok(())
    }
}
