//! What lies in deploy/ speaks of metrics that there are.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::http::{connect, get, http_address};
use crate::server::Server;

/// All words of a text that look like names of metrics.
fn names(text: &str) -> impl Iterator<Item = &str> {
    let is_letter = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    text.split(move |letter| !is_letter(letter))
        .filter(|word| word.starts_with("weir_"))
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths
        .flat_map(|path| {
            if path.is_dir() {
                files(&path)
            } else {
                vec![path]
            }
        })
        .collect()
}

#[test]
fn dashboards_and_alerts_name_metrics_that_the_server_prints() {
    let server = Server::weir(&["--policy", "jobs alert-length 1"]);
    let mut connection = connect(&server);
    let mut run = |command: &str| {
        let mut words = command.split(' ');
        let mut request = redis::cmd(words.next().unwrap());
        words.for_each(|word| _ = request.arg(word));
        let _: redis::Value = request.query(&mut connection).unwrap();
    };
    for command in [
        "RPUSH jobs a b c",
        "LPOP jobs",
        "XADD events * f v",
        "XGROUP CREATE events workers 0",
        "XREADGROUP GROUP workers w STREAMS events >",
    ] {
        run(command);
    }
    let metrics = get(http_address(&mut connection), "/metrics");
    let kinds = metrics
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE "));
    let printed: BTreeSet<&str> = kinds.filter_map(|line| line.split(' ').next()).collect();
    assert!(printed.contains("weir_held_messages"), "{metrics}");
    let deploy = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy");
    let mut named = 0;
    for path in files(&deploy) {
        let text = fs::read_to_string(&path).unwrap();
        for name in names(&text) {
            named += 1;
            assert!(
                printed.contains(name),
                "{} names {name}, which is not among {printed:?}",
                path.display()
            );
        }
    }
    assert!(named > 30, "{named} names found");
}
