//! Who may ask, and who answers.

use std::net::IpAddr;
use std::sync::Arc;

use hyper::header::{ACCEPT, ALLOW, AUTHORIZATION, HOST, HeaderValue, WWW_AUTHENTICATE};
use hyper::http::request::Parts;
use hyper::{Method, Response, StatusCode};

use crate::clock::Now;
use crate::command::Engine;

use super::answer::{Content, line, whole, with_content};
use super::events::{Audience, Events};
use super::metrics::{self, Format};
use super::{api, page, query};

/// Who may ask for more than health, and who listens.
#[derive(Debug)]
pub struct Access {
    token: Option<String>,
    audience: Arc<Audience>,
}

/// Why a request gets no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refused {
    /// It has not shown the token.
    Token,
    /// It comes from another machine, and there is no token.
    Elsewhere,
    /// It asks for a name that anybody may have pointed at this address (DNS rebinding), so that a
    /// page from elsewhere could read the answer; and there is no token.
    Host,
    /// It asks for messages, which clients must say who they are for; and there is no token.
    Messages,
}

impl Access {
    /// Access with a token, or without one from this machine only.
    pub fn new(token: Option<String>) -> Self {
        Self {
            token,
            audience: Arc::default(),
        }
    }

    fn check(&self, is_protected: bool, peer: IpAddr, head: &Parts) -> Result<(), Refused> {
        let Some(token) = &self.token else {
            if !is_protected {
                return Ok(());
            }
            if !peer.to_canonical().is_loopback() {
                return Err(Refused::Elsewhere);
            }
            let host = head.headers.get(HOST).map(HeaderValue::as_bytes);
            return match host {
                Some(host) if !is_address(host) => Err(Refused::Host),
                _ => Ok(()),
            };
        };
        let header = head.headers.get(AUTHORIZATION).map(HeaderValue::as_bytes);
        let shown = header.and_then(|header| header.strip_prefix(b"Bearer "));
        let asked = query::value(head.uri.query().unwrap_or(""), "token");
        let is_it = |candidate: &[u8]| is_same(candidate, token.as_bytes());
        if shown.is_some_and(is_it) || asked.as_deref().is_some_and(is_it) {
            Ok(())
        } else {
            Err(Refused::Token)
        }
    }
}

/// Whether a host header names an address or `localhost`.
fn is_address(host: &[u8]) -> bool {
    let Ok(host) = std::str::from_utf8(host) else {
        return false;
    };
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|digit| digit.is_ascii_digit()) => name,
        _ => host,
    };
    let name = name.trim_matches(['[', ']']);
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok()
}

/// Compares without telling by its time where the first difference is.
fn is_same(shown: &[u8], token: &[u8]) -> bool {
    let differences = shown.iter().zip(token).fold(0, |all, (a, b)| all | (a ^ b));
    shown.len() == token.len() && differences == 0
}

/// Answers a request that comes from an address at a moment.
pub fn answer(
    engine: &Arc<Engine>,
    access: &Access,
    (peer, now): (IpAddr, Now),
    head: &Parts,
) -> Response<Content> {
    if head.method != Method::GET && head.method != Method::HEAD {
        let mut refusal = line(StatusCode::METHOD_NOT_ALLOWED, "this server is for reading");
        let allowed = HeaderValue::from_static("GET, HEAD");
        refusal.headers_mut().insert(ALLOW, allowed);
        return refusal;
    }
    let path = head.uri.path();
    match path {
        "/healthz" => return line(StatusCode::OK, "ok"),
        "/readyz" => return ready(engine),
        _ => {}
    }
    let is_protected = engine.config.live().protected_mode();
    if let Err(refused) = access.check(is_protected, peer, head) {
        return refuse(refused);
    }
    let query = head.uri.query().unwrap_or("");
    let databases = engine.config.settings().databases;
    match path {
        "/metrics" => scrape(engine, now, head),
        "/api/backlog" | "/api/queue" if query::asks_beyond(query, databases) => {
            line(StatusCode::BAD_REQUEST, "there is no such db")
        }
        "/api/backlog" => json(api::backlog(engine, query, now)),
        "/api/queue" if access.token.is_none() && !engine.is_open() => refuse(Refused::Messages),
        "/api/queue" => json(api::queue(engine, query, now)),
        "/api/events" => match Events::listen(engine, &access.audience) {
            Some(events) => {
                let events = Content::Events(Box::new(events));
                with_content(StatusCode::OK, "text/event-stream", events)
            }
            None => line(StatusCode::SERVICE_UNAVAILABLE, "too many listen to events"),
        },
        _ => page::answer(path).unwrap_or_else(|| line(StatusCode::NOT_FOUND, "no such page")),
    }
}

fn refuse(refused: Refused) -> Response<Content> {
    match refused {
        Refused::Token => {
            let mut refusal = line(
                StatusCode::UNAUTHORIZED,
                "show the token of http-token: as a header `Authorization: Bearer ...`, or as ?token=...",
            );
            let scheme = HeaderValue::from_static("Bearer");
            refusal.headers_mut().insert(WWW_AUTHENTICATE, scheme);
            refusal
        }
        Refused::Elsewhere => line(
            StatusCode::FORBIDDEN,
            "without a token only this machine is answered: set http-token, or protected-mode no",
        ),
        Refused::Host => line(
            StatusCode::FORBIDDEN,
            "without a token only addresses and localhost are answered, no other names: set \
             http-token, or protected-mode no",
        ),
        Refused::Messages => line(
            StatusCode::FORBIDDEN,
            "clients must say who they are, and without a token nobody here does, so messages are \
             not shown: set http-token",
        ),
    }
}

/// Ready is who takes what it is sent.
fn ready(engine: &Engine) -> Response<Content> {
    if api::is_stopping(engine) {
        return line(StatusCode::SERVICE_UNAVAILABLE, "stopping");
    }
    let health = engine.health();
    let status = if health == crate::command::Health::Refusing {
        StatusCode::SERVICE_UNAVAILABLE
    } else {
        StatusCode::OK
    };
    line(status, health.name())
}

fn json(body: Option<String>) -> Response<Content> {
    match body {
        Some(body) => whole(StatusCode::OK, "application/json", body),
        None => line(
            StatusCode::SERVICE_UNAVAILABLE,
            "busy with a script that is over its time",
        ),
    }
}

fn scrape(engine: &Engine, now: Now, head: &Parts) -> Response<Content> {
    let accepted = head.headers.get_all(ACCEPT).iter();
    let is_open = accepted
        .filter_map(|accept| accept.to_str().ok())
        .any(|accept| accept.contains("application/openmetrics-text"));
    let format = if is_open { Format::Open } else { Format::Plain };
    match metrics::write(engine, now, format) {
        Some(text) => whole(StatusCode::OK, format.content_type(), text),
        None => line(
            StatusCode::SERVICE_UNAVAILABLE,
            "busy with a script that is over its time",
        ),
    }
}
