//! Requests without sockets.

use std::future::poll_fn;
use std::net::{IpAddr, Ipv4Addr};
use std::pin::Pin;
use std::sync::Arc;

use hyper::body::Body;
use hyper::http::request::Parts;
use hyper::{Request, StatusCode};
use tokio::runtime::{Builder, Runtime};

use crate::command::testing::Bench;
use crate::config::Config;

use super::answer::Content;
use super::router::{Access, answer};

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const ELSEWHERE: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 9));

fn head(path: &str, headers: &[(&str, &str)]) -> Parts {
    let mut request = Request::builder().uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap().into_parts().0
}

fn text_of(mut content: Content) -> String {
    let runtime = Builder::new_current_thread().enable_time().build().unwrap();
    text_in(&runtime, &mut content)
}

fn text_in(runtime: &Runtime, content: &mut Content) -> String {
    match runtime.block_on(poll_fn(|cx| Pin::new(&mut *content).poll_frame(cx))) {
        Some(Ok(frame)) => String::from_utf8(frame.into_data().unwrap().to_vec()).unwrap(),
        other => panic!("{other:?}"),
    }
}

fn get(bench: &Bench, path: &str) -> (StatusCode, String) {
    let head = head(path, &[("host", "127.0.0.1:9121")]);
    let response = answer(&bench.engine, &Access::new(None), (HERE, bench.now), &head);
    (response.status(), text_of(response.into_body()))
}

fn busy_bench() -> Bench {
    let mut bench = Bench::new();
    bench.run("WEIR.POLICY SET jobs* MAX-LENGTH 3 OVERFLOW drop-oldest");
    bench.run("RPUSH jobs:\"1\\ a bb ccc dddd");
    bench.run("XGROUP CREATE log g $ MKSTREAM");
    bench.run("XADD log * k v");
    bench.run("XREADGROUP GROUP g c STREAMS log >");
    bench.pass(2500);
    bench.run("LPOP jobs:\"1\\");
    bench.engine.workers[0].passes.note(1500);
    bench
}

#[test]
fn metrics_tell_of_everything_in_either_format() {
    let bench = busy_bench();
    let (status, plain) = get(&bench, "/metrics");
    assert_eq!(status, StatusCode::OK);
    let queue = "{db=\"0\",queue=\"jobs:\\\"1\\\\\\\\\",type=\"queue\"";
    for sample in [
        "# TYPE weir_commands_total counter\n".to_owned(),
        "weir_held_messages 3\n".to_owned(),
        "weir_lost_messages_total{type=\"queue\",cause=\"overflow_oldest\"} 1\n".to_owned(),
        "weir_policy_held_messages{policy=\"jobs*\"} 2\n".to_owned(),
        format!("weir_queue_held_bytes{queue}}} 7\n"),
        format!("weir_queue_wait_seconds{queue},quantile=\"1\"}} "),
        "weir_group_pending_entries{db=\"0\",stream=\"log\",group=\"g\"} 1\n".to_owned(),
        "weir_alerts_raised_total{alert=\"alert-age\"} 0\n".to_owned(),
        "weir_loop_pass_seconds_bucket{worker=\"0\",le=\"0.001024\"} 0\n".to_owned(),
        "weir_loop_pass_seconds_bucket{worker=\"0\",le=\"0.004096\"} 1\n".to_owned(),
        "weir_loop_pass_seconds_sum{worker=\"0\"} 0.001500\n".to_owned(),
        "weir_loop_pass_longest_seconds{worker=\"0\"} 0.001500\n".to_owned(),
    ] {
        assert!(plain.contains(&sample), "{sample} in {plain}");
    }
    assert!(!plain.contains("# EOF"));
    let open = head(
        "/metrics",
        &[("accept", "application/openmetrics-text;version=1.0.0")],
    );
    let response = answer(&bench.engine, &Access::new(None), (HERE, bench.now), &open);
    let kind = response.headers()["content-type"]
        .to_str()
        .unwrap()
        .to_owned();
    assert!(kind.starts_with("application/openmetrics-text"));
    let open = text_of(response.into_body());
    assert!(open.contains("# TYPE weir_commands counter\n"), "{open}");
    assert!(open.ends_with("# EOF\n"));
    let mut families: Vec<&str> = open
        .lines()
        .filter(|line| line.starts_with("# TYPE"))
        .collect();
    let count = families.len();
    families.sort_unstable();
    families.dedup();
    assert_eq!(families.len(), count, "each family stands once");
    for line in open.lines().filter(|line| !line.starts_with('#')) {
        assert!(line.starts_with("weir_"), "{line}");
    }
}

#[test]
fn a_scrape_names_few_queues_and_counts_all() {
    let bench = Bench::new();
    for n in 0..300 {
        bench.run(&format!("RPUSH q{n} x"));
    }
    let (_, text) = get(&bench, "/metrics");
    assert!(text.contains("weir_held_messages 300\n"), "{text}");
    assert_eq!(text.matches("weir_queue_held_messages{").count(), 100);
    bench.run("CONFIG SET metrics-queues 0");
    let (_, text) = get(&bench, "/metrics");
    assert_eq!(text.matches("weir_queue_held_messages{").count(), 0);
}

#[test]
fn messages_are_not_shown_to_who_need_not_say_who_he_is_while_clients_must() {
    let restrictions = [
        "CONFIG SET requirepass pw",
        "ACL SETUSER default resetkeys ~own:*",
    ];
    for restriction in restrictions {
        let bench = Bench::new();
        bench.run("RPUSH jobs secret");
        let path = "/api/queue?name=jobs";
        assert!(get(&bench, path).1.contains("secret"));
        assert_eq!(bench.run(restriction), "+OK");
        let (status, text) = get(&bench, path);
        assert_eq!(status, StatusCode::FORBIDDEN);
        assert!(text.contains("set http-token"), "{text}");
        for path in ["/metrics", "/api/backlog", "/"] {
            assert_eq!(get(&bench, path).0, StatusCode::OK, "{path}");
        }
        let head = head("/api/queue?name=jobs&token=t", &[]);
        let access = Access::new(Some("t".into()));
        let response = answer(&bench.engine, &access, (HERE, bench.now), &head);
        assert_eq!(response.status(), StatusCode::OK);
        assert!(text_of(response.into_body()).contains("secret"));
    }
}

#[test]
fn json_tells_of_queues_and_what_lies_in_them() {
    let bench = busy_bench();
    let (status, json) = get(&bench, "/api/backlog?sort=length&limit=1");
    assert_eq!(status, StatusCode::OK);
    for part in [
        "\"health\":\"serving\"",
        "\"drops\":{\"overflow_oldest\":1}",
        "\"policies\":[{\"policy\":\"jobs*\",\"queues\":1,",
        "\"queues\":[{\"db\":0,\"name\":\"jobs:\\\"1\\\\\",\"type\":\"queue\",",
    ] {
        assert!(json.contains(part), "{part} in {json}");
    }
    assert!(!json.contains("\"name\":\"log\""), "{json}");
    let (_, json) = get(&bench, "/api/queue?db=0&name=jobs:%221%5C");
    for part in [
        "\"length\":2,",
        "\"waits\":[{\"until_ms\":",
        "\"messages\":[{\"at\":\"0\",\"age_ms\":2500,\"bytes\":3,\"text\":\"ccc\"},{\"at\":\"1\",",
    ] {
        assert!(json.contains(part), "{part} in {json}");
    }
    let (_, json) = get(&bench, "/api/queue?name=log");
    assert!(json.contains("\"text\":\"k=v\""), "{json}");
    assert!(json.contains("\"groups\":[{\"name\":\"g\""), "{json}");
    for db in ["99", "-1", "x", "16"] {
        for path in ["queue", "backlog"] {
            let (status, _) = get(&bench, &format!("/api/{path}?name=log&db={db}"));
            assert_eq!(status, StatusCode::BAD_REQUEST, "{path} {db}");
        }
    }
    let (status, json) = get(&bench, "/api/queue?name=nosuch");
    assert_eq!(status, StatusCode::OK);
    assert!(json.contains("\"length\":0"), "{json}");
}

#[test]
fn health_is_for_all_and_the_rest_is_not() {
    let bench = Bench::new();
    let ask = |token: Option<&str>, peer, path: &str, headers: &[(&str, &str)]| {
        let access = Access::new(token.map(str::to_owned));
        answer(
            &bench.engine,
            &access,
            (peer, bench.now),
            &head(path, headers),
        )
        .status()
    };
    for path in ["/healthz", "/readyz"] {
        assert_eq!(ask(Some("t"), ELSEWHERE, path, &[]), StatusCode::OK);
    }
    assert_eq!(
        ask(None, HERE, "/", &[("host", "localhost:9121")]),
        StatusCode::OK
    );
    assert_eq!(
        ask(None, HERE, "/", &[("host", "[::1]:9121")]),
        StatusCode::OK
    );
    assert_eq!(
        ask(None, HERE, "/", &[("host", "evil.example:9121")]),
        StatusCode::FORBIDDEN
    );
    assert_eq!(ask(None, ELSEWHERE, "/metrics", &[]), StatusCode::FORBIDDEN);
    assert_eq!(
        ask(Some("t"), HERE, "/metrics", &[]),
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(
        ask(Some("t"), ELSEWHERE, "/metrics?token=t", &[]),
        StatusCode::OK
    );
    let header = [("authorization", "Bearer t")];
    assert_eq!(
        ask(Some("t"), ELSEWHERE, "/metrics", &header),
        StatusCode::OK
    );
    assert_eq!(
        ask(Some("tt"), ELSEWHERE, "/metrics", &header),
        StatusCode::UNAUTHORIZED
    );
    bench.run("CONFIG SET protected-mode no");
    assert_eq!(
        ask(None, ELSEWHERE, "/metrics", &[("host", "weir:9121")]),
        StatusCode::OK
    );
    assert_eq!(ask(None, HERE, "/nosuch", &[]), StatusCode::NOT_FOUND);
    let mut posted = head("/metrics", &[]);
    posted.method = hyper::Method::POST;
    let refused = answer(
        &bench.engine,
        &Access::new(None),
        (HERE, bench.now),
        &posted,
    );
    assert_eq!(refused.status(), StatusCode::METHOD_NOT_ALLOWED);
}

#[test]
fn who_cannot_take_writes_is_not_ready() {
    let bench = Bench::new();
    bench.run("CONFIG SET maxmemory 1000000");
    bench.engine.note_memory(2_000_000);
    assert_eq!(get(&bench, "/readyz").0, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(get(&bench, "/healthz").0, StatusCode::OK);
    bench.engine.note_memory(1000);
    assert_eq!(get(&bench, "/readyz"), (StatusCode::OK, "serving\n".into()));
    bench.engine.shut_down();
    assert_eq!(get(&bench, "/readyz").0, StatusCode::SERVICE_UNAVAILABLE);
}

#[test]
fn listeners_hear_of_alerts() {
    let runtime = Builder::new_current_thread().enable_time().build().unwrap();
    let inside = runtime.enter();
    let bench = Bench::with_config(Arc::new(Config::default()));
    let response = answer(
        &bench.engine,
        &Access::new(None),
        (HERE, bench.now),
        &head("/api/events", &[]),
    );
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    bench.run("WEIR.POLICY SET q ALERT-LENGTH 1");
    bench.run("RPUSH q x");
    bench.watch();
    drop(inside);
    let text = text_in(&runtime, &mut response.into_body());
    assert!(
        text.starts_with("event: alert\nid: 1\ndata: {\"number\":1,"),
        "{text}"
    );
    assert!(
        text.contains("\n\nevent: pulse\ndata: {\"server\":{"),
        "{text}"
    );
}

#[test]
fn few_listen_at_once() {
    let runtime = Builder::new_current_thread().enable_time().build().unwrap();
    let _inside = runtime.enter();
    let bench = Bench::new();
    let access = Access::new(None);
    let listen = || {
        let head = head("/api/events", &[]);
        answer(&bench.engine, &access, (HERE, bench.now), &head)
    };
    let mut listening: Vec<_> = (0..16).map(|_| listen()).collect();
    assert!(
        listening
            .iter()
            .all(|answer| answer.status() == StatusCode::OK)
    );
    assert_eq!(listen().status(), StatusCode::SERVICE_UNAVAILABLE);
    listening.pop();
    assert_eq!(listen().status(), StatusCode::OK);
}
