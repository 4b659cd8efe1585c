//! The figures of a run, their medians over rounds, and their ratios between servers.

use hdrhistogram::Histogram;

use super::driver::Measured;

/// What is reported of a run, in this order.
pub const NAMES: [&str; LEN] = [
    "per_second",
    "cpu_us_per_op",
    "p50_us",
    "p90_us",
    "p99_us",
    "p999_us",
    "max_us",
    "late_p99_us",
    "reply_p50_us",
    "reply_p99_us",
];
const LEN: usize = 10;
/// Shares of the latencies that are reported.
const SHARES: [f64; 5] = [0.5, 0.9, 0.99, 0.999, 1.0];
/// Where the lateness of this client stands.
pub const LATE: usize = 7;

/// Figures, by the order of [`NAMES`]; those that are not known are missing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Figures(pub [Option<f64>; LEN]);

/// A count as a number to reckon with.
#[allow(
    clippy::cast_precision_loss,
    reason = "counts and microseconds stay far below 2^53"
)]
pub fn float(count: u64) -> f64 {
    count as f64
}

impl Figures {
    /// Those of a run.
    pub fn of(measured: &Measured) -> Self {
        let seconds = float(measured.elapsed_us) / 1e6;
        let operations = float(measured.operations);
        let cpu_us = measured.cpu_ns.filter(|_| measured.operations > 0);
        let mut figures = [None; LEN];
        figures[0] = Some(operations / seconds);
        figures[1] = cpu_us.map(|cpu_ns| float(cpu_ns) / 1000.0 / operations);
        for (figure, share) in figures[2..].iter_mut().zip(SHARES) {
            *figure = quantile(&measured.tally.latency, share);
        }
        figures[LATE] = quantile(&measured.tally.late, 0.99);
        for (figure, share) in figures[LATE + 1..].iter_mut().zip([0.5, 0.99]) {
            *figure = quantile(&measured.tally.replies, share);
        }
        Self(figures)
    }

    /// The median of each figure.
    pub fn median(rounds: &[Self]) -> Self {
        Self(std::array::from_fn(|index| {
            let mut known: Vec<f64> = rounds.iter().filter_map(|round| round.0[index]).collect();
            known.sort_by(f64::total_cmp);
            let middle = known.len() / 2;
            match known.len() {
                0 => None,
                len if len % 2 == 1 => Some(known[middle]),
                _ => Some(f64::midpoint(known[middle - 1], known[middle])),
            }
        }))
    }

    /// Each figure over that of another.
    pub fn over(self, other: Self) -> Self {
        Self(std::array::from_fn(|index| {
            let below = other.0[index].filter(|below| *below > 0.0)?;
            Some(self.0[index]? / below)
        }))
    }
}

fn quantile(times: &Histogram<u64>, share: f64) -> Option<f64> {
    (!times.is_empty()).then(|| float(times.value_at_quantile(share)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(per_second: f64, cpu_us: Option<f64>) -> Figures {
        let mut figures = [None; LEN];
        (figures[0], figures[1]) = (Some(per_second), cpu_us);
        Figures(figures)
    }

    #[test]
    fn medians_are_of_each_figure_apart() {
        let rounds = [
            figures(3.0, Some(30.0)),
            figures(1.0, None),
            figures(2.0, Some(10.0)),
        ];
        assert_eq!(Figures::median(&rounds), figures(2.0, Some(20.0)));
        assert_eq!(Figures::median(&[]).0, [None; LEN]);
    }

    #[test]
    fn ratios_need_both() {
        let ratio = figures(3.0, Some(1.0)).over(figures(2.0, None));
        assert_eq!(ratio, figures(1.5, None));
        assert_eq!(figures(1.0, None).over(figures(0.0, None)).0[0], None);
    }
}
