//! What handlers answer with: JSON, bytes, or a problem document (RFC 9457).

use axum::body::Body;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use wire::{Code, Problem};

/// The kind of a problem document.
pub(super) const PROBLEM: &str = "application/problem+json";

/// What a handler gives.
pub(super) type Answer = Result<Response, Refusal>;

/// A problem on its way out.
pub(super) struct Refusal(pub(super) Problem);

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Refusal {
        Refusal(problem)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_string(&self.0).expect("a problem is plain data");
        (status, [(header::CONTENT_TYPE, PROBLEM)], body).into_response()
    }
}

pub(super) fn bad(detail: String) -> Refusal {
    Refusal(Problem::new(Code::InvalidRequest, detail))
}

pub(super) fn json(body: &impl Serialize) -> Response {
    let body = serde_json::to_string(body).expect("an answer is plain data");
    ([(header::CONTENT_TYPE, "application/json")], body).into_response()
}

pub(super) fn octets(bytes: Vec<u8>) -> Response {
    ([(header::CONTENT_TYPE, "application/octet-stream")], Body::from(bytes)).into_response()
}
