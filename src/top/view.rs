//! Draws the screen.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style, Stylize as _};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Cell, Paragraph, Row as TableRow, Table};

use super::screen::Screen;
use super::sight::{Row, Sight};

const ACCENT: Color = Color::Rgb(45, 212, 191);
const FAINT: Color = Color::Rgb(138, 154, 151);
const BAD: Color = Color::Rgb(255, 107, 107);
const WARN: Color = Color::Rgb(251, 191, 75);
const GOOD: Color = Color::Rgb(95, 211, 141);

/// Columns of a sparkline.
const SPARK_LEN: usize = 12;

/// The columns: heading, width.
const COLUMNS: [(&str, u16); 11] = [
    ("STATE", 11),
    ("QUEUE", 0),
    ("", 12),
    ("WAITING", 9),
    ("OLDEST", 9),
    ("IN/S", 8),
    ("OUT/S", 8),
    ("WAIT P99", 9),
    ("DRAINS IN", 9),
    ("CONSUMERS", 9),
    ("LOST", 8),
];

/// A number in at most six columns.
fn count(number: f64) -> String {
    let whole = number.fract() == 0.0;
    if number < 10_000.0 {
        let decimals = usize::from(!whole && number < 100.0);
        return format!("{number:.decimals$}");
    }
    for (size, unit) in [(1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")] {
        if number >= size {
            return format!("{:.1}{unit}", number / size);
        }
    }
    String::new()
}

/// Milliseconds in words.
fn time(ms: f64) -> String {
    let s = ms / 1000.0;
    if ms < 1000.0 {
        format!("{ms:.0} ms")
    } else if s < 60.0 {
        format!("{s:.1} s")
    } else if s < 3600.0 {
        format!("{:.0}m {:.0}s", (s / 60.0).floor(), s % 60.0)
    } else if s < 86_400.0 {
        format!(
            "{:.0}h {:.0}m",
            (s / 3600.0).floor(),
            (s % 3600.0 / 60.0).floor()
        )
    } else {
        format!(
            "{:.0}d {:.0}h",
            (s / 86_400.0).floor(),
            (s % 86_400.0 / 3600.0).floor()
        )
    }
}

fn bytes(number: f64) -> String {
    let mut size = number;
    for unit in ["B", "KiB", "MiB"] {
        if size < 1024.0 {
            let decimals = usize::from(unit != "B");
            return format!("{size:.decimals$} {unit}");
        }
        size /= 1024.0;
    }
    format!("{size:.1} GiB")
}

fn dash(number: Option<f64>, words: fn(f64) -> String) -> String {
    number.map_or_else(|| "–".to_owned(), words)
}

/// The last values as blocks of an eighth, between the least and the greatest of them.
fn spark(values: &[u64]) -> String {
    const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let last = &values[values.len().saturating_sub(SPARK_LEN)..];
    let (low, high) = (last.iter().min(), last.iter().max());
    let (low, high) = (low.copied().unwrap_or(0), high.copied().unwrap_or(0));
    let block = |&value: &u64| {
        let step = u128::from(value - low) * 7 / u128::from((high - low).max(1));
        BLOCKS[usize::try_from(step).unwrap_or(7)]
    };
    last.iter().map(block).collect()
}

fn color_of(state: &str) -> Color {
    match state {
        "stalled" => BAD,
        "building-up" => WARN,
        "flowing" => GOOD,
        _ => FAINT,
    }
}

/// Draws everything.
pub fn draw(frame: &mut Frame<'_>, screen: &mut Screen) {
    let detail = if screen.is_open { 12 } else { 0 };
    let [head, table, open, foot] = Layout::vertical([
        Constraint::Length(4),
        Constraint::Min(4),
        Constraint::Length(detail),
        Constraint::Length(1),
    ])
    .areas(frame.area());
    draw_head(frame, head, screen);
    draw_table(frame, table, screen);
    if screen.is_open {
        draw_open(frame, open, screen);
    }
    draw_foot(frame, foot, screen);
}

fn label(name: &str, value: impl Into<String>, color: Option<Color>) -> Vec<Span<'_>> {
    let value = Span::from(value.into()).bold();
    let value = color.map_or(value.clone(), |color| value.fg(color));
    vec![
        Span::from(name).fg(FAINT),
        Span::from(" "),
        value,
        Span::from("   "),
    ]
}

/// The colour of a number that should be nothing.
fn if_any(number: f64, color: Color) -> Option<Color> {
    (number > 0.0).then_some(color)
}

/// Which server, and whether it answers.
fn head_server(screen: &Screen) -> Vec<Span<'_>> {
    let sight = &screen.sight;
    let health = sight.field("health");
    let color = match health {
        "serving" => GOOD,
        "shedding" => WARN,
        _ => BAD,
    };
    let up = time(sight.number("uptime_in_seconds").unwrap_or(0.0) * 1000.0);
    let mut spans = vec![
        Span::from(" ≋ weir ").bold().fg(Color::Black).bg(ACCENT),
        Span::from(format!(" {} ", screen.address)),
        Span::from(format!("{}  up {up}  ", sight.field("weir_version"))).fg(FAINT),
    ];
    spans.push(match &screen.trouble {
        Some(trouble) => Span::from(format!("no answer: {trouble}")).bold().fg(BAD),
        None => Span::from(health).bold().fg(color),
    });
    if screen.is_paused() {
        spans.push(Span::from("  paused").bold().fg(WARN));
    }
    spans
}

/// All queues together.
fn head_queues(sight: &Sight) -> Vec<Span<'static>> {
    let number = |name: &str| sight.number(name).unwrap_or(0.0);
    let age = dash(sight.number("oldest_age_ms"), time);
    let [came, out] =
        ["rate_in_1s", "rate_out_1s"].map(|rate| format!("{}/s", count(number(rate))));
    let lost = number("dropped");
    [
        label(" waiting", count(number("waiting")), None),
        label("oldest", age, if_any(number("stalled"), BAD)),
        label("in", came, Some(ACCENT)),
        label("out", out, Some(WARN)),
        label("lost", count(lost), if_any(lost, BAD)),
    ]
    .concat()
}

/// The process.
fn head_process(sight: &Sight) -> Vec<Span<'static>> {
    let number = |name: &str| sight.number(name).unwrap_or(0.0);
    let (used, limit) = (bytes(number("used_memory")), number("maxmemory"));
    let memory = if limit > 0.0 {
        format!("{used} of {}", bytes(limit))
    } else {
        used
    };
    let (stalled, growing) = (number("stalled"), number("building_up"));
    let commands = format!("{}/s", count(number("instantaneous_ops_per_sec")));
    [
        label(" memory", memory, None),
        label("clients", count(number("connected_clients")), None),
        label("blocked", count(number("blocked_clients")), None),
        label("commands", commands, None),
        label("queues", count(number("queues") + number("streams")), None),
        label("stalled", count(stalled), if_any(stalled, BAD)),
        label("building up", count(growing), if_any(growing, WARN)),
    ]
    .concat()
}

fn draw_head(frame: &mut Frame<'_>, area: Rect, screen: &Screen) {
    let lines = [
        head_server(screen),
        head_queues(&screen.sight),
        head_process(&screen.sight),
    ];
    frame.render_widget(Paragraph::new(lines.map(Line::from).to_vec()), area);
}

fn drain(row: &Row) -> (String, Color) {
    match row.number("drain_s") {
        Some(seconds) if seconds > 0.0 => (time(seconds * 1000.0), Color::Reset),
        Some(_) => ("–".to_owned(), FAINT),
        None if row.text("state") == "flowing" => ("steady".to_owned(), FAINT),
        None => ("never".to_owned(), WARN),
    }
}

/// A number at the right of its column, faint if it is nothing.
fn right(text: &str, width: u16, color: Option<Color>) -> Cell<'static> {
    let style = match (text, color) {
        (_, Some(color)) => Style::new().fg(color),
        ("0" | "–", None) => Style::new().fg(FAINT),
        _ => Style::new(),
    };
    Cell::from(format!("{text:>width$}", width = usize::from(width))).style(style)
}

fn table_row(row: &Row, history: &[u64]) -> TableRow<'static> {
    let state = row.text("state");
    let color = color_of(state);
    let bad = (state == "stalled").then_some(BAD);
    let number = |name: &str| row.number(name).unwrap_or(0.0);
    let (drains, drain_color) = drain(row);
    let is_stream = row.text("type") == "stream";
    let name = if is_stream {
        format!("{} (stream)", row.name)
    } else {
        row.name.clone()
    };
    let width = |at: usize| COLUMNS[at].1;
    TableRow::new([
        Cell::from(state.replace('-', " ")).style(Style::new().fg(color).bold()),
        Cell::from(name),
        Cell::from(spark(history)).style(Style::new().fg(bad.unwrap_or(ACCENT))),
        right(&count(number("waiting")), width(3), None),
        right(&dash(row.number("oldest_age_ms"), time), width(4), bad),
        right(&count(number("rate_in_10s")), width(5), None),
        right(&count(number("rate_out_10s")), width(6), None),
        right(&dash(row.number("wait_p99_ms"), time), width(7), None),
        right(&drains, width(8), Some(drain_color)),
        right(&count(number("consumers_waiting")), width(9), None),
        right(
            &count(number("dropped")),
            width(10),
            (number("dropped") > 0.0).then_some(BAD),
        ),
    ])
}

fn draw_table(frame: &mut Frame<'_>, area: Rect, screen: &mut Screen) {
    let rows: Vec<_> = screen
        .sight
        .rows
        .iter()
        .map(|row| table_row(row, &screen.history(&row.name)))
        .collect();
    let widths = COLUMNS.map(|(_, width)| match width {
        0 => Constraint::Min(16),
        width => Constraint::Length(width),
    });
    let heads = COLUMNS.iter().enumerate().map(|(at, (name, width))| {
        let width = usize::from(*width);
        Cell::from(if at < 3 {
            (*name).to_owned()
        } else {
            format!("{name:>width$}")
        })
    });
    let table = Table::new(rows, widths)
        .header(TableRow::new(heads).style(Style::new().fg(FAINT).bold()))
        .row_highlight_style(
            Style::new()
                .bg(Color::Rgb(30, 48, 46))
                .add_modifier(Modifier::BOLD),
        )
        .column_spacing(1);
    frame.render_stateful_widget(table, area, &mut screen.table);
}

/// Facts of one queue: label, fact, how to say it.
fn fact<'a>(row: &Row, name: &'a str, fact: &str, words: fn(f64) -> String) -> Vec<Span<'a>> {
    label(name, dash(row.number(fact), words), None)
}

fn draw_open(frame: &mut Frame<'_>, area: Rect, screen: &Screen) {
    let Some(row) = screen.chosen() else { return };
    let policy = match row.text("policy") {
        "" => String::new(),
        policy => format!("policy {policy} "),
    };
    let block = Block::bordered()
        .border_style(Style::new().fg(FAINT))
        .title(Span::from(format!(" {} ", row.name)).bold())
        .title_bottom(Span::from(format!(" {policy}Esc closes ")).fg(FAINT));
    let mut lines = Vec::new();
    let waits = [
        ("waited: half within", "wait_p50_ms"),
        ("90%", "wait_p90_ms"),
        ("99%", "wait_p99_ms"),
        ("longest", "wait_max_ms"),
    ];
    lines.push(
        waits
            .into_iter()
            .flat_map(|(name, of)| fact(row, name, of, time))
            .collect::<Line<'_>>(),
    );
    for (name, of) in [("in /s: 1 s", "rate_in"), ("out /s: 1 s", "rate_out")] {
        let mut spans = fact(row, name, &format!("{of}_1s"), count);
        spans.extend(fact(row, "10 s", &format!("{of}_10s"), count));
        spans.extend(fact(row, "1 min", &format!("{of}_1m"), count));
        lines.push(Line::from(spans));
    }
    let mut totals = fact(row, "came", "in", count);
    totals.extend(fact(row, "delivered", "out", count));
    totals.extend(fact(row, "bytes", "bytes", bytes));
    lines.push(Line::from(totals));
    let lost = row
        .drops
        .iter()
        .flat_map(|(cause, lost)| label(cause, lost.clone(), Some(BAD)));
    lines.push(
        std::iter::once(
            Span::from(if row.drops.is_empty() {
                "nothing was lost"
            } else {
                "lost: "
            })
            .fg(FAINT),
        )
        .chain(lost)
        .collect(),
    );
    for group in row.groups.iter().take(4) {
        let text = |name: &str| group.get(name).cloned().unwrap_or_default();
        let mut spans = vec![Span::from(format!("group {}  ", text("name"))).bold()];
        for (name, of) in [
            ("lag", "lag"),
            ("pending", "pending"),
            ("out/s", "rate_out_10s"),
            ("acked/s", "rate_ack_10s"),
            ("redelivered", "redelivered"),
        ] {
            spans.extend(label(name, text(of), None));
        }
        lines.push(Line::from(spans));
    }
    frame.render_widget(Paragraph::new(lines).block(block), area);
}

fn draw_foot(frame: &mut Frame<'_>, area: Rect, screen: &Screen) {
    let line = if screen.is_typing {
        Line::from(vec![
            Span::from(" filter: ").fg(FAINT),
            Span::from(format!("{}▏", screen.filter)).bold(),
            Span::from("  Enter keeps it, Esc shows all").fg(FAINT),
        ])
    } else {
        let keys = [
            ("q", "quit"),
            ("↑↓", "choose"),
            ("Enter", "open"),
            ("/", "filter"),
            ("s", "sort"),
            ("p", "pause"),
        ];
        let mut spans: Vec<Span<'_>> = keys
            .into_iter()
            .flat_map(|(key, what)| {
                [
                    Span::from(format!(" {key} ")).bold().fg(ACCENT),
                    Span::from(what).fg(FAINT),
                ]
            })
            .collect();
        spans.push(Span::from(format!("   by {}", screen.order())).bold());
        if !screen.filter.is_empty() {
            spans.push(
                Span::from(format!("   only {}", screen.filter))
                    .bold()
                    .fg(WARN),
            );
        }
        Line::from(spans)
    };
    frame.render_widget(Paragraph::new(line), area);
}
