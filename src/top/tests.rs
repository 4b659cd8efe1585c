//! What keys do, and what is drawn of answers like a server's.

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use crate::bench::wire::{Answer, scan};
use crate::command::testing::Bench;

use super::options;
use super::screen::Screen;
use super::sight::Sight;
use super::view;

fn press(screen: &mut Screen, keys: &str) {
    for key in keys.chars() {
        let code = match key {
            '\n' => KeyCode::Enter,
            '\x1b' => KeyCode::Esc,
            '\x08' => KeyCode::Backspace,
            letter => KeyCode::Char(letter),
        };
        screen.press(KeyEvent::new(code, KeyModifiers::NONE));
    }
}

/// A server's answers to what the screen asks.
fn look(bench: &Bench, screen: &Screen) -> Sight {
    let ask = |words: &[&str]| {
        let words: Vec<Vec<u8>> = words.iter().map(|word| word.as_bytes().to_vec()).collect();
        bench.wire(&words)
    };
    let (mut of_info, mut of_rows) = (Vec::new(), Vec::new());
    let info = ask(&["INFO", "everything"]);
    let question = screen.question(10);
    let words: Vec<&str> = ["WEIR.BACKLOG"]
        .into_iter()
        .chain(question.iter().map(String::as_str))
        .collect();
    let rows = ask(&words);
    assert_eq!(scan(&info, &mut of_info), Ok(Some(info.len())));
    assert_eq!(scan(&rows, &mut of_rows), Ok(Some(rows.len())));
    let info = Answer::new(&info, &of_info).text(0);
    Sight::of(info, Answer::new(&rows, &of_rows))
}

fn drawn(screen: &mut Screen) -> String {
    let mut terminal = Terminal::new(TestBackend::new(130, 24)).unwrap();
    terminal.draw(|frame| view::draw(frame, screen)).unwrap();
    let buffer = terminal.backend().buffer();
    let lines = buffer.content().chunks(130).map(|line| {
        let line: String = line.iter().map(ratatui::buffer::Cell::symbol).collect();
        line.trim_end().to_owned() + "\n"
    });
    lines.collect()
}

#[test]
fn queues_are_shown_as_the_server_tells_of_them() {
    let mut bench = Bench::new();
    bench.run("WEIR.POLICY SET jobs MAX-LENGTH 2 OVERFLOW drop-oldest");
    bench.run("RPUSH jobs a b c");
    bench.run("RPUSH mail\x1b[31m x");
    bench.run("XGROUP CREATE log workers $ MKSTREAM");
    bench.run("XADD log * k v");
    bench.pass(12_000);
    bench.run("RPUSH jobs d");
    let mut screen = Screen::new("127.0.0.1:6379".to_owned());
    let sight = look(&bench, &screen);
    screen.take(Ok(sight));
    let text = drawn(&mut screen);
    for part in [
        "≋ weir  127.0.0.1:6379",
        "waiting 4 ",
        "stalled 3 ",
        "stalled     jobs ",
        "log (stream)",
        "mail\u{fffd}[31m",
        "12.0 s",
        "by trouble",
    ] {
        assert!(text.contains(part), "{part} in\n{text}");
    }
    press(&mut screen, "\n");
    let text = drawn(&mut screen);
    assert!(
        text.contains("group workers") || text.contains("overflow_oldest 2"),
        "{text}"
    );
}

#[test]
fn keys_choose_sort_filter_and_end() {
    let bench = Bench::new();
    for name in ["a:1", "a:2", "b:1"] {
        bench.run(&format!("RPUSH {name} x"));
    }
    let mut screen = Screen::new(String::new());
    assert_eq!(screen.question(7), ["SORT", "trouble", "LIMIT", "7"]);
    press(&mut screen, "S");
    assert!(screen.wants_look() && !screen.wants_look());
    let sight = look(&bench, &screen);
    screen.take(Ok(sight));
    assert_eq!(screen.order(), "name");
    press(&mut screen, "jjjk");
    assert_eq!(screen.chosen().map(|row| row.name.as_str()), Some("a:2"));
    press(&mut screen, "/b:x\x08\n");
    assert_eq!(screen.question(7)[4..], ["MATCH", "*b:*"]);
    let sight = look(&bench, &screen);
    screen.take(Ok(sight));
    assert_eq!(screen.chosen().map(|row| row.name.as_str()), Some("b:1"));
    assert!(drawn(&mut screen).contains("only b:"));
    press(&mut screen, "p");
    assert!(screen.is_paused());
    let refused = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
    screen.take(Err(refused.into()));
    assert!(drawn(&mut screen).contains("no answer: connection refused"));
    press(&mut screen, "\x1bq");
    assert!(screen.filter.is_empty() && screen.is_over());
}

#[test]
fn the_command_line_says_where_the_server_is() {
    let words = [
        "top", "-h", "::1", "--port", "7000", "-n", "3", "-a", "secret",
    ];
    let options = options::parse(words.into_iter().map(Into::into)).unwrap();
    assert_eq!((options.address(), options.db), ("::1:7000".to_owned(), 3));
    assert_eq!(options.password.as_deref(), Some("secret"));
    assert_eq!(options.interval_us(), 1_000_000);
    let wrong = ["top", "--interval", "1"];
    assert!(options::parse(wrong.into_iter().map(Into::into)).is_err());
}
