//! The dashboard: three files that are part of the binary, and nothing from elsewhere.

use hyper::header::HeaderValue;
use hyper::{Response, StatusCode};

use super::answer::{Content, whole};

/// Path, type and text of each file.
const FILES: [(&str, &str, &str); 3] = [
    (
        "/",
        "text/html; charset=utf-8",
        include_str!("page/index.html"),
    ),
    (
        "/style.css",
        "text/css; charset=utf-8",
        include_str!("page/style.css"),
    ),
    (
        "/page.js",
        "text/javascript; charset=utf-8",
        include_str!("page/page.js"),
    ),
];

/// What a page may load: itself, and nothing that is written into it. Names and messages come from
/// clients, and may be anything.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The file at a path.
pub fn answer(path: &str) -> Option<Response<Content>> {
    let (_, kind, text) = FILES.into_iter().find(|(at, ..)| *at == path)?;
    let mut response = whole(StatusCode::OK, kind, text);
    let headers = response.headers_mut();
    headers.insert("content-security-policy", HeaderValue::from_static(POLICY));
    headers.insert("referrer-policy", HeaderValue::from_static("no-referrer"));
    Some(response)
}
