//! The reports, from made-up runs.

use super::driver::Measured;
use super::link::Target;
use super::options::{Plan, Test};
use super::peer::Peer;
use super::results::{Results, Run};
use super::tally::Tally;
use super::verify::Verdict;
use super::{json, plot, table};

fn peer(name: &str, pid: Option<u64>) -> Peer {
    Peer {
        target: Target {
            name: format!("{name}:1"),
            user: None,
            password: None,
        },
        name: format!("{name} \"1\""),
        pid,
    }
}

/// Runs of 100 operations in a second, each of `latency_us`.
fn run(server: usize, round: usize, latency_us: u64, verdict: Verdict) -> Run {
    let mut tally = Tally::new(1);
    tally.measure_from(0);
    for number in 0..100 {
        tally.sent(0, 1, number, number + 2);
        tally.complete(0, number, number + latency_us);
    }
    assert_eq!((tally.outstanding(), tally.take_idle()), (0, Some(0)));
    Run {
        plan: 0,
        server,
        round,
        measured: Measured {
            tally,
            operations: 100,
            elapsed_us: 1_000_000,
            cpu_ns: (server == 0).then_some(500_000),
            verdict,
        },
    }
}

fn results(verdict: Verdict) -> Results {
    let plan = Plan::of_one(Test::Lpush);
    Results {
        peers: vec![peer("weir", Some(7)), peer("other", None)],
        plans: vec![plan],
        runs: vec![
            run(0, 1, 100, verdict),
            run(1, 1, 400, Verdict::default()),
            run(0, 2, 300, Verdict::default()),
            run(1, 2, 400, Verdict::default()),
        ],
    }
}

#[test]
fn the_table_has_medians_and_their_ratios() {
    let text = table::table(&results(Verdict::default()));
    let words = |line: &str| {
        line.split_whitespace()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let rows: Vec<Vec<String>> = text.lines().map(words).collect();
    let find = |word: &str| {
        rows.iter()
            .find(|row| row.iter().any(|cell| cell == word))
            .unwrap()
    };
    // 100 per second at 5 us each; p50 between the rounds' 100 and 300.
    assert_eq!(find("P=16")[4..7], ["100", "5.000", "200"], "{text}");
    assert_eq!(find("ratio")[1..4], ["1.00", "-", "0.50"], "{text}");
    assert!(
        text.contains("every message came once and in order"),
        "{text}"
    );
}

#[test]
fn what_went_wrong_is_said() {
    let lost = Verdict {
        lost: 3,
        ..Verdict::default()
    };
    let mut results = results(lost);
    results.runs[1].measured.tally.error(b"OOM no");
    results.runs[1].measured.tally.error(b"OOM again");
    assert!(!results.is_clean());
    let text = table::table(&results);
    assert!(text.contains("round 1: 3 lost, 0 duplicated"), "{text}");
    assert!(text.contains("2 errors, the first: OOM no"), "{text}");
    assert!(!text.contains("every message came"), "{text}");
}

#[test]
fn json_is_whole_and_escaped() {
    let text = json::json(&results(Verdict::default()));
    assert!(text.contains(r#""name": "weir \"1\"", "pid": 7"#), "{text}");
    assert!(text.contains(r#""pid": null"#), "{text}");
    assert!(
        text.contains(r#""server": "0/1", "per_second": 1.0000, "cpu_us_per_op": null"#),
        "{text}"
    );
    assert!(text.contains(r#""clean": true"#), "{text}");
    let count = |letter| text.matches(letter).count();
    assert_eq!((count('{'), count('[')), (count('}'), count(']')));
}

#[test]
fn the_plot_has_a_line_for_each_test_and_server() {
    let text = plot::plot(&results(Verdict::default()));
    assert_eq!(text.matches("<polyline").count(), 2, "{text}");
    assert_eq!(text.matches("stroke-dasharray").count(), 2);
    assert!(!text.contains("NaN") && !text.contains("inf"), "{text}");
    assert!(text.ends_with("</svg>\n"));
}
