//! The latencies as a drawing: one line for each test and server, from the median to the worst.

use std::fmt::Write as _;

use super::figures::float;
use super::results::{Results, label};

const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 460.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 230.0;
const TOP: f64 = 50.0;
const BOTTOM: f64 = 50.0;
/// Shares under which the axis is marked. Each is as far from the next as it is rarer.
const MARKS: [(f64, &str); 6] = [
    (0.0, "0"),
    (0.5, "50%"),
    (0.9, "90%"),
    (0.99, "99%"),
    (0.999, "99.9%"),
    (0.9999, "99.99%"),
];
/// The share at the right edge, as its distance in tens.
const TENS_MAX: f64 = 4.5;
const STEPS: u32 = 90;
/// Told apart by those who see few colours; the second server's lines are dashed.
const COLOURS: [&str; 8] = [
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#000000", "#7f7f7f",
];

/// The drawing, as SVG.
pub fn plot(results: &Results) -> String {
    let lines = lines(results);
    let points = || lines.iter().flat_map(|line| &line.points);
    let most = points().map(|(_, us)| *us).fold(1.0, f64::max);
    let least = points().map(|(_, us)| *us).fold(most, f64::min).max(1.0);
    let scale = Scale {
        floor: least.log10().floor(),
        ceiling: (most.log10().floor() + 1.0).max(least.log10().floor() + 1.0),
    };
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"white\"/>\n"
    );
    let names: Vec<&str> = results
        .peers
        .iter()
        .map(|peer| peer.name.as_str())
        .collect();
    put_text(
        &mut text,
        (LEFT, 25.0),
        "start",
        &format!("Latency, {}", names.join(" and ")),
    );
    put_axes(&mut text, scale);
    for (index, line) in lines.iter().enumerate() {
        put_line(&mut text, scale, line, float(index as u64));
    }
    text + "</svg>\n"
}

struct Line {
    label: String,
    colour: &'static str,
    is_dashed: bool,
    /// How far right, in tens, and microseconds.
    points: Vec<(f64, f64)>,
}

/// The axis of latencies, in powers of ten.
#[derive(Clone, Copy)]
struct Scale {
    floor: f64,
    ceiling: f64,
}

impl Scale {
    fn y(self, us: f64) -> f64 {
        let share = (us.max(1.0).log10() - self.floor) / (self.ceiling - self.floor);
        HEIGHT - BOTTOM - share * (HEIGHT - BOTTOM - TOP)
    }
}

fn x(tens: f64) -> f64 {
    LEFT + tens / TENS_MAX * (WIDTH - LEFT - RIGHT)
}

/// How rare what lies past a share is, in tens.
fn tens(share: f64) -> f64 {
    -(1.0 - share).log10()
}

fn lines(results: &Results) -> Vec<Line> {
    let mut lines = Vec::new();
    for (index, plan) in results.plans.iter().enumerate() {
        for (server, peer) in results.peers.iter().enumerate() {
            let mut all = super::tally::durations();
            for run in results.of(index, server) {
                // Of the same bounds, so nothing is left out.
                let _ = all.add(&run.measured.tally.latency);
            }
            if all.is_empty() {
                continue;
            }
            let point = |step: u32| {
                let tens = f64::from(step) / f64::from(STEPS) * TENS_MAX;
                let share = 1.0 - 10f64.powf(-tens);
                (tens, float(all.value_at_quantile(share)))
            };
            lines.push(Line {
                label: format!("{}, {}", label(plan), peer.name),
                colour: COLOURS[index % COLOURS.len()],
                is_dashed: server > 0,
                points: (0..=STEPS).map(point).collect(),
            });
        }
    }
    lines
}

fn put_axes(text: &mut String, scale: Scale) {
    let (bottom, right) = (HEIGHT - BOTTOM, WIDTH - RIGHT);
    for (share, name) in MARKS {
        let at = x(tens(share));
        put_rule(text, (at, TOP), (at, bottom));
        put_text(text, (at, bottom + 18.0), "middle", name);
    }
    let mut power = scale.floor;
    while power <= scale.ceiling {
        let us = 10f64.powf(power);
        put_rule(text, (LEFT, scale.y(us)), (right, scale.y(us)));
        let name = match us {
            us if us >= 1e6 => format!("{} s", us / 1e6),
            us if us >= 1e3 => format!("{} ms", us / 1e3),
            us => format!("{us} us"),
        };
        put_text(text, (LEFT - 8.0, scale.y(us) + 4.0), "end", &name);
        power += 1.0;
    }
    let middle = f64::midpoint(LEFT, right);
    put_text(
        text,
        (middle, HEIGHT - 12.0),
        "middle",
        "share of operations that were faster",
    );
}

fn put_line(text: &mut String, scale: Scale, line: &Line, row: f64) {
    let points: Vec<String> = line
        .points
        .iter()
        .map(|(tens, us)| format!("{:.1},{:.1}", x(*tens), scale.y(*us)))
        .collect();
    let dashes = if line.is_dashed {
        " stroke-dasharray=\"5 3\""
    } else {
        ""
    };
    let style = format!(
        "fill=\"none\" stroke=\"{}\" stroke-width=\"2\"{dashes}",
        line.colour
    );
    // Writing to a String does not fail.
    let _ = writeln!(text, "<polyline points=\"{}\" {style}/>", points.join(" "));
    let (at, y) = (WIDTH - RIGHT + 15.0, TOP + 18.0 * row);
    let _ = writeln!(text, "<path d=\"M{at} {y}h24\" {style}/>");
    put_text(text, (at + 32.0, y + 4.0), "start", &line.label);
}

fn put_rule(text: &mut String, from: (f64, f64), to: (f64, f64)) {
    let (x1, y1, x2, y2) = (from.0, from.1, to.0, to.1);
    let _ = writeln!(
        text,
        "<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" stroke=\"#ddd\"/>"
    );
}

fn put_text(text: &mut String, (x, y): (f64, f64), anchor: &str, words: &str) {
    let words = words.replace('&', "&amp;").replace('<', "&lt;");
    let _ = writeln!(
        text,
        "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{words}</text>"
    );
}
